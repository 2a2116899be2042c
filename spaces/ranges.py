"""What a range of the search space may be: `Fixed`, `OneOf` or `Between`."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import SpaceError

MOST_VALUES = 10_000
"""Of a range in steps: more than any search tries, few enough to be listed in a moment."""

Scalar = str | int | float | bool
Values = dict[str, Scalar]
"""Proposed values by the name of their parameter; parameters that the technique does not have are absent."""


def is_finite(number: float) -> bool:
    """Whether a number is one that a float can hold; TOML's and Python's whole numbers may be larger."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same value."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some values of one kind, without an order that matters; whole numbers among others become such."""

    values: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise SpaceError("a choice must have at least one value, got none.")
        if not all(is_finite(value) for value in self.values if not isinstance(value, str)):
            raise SpaceError(
                f"the numbers of a choice must be finite and below 1e308, got {', '.join(map(repr, self.values))}."
            )
        kinds = {type(value) for value in self.values}
        if kinds == {int, float}:
            object.__setattr__(self, "values", tuple(float(value) for value in self.values))
        elif len(kinds) > 1:
            # KerasTuner's own rule; besides, true and 1 are one value to Python.
            raise SpaceError(f"the values of a choice must be of one kind, got {', '.join(map(repr, self.values))}.")
        if len(set(self.values)) < len(self.values):
            raise SpaceError(f"the values of a choice must differ, got {', '.join(map(str, self.values))}.")


@dataclass(frozen=True, slots=True)
class Between:
    """A number between two bounds, both included.

    Attributes:
        step: Distance between neighbours; None for any number.
        log: Whether equal ratios are equally likely.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False

    def __post_init__(self) -> None:
        if not (is_finite(self.low) and is_finite(self.high) and self.low < self.high):
            raise SpaceError(f"a range must have its lower bound first, got {self.low} to {self.high}.")
        if self.log and (self.low <= 0 or self.step is not None):
            raise SpaceError(f"a logarithmic range must start above 0 and have no step, got {self.low} to {self.high}.")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise SpaceError(f"a step must be above 0 and fit in its range, got {self.step} in {self.low} to {self.high}.")
        if (self.step is not None or self.whole) and (self.high - self.low) / (self.step or 1) >= MOST_VALUES:
            raise SpaceError(
                f"a range in steps must have at most {MOST_VALUES:,} values, got {self.low} to {self.high} in steps of "
                f"{self.step or 1}. Make the step larger."
            )

    @property
    def whole(self) -> bool:
        """Whether it is a range of whole numbers."""
        return all(isinstance(number, int) for number in (self.low, self.high, self.step or 1))


Range = Fixed | OneOf | Between


class ContinuousError(Exception):
    """A continuous range has no finite number of values."""


def options(values: Range) -> Iterable[Scalar]:
    """The values of a range that has finitely many."""
    if isinstance(values, Fixed):
        return (values.value,)
    if isinstance(values, OneOf):
        return values.values
    return levels(dataclasses.replace(values, step=values.step or 1), None) if values.whole else ()


def levels(between: Between, count: int | None) -> list[Scalar]:
    """Values of a range, evenly spaced, both bounds among them: its steps, or ``count`` of a continuous one.

    Raises:
        ContinuousError: The range has no steps, and ``count`` is None.
    """
    if between.step is not None:
        steps = int((between.high - between.low) / between.step + 1e-9)
        return [round(between.low + i * between.step, 12) for i in range(steps + 1)]
    if count is None:
        raise ContinuousError
    shares = [i / (count - 1) for i in range(count)]
    if between.log:
        return [float(between.low * (between.high / between.low) ** share) for share in shares]
    return [between.low + share * (between.high - between.low) for share in shares]


def dump(values: Range) -> Any:
    """The range as JSON and TOML have it: a value, a list of values, or a mapping of bounds."""
    if isinstance(values, Fixed):
        return values.value
    if isinstance(values, OneOf):
        return list(values.values)
    bounds: dict[str, Any] = {"low": values.low, "high": values.high}
    return bounds | ({"step": values.step} if values.step is not None else {}) | ({"log": True} if values.log else {})


def parse_range(name: str, value: Any) -> Range:
    """The range that a value stands for.

    Raises:
        SpaceError: It stands for none; the message names ``name``.
    """
    try:
        if isinstance(value, list | tuple):
            if not all(isinstance(item, str | int | float) for item in value):
                raise SpaceError(f"a choice must list plain values, got {value!r}.")
            return OneOf(tuple(value))
        if isinstance(value, Mapping):
            check_keys(value, {"low", "high", "step", "log"}, "a range")
            if not {"low", "high"} <= set(value):
                raise SpaceError(f"a range must have low and high, got {', '.join(value) or 'neither'}.")
            numbers = {key: value[key] for key in ("low", "high", "step") if key in value}
            if not all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers.values()):
                raise SpaceError(f"the bounds of a range must be numbers, got {dict(value)!r}.")
            if not isinstance(value.get("log", False), bool):
                raise SpaceError(f"log must be true or false, got {value['log']!r}.")
            return Between(**numbers, log=value.get("log", False))
        if isinstance(value, str | int | float):
            return Fixed(value)
    except SpaceError as error:
        raise SpaceError(f"{name}: {error}") from error
    raise SpaceError(f"{name} must be a value, a list to choose from or a table with low and high, got {value!r}.")


def check_keys(fields: Mapping[str, Any], known: set[str], what: str) -> None:
    """Raises where ``fields`` has a key that is not known.

    Raises:
        SpaceError: With the nearest known key.
    """
    for key in fields:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(sorted(known))}."
            raise SpaceError(f"{what} has no key {key!r}. {hint}")
