"""What a run would do, for ``--dry-run``."""

from __future__ import annotations

from ..search.data import Dataset
from ..search.plan import Plan
from .text import literal


def outline(plan: Plan, dataset: Dataset, trials: int, confirm: int) -> str:
    """The plan in a few lines.

    Args:
        plan: What was asked for.
        dataset: The images that were found.
        trials: Of the whole study.
        confirm: Seeds that each finalist is to be trained again with.
    """
    space, backbone = plan.space, plan.backbone
    most = trials if space.size is None else min(trials, space.size)
    splits = f"{len(dataset.train)} training, {len(dataset.val)} validation, {len(dataset.test)} test images"
    cuts = ", ".join(str(cut) for cut in space.cuts if cut)
    lines = {
        "data": f"{dataset.path}: {len(dataset.classes)} classes, {splits}, {len(dataset.skipped)} files skipped",
        "backbone": f"MobileNetV2, alpha {backbone.alpha:g}, {backbone.size} px, weights {backbone.weights}",
        "space": f"{', '.join(space.techniques)}; fine_tune_at {cuts or 'not asked for'}",
        "search": f"{most} trials with {plan.engine} ({plan.algorithm}), then {confirm} seeds a finalist",
        "study": str(plan.study),
    }
    if plan.warm_start:
        lines["start"] = f"the best recipes of {', '.join(map(str, plan.warm_start))}"
    return "\n".join(f"{name:<9} {literal(text)}" for name, text in lines.items())
