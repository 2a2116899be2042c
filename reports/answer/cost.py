"""What the techniques' accuracy costs: training time and trained parameters, and who gives the most for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...search.selection import maximized
from ...search.trial import Metric
from ...spaces.recipe import Technique
from ..text import duration, gap, gap_number, listed
from .verdict import Comparison

_FRACTIONS = ("", "", "half", "a third", "a quarter", "a fifth", "a sixth", "a seventh", "an eighth", "a ninth", "a tenth")
"""By the whole number that they are one part of."""


def pareto_front(scores: Mapping[Technique, float], costs: Mapping[Technique, float], metric: Metric) -> frozenset[Technique]:
    """The techniques to which no other is preferable: none scores as well for less, or better for as much.

    Args:
        scores: By technique.
        costs: Of the same techniques.
        metric: What was scored.
    """
    sign = 1.0 if maximized(metric) else -1.0
    return frozenset(
        one
        for one in scores
        if not any(
            sign * scores[other] >= sign * scores[one]
            and costs[other] <= costs[one]
            and (scores[other] != scores[one] or costs[other] < costs[one])
            for other in scores
        )
    )


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
    quickest = min(scores, key=seconds.__getitem__)
    if quickest is best:
        slower = sorted((technique for technique in scores if technique is not best), key=seconds.__getitem__)
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
