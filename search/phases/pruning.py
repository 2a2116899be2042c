"""Median pruning within a technique.

The rule is Google Vizier's median stopping (Golovin et al. 2017, section 3.2.2) among trials of one technique: frozen and
fine-tuned curves start from different places, and a rule across techniques would prune the slower starter, not the worse one.
The first epoch says less than later ones, so a trial is pruned there only if it does worse than all others did, as with a
learning rate that is far too high. ``benchmarks/pruning.py`` plays the rule, and others, on whole curves.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from ..selection import better, maximized
from ..trial import CompleteTrial, Measurement, Metric, Trial

WARMUP_EPOCHS = 2
"""From this epoch on a trial is compared with the median of its technique, before that with the worst."""

UNPRUNED = 2
"""Complete trials of a technique before any of its trials may be pruned."""


def falls_behind(curve: Iterable[Measurement], finished: Iterable[Trial], metric: Metric) -> bool:
    """Whether a running trial should be pruned.

    Args:
        curve: Its epochs so far.
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
