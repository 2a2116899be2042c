"""What a range of the search space may be: `Fixed`, `OneOf` or `Between`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .errors import SpaceError

Scalar = str | int | float | bool
Values = dict[str, Scalar]
"""Proposed values by the name of their parameter; parameters that the technique does not have are absent."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same value."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some values, without an order that matters."""

    values: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise SpaceError("a choice must have at least one value, got none.")
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
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise SpaceError(f"a range must have its lower bound first, got {self.low} to {self.high}.")
        if self.log and (self.low <= 0 or self.step is not None):
            raise SpaceError(f"a logarithmic range must start above 0 and have no step, got {self.low} to {self.high}.")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise SpaceError(f"a step must be above 0 and fit in its range, got {self.step} in {self.low} to {self.high}.")

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
