"""Search spaces from plain mappings, as TOML and JSON give them, with errors that name the key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from .errors import SpaceError
from .ranges import Between, Fixed, OneOf, Range
from .recipe import Technique
from .space import SearchSpace

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
