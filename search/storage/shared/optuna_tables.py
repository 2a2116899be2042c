"""The columns of Optuna's tables that shared studies read and write themselves, within transactions of their own.

Optuna has no public door to a transaction. Its tables are what its own versions agree on: it refuses a database of another
revision before anything is read, and a test compares these columns with those that it makes.
"""

from __future__ import annotations

import enum
import math
from datetime import UTC, datetime
from typing import Any

from optuna.trial import TrialState
from sqlalchemy import Column, DateTime, Double, Enum, Integer, MetaData, String, Table, Text

OPTUNA = MetaData()

STUDIES = Table("studies", OPTUNA, Column("study_id", Integer, primary_key=True), Column("study_name", String(512)))

TRIALS = Table(
    "trials",
    OPTUNA,
    Column("trial_id", Integer, primary_key=True),
    Column("number", Integer),
    Column("study_id", Integer),
    Column("state", Enum(TrialState)),
    Column("datetime_start", DateTime),
    Column("datetime_complete", DateTime),
)
"""``number`` counts a study's trials from 0. Times are in UTC without saying so."""

ATTRIBUTES = Table(
    "trial_user_attributes",
    OPTUNA,
    Column("trial_id", Integer),
    Column("key", String(512)),
    Column("value_json", Text),
)

PARAMETERS = Table(
    "trial_params",
    OPTUNA,
    Column("trial_id", Integer),
    Column("param_name", String(512)),
    Column("param_value", Double),
    Column("distribution_json", Text),
)


class TrialValueType(enum.Enum):
    """The type of a column: PostgreSQL knows it by this name in small letters."""

    FINITE = 1
    INF_POS = 2
    INF_NEG = 3


VALUES = Table(
    "trial_values",
    OPTUNA,
    Column("trial_id", Integer),
    Column("objective", Integer),
    Column("value", Double),
    Column("value_type", Enum(TrialValueType)),
)


def utc_now() -> datetime:
    """The time as `TRIALS` holds it."""
    return datetime.now(UTC).replace(tzinfo=None)


def value_row(value: float) -> dict[str, Any]:
    """A value as `VALUES` holds it."""
    if math.isinf(value):
        return {"value": None, "value_type": TrialValueType.INF_POS if value > 0 else TrialValueType.INF_NEG}
    return {"value": value, "value_type": TrialValueType.FINITE}
