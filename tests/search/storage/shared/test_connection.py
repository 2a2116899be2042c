"""The way to a real PostgreSQL: what it refuses is one error without a password, what goes away is tried again."""

import optuna
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tlsearch.search.storage.address import parse_storage
from tlsearch.search.storage.shared import connection as module
from tlsearch.search.storage.shared.connection import Connection, NoStudiesError
from tlsearch.search.storage.shared.studies import SharedStudy
from tlsearch.search.storage.store import StudyStore
from tlsearch.spaces.errors import StorageError

from ....postgres import PASSWORD, QUOTED
from ...factory import settings


def secrets_in(error):
    """What of the password is in an error, in those that it came from, and in what they hold."""
    found = []
    while error is not None:
        said = f"{error!s} {error!r} {error.args!r} {getattr(error, 'orig', '')!r} {getattr(error, 'params', '')!r}"
        found += [spelt for spelt in (PASSWORD, QUOTED, "w{0}rd", "w%7B0%7Drd") if spelt in said]
        error = error.__cause__ or error.__context__
    return found


@pytest.fixture
def connection(database):
    return Connection(parse_storage(database), write=True)


@pytest.fixture
def flaky(connection, monkeypatch):
    """A connection whose operation fails so many times as if the server were gone; what was said, and how long was slept."""
    said, slept = [], []
    monkeypatch.setattr(module.time, "sleep", slept.append)
    connection.notify = said.append

    def run(failures, error=None):
        left = [error or OperationalError("", {}, psycopg.OperationalError("terminating connection"))] * failures

        def operation():
            if left:
                raise left.pop()
            return "done"

        return connection.persist(operation)

    run.said, run.slept, run.connection = said, slept, connection
    return run


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url, port: url.replace("%23", "%24"), "password authentication failed for user"),
        (lambda url, port: f"{url}x", "does not exist"),
        (lambda url, port: url.replace(f":{port}/", ":1/"), "refused"),
        (lambda url, port: f"{url}?nonsense={QUOTED}", "nonsense"),
    ],
)
def test_a_refusal_is_one_error_without_the_password(postgres, database, change, words):
    with pytest.raises(StorageError, match=words) as raised:
        Connection(parse_storage(change(database, postgres.port)), write=True)
    assert "postgresql://team:***@127.0.0.1" in str(raised.value) and "\n" not in str(raised.value)
    assert not secrets_in(raised.value)


def test_a_user_without_rights_is_told_so(postgres, database):
    name = database.rpartition("/")[2]
    postgres.sql(f"CREATE ROLE guest_{name} LOGIN PASSWORD 'x'")
    guest = database.replace(f"team:{QUOTED}", f"guest_{name}:x")
    with pytest.raises(StorageError, match="permission denied"):
        Connection(parse_storage(guest), write=True)
    # May read what it was given to read.
    place = SharedStudy(parse_storage(database), "photos")
    StudyStore.create(place, settings())
    postgres.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest_{name}", name)
    assert StudyStore.open(SharedStudy(parse_storage(guest), "photos")).settings == settings()
    postgres.sql(f"DROP OWNED BY guest_{name}", name)
    postgres.sql(f"DROP ROLE guest_{name}")


def test_reading_makes_no_tables(postgres, database):
    with pytest.raises(NoStudiesError, match="`tlsearch run --storage` makes one"):
        Connection(parse_storage(database), write=False)
    assert postgres.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", database.rpartition("/")[2]) == "0"


def test_tables_of_another_version_are_refused(postgres, database, connection):
    postgres.sql("UPDATE alembic_version SET version_num = 'v9.0.a'", database.rpartition("/")[2])
    with pytest.raises(StorageError, match=r"another version of Optuna.*Nothing was changed"):
        Connection(parse_storage(database), write=True)


def test_what_goes_away_is_tried_again_and_said_once(flaky):
    assert flaky(8) == "done"
    assert flaky.slept == [0.25, 0.5, 1, 2, 4, 8, 10, 10]
    first, last = flaky.said
    assert "does not answer (terminating connection); trying again for up to 5 minutes" in first
    assert "answers again" in last and flaky.connection.answering_for() < 60
    assert flaky(0) == "done" and len(flaky.said) == 2


def test_what_a_server_says_is_shown_without_the_password(flaky):
    said = f"could not reach {PASSWORD} by postgresql://team:{QUOTED}@db"
    assert flaky(1, OperationalError("", {}, psycopg.OperationalError(said))) == "done"
    assert "could not reach *** by postgresql://team:***@db" in flaky.said[0]


def test_optunas_wrapping_is_seen_through(flaky):
    wrapped = optuna.exceptions.StorageInternalError("An exception is raised during the commit.")
    wrapped.__cause__ = OperationalError("", {}, psycopg.OperationalError("server closed the connection"))
    assert flaky(1, wrapped) == "done" and "server closed the connection" in flaky.said[0]


def test_what_stays_away_is_given_up_and_not_waited_for_again(flaky, monkeypatch):
    clock = iter(range(0, 10**6, 20))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    with pytest.raises(StorageError, match="must not be away for more than 300 s, got: terminating connection"):
        flaky(1000)
    slept = len(flaky.slept)
    with pytest.raises(StorageError, match="must not be away"):
        flaky(1000)
    assert len(flaky.slept) == slept, "what is recorded on the way out is tried once"
    assert flaky(0) == "done"


def test_what_is_refused_is_not_tried_again(flaky):
    def wrong():
        with flaky.connection.engine.connect() as raw:
            return raw.execute(text("SELECT nonsense FROM nowhere"))

    with pytest.raises(StorageError, match='refused, got: relation "nowhere" does not exist'):
        flaky.connection.persist(wrong)
    assert not flaky.slept


def test_a_bug_is_no_refusal(connection):
    with pytest.raises(ZeroDivisionError):
        connection.persist(lambda: 1 // 0)


def test_within_an_operation_nothing_is_tried_by_itself(flaky):
    """The outer one begins anew as a whole: it may hold a lock that went with the connection."""
    calls = []

    def inner():
        calls.append("inner")
        if calls.count("inner") == 1:
            raise OperationalError("", {}, psycopg.OperationalError("gone"))

    def outer():
        calls.append("outer")
        flaky.connection.persist(inner)

    flaky.connection.persist(outer)
    assert calls == ["outer", "inner", "outer", "inner"]


def test_no_connection_stays_open(postgres, database, connection):
    connection.persist(lambda: connection.optuna.get_all_studies())
    with connection.kept(print):
        connection.persist(lambda: connection.optuna.get_all_studies())
        assert _open(postgres, database) == "1"
    assert _open(postgres, database) == "0"


def _open(postgres, database):
    name = database.rpartition("/")[2]
    return postgres.sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'")
