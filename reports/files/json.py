"""A study's report as JSON, by schema 1."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from ...search.statistics.expectation import Expectation
from ...search.trial import CompleteTrial, FailedTrial, FinishedTrial, PrunedTrial, RunningTrial, Trial
from ...spaces.recipe import Technique
from ..answer.dataset import imbalance
from ..answer.doubts import Doubts
from ..answer.insight import Similarity
from ..answer.summary import Summary
from ..answer.technique import TechniqueSummary, TestScore

_CURVE = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")


def study_json(summary: Summary) -> str:
    """A JSON object as `schema-1.json` describes it; what is not known is null."""
    settings, data, verdict, timing = summary.settings, summary.settings.data, summary.verdict, summary.timing
    report = {
        "schema": 1,
        "study": {
            "name": settings.name,
            "path": str(summary.path),
            **picked(settings, "created", "engine", "algorithm", "seed"),
            "runs": [dataclasses.asdict(run) for run in summary.runs],
            "settings": {
                **picked(settings, "metric", "alpha", "size", "weights"),
                "weights_file": summary.weights_file[0] or None,
                "weights_downloaded": summary.weights_file[1],
                **picked(settings, "space", "version"),
                "warm_start": dataclasses.asdict(settings.warm_start) if settings.warm_start else None,
            },
        },
        "data": {
            "path": data.path,
            "labels": data.labels or None,
            **picked(data, "fingerprint", "classes", "train", "val", "test", "train_per_class", "test_per_class", "folds"),
            "skipped": [dataclasses.asdict(file) for file in data.skipped],
            **picked(summary.rule, "size", "similarity"),
            **_similarity(summary.similarity),
            "imbalance": imbalance(data),
            "doubtful_labels": _doubts(summary.doubts),
            "lookalikes": dataclasses.asdict(summary.lookalikes) if summary.lookalikes else None,
        },
        "verdict": {
            **picked(verdict, "decision", "winner", "recommended", "reason"),
            **picked(verdict, "care", "proven"),
            "baseline": {"class": summary.baseline.label or None, "score": summary.baseline.score},
            "probability_best": {technique: one.probability_best for technique, one in verdict.chances.items()},
            "expected_regret": {technique: one.expected_regret for technique, one in verdict.chances.items()},
            "within_care": {technique: one.within_care for technique, one in verdict.chances.items()},
            "comparisons": [dataclasses.asdict(comparison) for comparison in verdict.comparisons],
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
        "closed": [dataclasses.asdict(closed) for closed in summary.closed],
        "trials": [trial_dict(trial) for trial in summary.trials],
        "timing": {**dataclasses.asdict(timing), "overhead": timing.overhead, "trial_overhead": summary.trial_overhead},
    }
    return json.dumps(finite(report), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _similarity(similarity: Similarity | None) -> dict[str, Any]:
    if similarity is None:
        return dict.fromkeys(("similarity_sentence", "knn", "depth_profile", "suggested_cut", "expected"))
    profile = similarity.profile
    return {
        "similarity_sentence": similarity.sentence,
        "knn": {"accuracy": profile.knn_accuracy, **picked(profile, "corrected", "chance", "images")},
        "depth_profile": [dataclasses.asdict(point) for point in profile.points],
        "suggested_cut": profile.suggested_cut,
        "expected": expected_dict(similarity.expected),
    }


def expected_dict(expected: Expectation | None) -> dict[str, Any] | None:
    """What was to be expected: accuracies above that of ``frozen``, as shares of 1."""
    if expected is None:
        return None
    gaps = {technique: {"gap": gap, "half_width": half} for technique, (gap, half) in expected.gaps.items()}
    return {"sets": expected.sets, "gaps": gaps}


def _doubts(doubts: Doubts | None) -> dict[str, Any] | None:
    if doubts is None:
        return None
    return {
        "images": len(doubts.images),
        **picked(doubts, "files", "scores"),
        "verdict": picked(doubts.verdict, "decision", "winner", "recommended", "reason"),
    }


def _confusion(summary: Summary) -> dict[str, Any] | None:
    confusion = summary.confusion
    if confusion is None:
        return None
    classes = summary.settings.data.classes
    return {
        "technique": summary.verdict.recommended,
        **picked(confusion, "matrix", "recall"),
        "most_confused": [
            {"true": classes[true], "predicted": classes[predicted], "count": images}
            for true, predicted, images in confusion.most_confused
        ],
    }


def technique_dict(technique: TechniqueSummary) -> dict[str, Any]:
    """What became of one technique, as the report has it in JSON."""
    best = technique.best
    return {
        "technique": technique.technique,
        "trials": len(technique.trials),
        **picked(technique, "failed", "pruned", "seconds"),
        "best_val_accuracy": best.val_accuracy if best else None,
        "best_val_score": best.score if best else None,
        "confirmed_val_score": technique.confirmed_val_score,
        "recipe": best.recipe.as_dict() if best else None,
        "trainable_params": best.trainable_params if best else None,
        "confirm_seconds": technique.confirm_seconds,
        "test_score": _test(technique.test),
        "test_accuracy": _test(technique.test_accuracy),
    }


def _test(test: TestScore | None) -> dict[str, Any] | None:
    return None if test is None else {"mean": test.mean, "std": test.std, "ci95": test.ci95, "seeds": test.by_seed}


def trial_dict(trial: Trial) -> dict[str, Any]:
    """A trial, as the report has it in JSON."""
    states = {RunningTrial: "running", CompleteTrial: "complete", PrunedTrial: "pruned", FailedTrial: "failed"}
    return {
        "number": trial.number,
        "state": states[type(trial)],
        "technique": trial.recipe.technique,
        "fold": trial.fold,
        "recipe": trial.recipe.as_dict(),
        "val_accuracy": trial.val_accuracy if isinstance(trial, CompleteTrial | PrunedTrial) else None,
        "epochs": max((m.epoch for m in trial.curve), default=0),
        "seconds": trial.seconds if isinstance(trial, FinishedTrial) else None,
        "overhead_seconds": trial.setup_seconds if isinstance(trial, CompleteTrial) else None,
        "images_per_second": trial.images_per_second if isinstance(trial, CompleteTrial) else None,
        "trained_from": trial.trained_from if isinstance(trial, CompleteTrial) else None,
        "head_c": trial.head_c if isinstance(trial, CompleteTrial) else None,
        "curve": [picked(m, *_CURVE) for m in trial.curve],
        "error": trial.error if isinstance(trial, FailedTrial) else None,
        "interrupted": isinstance(trial, FailedTrial) and trial.interrupted,
    }


def picked(value: object, *names: str) -> dict[str, Any]:
    """Attributes that are called in JSON as they are here, in the order given."""
    return {name: getattr(value, name) for name in names}


def finite(value: Any) -> Any:
    """``value`` with None for every number that is not finite, at any depth."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
