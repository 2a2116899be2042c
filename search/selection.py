"""Which of several scores is better, and which trial of each technique is its finalist."""

from __future__ import annotations

from collections.abc import Sequence

from ..spaces.recipe import Technique
from .trial import CompleteTrial, Metric, Trial


def finalists(trials: Sequence[Trial], metric: Metric) -> dict[Technique, CompleteTrial]:
    """Each technique's best complete trial on the validation split; where several tie, the earliest."""
    best: dict[Technique, CompleteTrial] = {}
    for trial in trials:
        if not isinstance(trial, CompleteTrial):
            continue
        technique = trial.recipe.technique
        if technique not in best or better(metric, trial.score, best[technique].score):
            best[technique] = trial
    return {technique: best[technique] for technique in Technique if technique in best}


def maximized(metric: Metric) -> bool:
    """Whether higher is better: true of all but ``log_loss``."""
    return metric != "log_loss"


def better(metric: Metric, score: float, than: float) -> bool:
    """Whether ``score`` is strictly better ``than`` the other."""
    return score > than if maximized(metric) else score < than
