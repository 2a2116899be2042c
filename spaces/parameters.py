"""The one way to read a space: its parameters in the order of their conditions, and a function that chooses each value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from .errors import SpaceError
from .ranges import Between, Fixed, OneOf, Range, Scalar, Values

Suggest = Callable[[str, OneOf | Between], Scalar]
"""Chooses the value of one parameter, from its name and its range."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One field of a recipe that a search chooses or the space has fixed.

    Attributes:
        name: Of the field, after ``<technique>/`` where each technique has a range of its own.
        values: What it may be.
        parent: Name of the parameter that it depends on; None where it is always active.
        parent_values: It is active while the parent has one of these.
    """

    name: str
    values: Range
    parent: str | None = None
    parent_values: tuple[Scalar, ...] = ()

    @property
    def field(self) -> str:
        """Name of the recipe's field."""
        return self.name.rpartition("/")[2]

    @property
    def fixed(self) -> bool:
        """Whether there is nothing to choose."""
        return isinstance(self.values, Fixed)

    def is_active(self, known: Mapping[str, Scalar]) -> bool:
        """Whether it exists beside the values of the parameters before it."""
        return self.parent is None or known.get(self.parent) in self.parent_values


def walk(parameters: Sequence[Parameter], suggest: Suggest) -> Iterator[tuple[Parameter, Scalar]]:
    """The active parameters with their values, fixed or suggested. A parameter comes after the one it depends on."""
    known: dict[str, Scalar] = {}
    for parameter in parameters:
        if parameter.is_active(known):
            values = parameter.values
            known[parameter.name] = values.value if isinstance(values, Fixed) else suggest(parameter.name, values)
            yield parameter, known[parameter.name]


def combinations(parameters: Sequence[Parameter], levels: int | None) -> Iterator[Values]:
    """All combinations of values of the active parameters, fixed ones left out; see `SearchSpace.grid`."""

    def extend(known: Values, rest: Sequence[Parameter]) -> Iterator[Values]:
        if not rest:
            yield {name: value for name, value in known.items() if name not in fixed}
        elif rest[0].is_active(known):
            for value in rest[0].values.options(levels):
                yield from extend({**known, rest[0].name: value}, rest[1:])
        else:
            yield from extend(known, rest[1:])

    fixed = {parameter.name for parameter in parameters if parameter.fixed}
    return extend({}, parameters)


def given(values: Values) -> Suggest:
    """Chooses what ``values`` hold; raises `SpaceError` where a value is missing or out of its range."""

    def suggest(name: str, allowed: OneOf | Between) -> Scalar:
        if name not in values:
            raise SpaceError(f"a value for {name} is missing.")
        try:
            return allowed.check(values[name])
        except SpaceError as error:
            raise SpaceError(f"{name} {error}") from error

    return suggest


def hyperparameters(hp: Any, parameters: Sequence[Parameter]) -> Suggest:
    """Chooses what a ``keras_tuner.HyperParameters`` does, which learns of all parameters first, inactive ones too."""
    fixed = {parameter.name for parameter in parameters if parameter.fixed}
    chosen: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.name not in fixed:
            depends = parameter.parent is not None and parameter.parent not in fixed
            with hp.conditional_scope(parameter.parent, list(parameter.parent_values)) if depends else nullcontext():
                chosen[parameter.name] = _register(hp, parameter.name, parameter.values)
    return lambda name, values: chosen[name]


def _register(hp: Any, name: str, values: Range) -> Any:
    """The parameter's value; None while it is inactive."""
    if isinstance(values, Between):
        if values.whole:
            return hp.Int(name, int(values.low), int(values.high), step=int(values.step or 1))
        return hp.Float(
            name, float(values.low), float(values.high), step=values.step, sampling="log" if values.log else "linear"
        )
    value = hp.Choice(name, list(values.options()))
    # KerasTuner takes true and false for the whole numbers 1 and 0.
    return bool(value) if isinstance(values.options()[0], bool) else value
