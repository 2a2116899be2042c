"""The search space: what may be tried, declared once and read through KerasTuner's ``HyperParameters`` calls.

Anything with the methods of ``keras_tuner.HyperParameters`` can read a space through `SearchSpace.sample`: KerasTuner's own, an
Optuna trial behind an adapter, or `ValuesReader`, which reads back values that were proposed before.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import SpaceError
from .ranges import (
    MOST_VALUES,
    Between,
    ContinuousError,
    Fixed,
    OneOf,
    Range,
    Scalar,
    Values,
    check_keys,
    dump,
    options,
    parse_range,
)
from .readers import GridReader, HyperParameters, ValuesReader, read_range
from .recipe import Recipe, Technique, check_fine_tune_at

BLOCK_STARTS = (9, 18, 27, 36, 45, 54, 63, 72, 81, 90, 98, 107, 116, 125, 134, 143)
"""First layers of MobileNetV2's blocks 1 to 16; the same at every α."""

POST_FINE_TUNE_AT = 100
"""Where the blog post cuts: two layers into block 11."""

_CUTS = OneOf((54, 81, 98, POST_FINE_TUNE_AT, 116, 134))


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
    fine_tune_at: OneOf | Fixed = _CUTS
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
        for layer in options(self.fine_tune_at):
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
            layers += sorted(int(layer) for layer in options(self.fine_tune_at))
        return tuple(layers)

    @property
    def foldings(self) -> tuple[bool, ...]:
        """Whether BatchNorm may be folded, whether it may be kept; both where the space allows both."""
        return tuple(sorted({mode == "folded" for mode in options(self.ranges["batch_norm"])}))

    @property
    def augments(self) -> bool:
        """Whether some recipe may train on augmented views."""
        return True in options(self.ranges["augment"])

    @property
    def size(self) -> int | None:
        """Number of different recipes; None where a range is continuous, or there are more than `MOST_VALUES` of them."""
        try:
            count = sum(1 for _ in itertools.islice(self.grid(levels=None), MOST_VALUES + 1))
            return count if count <= MOST_VALUES else None
        except ContinuousError:
            return None

    def sample(self, hp: HyperParameters) -> Recipe:
        """The recipe that ``hp`` chooses. Reads every parameter, under its condition."""
        technique = Technique(hp.Choice("technique", [str(technique) for technique in self.techniques]))
        by_technique: dict[Technique, dict[str, Any]] = {}
        for candidate in self.techniques:
            with hp.conditional_scope("technique", [str(candidate)]):
                fields: dict[str, Any] = {
                    "learning_rate": read_range(hp, f"{candidate}/learning_rate", self.learning_rates[candidate])
                }
                if candidate is Technique.FINE_TUNE:
                    fields["fine_tune_at"] = read_range(hp, f"{candidate}/fine_tune_at", self.fine_tune_at)
                by_technique[candidate] = fields
        shared = {name: read_range(hp, name, self.ranges[name]) for name in self.ranges if name != "head_layers"}
        shared["head_layers"] = 0
        if hidden := [units for units in options(self.ranges["head_units"]) if units]:
            with hp.conditional_scope("head_units", hidden):
                layers = read_range(hp, "head_layers", self.ranges["head_layers"])
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
            reader = GridReader(values, levels)
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
            "fine_tune_at": dump(self.fine_tune_at),
            "learning_rate": {str(t): dump(self.learning_rates[t]) for t in self.techniques},
            "epochs": {str(t): self.epochs[t] for t in self.techniques},
            "head_epochs": self.head_epochs,
            **{name: dump(self.ranges[name]) for name in sorted(self.ranges)},
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> SearchSpace:
        """The space of a mapping made by `as_dict`; what it leaves out is as in the default space.

        Raises:
            SpaceError: A key is unknown, or its value is no range.
        """
        from .space import parse_space

        return parse_space(fields)

    def _extremes(self) -> Iterator[Values]:
        """Values that between them reach both ends of every range under every technique."""
        for technique in self.techniques:
            for end in (0, -1):
                values: Values = {"technique": str(technique)}
                while (missing := _missing(self, values, end)) is not None:
                    values[missing[0]] = missing[1]
                yield values


def _missing(space: SearchSpace, values: Values, end: int) -> tuple[str, Scalar] | None:
    reader = GridReader(values, 2)
    space.sample(reader)
    return None if reader.missing is None else (reader.missing[0], reader.missing[1][end])


def nearest_cut(space: SearchSpace, suggested: int | None) -> int | None:
    """The space's ``fine_tune_at`` that is nearest to the one suggested, of equals the earlier; None where there is none."""
    if suggested is None or Technique.FINE_TUNE not in space.techniques:
        return None
    return min(sorted(cut for cut in space.cuts if cut), key=lambda cut: abs(cut - suggested))


_BY_TECHNIQUE = ("learning_rate", "epochs")


def parse_space(fields: Mapping[str, Any]) -> SearchSpace:
    """The space of a mapping as `SearchSpace.as_dict` makes it.

    A range is a plain value, a list to choose from, or a table ``{low, high}`` with ``step`` or ``log``. ``learning_rate`` and
    ``epochs`` are one for all techniques, or a table by technique. What is left out is as in the default space.

    Raises:
        SpaceError: A key is unknown, or its value is of the wrong kind or out of range.
    """
    default = SearchSpace()
    known = {"techniques", "fine_tune_at", "head_epochs", *_BY_TECHNIQUE, *default.ranges}
    check_keys(fields, known, "a space")
    changes: dict[str, Any] = {}
    if "techniques" in fields:
        changes["techniques"] = _techniques(fields["techniques"])
    if "fine_tune_at" in fields:
        layers = parse_range("fine_tune_at", fields["fine_tune_at"])
        if isinstance(layers, Between):
            raise SpaceError("fine_tune_at must be a layer or a list of layers, got a range. List the layers to try.")
        changes["fine_tune_at"] = layers
    if "learning_rate" in fields:
        rates = _by_technique("learning_rate", fields["learning_rate"], has_ranges=True)
        changes["learning_rates"] = {
            **default.learning_rates,
            **{technique: parse_range("learning_rate", rate) for technique, rate in rates.items()},
        }
    if "epochs" in fields:
        epochs = _by_technique("epochs", fields["epochs"], has_ranges=False)
        changes["epochs"] = {**default.epochs, **{t: _whole("epochs", count) for t, count in epochs.items()}}
    if "head_epochs" in fields:
        changes["head_epochs"] = _whole("head_epochs", fields["head_epochs"])
    ranges = {name: parse_range(name, fields[name]) for name in default.ranges if name in fields}
    return default.replace(**changes, **ranges)


def _techniques(names: Any) -> tuple[Technique, ...]:
    known = [str(technique) for technique in Technique]
    if not isinstance(names, list | tuple) or not names or any(name not in known for name in names):
        raise SpaceError(f"techniques must be a list of {', '.join(known)}, got {names!r}.")
    return tuple(Technique(name) for name in names)


def _by_technique(name: str, value: Any, *, has_ranges: bool) -> dict[Technique, Any]:
    """One value a technique, where ``value`` is a table by technique or one value for all."""
    known = {str(technique) for technique in Technique}
    if not isinstance(value, Mapping) or (has_ranges and set(value) & {"low", "high"}):
        return dict.fromkeys(Technique, value)
    check_keys(value, known, name)
    return {Technique(key): item for key, item in value.items()}


def _whole(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise SpaceError(f"{name} must be a whole number, got {value!r}.")
    return value
