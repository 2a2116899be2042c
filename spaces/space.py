"""The search space: what may be tried, declared once as parameters that some chooser gives values to."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import SpaceError
from .parameters import Parameter, Suggest, combinations, given, hyperparameters, walk
from .ranges import MOST_VALUES, Between, ContinuousError, Fixed, OneOf, Range, Scalar, Values, check_keys, parse_range
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
        "schedule": Fixed("cosine"),
        "weight_decay": Fixed(0.0),
        "label_smoothing": Fixed(0.0),
        "l2_path": Fixed(True),
        "least_steps": Fixed(120),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """Ranges of everything in a `Recipe`.

    Attributes:
        techniques: That are compared, in the order of `Technique`.
        fine_tune_at: Where ``fine-tune`` cuts. By default some of the second half's block starts and the post's 100; earlier
            cuts train nearly as long as ``full`` does.
        learning_rates: Of the main stage by technique. By default ``frozen`` 1e-4 (the post) to 1e-2, a head alone being hard
            to spoil; ``fine-tune`` and ``full`` a little more than the rates that were best on some data set, see
            ``docs/techniques.md``.
        epochs: Of the main stage by technique.
        head_epochs: Of the first stage.
        ranges: Of the recipe's other fields, by name.

    Raises:
        SpaceError: A range is empty, or allows a value that no recipe may have.
    """

    techniques: tuple[Technique, ...] = tuple(Technique)
    fine_tune_at: OneOf | Fixed = _CUTS
    learning_rates: Mapping[Technique, Range] = dataclasses.field(
        default_factory=lambda: {
            Technique.FROZEN: Between(1e-4, 1e-2, log=True),
            Technique.FINE_TUNE: Between(5e-5, 2e-3, log=True),
            Technique.FULL: Between(5e-5, 1e-3, log=True),
        }
    )
    epochs: Mapping[Technique, int] = dataclasses.field(
        default_factory=lambda: {Technique.FROZEN: 20, Technique.FINE_TUNE: 8, Technique.FULL: 6}
    )
    head_epochs: int = 20
    ranges: Mapping[str, Range] = dataclasses.field(default_factory=_recipe_ranges)

    def __post_init__(self) -> None:
        ordered = tuple(technique for technique in Technique if technique in self.techniques)
        if not ordered:
            raise SpaceError(f"a space must have at least one technique of {', '.join(Technique)}, got none.")
        object.__setattr__(self, "techniques", ordered)
        for layer in self.fine_tune_at.options():
            check_fine_tune_at(layer)
        if unknown := sorted(set(self.ranges) - set(_recipe_ranges())):
            raise SpaceError(f"a space has no range {', '.join(unknown)}. Known: {', '.join(sorted(_recipe_ranges()))}.")
        self._check_ends()

    @property
    def cuts(self) -> tuple[int, ...]:
        """First trained layers that its recipes may ask for, `LAYERS` of ``frozen`` left out; 0 stands for ``full``."""
        layers = [0] if Technique.FULL in self.techniques else []
        if Technique.FINE_TUNE in self.techniques:
            layers += sorted(int(layer) for layer in self.fine_tune_at.options())
        return tuple(layers)

    @property
    def foldings(self) -> tuple[bool, ...]:
        """Whether BatchNorm may be folded, whether it may be kept; both where the space allows both."""
        return tuple(sorted({mode == "folded" for mode in self.ranges["batch_norm"].options()}))

    @property
    def augments(self) -> bool:
        """Whether some recipe may train on augmented views."""
        return True in self.ranges["augment"].options()

    @property
    def size(self) -> int | None:
        """Number of different recipes; None where a range is continuous, or there are more than `MOST_VALUES` of them."""
        try:
            count = sum(1 for _ in itertools.islice(self.grid(levels=None), MOST_VALUES + 1))
            return count if count <= MOST_VALUES else None
        except ContinuousError:
            return None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Everything that a search chooses or the space has fixed, each behind the one it depends on."""
        found = [Parameter("technique", OneOf(tuple(str(technique) for technique in self.techniques)))]
        for technique in self.techniques:
            own = {"learning_rate": self.learning_rates[technique]}
            if technique is Technique.FINE_TUNE:
                own["fine_tune_at"] = self.fine_tune_at
            found += [Parameter(f"{technique}/{name}", values, "technique", (str(technique),)) for name, values in own.items()]
        found += [Parameter(name, values) for name, values in self.ranges.items() if name != "head_layers"]
        hidden = tuple(units for units in self.ranges["head_units"].options(levels=2) if units)
        if hidden:
            found.append(Parameter("head_layers", self.ranges["head_layers"], "head_units", hidden))
        return tuple(found)

    def choose(self, suggest: Suggest) -> Values:
        """Asks ``suggest`` for each active parameter that is not fixed, in the order of `parameters`."""
        return {parameter.name: value for parameter, value in walk(self.parameters, suggest) if not parameter.fixed}

    def sample(self, hp: Any) -> Recipe:
        """The recipe that a ``keras_tuner.HyperParameters`` chooses; every parameter is registered with it."""
        return self._recipe(hyperparameters(hp, self.parameters))

    def recipe(self, values: Values) -> Recipe:
        """The recipe of values proposed before.

        Besides the space's own parameters they may hold ``epochs``, which Hyperband sets: it shortens the main stage.

        Raises:
            SpaceError: A value is missing or out of its range.
        """
        recipe = self._recipe(given(values))
        if "epochs" in values:
            recipe = dataclasses.replace(recipe, epochs=min(recipe.epochs, int(values["epochs"])))
        return recipe

    def active(self, values: Values) -> Values:
        """The part of ``values`` whose parameters are active, in their order.

        Raises:
            SpaceError: A value is missing or out of its range.
        """
        active = self.choose(given(values))
        return {name: active[name] for name in values if name in active}

    def grid(self, levels: int | None = 4) -> Iterator[Values]:
        """All combinations of values, each that makes a different recipe once.

        Args:
            levels: Values of a continuous range, evenly spaced.

        Raises:
            ContinuousError: ``levels`` is None, and a range is continuous.
        """
        return combinations(self.parameters, levels)

    def replace(self, **changes: Any) -> SearchSpace:
        """The same space with other attributes, or other ``ranges`` by their names."""
        own = {field.name for field in dataclasses.fields(self)}
        ranges = {**self.ranges, **{name: changes.pop(name) for name in list(changes) if name not in own}}
        return dataclasses.replace(self, ranges=ranges, **changes)

    def as_dict(self) -> dict[str, Any]:
        """A mapping fit for JSON and TOML; `from_dict` is its inverse."""
        return {
            "techniques": [str(technique) for technique in self.techniques],
            "fine_tune_at": self.fine_tune_at.dump(),
            "learning_rate": {str(t): self.learning_rates[t].dump() for t in self.techniques},
            "epochs": {str(t): self.epochs[t] for t in self.techniques},
            "head_epochs": self.head_epochs,
            **{name: self.ranges[name].dump() for name in sorted(self.ranges)},
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> SearchSpace:
        """The space of a mapping as `as_dict` makes it, or a TOML file.

        A range is a plain value, a list to choose from, or a table ``{low, high}`` with ``step`` or ``log``. ``learning_rate``
        and ``epochs`` are one for all techniques, or a table by technique. What is left out is as in the default space.

        Raises:
            SpaceError: A key is unknown, or its value is of the wrong kind or out of range.
        """
        default = cls()
        check_keys(fields, {"techniques", "fine_tune_at", "head_epochs", "learning_rate", "epochs", *default.ranges}, "a space")
        changes: dict[str, Any] = {name: parse_range(name, fields[name]) for name in default.ranges if name in fields}
        if "techniques" in fields:
            changes["techniques"] = _techniques(fields["techniques"])
        if "fine_tune_at" in fields:
            layers = parse_range("fine_tune_at", fields["fine_tune_at"])
            if isinstance(layers, Between):
                raise SpaceError("fine_tune_at must be a layer or a list of layers, got a range. List the layers to try.")
            changes["fine_tune_at"] = layers
        if "learning_rate" in fields:
            rates = _by_technique("learning_rate", fields["learning_rate"], whole={"low", "high"})
            own = {technique: parse_range("learning_rate", rate) for technique, rate in rates.items()}
            changes["learning_rates"] = {**default.learning_rates, **own}
        if "epochs" in fields:
            counts = _by_technique("epochs", fields["epochs"], whole=set())
            changes["epochs"] = {**default.epochs, **{t: _whole("epochs", count) for t, count in counts.items()}}
        if "head_epochs" in fields:
            changes["head_epochs"] = _whole("head_epochs", fields["head_epochs"])
        return default.replace(**changes)

    def nearest_cut(self, suggested: int | None) -> int | None:
        """The ``fine_tune_at`` of the space that is nearest to ``suggested``, the earlier of two; None where there is none."""
        if suggested is None or Technique.FINE_TUNE not in self.techniques:
            return None
        return min((cut for cut in self.cuts if cut), key=lambda cut: abs(cut - suggested))

    def _recipe(self, suggest: Suggest) -> Recipe:
        fields: dict[str, Any] = {parameter.field: value for parameter, value in walk(self.parameters, suggest)}
        return Recipe(**fields, epochs=self.epochs[Technique(fields["technique"])], head_epochs=self.head_epochs)

    def _check_ends(self) -> None:
        """Raises where either end of some range, under some technique, makes no recipe."""
        for technique, end in itertools.product(self.techniques, (0, -1)):

            def suggest(name: str, values: OneOf | Between, technique: str = technique, end: int = end) -> Scalar:
                return str(technique) if name == "technique" else values.options(levels=2)[end]

            self._recipe(suggest)


def _techniques(names: Any) -> tuple[Technique, ...]:
    if not isinstance(names, list | tuple) or not names or any(name not in tuple(Technique) for name in names):
        raise SpaceError(f"techniques must be a list of {', '.join(Technique)}, got {names!r}.")
    return tuple(Technique(name) for name in names)


def _by_technique(name: str, value: Any, whole: set[str]) -> dict[Technique, Any]:
    """A value for each technique, from a table by technique, or one for all; a table with a key of ``whole`` is one for all."""
    if not isinstance(value, Mapping) or set(value) & whole:
        return dict.fromkeys(Technique, value)
    check_keys(value, {*Technique}, name)
    return {Technique(key): item for key, item in value.items()}


def _whole(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise SpaceError(f"{name} must be a whole number, got {value!r}.")
    return value
