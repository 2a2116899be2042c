"""The tables that shared studies have beside Optuna's, in the same database.

They refer to Optuna's studies by number and without a foreign key, whose lock on the study would stop those who begin trials.
"""

from __future__ import annotations

from sqlalchemy import Column, Double, Integer, LargeBinary, MetaData, String, Table
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

METADATA = MetaData()

FILES = Table(
    "tlsearch_files",
    METADATA,
    Column("study_id", Integer, primary_key=True, autoincrement=False),
    Column("name", String(190), primary_key=True),
    Column("content", LargeBinary(2**32 - 1), nullable=False),  # the length makes MySQL take more than 64 KB
    Column("changed", Double, nullable=False),
)
"""Files of a study: its settings, notes, confirmations, models. ``changed`` is in seconds on the database's clock."""

LEASES = Table(
    "tlsearch_leases",
    METADATA,
    Column("study_id", Integer, primary_key=True, autoincrement=False),
    Column("task", String(190), primary_key=True),
    Column("owner", String(190), nullable=False),
    Column("beat", Double, nullable=False),
)
"""What drivers work on. ``beat`` is the driver's last heartbeat, in seconds on the database's clock."""


class now(FunctionElement[float]):
    """Seconds since 1970 on the database's clock, which is the one that all drivers share."""

    type = Double()
    inherit_cache = True


@compiles(now, "postgresql")
def _postgresql(element: now, compiler: SQLCompiler, **options: object) -> str:
    # Not `now()`, which stands still within a transaction.
    return "extract(epoch from clock_timestamp())::double precision"


@compiles(now, "mysql")
@compiles(now, "mariadb")
def _mysql(element: now, compiler: SQLCompiler, **options: object) -> str:
    return "(unix_timestamp(sysdate(6)) + 0e0)"
