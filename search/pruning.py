"""Ends a trial that does worse than its own technique's median; techniques are never compared by epoch.

The rule is that of Google Vizier's median stopping (Golovin et al. 2017, section 3.2.2), within a technique: frozen and
fine-tuned curves start from different places, and a rule across techniques would prune the slower starter, not the worse one.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from .metrics import better
from .trial import CompleteTrial, Measurement, Metric, Trial

WARMUP_EPOCHS = 2
"""Epochs of a trial before it may be pruned."""

UNPRUNED = 2
"""Complete trials of a technique before any of its trials may be pruned."""


def falls_behind(curve: Iterable[Measurement], finished: Iterable[Trial], metric: Metric) -> bool:
    """Whether a running trial should be ended.

    Args:
        curve: What has been measured of it.
        finished: Trials of the same technique.
        metric: The study's.
    """
    measured = [m for m in curve if m.epoch > 0]
    if not measured or measured[-1].epoch < WARMUP_EPOCHS:
        return False
    epoch = measured[-1].epoch
    best = [_best([m.score for m in t.curve if 0 < m.epoch <= epoch], metric) for t in finished if _counts(t, epoch)]
    if len(best) < UNPRUNED:
        return False
    return better(metric, statistics.median(best), _best([m.score for m in measured], metric))


def _counts(trial: Trial, epoch: int) -> bool:
    return isinstance(trial, CompleteTrial) and any(0 < m.epoch <= epoch for m in trial.curve)


def _best(scores: list[float], metric: Metric) -> float:
    best = scores[0]
    for score in scores[1:]:
        if better(metric, score, best):
            best = score
    return best
