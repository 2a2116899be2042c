"""Turns JSON that a study keeps back into the values it was written from.

Missing fields take their defaults and unknown fields are ignored, so that versions which add a field read each other's studies.
Where that is not enough, a later version raises the record's ``schema``. A record without one is of schema 1.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...spaces.errors import StudyError

T = TypeVar("T")

SCHEMA = 1
"""Of the records that this version writes. Those of a later one are refused."""


class RecordError(ValueError):
    """What is kept is no such record: says what is wrong, and where."""


def decode(content: bytes, kind: type[T], what: object) -> T:
    """The record in a JSON document.

    Args:
        content: The document.
        kind: The type of the record.
        what: How an error names the record.

    Raises:
        StudyError: A later version of tlsearch wrote it.
        RecordError: It is damaged, or something else.
    """
    fields = load(content)
    check_schema(fields, what)
    return convert(fields, kind)


def load(content: bytes) -> Any:
    """What a JSON document holds.

    Raises:
        RecordError: It is none.
    """
    try:
        # Names of files may hold lone surrogates, which stand for bytes that are no UTF-8.
        return json.loads(content.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise RecordError(f"no JSON: {error}") from error


def convert(fields: Any, kind: type[T]) -> T:
    """The value of what a JSON document held.

    Raises:
        RecordError: It is no such value.
    """
    try:
        return msgspec.convert(fields, kind)
    except (msgspec.ValidationError, UnicodeError) as error:
        # UnicodeError: a lone surrogate where a name is wanted.
        raise RecordError(str(error)) from error


def check_schema(fields: Any, what: object) -> None:
    """Refuses a record of a later version.

    Args:
        fields: The record's fields.
        what: How an error names the record.

    Raises:
        StudyError: A later version of tlsearch wrote it.
        RecordError: It names no schema.
    """
    schema = fields.get("schema", SCHEMA) if isinstance(fields, Mapping) else None
    if type(schema) is not int or schema < 1:
        raise RecordError(f"schema must be a whole number above 0, got {schema!r}")
    if schema > SCHEMA:
        raise StudyError(
            f"{what} was made by a later version of tlsearch (schema {schema}, this one writes {SCHEMA}). Nothing was "
            "changed. Update tlsearch, or name another folder."
        )


def load_arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz``.

    Raises:
        RecordError: It is none, or is cut short.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:
        # From the parsers of a file that may hold anything: zipfile and NumPy promise no closed set.
        raise RecordError(f"no arrays: {error}") from error


def finite(value: Any) -> Any:
    """A value as valid JSON can hold it: None for a number that is not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def number(value: Any) -> Any:
    """The inverse of `finite`, as far as there is one: not a number for None."""
    return math.nan if value is None else value
