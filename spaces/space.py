"""The search space: what may be tried, declared once and read through KerasTuner's ``HyperParameters`` calls.

A range is one of three values: `Fixed`, `OneOf` or `Between`. Anything with the methods of
``keras_tuner.HyperParameters`` can read a space through `SearchSpace.sample`: KerasTuner's own, an Optuna trial behind an
adapter, or `ValuesReader`, which reads back values that were proposed before.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from .errors import SpaceError
from .recipe import Recipe, Technique, check_fine_tune_at

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


BLOCK_STARTS = (9, 18, 27, 36, 45, 54, 63, 72, 81, 90, 98, 107, 116, 125, 134, 143)
"""First layers of MobileNetV2's blocks 1 to 16; the same at every α."""

POST_FINE_TUNE_AT = 100
"""Where the blog post cuts: two layers into block 11."""

_CUTS = (54, 81, 98, POST_FINE_TUNE_AT, 116, 134)


def _recipe_ranges() -> dict[str, Range]:
    return {
        # The post's companion notebooks use heads of one to four Dense layers: none to three hidden ones.
        "head_units": OneOf((0, 128)),
        "head_layers": Between(1, 3),
        "dropout": Between(0.0, 0.4, 0.2),
        "optimizer": Fixed("adam"),
        # KerasTuner's and the post's kind of batch; measured here, larger ones are hardly faster on a CPU.
        "batch_size": Fixed(32),
        "head_learning_rate": Fixed(1e-3),
        "augment": Fixed(False),
        # Folded trains 1.5 to 2 times faster and no worse than BatchNorm in inference mode.
        "batch_norm": Fixed("folded"),
        "class_weight": Fixed("none"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """Ranges of everything in a `Recipe`.

    Attributes:
        techniques: That are compared, in the order of `Technique`.
        fine_tune_at: Where ``fine-tune`` cuts. By default some of the second half's block starts and the post's 100; earlier
            cuts train nearly as long as ``full`` does.
        learning_rates: Of the main stage by technique. By default ``frozen`` 1e-4 (the post) to 1e-2, a head alone being hard
            to spoil; ``fine-tune`` and ``full`` 1e-5 (Keras' transfer-learning guide) to 1e-3, above which measured accuracy
            falls.
        epochs: Most epochs of the main stage by technique.
        head_epochs: Most epochs of the first stage by technique.
        ranges: Of the recipe's other fields, by name.

    Raises:
        SpaceError: A range is empty, or allows a value that no recipe may have.
    """

    techniques: tuple[Technique, ...] = tuple(Technique)
    fine_tune_at: OneOf | Fixed = OneOf(_CUTS)
    learning_rates: Mapping[Technique, Range] = dataclasses.field(
        default_factory=lambda: {
            Technique.FROZEN: Between(1e-4, 1e-2, log=True),
            Technique.FINE_TUNE: Between(1e-5, 1e-3, log=True),
            Technique.FULL: Between(1e-5, 1e-3, log=True),
        }
    )
    epochs: Mapping[Technique, int] = dataclasses.field(default_factory=lambda: dict.fromkeys(Technique, 10))
    head_epochs: int = 10
    ranges: Mapping[str, Range] = dataclasses.field(default_factory=_recipe_ranges)

    def __post_init__(self) -> None:
        ordered = tuple(technique for technique in Technique if technique in self.techniques)
        if not ordered:
            raise SpaceError(f"a space must have at least one technique of {', '.join(Technique)}, got none.")
        object.__setattr__(self, "techniques", ordered)
        for layer in _options(self.fine_tune_at):
            check_fine_tune_at(layer)
        if unknown := sorted(set(self.ranges) - set(_recipe_ranges())):
            raise SpaceError(f"a space has no range {', '.join(unknown)}. Known: {', '.join(sorted(_recipe_ranges()))}.")
        for values in self._extremes():
            self.recipe(values)

    @property
    def cuts(self) -> tuple[int, ...]:
        """First trained layers that its recipes may ask for, `LAYERS` of ``frozen`` left out; 0 stands for ``full``."""
        layers = [0] if Technique.FULL in self.techniques else []
        if Technique.FINE_TUNE in self.techniques:
            layers += sorted(int(layer) for layer in _options(self.fine_tune_at))
        return tuple(layers)

    @property
    def foldings(self) -> tuple[bool, ...]:
        """Whether BatchNorm may be folded, whether it may be kept; both where the space allows both."""
        return tuple(sorted({mode == "folded" for mode in _options(self.ranges["batch_norm"])}))

    @property
    def augments(self) -> bool:
        """Whether some recipe may train on augmented views."""
        return True in _options(self.ranges["augment"])

    @property
    def size(self) -> int | None:
        """Number of different recipes; None where a range is continuous."""
        try:
            return sum(1 for _ in self.grid(levels=None))
        except _ContinuousError:
            return None

    def sample(self, hp: HyperParameters) -> Recipe:
        """The recipe that ``hp`` chooses. Reads every parameter, under its condition."""
        technique = Technique(hp.Choice("technique", [str(technique) for technique in self.techniques]))
        by_technique: dict[Technique, dict[str, Any]] = {}
        for candidate in self.techniques:
            with hp.conditional_scope("technique", [str(candidate)]):
                fields: dict[str, Any] = {
                    "learning_rate": _read(hp, f"{candidate}/learning_rate", self.learning_rates[candidate])
                }
                if candidate is Technique.FINE_TUNE:
                    fields["fine_tune_at"] = _read(hp, f"{candidate}/fine_tune_at", self.fine_tune_at)
                by_technique[candidate] = fields
        shared = {name: _read(hp, name, self.ranges[name]) for name in self.ranges if name != "head_layers"}
        shared["head_layers"] = 0
        if hidden := [units for units in _options(self.ranges["head_units"]) if units]:
            with hp.conditional_scope("head_units", hidden):
                layers = _read(hp, "head_layers", self.ranges["head_layers"])
            if shared["head_units"]:
                shared["head_layers"] = layers
        return Recipe(
            technique=technique,
            epochs=self.epochs[technique],
            head_epochs=self.head_epochs,
            **shared,
            **by_technique[technique],
        )

    def recipe(self, values: Values) -> Recipe:
        """The recipe of values proposed before.

        Besides the space's own parameters they may hold ``epochs``, which Hyperband sets: it shortens the main stage.

        Raises:
            SpaceError: A value is missing or out of its range.
        """
        recipe = self.sample(ValuesReader(values))
        if "epochs" in values:
            recipe = dataclasses.replace(recipe, epochs=min(recipe.epochs, int(values["epochs"])))
        return recipe

    def active(self, values: Values) -> Values:
        """The part of ``values`` that the space reads under them."""
        reader = ValuesReader(values)
        self.sample(reader)
        return {name: value for name, value in values.items() if name in reader.read}

    def grid(self, levels: int | None = 4) -> Iterator[Values]:
        """All combinations of values, each that makes a different recipe once.

        Args:
            levels: Of a continuous range, evenly spaced; None raises where there is one.
        """
        pending: list[Values] = [{}]
        while pending:
            values = pending.pop()
            reader = _GridReader(values, levels)
            self.sample(reader)
            if reader.missing is None:
                yield values
            else:
                name, options = reader.missing
                pending.extend({**values, name: option} for option in reversed(options))

    def replace(self, **changes: Any) -> SearchSpace:
        """The same space with other attributes, or other ``ranges`` by their names."""
        own = {field.name for field in dataclasses.fields(self)}
        ranges = {**self.ranges, **{name: changes.pop(name) for name in list(changes) if name not in own}}
        return dataclasses.replace(self, ranges=ranges, **changes)

    def as_dict(self) -> dict[str, Any]:
        """A mapping fit for JSON and TOML; `from_dict` is its inverse."""
        return {
            "techniques": [str(technique) for technique in self.techniques],
            "fine_tune_at": _dump(self.fine_tune_at),
            "learning_rate": {str(t): _dump(self.learning_rates[t]) for t in self.techniques},
            "epochs": {str(t): self.epochs[t] for t in self.techniques},
            "head_epochs": self.head_epochs,
            **{name: _dump(self.ranges[name]) for name in sorted(self.ranges)},
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> SearchSpace:
        """The space of a mapping made by `as_dict`; what it leaves out is as in the default space.

        Raises:
            SpaceError: A key is unknown, or its value is no range.
        """
        from .parse import parse_space

        return parse_space(fields)

    def _extremes(self) -> Iterator[Values]:
        """Values that between them reach both ends of every range under every technique."""
        for technique in self.techniques:
            for end in (0, -1):
                values: Values = {"technique": str(technique)}
                while (missing := _missing(self, values, end)) is not None:
                    values[missing[0]] = missing[1]
                yield values


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


class _ContinuousError(Exception):
    """A continuous range has no finite number of values."""


class _GridReader(ValuesReader):
    """Gives every active parameter that has no value yet its first one, and notes which was the first without."""

    def __init__(self, values: Values, levels: int | None) -> None:
        super().__init__(dict(values))
        self._levels = levels
        self.missing: tuple[str, list[Scalar]] | None = None

    def _absent(self, name: str, options: Sequence[Scalar] | Between) -> Any:
        found = _levels(options, self._levels) if isinstance(options, Between) else list(options)
        if self.missing is None:
            self.missing = (name, found)
        self._values[name] = found[0]
        return found[0]


def _missing(space: SearchSpace, values: Values, end: int) -> tuple[str, Scalar] | None:
    reader = _GridReader(values, 2)
    space.sample(reader)
    return None if reader.missing is None else (reader.missing[0], reader.missing[1][end])


def _levels(between: Between, count: int | None) -> list[Scalar]:
    if between.step is not None:
        steps = int((between.high - between.low) / between.step + 1e-9)
        return [round(between.low + i * between.step, 12) for i in range(steps + 1)]
    if count is None:
        raise _ContinuousError
    shares = [i / (count - 1) for i in range(count)]
    if between.log:
        return [float(between.low * (between.high / between.low) ** share) for share in shares]
    return [between.low + share * (between.high - between.low) for share in shares]


def _read(hp: HyperParameters, name: str, values: Range) -> Any:
    if isinstance(values, Fixed):
        return values.value
    if isinstance(values, OneOf):
        return hp.Choice(name, list(values.values))
    if values.whole:
        return hp.Int(name, int(values.low), int(values.high), step=int(values.step or 1))
    if values.log:
        return hp.Float(name, float(values.low), float(values.high), sampling="log")
    return hp.Float(name, float(values.low), float(values.high), step=values.step)


def _options(values: Range) -> Iterable[Scalar]:
    """The values of a range that has finitely many."""
    if isinstance(values, Fixed):
        return (values.value,)
    if isinstance(values, OneOf):
        return values.values
    return _levels(dataclasses.replace(values, step=values.step or 1), None) if values.whole else ()


def _dump(values: Range) -> Any:
    if isinstance(values, Fixed):
        return values.value
    if isinstance(values, OneOf):
        return list(values.values)
    bounds: dict[str, Any] = {"low": values.low, "high": values.high}
    return bounds | ({"step": values.step} if values.step is not None else {}) | ({"log": True} if values.log else {})
