"""A study's report as JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from typing import Any

from ...search.settings import WarmStart
from ...search.trial import CompleteTrial, FailedTrial, FinishedTrial, PrunedTrial, RunningTrial, Trial
from ...spaces.recipe import Recipe, Technique
from ..answer.dataset import imbalance
from ..answer.summary import Summary, TechniqueSummary, TestScore
from ..text import _cell, count, duration, escape, in_words, metric_name, score
from ..words.sentences import DEMONSTRATION, headline, rule_of_thumb, started_from, time_spent, trained_on

_CURVE = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")


def to_dict(summary: Summary) -> dict[str, Any]:
    """The report by schema 1, fit for JSON: what is not known is None."""
    settings, data, verdict, timing = summary.settings, summary.settings.data, summary.verdict, summary.timing
    similarity = summary.similarity
    report = {
        "schema": 1,
        "study": {
            "name": settings.name,
            "path": str(summary.path),
            "created": settings.created,
            "engine": settings.engine,
            "algorithm": settings.algorithm,
            "seed": settings.seed,
            "runs": [dataclasses.asdict(run) for run in summary.runs],
            "settings": {
                "metric": settings.metric,
                "alpha": settings.alpha,
                "size": settings.size,
                "weights": settings.weights,
                "weights_file": summary.weights_file[0] or None,
                "weights_downloaded": summary.weights_file[1],
                "space": settings.space,
                "version": settings.version,
                "warm_start": _warm_start(settings.warm_start),
            },
        },
        "data": {
            "path": data.path,
            "labels": data.labels or None,
            "fingerprint": data.fingerprint,
            "classes": list(data.classes),
            "train": data.train,
            "val": data.val,
            "test": data.test,
            "train_per_class": list(data.train_per_class),
            "test_per_class": list(data.test_per_class),
            "skipped": [{"path": file.path, "reason": file.reason} for file in data.skipped],
            "size": summary.rule.size,
            "similarity": summary.rule.similarity,
            "similarity_sentence": similarity.sentence if similarity else None,
            "knn": {
                "accuracy": similarity.knn_accuracy,
                "corrected": similarity.corrected,
                "chance": similarity.chance,
                "images": similarity.images,
            }
            if similarity
            else None,
            "depth_profile": [
                {"layer": p.layer, "block": p.block, "knn_accuracy": p.knn_accuracy, "ci95": list(p.ci95)}
                for p in similarity.profile
            ]
            if similarity
            else None,
            "suggested_cut": similarity.suggested_cut if similarity else None,
            "imbalance": imbalance(data),
        },
        "verdict": {
            "decision": verdict.decision,
            "winner": verdict.winner,
            "recommended": verdict.recommended,
            "reason": verdict.reason,
            "comparisons": [
                {
                    "a": c.a,
                    "b": c.b,
                    "difference": c.difference,
                    "ci95": list(c.ci95),
                    "p": c.p,
                    "detectable": c.detectable,
                }
                for c in verdict.comparisons
            ],
            "rule_of_thumb": {
                "predicts": summary.rule.predicts,
                "agrees": summary.rule.agrees(verdict.winner, verdict.beaten),
                "sentence": summary.rule.sentence,
            },
        },
        "cost": {
            "pareto_seconds": [technique for technique in Technique if technique in summary.pareto_seconds],
            "pareto_params": [technique for technique in Technique if technique in summary.pareto_params],
            "sentence": summary.cost_sentence,
        },
        "confusion": _confusion(summary),
        "techniques": [technique_dict(technique) for technique in summary.techniques],
        "trials": [_trial(trial) for trial in summary.trials],
        "timing": {
            "wall": timing.wall,
            "decode": timing.decode,
            "extract": timing.extract,
            "train": timing.train,
            "confirm": timing.confirm,
            "overhead": timing.overhead,
            "trial_overhead": {str(technique): seconds for technique, seconds in summary.trial_overhead.items()},
        },
    }
    cleaned: dict[str, Any] = _finite(report)
    return cleaned


def _json(summary: Summary) -> str:
    return json.dumps(to_dict(summary), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _csv(summary: Summary) -> str:
    """One row a trial."""
    fields = ["number", "state", "technique", "score", "val_accuracy", "epochs", "seconds", "error"]
    settings = [field.name for field in dataclasses.fields(Recipe) if field.name != "technique"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*fields, *("max_epochs" if name == "epochs" else name for name in settings)])
    for trial in summary.trials:
        row = _finite({**_trial(trial), "score": getattr(trial, "score", None)})
        writer.writerow([_cell(row[name]) for name in fields] + [_cell(row["recipe"][name]) for name in settings])
    return out.getvalue()


def _markdown(summary: Summary) -> str:
    metric, verdict, data = summary.settings.metric, summary.verdict, summary.settings.data
    name = metric_name(metric)
    lines = [f"### tlsearch: {headline(summary)}", "", verdict.reason, ""]
    if summary.is_demonstration:
        lines += [DEMONSTRATION, ""]
    lines += [
        f"| technique | trials | time | best validation {name} | test {name} (95% interval) | best recipe |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for technique in summary.techniques:
        best, test = technique.best, technique.test
        cells = [
            str(technique.technique),
            str(len(technique.trials)),
            duration(technique.seconds) if technique.trials else "–",
            score(best.score, metric) if best else "–",
            f"{score(test.mean, metric)} ({score(test.ci95[0], metric)} to {score(test.ci95[1], metric)})" if test else "–",
            in_words(best.recipe) if best else ("no trial completed" if technique.trials else "not tried"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    classes = ", ".join(map(escape, data.classes[:10])) + (" …" if len(data.classes) > 10 else "")
    facts = {
        "Cost": summary.cost_sentence,
        "Similarity": summary.similarity.sentence if summary.similarity else "",
        "Rule of thumb": rule_of_thumb(summary),
        "Data": f"{escape(data.path)}: {data.train:,} training, {data.val:,} validation and {data.test:,} test images; "
        f"{classes}. {count(len(data.skipped), 'file')} skipped.",
        "Time": f"{time_spent(summary)}.",
        "Device": escape(trained_on(summary)),
        "Search": f"{summary.settings.engine} ({summary.settings.algorithm}), seed {summary.settings.seed}.",
        "Started from": escape(started_from(summary)),
    }
    lines += ["", *(f"- {label}: {fact}" for label, fact in facts.items() if fact)]
    return "\n".join(lines) + "\n"


def _confusion(summary: Summary) -> dict[str, Any] | None:
    confusion = summary.confusion
    if confusion is None:
        return None
    classes = summary.settings.data.classes
    return {
        "technique": summary.verdict.recommended,
        "matrix": [list(row) for row in confusion.matrix],
        "recall": list(confusion.recall),
        "most_confused": [
            {"true": classes[true], "predicted": classes[predicted], "count": images}
            for true, predicted, images in confusion.most_confused
        ],
    }


def _warm_start(warm: WarmStart | None) -> dict[str, Any] | None:
    if warm is None:
        return None
    recipes = [{**dataclasses.asdict(one), "technique": one.technique, "changes": list(one.changes)} for one in warm.recipes]
    return {"studies": list(warm.studies), "recipes": recipes}


def technique_dict(technique: TechniqueSummary) -> dict[str, Any]:
    """What became of one technique, as the report has it in JSON."""
    best = technique.best
    return {
        "technique": technique.technique,
        "trials": len(technique.trials),
        "failed": technique.failed,
        "pruned": technique.pruned,
        "seconds": technique.seconds,
        "best_val_accuracy": best.val_accuracy if best else None,
        "best_val_score": best.score if best else None,
        "recipe": best.recipe.as_dict() if best else None,
        "trainable_params": best.trainable_params if best else None,
        "confirm_seconds": technique.confirm_seconds,
        "test_score": _test(technique.test),
        "test_accuracy": _test(technique.test_accuracy),
    }


def _test(test: TestScore | None) -> dict[str, Any] | None:
    if test is None:
        return None
    return {"mean": test.mean, "std": test.std, "ci95": list(test.ci95), "seeds": list(test.by_seed)}


def _trial(trial: Trial) -> dict[str, Any]:
    states = {RunningTrial: "running", CompleteTrial: "complete", PrunedTrial: "pruned", FailedTrial: "failed"}
    return {
        "number": trial.number,
        "state": states[type(trial)],
        "technique": trial.recipe.technique,
        "recipe": trial.recipe.as_dict(),
        "val_accuracy": trial.val_accuracy if isinstance(trial, CompleteTrial | PrunedTrial) else None,
        "epochs": max((m.epoch for m in trial.curve), default=0),
        "seconds": trial.seconds if isinstance(trial, FinishedTrial) else None,
        "overhead_seconds": trial.setup_seconds if isinstance(trial, CompleteTrial) else None,
        "images_per_second": trial.images_per_second if isinstance(trial, CompleteTrial) else None,
        "trained_from": trial.trained_from if isinstance(trial, CompleteTrial) else None,
        "curve": [{name: getattr(m, name) for name in _CURVE} for m in trial.curve],
        "error": trial.error if isinstance(trial, FailedTrial) else None,
        "interrupted": isinstance(trial, FailedTrial) and trial.interrupted,
    }


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
