"""Reads what is still sound in a damaged database, row by row, and writes nothing: not even a lock."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

_TRIAL = "SELECT number, state, datetime_start, datetime_complete FROM trials WHERE trial_id = ?"
_ATTRIBUTES = "SELECT key, value_json FROM trial_user_attributes {} WHERE trial_id = ?"
_VALUE = "SELECT value FROM trial_values {} WHERE trial_id = ? AND objective = 0"
_IDS = ("SELECT trial_id FROM trials ORDER BY trial_id", "SELECT trial_id FROM trials ORDER BY trial_id DESC")
"""From both ends, since a damaged page ends a walk through the table."""


class Salvage:
    """The trials of a database that `Database` refuses.

    Attributes:
        damage: What is wrong with it, and how much could be read.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._trials = sorted(_read(path), key=lambda trial: trial.number)
        self.damage = f"{what}; {len(self._trials) or 'no'} trial{'' if len(self._trials) == 1 else 's'} could be read"

    def trials(self) -> list[FrozenTrial]:
        """Every trial that could be read whole, by number."""
        return self._trials


def _read(path: Path) -> Iterator[FrozenTrial]:
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    except sqlite3.Error:
        return
    # Text that is no UTF-8 any more must not end the walk.
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    # Reads on where the list of tables is damaged, or the file is shorter than it says; the file itself is opened to read.
    connection.execute("PRAGMA writable_schema = ON")
    with contextlib.closing(connection):
        ids: set[int] = set()
        for query in _IDS:
            with contextlib.suppress(sqlite3.Error, UnicodeDecodeError):
                # Row by row: those before the damage are kept.
                for (trial_id,) in connection.execute(query):
                    ids.add(trial_id)
        numbers = set()
        for trial_id in sorted(trial_id for trial_id in ids if isinstance(trial_id, int)):
            try:
                trial = _trial(connection, trial_id)
            except (sqlite3.Error, ValueError, TypeError, KeyError, OverflowError, RecursionError):
                continue
            if trial is not None and trial.number not in numbers:
                numbers.add(trial.number)
                yield trial


def _trial(connection: sqlite3.Connection, trial_id: int) -> FrozenTrial | None:
    rows = connection.execute(_TRIAL, (trial_id,)).fetchall()
    if len(rows) != 1:
        return None
    number, state, started, ended = rows[0]
    attributes = {key: json.loads(value) for key, value in _rows(connection, _ATTRIBUTES, trial_id)}
    values = [value for (value,) in _rows(connection, _VALUE, trial_id)]
    if not isinstance(number, int) or number < 0:
        return None
    return FrozenTrial(
        number=number,
        trial_id=trial_id,
        state=TrialState[state],
        value=float(values[0]) if values else None,
        datetime_start=_local(started),
        datetime_complete=_local(ended),
        params={},
        distributions={},
        user_attrs=attributes,
        system_attrs={},
        intermediate_values={},
    )


def _rows(connection: sqlite3.Connection, query: str, trial_id: int) -> list[Any]:
    """What a query finds by the table's index; where that is damaged, by the table itself."""
    try:
        if rows := connection.execute(query.format(""), (trial_id,)).fetchall():
            return rows
    except (sqlite3.Error, UnicodeDecodeError):
        pass
    return connection.execute(query.format("NOT INDEXED"), (trial_id,)).fetchall()


def _local(stored: Any) -> datetime | None:
    """The database holds UTC without saying so; Optuna's trials hold local time without saying so."""
    return None if stored is None else datetime.fromisoformat(stored).replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
