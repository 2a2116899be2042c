"""The fair start: the first trials are a balanced design over the techniques, before any engine may have its favourite."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from types import MappingProxyType

from ...spaces.errors import SpaceError
from ...spaces.ranges import Between, OneOf, Scalar, Values
from ...spaces.recipe import Technique
from ...spaces.space import POST_FINE_TUNE_AT, SearchSpace
from ..seeds import derive
from .by_technique import SHARES, Shares, next_turn

SHARE = 0.5
"""Of the trials that the design decides; at least one a technique. The other half is for the engine to use what was learned."""

LEAST = 10
"""Trials that it decides at least: from so few an engine of each technique learns nothing, and draws at random."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a technique's recipe is made of; what is not named is in the middle of its range.

    Attributes:
        learning_rate: Of the main stage.
        fine_tune_at: First trained layer; None where nothing is cut.
        units: Of one hidden layer of the head; 0 for none.
        dropout: In front of the head's last layer.
    """

    learning_rate: float
    fine_tune_at: int | None = None
    units: int = 0
    dropout: float = 0.0


PROVEN = MappingProxyType(
    {
        Technique.FROZEN: (Setting(3e-3),),
        Technique.FINE_TUNE: (Setting(5e-4, 98), Setting(1e-4, POST_FINE_TUNE_AT), Setting(1.2e-3, 98), Setting(4e-4, 54)),
        Technique.FULL: (Setting(4e-4), Setting(1e-4), Setting(1e-3, units=128, dropout=0.4)),
    }
)
"""What a technique's first trials have: first what did well on most data sets, then what did best on those that are like
ImageNet (the blog post's own rate and cut) and on those that are not. See ``docs/techniques.md``."""


def fair_start(
    space: SearchSpace, trials: int, seed: int, suggested_cut: int | None = None, warm: Sequence[Values] = ()
) -> list[Values]:
    """Values of the first trials, each technique in its turn.

    The first points of a technique are `PROVEN` settings, as far as the space has them. Where the depth profile suggests a cut,
    the second point of ``fine-tune`` is the first one's setting there, or at the nearest cut of the space. Further points are
    those of a scrambled Sobol' sequence, which covers the technique's ranges more evenly than random draws (Owen 1998). Recipes
    of a warm start come before all of these, which keep their turn. With fewer trials than techniques the dearest are left out.

    Args:
        space: What may be tried.
        trials: Of the whole study.
        seed: Of the sequence.
        suggested_cut: `DepthProfile.suggested_cut`.
        warm: Values of `WarmStart.recipes`.
    """
    by_technique = [[values for values in warm if values["technique"] == technique] for technique in space.techniques]
    design = [values for turn in zip_longest(*by_technique) for values in turn if values is not None][:trials]
    seen = {space.recipe(values) for values in design}
    turns = Counter(Technique(str(values["technique"])) for values in design)
    sequences, least = {}, {}
    for place, technique in enumerate(space.techniques):
        points = _first_points(space, technique, suggested_cut)
        new = [values for values in points if space.recipe(values) not in seen]
        sequences[technique] = _sequence(space, technique, derive(seed, 7, place), new)
        # What was chosen for this data set has its turn however few the trials are.
        chosen = points[: 1 + (technique is Technique.FINE_TUNE and suggested_cut is not None)]
        least[technique] = max(1, turns[technique] + sum(values in new for values in chosen))
    misses, fresh = 0, Counter[Technique]()
    while len(design) < trials and misses < 8 * len(sequences):
        due = [technique for technique in space.techniques if turns[technique] < least[technique]]
        if len(design) >= design_size(trials) and not due:
            break
        technique = next_turn(fresh, due) if due else next_turn(turns, space.techniques)
        turns[technique] += 1
        fresh[technique] += 1
        values = next(sequences[technique])
        recipe = space.recipe(values)
        if recipe in seen:
            # A technique with few recipes: its turn passes to the next.
            misses += 1
            continue
        seen.add(recipe)
        design.append(values)
    return design


def design_size(trials: int) -> int:
    """How many of so many trials the design decides, if it has as many recipes."""
    return min(trials, max(LEAST, int(SHARE * trials)))


def deal(space: SearchSpace, trials: int, shares: Shares = SHARES) -> list[Technique]:
    """The technique of each trial of a search: in turn, and no longer asked for when all of its recipes have been tried.

    Args:
        space: What may be tried.
        trials: Of the whole study.
        shares: Of those after the fair start.
    """
    sizes = {technique: space.replace(techniques=(technique,)).size for technique in space.techniques}
    counts: Counter[Technique] = Counter()
    dealt: list[Technique] = []
    while len(dealt) < trials:
        left = [one for one, size in sizes.items() if size is None or counts[one] < size]
        if not left:
            break
        dealt.append(next_turn(counts, left, SHARES if len(dealt) < design_size(trials) else shares))
        counts[dealt[-1]] += 1
    return dealt


def _first_points(space: SearchSpace, technique: Technique, suggested_cut: int | None) -> list[Values]:
    """The proven settings of a technique that the space has, each once, and the first one's at the suggested cut."""
    settings = list(PROVEN[technique])
    if technique is Technique.FINE_TUNE and (cut := space.nearest_cut(suggested_cut)):
        settings.insert(1, replace(settings[0], fine_tune_at=cut))
    points = [point for setting in settings if (point := _point(space, technique, setting)) is not None]
    return list({space.recipe(point): point for point in points}.values())


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


def _point(space: SearchSpace, technique: Technique, setting: Setting) -> Values | None:
    """A setting as values of a space; None where the space does not have it."""
    wanted: Values = {
        "technique": str(technique),
        f"{technique}/learning_rate": setting.learning_rate,
        "head_units": setting.units,
        "dropout": setting.dropout,
    }
    if setting.units:
        wanted["head_layers"] = 1
    if setting.fine_tune_at is not None:
        wanted[f"{technique}/fine_tune_at"] = setting.fine_tune_at

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
