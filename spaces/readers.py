"""Those that a search space is read through: KerasTuner's ``HyperParameters`` and its look-alikes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from .errors import SpaceError
from .ranges import Between, Fixed, OneOf, Range, Scalar, Values, levels


class HyperParameters(Protocol):
    """The part of ``keras_tuner.HyperParameters`` that a space is read through.

    The body of a ``conditional_scope`` runs also while its condition does not hold; what it reads then is None.
    """

    def Choice(self, name: str, values: list[Scalar], **kwargs: Any) -> Any:
        """One of ``values``."""

    def Int(self, name: str, min_value: int, max_value: int, step: int | None = None, **kwargs: Any) -> Any:
        """A whole number, bounds included."""

    def Float(self, name: str, min_value: float, max_value: float, step: float | None = None, **kwargs: Any) -> Any:
        """A number; ``sampling="log"`` for equal ratios."""

    def conditional_scope(self, parent_name: str, parent_values: list[Scalar]) -> AbstractContextManager[None]:
        """What is read within exists only while the parent has one of the values."""


def read_range(hp: HyperParameters, name: str, values: Range) -> Any:
    """The value that ``hp`` chooses from a range."""
    if isinstance(values, Fixed):
        return values.value
    if isinstance(values, OneOf):
        return hp.Choice(name, list(values.values))
    if values.whole:
        return hp.Int(name, int(values.low), int(values.high), step=int(values.step or 1))
    if values.log:
        return hp.Float(name, float(values.low), float(values.high), sampling="log")
    return hp.Float(name, float(values.low), float(values.high), step=values.step)


class ValuesReader:
    """Reads a space from values by name; inactive parameters give None.

    Raises:
        SpaceError: From its methods: an active value is missing or not allowed.
    """

    def __init__(self, values: Values) -> None:
        self._values = values
        self._active = True
        self.read: set[str] = set()

    def Choice(self, name: str, values: list[Scalar], **kwargs: Any) -> Any:
        """See `HyperParameters`."""
        return self._take(name, lambda value: value in values, f"one of {', '.join(map(str, values))}", values)

    def Int(self, name: str, min_value: int, max_value: int, step: int | None = None, **kwargs: Any) -> Any:
        """See `HyperParameters`."""
        options = list(range(min_value, max_value + 1, step or 1))
        return self._take(name, lambda value: value in options, f"from {min_value} to {max_value}", options)

    def Float(self, name: str, min_value: float, max_value: float, step: float | None = None, **kwargs: Any) -> Any:
        """See `HyperParameters`."""
        # A step in binary fractions may end a hair beyond the bound.
        slack = 1e-9 * max(abs(min_value), abs(max_value))

        def within(value: Any) -> bool:
            return isinstance(value, int | float) and min_value - slack <= value <= max_value + slack

        options = Between(min_value, max_value, step, log=kwargs.get("sampling") == "log")
        return self._take(name, within, f"from {min_value} to {max_value}", options)

    @contextmanager
    def conditional_scope(self, parent_name: str, parent_values: list[Scalar]) -> Iterator[None]:
        """See `HyperParameters`."""
        before = self._active
        self._active = before and self._values.get(parent_name) in parent_values
        try:
            yield
        finally:
            self._active = before

    def _take(self, name: str, allowed: Any, rule: str, options: Sequence[Scalar] | Between) -> Any:
        if not self._active:
            return None
        self.read.add(name)
        if name not in self._values:
            return self._absent(name, options)
        if not allowed(self._values[name]):
            raise SpaceError(f"{name} must be {rule}, got {self._values[name]}.")
        return self._values[name]

    def _absent(self, name: str, options: Sequence[Scalar] | Between) -> Any:
        raise SpaceError(f"a value for {name} is missing.")


class GridReader(ValuesReader):
    """Gives every active parameter that has no value yet its first one, and notes which was the first without."""

    def __init__(self, values: Values, levels: int | None) -> None:
        super().__init__(dict(values))
        self._levels = levels
        self.missing: tuple[str, list[Scalar]] | None = None

    def _absent(self, name: str, options: Sequence[Scalar] | Between) -> Any:
        found = levels(options, self._levels) if isinstance(options, Between) else list(options)
        if self.missing is None:
            self.missing = (name, found)
        self._values[name] = found[0]
        return found[0]
