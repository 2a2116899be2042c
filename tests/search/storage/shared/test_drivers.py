"""Several drivers on one study: each slot is filled once, whatever happens to one of them or to the database."""

import os
import signal
import time
from collections import Counter

import pytest

from tlsearch.search.storage.address import parse_storage
from tlsearch.search.storage.shared.studies import SharedStudy
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.trial import CompleteTrial, FailedTrial, RunningTrial

from ...factory import settings
from .driving import Driver, good

pytestmark = pytest.mark.slow


@pytest.fixture
def place(database):
    place = SharedStudy(parse_storage(database), "photos")
    StudyStore.create(place, settings())
    return place


@pytest.fixture
def drive(database):
    """Starts drivers, and leaves none behind."""
    drivers = []

    def start(total, **options):
        drivers.append(Driver(database, total, **options))
        return drivers[-1]

    yield start
    for driver in drivers:
        driver.kill()


def counted(place):
    """Trials that count, each slot's once, and those that were cut off."""
    trials = StudyStore.open(place).trials()
    assert not [trial for trial in trials if isinstance(trial, RunningTrial)]
    cut_off = [trial for trial in trials if isinstance(trial, FailedTrial) and trial.interrupted]
    whole = [trial for trial in trials if trial not in cut_off]
    assert all(isinstance(trial, CompleteTrial) for trial in whole)
    assert set(Counter(trial.seed for trial in whole).values()) <= {1}, "a slot was filled twice"
    assert all(trial.score == good(trial) for trial in whole)
    return whole, cut_off


def test_four_drivers_fill_each_slot_once_and_confirm_each_finalist_once(drive, place):
    drivers = [drive(24, confirm=2) for _ in range(4)]
    assert [driver.join() for driver in drivers] == ["ended well"] * 4
    whole, cut_off = counted(place)
    assert len(whole) == 24 and not cut_off
    store = StudyStore.open(place)
    owners = {trial.user_attrs["owner"]["pid"] for trial in store._frozen()}
    # On a busy machine one may begin when all is done.
    assert owners <= {driver.process.pid for driver in drivers}
    assert len(store.confirmations()) == 3 * 2
    assert store.files.names("models") == ["models/fine-tune.npz", "models/frozen.npz", "models/full.npz"]


@pytest.mark.parametrize("how", ["on this machine", "elsewhere"])
def test_what_a_killed_driver_was_training_is_trained_by_another(drive, place, how, monkeypatch):
    if how == "elsewhere":
        # Whether its process lives cannot be seen: its lease runs out.
        monkeypatch.setenv("TLSEARCH_TEST_ELSEWHERE", "1")
    drivers = [drive(24, stuck_at=3), *(drive(24) for _ in range(3))]
    drivers[0].wait_for("trains 3")
    # Its two workers' trials, or one where the others have begun all that is left by now.
    running = {
        trial.number
        for trial in StudyStore.open(place)._frozen()
        if not trial.state.is_finished() and trial.user_attrs["owner"]["pid"] == drivers[0].process.pid
    }
    os.kill(drivers[0].process.pid, signal.SIGKILL)
    assert [driver.join() for driver in drivers[1:]] == ["ended well"] * 3
    whole, cut_off = counted(place)
    assert len(whole) == 24
    assert running and {trial.number for trial in cut_off} == running
    assert {trial.seed for trial in cut_off} <= {trial.seed for trial in whole}


def test_what_a_driver_gives_back_on_ctrl_c_is_trained_at_once(drive, place, monkeypatch):
    monkeypatch.setenv("TLSEARCH_TEST_ELSEWHERE", "1")
    stopped, other = drive(10, stuck_at=2, lease=600.0), drive(10, lease=600.0)
    stopped.wait_for("trains 2")
    os.kill(stopped.process.pid, signal.SIGINT)
    assert other.join(60) == "ended well", "no lease has to run out"
    whole, cut_off = counted(place)
    assert len(whole) == 10 and {trial.error for trial in cut_off} == {"stopped before it was finished"}


def test_a_driver_that_comes_back_after_it_was_taken_for_dead_records_nothing(drive, place, monkeypatch):
    monkeypatch.setenv("TLSEARCH_TEST_ELSEWHERE", "1")
    asleep, other = drive(12, seconds=0.3), drive(12, seconds=0.3)
    asleep.wait_for("trains 2")
    os.kill(asleep.process.pid, signal.SIGSTOP)
    assert other.join() == "ended well"
    os.kill(asleep.process.pid, signal.SIGCONT)
    assert asleep.join() == "ended well"
    assert any("was given to another driver" in said for said in asleep.said)
    whole, cut_off = counted(place)
    assert len(whole) == 12 and len(cut_off) == 2


def test_a_database_that_restarts_costs_nothing(drive, place, postgres):
    drivers = [drive(40, seconds=0.1) for _ in range(2)]
    for driver in drivers:
        driver.wait_for("trains 4")
    postgres.stop("immediate")
    for driver in drivers:
        driver.wait_for("does not answer")
    time.sleep(3)  # longer than a lease
    postgres.start()
    assert [driver.join() for driver in drivers] == ["ended well"] * 2
    whole, cut_off = counted(place)
    assert len(whole) == 40 and not cut_off
    for driver in drivers:
        assert (
            sum("does not answer" in said for said in driver.said) == sum("answers again" in said for said in driver.said) == 1
        )


def test_a_database_that_stays_away_ends_the_search_and_the_same_call_goes_on(drive, place, postgres):
    driver = drive(20, seconds=0.1, patience=2.0)
    driver.wait_for("trains 5")
    postgres.stop("immediate")
    try:
        end = driver.join()
    finally:
        postgres.start()
    assert (
        "ended with StorageError" in end and "must not be away for more than 2 s" in end and "the same command goes on" in end
    )
    before, _ = counted_so_far(place)
    assert before
    assert drive(20).join() == "ended well"
    whole, _ = counted(place)
    assert len(whole) == 20 and all(trial in whole for trial in before)


def counted_so_far(place):
    trials = StudyStore.open(place).trials()
    return [t for t in trials if isinstance(t, CompleteTrial)], trials
