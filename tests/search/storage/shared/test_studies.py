"""What is particular to a study in a real PostgreSQL."""

import numpy as np
import optuna
import psycopg
import pytest
from sqlalchemy import make_url

from tlsearch.search.storage.address import parse_storage
from tlsearch.search.storage.records import Proposal
from tlsearch.search.storage.shared.studies import SharedStudy, list_shared
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.study import Study
from tlsearch.search.trial import Confirmation, FailedTrial
from tlsearch.spaces.errors import StorageError, StudyError

from ...factory import add, begin, complete, measurement, recipe, settings, values


@pytest.fixture
def place(database):
    return SharedStudy(parse_storage(database), "photos")


@pytest.fixture
def store(place):
    return StudyStore.create(place, settings())


def test_optuna_opens_it_as_it_is(store, database):
    add(store, complete(0))
    number = begin(store, values("fine-tune"), recipe("fine-tune"), seed=9).number
    store.measure(number, measurement(1, 0.61))
    url = make_url(database).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    # Optuna fills in templates.
    study = optuna.load_study(study_name="photos", storage=url.replace("{", "{{").replace("}", "}}"))
    assert study.best_value == 0.8 and study.best_params == values()
    assert study.trials[1].intermediate_values == {1: 0.61}
    study._storage._backend.engine.dispose()


def test_what_was_given_to_another_driver_is_not_recorded(store, place, monkeypatch):
    """The fence: whoever was taken for dead and comes back changes nothing."""
    number = begin(store, values(), recipe(), seed=1).number
    assert store.recorder.claim("confirm 0 1")
    other = StudyStore.open(place)
    assert other.sweep() == () and not other.recorder.claim("confirm 0 1"), "its driver is alive"
    monkeypatch.setattr("tlsearch.search.storage.shared.leases.known_dead", lambda owner: True)
    (swept,) = other.sweep()
    assert swept.number == number and other.recorder.claim("confirm 0 1")
    assert not store.finish(complete(number))
    store.measure(number, measurement(1, 0.61))
    confirmation = Confirmation(recipe=recipe(), trial=0, seed=1, seconds=1.0, val_score=0.9, scores={}, predictions="")
    assert store.confirm(confirmation, np.zeros((1, 2), np.float32), np.zeros(1, np.int64), claim="confirm 0 1") is None
    (trial,) = StudyStore.open(place).trials()
    assert isinstance(trial, FailedTrial) and trial.interrupted and trial.curve == ()
    assert StudyStore.open(place).confirmations() == ()


def test_an_end_that_was_recorded_before_the_connection_broke_is_recorded_once(store, place, monkeypatch):
    """The commit arrives, its answer does not: what is tried again finds that it has been done."""
    number = begin(store, values(), recipe(), seed=1).number
    connection = store.recorder._connection
    monkeypatch.setattr("tlsearch.search.storage.shared.connection.time.sleep", lambda seconds: None)
    broken = []

    commit = connection.engine.dialect.do_commit

    def break_after_commit(driver_connection):
        commit(driver_connection)
        if not broken:
            broken.append(True)
            raise psycopg.OperationalError("server closed the connection")

    monkeypatch.setattr(connection.engine.dialect, "do_commit", break_after_commit)
    assert store.finish(complete(number))
    assert broken
    broken.clear()
    begun = store.begin(lambda: Proposal(values(), recipe(), 2))
    assert broken and connection.answering_for() < 60
    first, *rest = StudyStore.open(place).trials()
    assert first.score == 0.8
    # The trial that nobody knows of was begun by this very driver, which records that nobody trains it.
    (lost,) = store.sweep({begun.number})
    assert {lost.number, begun.number} == {trial.number for trial in rest}


def test_another_programs_study_is_left_alone(place, store):
    storage = store.recorder.storage(optuna.storages.RDBStorage)
    theirs = optuna.create_study(study_name="theirs", storage=storage, direction="maximize")
    theirs.add_trial(optuna.trial.create_trial(value=1.0))
    study = SharedStudy(place.storage, "theirs")
    for act in (lambda: StudyStore.create(study, settings()), lambda: Study.delete(study), lambda: StudyStore.open(study)):
        with pytest.raises(StudyError, match=r"which another program made\. Nothing was changed"):
            act()
    assert len(theirs.trials) == 1 and [one.name for one in list_shared(place.storage)] == ["photos"]
    storage.engine.dispose()


def test_a_kill_while_it_was_made_needs_no_more_than_the_same_again(place, store, postgres, database):
    postgres.sql("DELETE FROM tlsearch_files", database.rpartition("/")[2])
    assert list_shared(place.storage) == []
    assert StudyStore.create(place, settings()).settings == settings()


def test_deleting(place, store, database, postgres):
    add(store, complete(0))
    number = begin(store, values(), recipe(), seed=2).number
    with pytest.raises(StudyError, match=r"is being searched by process \d+ on"):
        Study.delete(place)
    store.finish(complete(number))
    Study.delete(place)
    Study.delete(place)
    for table in ("tlsearch_files", "tlsearch_leases", "trials", "studies"):
        assert postgres.sql(f"SELECT count(*) FROM {table}", database.rpartition("/")[2]) == "0"
    with pytest.raises(StudyError, match="no such study"):
        StudyStore.open(place)


def test_a_study_that_is_deleted_in_mid_run_ends_it(place, store):
    storage = store.recorder.storage(optuna.storages.RDBStorage)
    storage.delete_study(storage.get_study_id_from_name(place.name))
    storage.engine.dispose()
    with pytest.raises(StorageError, match=r"must stay while it is searched.*deleted"):
        begin(store, values(), recipe(), seed=1)
