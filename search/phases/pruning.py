"""Median pruning within a technique.

The rule is Google Vizier's median stopping (Golovin et al. 2017, section 3.2.2) among trials of one technique: frozen and
fine-tuned curves start from different places, and a rule across techniques would prune the slower starter, not the worse one.
The first epoch says less than later ones, so a trial is pruned there only if it does worse than all others did, as with a
learning rate that is far too high. ``benchmarks/pruning.py`` plays the rule, and others, on whole curves.

Where the rate decays, a high rate looks bad until it has decayed, so nothing is pruned before half of such a schedule is over.
Heads that are trained along a path of penalties are never pruned: they cost next to nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from ...spaces.recipe import Recipe
from ..selection import better, maximized
from ..trial import CompleteTrial, Measurement, Metric, Trial

WARMUP_EPOCHS = 2
"""From this epoch on a trial is compared with the median of its technique, before that with the worst."""

UNPRUNED = 2
"""Complete trials of a technique before any of its trials may be pruned."""


def may_be_pruned(recipe: Recipe, measured: int) -> bool:
    """Whether a trial may be pruned after so many measurements of its main stage."""
    return not recipe.trains_path and (recipe.schedule == "constant" or 2 * measured >= recipe.epochs)


def falls_behind(recipe: Recipe, curve: Iterable[Measurement], finished: Iterable[Trial], metric: Metric) -> bool:
    """Whether a running trial should be pruned, given its epochs so far and the finished trials of its technique."""
    measured = [m for m in curve if m.epoch > 0]
    if not measured or not may_be_pruned(recipe, len(measured)):
        return False
    epoch = measured[-1].epoch
    best_of, worst_of = (max, min) if maximized(metric) else (min, max)
    rivals = [trial for trial in finished if isinstance(trial, CompleteTrial)]
    scores = [[m.score for m in rival.curve if 0 < m.epoch <= epoch] for rival in rivals]
    bests = [best_of(of_rival) for of_rival in scores if of_rival]
    if len(bests) < UNPRUNED:
        return False
    bar = statistics.median(bests) if epoch >= WARMUP_EPOCHS else worst_of(bests)
    return better(metric, bar, best_of(m.score for m in measured))
