"""A study's report as JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

from ..search.trial import CompleteTrial, FailedTrial, FinishedTrial, PrunedTrial, RunningTrial, Trial
from .summary import Summary, TechniqueSummary
from .text import describe, duration, literal, score

_CURVE = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")


def to_dict(summary: Summary) -> dict[str, Any]:
    """The report by schema 1, fit for JSON: what is not known is None."""
    settings, data, verdict = summary.settings, summary.settings.data, summary.verdict
    report = {
        "schema": 1,
        "study": {
            "name": settings.name,
            "path": str(summary.path),
            "created": settings.created,
            "engine": settings.engine,
            "algorithm": settings.algorithm,
            "seed": settings.seed,
            "settings": {
                "metric": settings.metric,
                "alpha": settings.alpha,
                "size": settings.size,
                "weights": settings.weights,
                "space": settings.space,
                "version": settings.version,
            },
        },
        "data": {
            "path": data.path,
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
            "depth_profile": None,
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
                "agrees": summary.rule.agrees(verdict.winner),
                "sentence": summary.rule.sentence,
            },
        },
        "techniques": [_technique(technique) for technique in summary.techniques],
        "trials": [_trial(trial) for trial in summary.trials],
        "timing": summary.timing,
    }
    cleaned: dict[str, Any] = _finite(report)
    return cleaned


def render(summary: Summary, form: str) -> str:
    """The report as ``json``, ``csv`` or ``markdown``."""
    return {"json": _json, "csv": _csv, "markdown": _markdown}[form](summary)


def _json(summary: Summary) -> str:
    return json.dumps(to_dict(summary), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _csv(summary: Summary) -> str:
    """One row a trial."""
    fields = ["number", "state", "technique", "score", "val_accuracy", "epochs", "seconds", "error"]
    settings = [name for name in (summary.trials[0].recipe.as_dict() if summary.trials else ()) if name not in fields]
    out = io.StringIO()
    writer = csv.DictWriter(out, [*fields, *settings], lineterminator="\n")
    writer.writeheader()
    for trial in summary.trials:
        row = {**trial.recipe.as_dict(), **_trial(trial), "score": getattr(trial, "score", None)}
        writer.writerow({name: _cell(row[name]) for name in [*fields, *settings]})
    return out.getvalue()


def _markdown(summary: Summary) -> str:
    metric = summary.settings.metric
    name = metric.replace("_", " ")
    verdict = summary.verdict
    title = {"win": f"{verdict.winner} wins", "tie": f"a tie, take {verdict.recommended}"}.get(
        verdict.decision, "no verdict yet"
    )
    lines = [f"### tlsearch: {title}", "", verdict.reason, ""]
    lines += [
        f"| technique | trials | time | best validation {name} | test {name} (95%) | recipe |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for technique in summary.techniques:
        best, test = technique.best, technique.test
        shown = "–"
        if test is not None:
            shown = f"{score(test.mean, metric)} ({score(test.ci95[0], metric)} – {score(test.ci95[1], metric)})"
        cells = [
            str(technique.technique),
            str(len(technique.trials)),
            duration(technique.seconds),
            score(best.score, metric) if best else "–",
            shown,
            describe(best.recipe) if best else "–",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    data = summary.settings.data
    classes = _escape(", ".join(data.classes[:10])) + (" …" if len(data.classes) > 10 else "")
    lines += [
        "",
        f"{_escape(data.path)}: {data.train} training, {data.val} validation, {data.test} test images; {classes}. "
        f"{len(data.skipped)} files skipped. {duration(summary.timing['wall'])} with {summary.settings.engine} "
        f"({summary.settings.algorithm}), seed {summary.settings.seed}.",
    ]
    return "\n".join(lines) + "\n"


def _technique(technique: TechniqueSummary) -> dict[str, Any]:
    best, test = technique.best, technique.test
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
        "test_score": None
        if test is None
        else {"mean": test.mean, "std": test.std, "ci95": list(test.ci95), "seeds": list(test.by_seed)},
        "test_accuracy": _test_accuracy(technique),
    }


def _test_accuracy(technique: TechniqueSummary) -> dict[str, Any] | None:
    """The accuracy whatever the metric; its interval only where accuracy is what was compared."""
    if technique.test is None:
        return None
    seeds = [confirmation.scores["accuracy"] for confirmation in technique.confirmations]
    mean = sum(seeds) / len(seeds)
    spread = math.sqrt(sum((s - mean) ** 2 for s in seeds) / (len(seeds) - 1)) if len(seeds) > 1 else 0.0
    same = seeds == list(technique.test.by_seed)
    return {"mean": mean, "std": spread, "ci95": list(technique.test.ci95) if same else None, "seeds": seeds}


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
        "curve": [{name: getattr(m, name) for name in _CURVE} for m in trial.curve],
        "error": trial.error if isinstance(trial, FailedTrial) else None,
        "interrupted": isinstance(trial, FailedTrial) and trial.interrupted,
    }


def _cell(value: Any) -> Any:
    """A spreadsheet takes a cell that begins so for a formula: an apostrophe makes it text."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def _escape(text: str) -> str:
    """Text from the user's files within Markdown."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>()#+-!|~" else char for char in literal(text))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
