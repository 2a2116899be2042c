"""Optuna's tables are what `optuna_tables` takes them for."""

import optuna
import pytest
from sqlalchemy import inspect
from sqlalchemy.pool import StaticPool

from tlsearch.search.storage.address import parse_storage
from tlsearch.search.storage.shared.connection import Connection
from tlsearch.search.storage.shared.optuna_tables import OPTUNA, STUDIES, TRIALS, VALUES, TrialValueType, value_row


@pytest.fixture(scope="module")
def made():
    storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs={"poolclass": StaticPool})
    yield inspect(storage.engine)
    storage.engine.dispose()


@pytest.mark.parametrize("table", OPTUNA.sorted_tables, ids=str)
def test_optuna_s_tables_have_the_columns_that_we_use(made, table):
    theirs = {column["name"]: column for column in made.get_columns(table.name)}
    assert set(table.columns.keys()) <= theirs.keys()
    if table is not STUDIES:  # which we do not write to
        (key,) = made.get_pk_constraint(table.name)["constrained_columns"]
        needed = {name for name, column in theirs.items() if not column["nullable"] and column["default"] is None}
        assert needed - {key} <= set(table.columns.keys()), "a row of ours would lack what Optuna asks for"
    for column in table.columns:
        assert isinstance(theirs[column.name]["type"], column.type._type_affinity), column


def test_optuna_s_enumerations_are_those_that_we_write(database):
    connection = Connection(parse_storage(database), write=True)
    theirs = {one["name"]: one["labels"] for one in inspect(connection.engine).get_enums()}
    for column in (TRIALS.c.state, VALUES.c.value_type):
        assert theirs[column.type.name] == column.type.enums
    connection.engine.dispose()


def test_a_value_that_is_not_finite_has_a_type_of_its_own():
    assert value_row(0.5) == {"value": 0.5, "value_type": TrialValueType.FINITE}
    assert value_row(float("inf")) == {"value": None, "value_type": TrialValueType.INF_POS}
    assert value_row(float("-inf")) == {"value": None, "value_type": TrialValueType.INF_NEG}
