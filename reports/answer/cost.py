"""What the techniques' accuracy costs: training time and trained parameters, and who gives the most for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

from ...search.selection import better, maximized
from ...search.trial import Metric
from ...spaces.recipe import Technique
from ..text import duration, gap, gap_number, listed
from .verdict import Comparison

Key = TypeVar("Key")

_FRACTIONS = ("", "", "half", "a third", "a quarter", "a fifth", "a sixth", "a seventh", "an eighth", "a ninth", "a tenth")
"""By the whole number that they are one part of."""


def pareto_front(scores: Mapping[Key, float], costs: Mapping[Key, float], metric: Metric) -> tuple[Key, ...]:
    """Those to which no other is preferable: none scores as well for less, or better for as much. The cheapest comes first.

    Args:
        scores: By whatever is compared; what has no finite score is left out.
        costs: Of the same ones.
        metric: What was scored.
    """
    sign = -1.0 if maximized(metric) else 1.0
    known = [one for one in scores if math.isfinite(scores[one])]
    front: list[Key] = []
    for one in sorted(known, key=lambda one: (costs[one], sign * scores[one])):
        last = front[-1] if front else one
        if (scores[one], costs[one]) == (scores[last], costs[last]) or better(metric, scores[one], scores[last]):
            front.append(one)
    return tuple(front)


def cost_sentence(
    scores: Mapping[Technique, float],
    seconds: Mapping[Technique, float],
    params: Mapping[Technique, float],
    comparisons: Sequence[Comparison],
    metric: Metric,
) -> str:
    """The quickest technique against the one with the best score, in one sentence; empty where only one was tested.

    Args:
        scores: On the test split, by technique.
        seconds: Of one training run.
        params: That are trained.
        comparisons: Of the verdict, to tell a lead from luck.
        metric: What was scored.
    """
    if len(scores) < 2:
        return ""
    sign = 1.0 if maximized(metric) else -1.0
    best = max(scores, key=lambda technique: (sign * scores[technique], -seconds[technique]))
    quickest, *slower = sorted(scores, key=seconds.__getitem__)
    if quickest is best:
        times = [f"{technique} takes {_times(seconds[technique] / seconds[best])}" for technique in slower]
        return f"{best} has the best score and is the quickest to train: {duration(seconds[best])} a run, {listed(times)}."
    behind = sign * (scores[best] - scores[quickest])
    real = any(c.real for c in comparisons if {c.a, c.b} == {best, quickest})
    if float(gap_number(behind, metric)) == 0:
        where = f"is level with {best}"
    else:
        where = f"is {gap(behind, metric)} behind {best}" if real else f"is within {gap(behind, metric)} of {best}"
    time = _share(seconds[quickest] / seconds[best], "training time")
    return f"{quickest} {where} at {time}, with {_share(params[quickest] / params[best], 'trained parameters')}."


def _share(ratio: float, what: str) -> str:
    """``a ninth of the training time``."""
    if ratio > 1.1:
        return f"{_number(ratio)} times the {what}"
    if ratio > 0.9:
        return f"about the same {what}"
    if ratio > 0.6:
        return f"{'three quarters' if ratio > 0.7 else 'two thirds'} of the {what}"
    parts = round(1 / ratio) if ratio else 0
    if not parts:
        return f"none of the {what}"
    return f"{_FRACTIONS[parts] if parts < len(_FRACTIONS) else f'1/{parts:,}'} of the {what}"


def _times(ratio: float) -> str:
    return "about as long" if ratio < 1.1 else f"{_number(ratio)} times as long"


def _number(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:,.0f}"
