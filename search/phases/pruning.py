"""Ends a trial that does worse than its own technique's median; techniques are never compared by epoch.

The rule is that of Google Vizier's median stopping (Golovin et al. 2017, section 3.2.2), within a technique: frozen and
fine-tuned curves start from different places, and a rule across techniques would prune the slower starter, not the worse one.
The first epoch says less than the second, and the median is no bar for it: it ends only what does worse than all others did, as
where the learning rate is far too high. ``benchmarks/pruning.py`` plays the rule, and others, on whole curves.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from ..selection import better, maximized
from ..trial import CompleteTrial, Measurement, Metric, Trial

WARMUP_EPOCHS = 2
"""From this epoch on a trial is held against the median of its technique, before it against the worst."""

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
    if not measured:
        return False
    epoch = measured[-1].epoch
    best = [_best([m.score for m in t.curve if 0 < m.epoch <= epoch], metric) for t in finished if _counts(t, epoch)]
    if len(best) < UNPRUNED:
        return False
    bar = statistics.median(best) if epoch >= WARMUP_EPOCHS else _worst(best, metric)
    return better(metric, bar, _best([m.score for m in measured], metric))


def _counts(trial: Trial, epoch: int) -> bool:
    return isinstance(trial, CompleteTrial) and any(0 < m.epoch <= epoch for m in trial.curve)


def _best(scores: list[float], metric: Metric) -> float:
    return max(scores) if maximized(metric) else min(scores)


def _worst(scores: list[float], metric: Metric) -> float:
    return min(scores) if maximized(metric) else max(scores)
