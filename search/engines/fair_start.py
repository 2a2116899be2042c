"""The fair start: the first trials are a balanced design over the techniques, before any engine may have its favourite."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

from ...spaces.errors import SpaceError
from ...spaces.ranges import Between, OneOf, Scalar, Values
from ...spaces.recipe import Technique
from ...spaces.space import POST_FINE_TUNE_AT, SearchSpace
from ..seeds import derive

SHARE = 0.5
"""Of the trials that the design decides; at least one a technique. The other half is for the engine to use what was learned."""


def fair_start(
    space: SearchSpace, trials: int, seed: int, suggested_cut: int | None = None, warm: Sequence[Values] = ()
) -> list[Values]:
    """Values of the first trials, technique by technique in turn, the cheapest first.

    Within a technique the points are those of a scrambled Sobol' sequence, which covers its ranges more evenly than random
    draws (Owen 1998). The first point of a technique is the blog post's own setting where the space has it: learning rate 1e-4,
    a head of one Dense layer, no dropout, and the cut at layer 100. Where the depth profile suggests another cut, the second
    point of ``fine-tune`` is the same setting at that cut, or at the nearest that the space has. Recipes of a warm start come
    before all of these, which keep their turn. With fewer trials than techniques the dearest are left out.

    Args:
        space: What may be tried.
        trials: Of the whole study.
        seed: Of the sequence.
        suggested_cut: `DepthProfile.suggested_cut`.
        warm: Values of `WarmStart.recipes`.
    """
    least = len(space.techniques)
    sequences = []
    for place, technique in enumerate(space.techniques):
        first = _first_points(space, technique, suggested_cut, warm)
        sequences.append(_sequence(space, technique, derive(seed, 7, place), first))
        # What was chosen on purpose has its turn however few the trials are.
        least = max(least, (len(first) - 1) * len(space.techniques) + place + 1)
    count = min(trials, max(least, int(SHARE * trials)))
    design: list[Values] = []
    seen = set()
    misses = 0
    while len(design) < count and misses < 8 * len(sequences):
        values = next(sequences[(len(design) + misses) % len(sequences)])
        recipe = space.recipe(values)
        if recipe in seen:
            # A technique with few recipes: its turn passes to the next.
            misses += 1
            continue
        seen.add(recipe)
        design.append(values)
    return design


def _first_points(space: SearchSpace, technique: Technique, suggested_cut: int | None, warm: Sequence[Values]) -> list[Values]:
    """A technique's points that are not the sequence's: its warm start, then the post's settings; each recipe once."""
    found = {space.recipe(values): values for values in warm if values["technique"] == technique}
    for cut in (POST_FINE_TUNE_AT, space.nearest_cut(suggested_cut)):
        point = None if cut is None else _post_settings(space, technique, cut)
        if point is not None:
            found.setdefault(space.recipe(point), point)
    return list(found.values())


def _sequence(space: SearchSpace, technique: Technique, seed: int, first: list[Values]) -> Iterator[Values]:
    """Points of one technique, without end, those given ``first``; points may repeat in a finite space."""
    from scipy.stats import qmc

    yield from first
    sobol = qmc.Sobol(_MOST_PARAMETERS, seed=seed)
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "balance properties": points are drawn one at a time
            shares = iter(sobol.random(1)[0].tolist())

        def suggest(name: str, values: OneOf | Between, shares: Iterator[float] = shares) -> Scalar:
            return str(technique) if name == "technique" else _at(values, next(shares))

        yield space.choose(suggest)


def _at(values: OneOf | Between, share: float) -> Scalar:
    """The value at a share of the way, 0 to 1, through a range."""
    if isinstance(values, Between) and values.continuous:
        return values.at(share)
    options = values.options()
    return options[min(int(share * len(options)), len(options) - 1)]


def _post_settings(space: SearchSpace, technique: Technique, cut: int) -> Values | None:
    """The post's own setting of a technique, cut at ``cut``; None where the space does not have it."""
    wanted: Values = {
        "technique": str(technique),
        f"{technique}/learning_rate": 1e-4,
        f"{technique}/fine_tune_at": cut,
        "head_units": 0,
        "dropout": 0.0,
    }

    def suggest(name: str, values: OneOf | Between) -> Scalar:
        if name not in wanted:
            return _at(values, 0.5)
        if isinstance(values, Between) and not values.continuous and wanted[name] not in values.options():
            raise SpaceError(f"{name} has no value {wanted[name]}.")
        return values.check(wanted[name])

    try:
        return space.choose(suggest)
    except SpaceError:
        return None


_MOST_PARAMETERS = 16
"""Parameters that a point of the sequence can set; a space has fewer."""
