"""What a range of the search space may be: `Fixed`, `OneOf` or `Between`; and how each is written in JSON and TOML."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import SpaceError

MOST_VALUES = 10_000
"""Of a range in steps: more than any search tries, few enough to be listed in a moment."""

Scalar = str | int | float | bool
Values = dict[str, Scalar]
"""Proposed values by the name of their parameter; parameters that the technique does not have are absent."""


def is_finite(number: float) -> bool:
    """Whether a float can hold the number; whole numbers of TOML and Python may be larger."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same value."""

    value: Scalar

    def options(self, levels: int | None = None) -> Sequence[Scalar]:
        """The one value."""
        return (self.value,)

    def dump(self) -> Any:
        """The value, as JSON and TOML have it."""
        return self.value


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several values of one kind, in no order that matters. Whole numbers beside fractions become floats."""

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

    def options(self, levels: int | None = None) -> Sequence[Scalar]:
        """All values."""
        return self.values

    def check(self, value: Scalar) -> Scalar:
        """The value of the choice that equals ``value``: True for the 1 that KerasTuner makes of it.

        Raises:
            SpaceError: There is none.
        """
        if value not in self.values:
            raise SpaceError(f"must be one of {', '.join(map(str, self.values))}, got {value}.")
        return self.values[self.values.index(value)]

    def dump(self) -> Any:
        """A list of the values, as JSON and TOML have it."""
        return list(self.values)


@dataclass(frozen=True, slots=True)
class Between:
    """A number between two bounds, both included.

    Attributes:
        low: Smallest value.
        high: Largest value.
        step: Distance between neighbours; None for every whole number, or every number where a bound is a float.
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

    @property
    def continuous(self) -> bool:
        """Whether it has no finite number of values."""
        return self.step is None and not self.whole

    def options(self, levels: int | None = None) -> Sequence[Scalar]:
        """Its values in rising order: all of a range in steps, ``levels`` evenly spaced ones of a continuous range.

        Raises:
            ContinuousError: The range is continuous, and ``levels`` is None.
        """
        if not self.continuous:
            step, low = self.step or 1, self.low if self.whole else float(self.low)
            # A step in binary fractions may end a hair beyond the bound.
            return [round(low + number * step, 12) for number in range(int((self.high - low) / step + 1e-9) + 1)]
        if levels is None:
            raise ContinuousError
        return [self.at(number / (levels - 1)) for number in range(levels)]

    def at(self, share: float) -> float:
        """The number at a share of the way, 0 to 1, from ``low`` to ``high``."""
        if self.log:
            return float(self.low * (self.high / self.low) ** share)
        return self.low + share * (self.high - self.low)

    def check(self, value: Scalar) -> Scalar:
        """``value`` itself.

        Raises:
            SpaceError: It lies beyond the bounds, or is not one of a range of whole numbers.
        """
        slack = 1e-9 * max(abs(self.low), abs(self.high))
        if self.whole:
            allowed = value in self.options()
        else:
            allowed = isinstance(value, int | float) and self.low - slack <= value <= self.high + slack
        if not allowed:
            raise SpaceError(f"must be from {self.low} to {self.high}, got {value}.")
        return value

    def dump(self) -> Any:
        """A mapping of the bounds, as JSON and TOML have it."""
        bounds: dict[str, Any] = {"low": self.low, "high": self.high}
        return bounds | ({"step": self.step} if self.step is not None else {}) | ({"log": True} if self.log else {})


Range = Fixed | OneOf | Between


class ContinuousError(Exception):
    """A continuous range has no finite number of values."""


def parse_range(name: str, value: Any) -> Range:
    """The range that JSON or TOML states: a value, a list to choose from, or a table of bounds.

    Raises:
        SpaceError: It is none of these; the message begins with ``name``.
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
    """Refuses a mapping that has an unknown key.

    Raises:
        SpaceError: With the nearest known key.
    """
    for key in fields:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(sorted(known))}."
            raise SpaceError(f"{what} has no key {key!r}. {hint}")
