"""What a run would do and how long it would take, in words and numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ...search.planning.dry_run import DryRun, PlannedCut
from ...spaces.recipe import LAYERS
from ..text import count, duration, listed, literal


def facts(found: DryRun) -> Iterator[tuple[str, str]]:
    """What was asked for and what was found, each with its label; safe to print."""
    plan, survey, space, backbone = found.plan, found.survey, found.plan.space, found.plan.backbone
    data = found.dataset
    train, val, test = (survey.train, survey.val, survey.test) if data is None else map(len, (data.train, data.val, data.test))
    skipped = len(survey.layout.skipped if data is None else data.skipped)
    about = "about " if data is None else ""
    yield (
        "Data",
        f"{literal(survey.path)}: {count(len(survey.classes), 'class')}, {about}{train:,} training, {val:,} validation, "
        f"{test:,} test images, {count(skipped, 'file')} skipped",
    )
    if plan.labels:
        yield "Labels", literal(str(plan.labels))
    state = "decoded already" if not survey.to_decode else f"{survey.to_decode:,} to decode"
    if survey.to_decode and survey.decoded:
        state += f", {survey.decoded:,} decoded by an earlier run"
    yield (
        "Images",
        f"{survey.images:,} files of {size(survey.file_bytes)}, {state}; {size(survey.pixel_bytes)} on disk at "
        f"{backbone.size} × {backbone.size} pixels",
    )
    yield "Backbone", f"MobileNetV2, alpha {backbone.alpha:g}, {backbone.size} px, weights {literal(backbone.weights)}"
    cuts = ", ".join(str(cut) for cut in space.cuts if cut)
    yield "Space", f"{', '.join(space.techniques)}; fine_tune_at {cuts or 'not asked for'}"
    yield (
        "Search",
        f"{count(found.trials, 'trial')} with {plan.engine} ({plan.algorithm}), then {count(found.confirm, 'seed')} a finalist",
    )
    if plan.warm_start:
        yield "Start", literal(f"the best recipes of {', '.join(map(str, plan.warm_start))}")
    yield "Study", literal(str(plan.study))


def concerns_of(found: DryRun) -> list[str]:
    """What one should know before it is begun, in sentences."""
    sentences = []
    if found.survey.bytes_to_decode > found.disk_free:
        sentences.append(
            f"The decoded images will not fit: they need {size(found.survey.bytes_to_decode)}, and {size(found.disk_free)} are "
            "free. Free some space, or name another folder with --cache-dir."
        )
    if found.in_blocks:
        named = listed([f"{name} ({size(taken)})" for name, taken in found.in_blocks.items()])
        sentences.append(f"Larger than half of the memory, and so read from disk in shuffled blocks: {named}.")
    return sentences


def uncached(found: DryRun) -> list[str]:
    """What is not kept on disk and why, in sentences."""
    sentences = []
    if 0 in found.from_pixels:
        sentences.append("full trains from pixels: nothing of it is frozen.")
    if layers := [str(layer) for layer in found.from_pixels if layer]:
        sentences.append(f"fine_tune_at {', '.join(layers)}: trains from pixels, which are smaller than the activations there.")
    if large := [cut for cut in found.cuts if not cut.kept]:
        taken = size(sum(cut.missing for cut in large))
        names = "; ".join(_purpose(cut) for cut in large)
        sentences.append(f"Trained from pixels, since {taken} more do not fit in the limit: {names}.")
    return sentences


def phases_of(found: DryRun) -> list[tuple[str, float]]:
    """The phases and their seconds, in the order in which they come."""
    forecast = found.forecast
    if forecast is None:
        return []
    return [
        ("start", forecast.start),
        ("decoding", forecast.decode),
        ("frozen features", forecast.extract),
        ("search", forecast.search),
        ("confirmation", forecast.confirm),
    ]


def to_dict(found: DryRun) -> dict[str, Any]:
    """The same, fit for JSON; sizes in bytes, times in seconds."""
    survey, forecast = found.survey, found.forecast
    data = found.dataset
    counts = (survey.train, survey.val, survey.test) if data is None else tuple(map(len, (data.train, data.val, data.test)))
    return {
        "schema": 1,
        "data": {
            "path": survey.path,
            "labels": str(found.plan.labels) if found.plan.labels else None,
            "classes": list(survey.classes),
            **dict(zip(("train", "val", "test"), counts, strict=True)),
            "exact": data is not None,
            "skipped": len(survey.layout.skipped if data is None else data.skipped),
        },
        "images": {
            "files": survey.images,
            "file_bytes": survey.file_bytes,
            "to_decode": survey.to_decode,
            "bytes_to_decode": survey.bytes_to_decode,
            "decoded_bytes": survey.pixel_bytes,
            "disk_free": found.disk_free,
        },
        "study": str(found.plan.study),
        "warm_start": [str(study) for study in found.plan.warm_start],
        "trials": found.trials,
        "confirm": found.confirm,
        "workers": found.workers,
        "cache": {
            "limit": found.limit,
            "cuts": [
                {"cut": cut.cut, "for": _purpose(cut), "bytes": cut.bytes, "missing": cut.missing, "kept": cut.kept}
                for cut in found.cuts
            ],
            "not_kept": uncached(found),
        },
        "concerns": concerns_of(found),
        "expected": None
        if forecast is None
        else {
            "seconds": forecast.total,
            "phases": dict(phases_of(found)),
            "techniques": [
                {
                    "technique": str(one.technique),
                    "trials": one.trials,
                    "trial_seconds": one.trial_seconds,
                    "seconds": one.seconds,
                }
                for one in forecast.techniques
            ],
        },
        "unmeasured": found.unmeasured or None,
    }


def to_json(found: DryRun) -> str:
    """`to_dict` as text."""
    return json.dumps(to_dict(found), indent=2) + "\n"


def size(number: float) -> str:
    """Bytes as disks are sold."""
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if number >= unit:
            return f"{number / unit:,.1f} {name}"
    return f"{number / 1e3:,.1f} kB"


def about(seconds: float) -> str:
    """A time that is not known well: tenths of seconds below ten, whole seconds, whole minutes, tenths of hours, days."""
    if seconds < 90:
        return duration(seconds)
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:,.1f} h" if seconds < 72 * 3600 else f"{seconds / 86400:,.0f} days"


def _purpose(cut: PlannedCut) -> str:
    layers = [str(layer) for layer in cut.layers if layer != LAYERS]
    tuned = [f"fine_tune_at {', '.join(layers)}"] if layers else []
    return "; ".join([*(["frozen, and the heads that others start from"] if LAYERS in cut.layers else []), *tuned])
