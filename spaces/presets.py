"""Search spaces with a name, and search spaces in TOML files."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .errors import SpaceError
from .files import find_file
from .ranges import Between, Fixed, OneOf, check_keys
from .recipe import Technique
from .space import POST_FINE_TUNE_AT, SearchSpace


@dataclass(frozen=True, slots=True)
class Preset:
    """A space, and the options that belong to it where the user gives none.

    Attributes:
        space: What may be tried.
        size: Side of the images, pixels; None for the command's default.
        alpha: Width of the backbone; None for the command's default.
        early_stopping: Whether training may end before its last epoch.
    """

    space: SearchSpace
    size: int | None = None
    alpha: float | None = None
    early_stopping: bool = True


POST_ACCURACY = MappingProxyType({Technique.FROZEN: 0.963, Technique.FINE_TUNE: 0.973})
"""Validation accuracies that the blog post got with its two experiments, on cats against dogs, 2,000 training images."""


_PLAIN = {"schedule": Fixed("constant"), "l2_path": Fixed(False), "least_steps": Fixed(0)}
"""How the blog post trained, and version 0.1.0."""


def _earlier() -> SearchSpace:
    """The default space of version 0.1.0: constant rates, and heads that are trained for ten epochs."""
    default, tuned = SearchSpace(), Between(1e-5, 1e-3, log=True)
    return default.replace(
        learning_rates={**default.learning_rates, Technique.FINE_TUNE: tuned, Technique.FULL: tuned},
        epochs=dict.fromkeys(Technique, 10),
        head_epochs=10,
        **_PLAIN,
    )


def _post(default: SearchSpace) -> Preset:
    """The blog post's own two experiments, each one recipe: 50 epochs frozen, then 5 epochs from layer 100 on."""
    space = default.replace(
        techniques=(Technique.FROZEN, Technique.FINE_TUNE),
        fine_tune_at=Fixed(POST_FINE_TUNE_AT),
        learning_rates=dict.fromkeys(Technique, Fixed(1e-4)),
        epochs={Technique.FROZEN: 50, Technique.FINE_TUNE: 5, Technique.FULL: 5},
        head_epochs=50,
        head_units=Fixed(0),
        dropout=Fixed(0.0),
        optimizer=Fixed("rmsprop"),
        batch_size=Fixed(128),
        head_learning_rate=Fixed(1e-4),
        **_PLAIN,
    )
    return Preset(space, size=128, alpha=1.0, early_stopping=False)


def _smoke(default: SearchSpace) -> Preset:
    """Every technique in a minute: two epochs, heads of one layer, two late cuts."""
    space = default.replace(
        fine_tune_at=OneOf((116, 134)),
        epochs=dict.fromkeys(Technique, 2),
        head_epochs=2,
        head_units=Fixed(0),
        dropout=Fixed(0.0),
        least_steps=Fixed(0),
    )
    return Preset(space)


PRESETS: Mapping[str, Callable[[SearchSpace], Preset]] = MappingProxyType({"default": Preset, "post": _post, "smoke": _smoke})
"""By name, from the default space."""


def load_preset(name: str, *, earlier: bool = False) -> Preset:
    """A preset by its name, or of a TOML file by its path.

    Args:
        name: Its name or path.
        earlier: Whether to give it as version 0.1.0 had it, for a study that was begun then.

    Raises:
        SpaceError: There is neither; or the file is no valid space, and the message names the file and the key.
    """
    default = _earlier() if earlier else SearchSpace()
    if name in PRESETS:
        return PRESETS[name](default)
    path, why = find_file(name)
    if path is None:
        raise SpaceError(f"--space must be {', '.join(PRESETS)} or a TOML file, got {name} ({why}).")
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        # ValueError: no TOML, no UTF-8, or a number of thousands of digits.
        raise SpaceError(f"{name} must be a TOML file: {error}.") from error
    try:
        return _parse(fields, default)
    except SpaceError as error:
        raise SpaceError(f"{name}: {error}") from error


def _parse(fields: Mapping[str, Any], default: SearchSpace) -> Preset:
    check_keys(fields, {"base", "space", "size", "alpha", "early_stopping"}, "a space file")
    base_name = fields.get("base", "default")
    if not isinstance(base_name, str) or base_name not in PRESETS:
        raise SpaceError(f"base must be one of {', '.join(PRESETS)}, got {base_name!r}.")
    base = PRESETS[base_name](default)
    changes: dict[str, Any] = {}
    for key, kinds in (("size", int), ("alpha", (int, float)), ("early_stopping", bool)):
        if key in fields:
            if not isinstance(fields[key], kinds) or (key != "early_stopping" and isinstance(fields[key], bool)):
                raise SpaceError(f"{key} is of the wrong kind, got {fields[key]!r}.")
            changes[key] = fields[key]
    space = fields.get("space", {})
    if not isinstance(space, Mapping):
        raise SpaceError(f"space must be a table, got {space!r}.")
    return dataclasses.replace(base, space=SearchSpace.from_dict({**base.space.as_dict(), **space}), **changes)
