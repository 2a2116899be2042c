"""Warm start: a search begins with the best recipes of other studies, the same number for every technique.

A technique that started from good recipes would have an unfair advantage over one that started from none. So every technique
gets as many recipes as the one with the fewest has, taken in the order in which the studies are named.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from ...spaces.errors import OptionError, StudyError
from ...spaces.ranges import Between, OneOf, Scalar, Values
from ...spaces.recipe import Recipe, Technique
from ...spaces.space import SearchSpace
from ..events import Listener, Warned, ignore
from ..settings import WarmRecipe, WarmStart
from ..storage.base import StudyPlace
from ..storage.places import as_place
from ..storage.store import StudyStore

_NOT_THE_RECIPES = frozenset({"technique", "epochs", "head_epochs", "schedule", "l2_path", "least_steps"})
"""Fields that are not fitted: a recipe keeps its technique, and the new study decides how long to train, and how."""


def read_warm_start(
    studies: Sequence[StudyPlace | Path | str],
    space: SearchSpace,
    *,
    within: StudyPlace | Path | str | None = None,
    listener: Listener = ignore,
) -> WarmStart:
    """The best recipe of each technique in other studies, fitted to a space.

    Args:
        studies: Their folders, or their names and databases. A search may still be running in one.
        space: The new study's. A number that it does not allow becomes the nearest that it does, any other value its first
            choice.
        within: The place of the new study, which cannot start from itself.
        listener: Receives a warning for each recipe that was changed, and for each technique with recipes left out.

    Raises:
        StudyError: A study is missing, damaged or has no completed trial.
        OptionError: The new study is among them, or none of them has a recipe for some technique of the space.
    """
    places = {place.address: place for place in map(as_place, studies)}
    names = tuple(places)
    if within is not None and as_place(within).address in names:
        raise OptionError(f"--warm-start takes another study, got {within}, which is the one to be searched. Leave it out.")
    found: dict[Technique, dict[Recipe, WarmRecipe]] = {technique: {} for technique in space.techniques}
    for name in names:
        for recipe in _best(places[name], space):
            found[recipe.technique].setdefault(space.recipe(recipe.values), recipe)
    count = min(len(recipes) for recipes in found.values())
    if not count:
        missing = [technique for technique, recipes in found.items() if not recipes]
        has = [technique for technique, recipes in found.items() if recipes]
        alone = f", or search {' and '.join(has)} alone with --technique" if has else ""
        raise OptionError(
            f"--warm-start must give every technique a recipe, so that all start alike, got none of {' and '.join(missing)} in "
            f"{', '.join(names)}. Name another study that has completed trials of all of them{alone}."
        )
    taken = tuple(recipe for recipes in found.values() for recipe in list(recipes.values())[:count])
    for technique, recipes in found.items():
        if len(recipes) > count:
            listener(Warned(_left_out(technique, len(recipes), count)))
    for recipe in taken:
        if recipe.changes:
            what = f"{recipe.technique}, trial {recipe.trial} of {recipe.study}"
            listener(Warned(f"This space is another than the warm start's: {'; '.join(recipe.changes)} ({what})."))
    return WarmStart(names, taken)


def resumed_warm_start(studies: Sequence[StudyPlace | Path | str], stored: WarmStart | None) -> WarmStart:
    """What an existing study was started from. The other studies are not read again: they may have changed, or be gone.

    Args:
        studies: The studies that the option names now.
        stored: What the study has recorded.

    Raises:
        StudyError: The study was started from other studies, or from none.
    """
    names = tuple(dict.fromkeys(as_place(study).address for study in studies))
    if stored is not None and set(names) == set(stored.studies):
        return stored
    was = "from no other study" if stored is None else f"from {', '.join(stored.studies)}"
    raise StudyError(
        f"a study keeps what it was started from, got --warm-start {', '.join(names)} for one that was started {was}. Leave "
        "--warm-start out to go on, name another folder with --study, or start it anew with --fresh."
    )


def fit(recipe: Recipe, space: SearchSpace) -> tuple[Values, tuple[str, ...]]:
    """A recipe's values in a space that has its technique, and what had to be changed."""
    wanted = _values_of(recipe)
    values = space.choose(lambda name, allowed: _nearest(wanted.get(name), allowed, by_ratio=name.endswith("learning_rate")))
    fitted = space.recipe(values)
    before, after = dataclasses.asdict(recipe), dataclasses.asdict(fitted)
    changed = (name for name in before if name not in _NOT_THE_RECIPES and before[name] != after[name])
    return values, tuple(f"{name} {_plain(before[name])} → {_plain(after[name])}" for name in changed)


def _best(place: StudyPlace, space: SearchSpace) -> list[WarmRecipe]:
    """A study's best recipe of each technique that the space has."""
    name, store = place.address, StudyStore.open(place)
    best = store.finalists()
    if not best:
        raise StudyError(
            f"--warm-start needs a study with completed trials, got {name} (none has completed). Finish it first, or leave "
            "it out."
        )
    recipes = []
    for technique, trial in best.items():
        if technique in space.techniques:
            values, changes = fit(trial.recipe, space)
            recipes.append(
                WarmRecipe(
                    study=name,
                    data=store.settings.data.path,
                    technique=technique,
                    trial=trial.number,
                    metric=store.settings.metric,
                    score=trial.score,
                    values=values,
                    changes=changes,
                )
            )
    return recipes


def _values_of(recipe: Recipe) -> Values:
    """A recipe's values, by the names of a space's parameters."""
    fields = dataclasses.asdict(recipe)
    own = {f"{recipe.technique}/{name}": fields.pop(name) for name in ("learning_rate", "fine_tune_at")}
    values = {**fields, **own, "technique": str(recipe.technique)}
    return {name: value for name, value in values.items() if value is not None}


def _nearest(value: Scalar | None, allowed: OneOf | Between, *, by_ratio: bool) -> Scalar:
    if isinstance(allowed, Between) and allowed.continuous:
        number = allowed.low if isinstance(value, str | bool | None) else value
        return float(min(max(number, allowed.low), allowed.high))
    options = allowed.options()
    if isinstance(value, str | bool | None) or isinstance(options[0], str | bool):
        return value if value in options else options[0]  # type: ignore[return-value]
    number = float(value)
    return min(options, key=lambda one: abs(math.log(float(one) / number)) if by_ratio else abs(float(one) - number))


def _left_out(technique: Technique, have: int, count: int) -> str:
    return (
        f"Of {technique} the warm start has {have} recipes and of another technique {count}: so that all start alike, "
        f"{count} of each {'is' if count == 1 else 'are'} tried first."
    )


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
