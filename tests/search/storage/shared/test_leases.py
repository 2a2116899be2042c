"""Leases with a clock that stands where a test puts it: at every moment a task is at most one driver's."""

import time

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import create_engine, literal, select
from sqlalchemy.pool import StaticPool

from tlsearch.search.storage.address import parse_storage
from tlsearch.search.storage.shared import leases as module
from tlsearch.search.storage.shared import owner as owner_module
from tlsearch.search.storage.shared.connection import Connection
from tlsearch.search.storage.shared.leases import Leases
from tlsearch.search.storage.shared.owner import known_dead, new_owner, shown
from tlsearch.search.storage.shared.tables import LEASES, METADATA

SECONDS = 60.0
DRIVERS, TASKS = ("a", "b", "c"), ("trial 1", "trial 2", "confirm 1 7")


class Claims(RuleBasedStateMachine):
    """Drivers claim, beat, fall silent, come back and end; what they record is checked against who should have it."""

    @initialize()
    def start(self):
        self.clock = 1000.0
        self.engine = create_engine("sqlite://", poolclass=StaticPool)
        METADATA.create_all(self.engine)
        self.drivers = {
            name: Leases(self.engine, 1, name, clock=lambda: literal(self.clock), seconds=SECONDS) for name in DRIVERS
        }
        self.beats = {}  # task → (driver, when it last showed that it lives)
        self.believes = {name: set() for name in DRIVERS}
        self.recorded = {}

    def teardown(self):
        self.engine.dispose()

    @rule(name=st.sampled_from(DRIVERS), task=st.sampled_from(TASKS), patient=st.booleans())
    def claim(self, name, task, patient):
        owner, beat = self.beats.get(task, (name, self.clock))
        may = owner == name or (self.clock - beat > SECONDS and not patient)
        assert self.drivers[name].claim(task, patient=patient) is may
        if may:
            # A driver that claims what it has already does not show that it lives by that.
            self.beats[task] = (name, beat if task in self.beats and owner == name else self.clock)
            self.believes[name].add(task)

    @rule(name=st.sampled_from(DRIVERS))
    def beat(self, name):
        self.drivers[name].beat()
        for task, (owner, _) in self.beats.items():
            if owner == name:
                self.beats[task] = (name, self.clock)
        for task in self.believes[name]:
            assert self.drivers[name].owns(task) is (self.beats.get(task, ("", 0))[0] == name)

    @rule(name=st.sampled_from(DRIVERS), task=st.sampled_from(TASKS))
    def record(self, name, task):
        """As trials and confirmations do it: the end counts if the lease is there to be ended with it."""
        with self.engine.begin() as connection:
            counts = self.drivers[name].end(connection, task)
        assert counts is (self.beats.get(task, ("", 0))[0] == name)
        self.believes[name].discard(task)
        if counts:
            del self.beats[task]

    @rule(seconds=st.sampled_from([1.0, 20.0, 59.0, 61.0]))
    def wait(self, seconds):
        self.clock += seconds

    @invariant()
    def each_task_is_one_drivers(self):
        if not hasattr(self, "engine"):
            return
        with self.engine.connect() as connection:
            rows = {row.task: row.owner for row in connection.execute(select(LEASES.c.task, LEASES.c.owner))}
        assert rows == {task: owner for task, (owner, _) in self.beats.items()}
        for name, leases in self.drivers.items():
            alive = {
                task: owner for task, (owner, beat) in self.beats.items() if owner != name and self.clock - beat <= SECONDS
            }
            assert leases.others() == alive


Claims.TestCase.settings = hypothesis_settings(max_examples=25, stateful_step_count=20, deadline=None)
TestClaims = Claims.TestCase


def test_a_process_that_has_ended_on_this_machine_is_known_to_be_dead(monkeypatch):
    own = new_owner()
    assert not known_dead(own) and f"process {own.split('/')[1]} on " in shown(own)
    host, pid, scope, start, chance = own.rsplit("/", 4)
    assert known_dead("/".join((host, pid, scope, str(int(start) - 1000), chance))), "another process has its number now"
    assert known_dead("/".join((host, "4194304", scope, start, chance))), "no process has this number"
    assert not known_dead("/".join((host, pid, "elsewhere", "0", chance)))
    assert not known_dead("anything") and not known_dead("")


def test_where_a_boot_cannot_be_told_from_another_nobody_is_known_to_be_dead(monkeypatch):
    def missing(path):
        raise FileNotFoundError(2, "No such file or directory", path)

    monkeypatch.setattr(owner_module.os, "readlink", missing)
    host, pid, scope, start, chance = new_owner().rsplit("/", 4)
    assert scope == ""
    assert not known_dead("/".join((host, pid, scope, str(int(start) - 1000), chance)))


def test_whose_process_has_ended_loses_its_tasks_at_once(monkeypatch):
    engine = create_engine("sqlite://", poolclass=StaticPool)
    METADATA.create_all(engine)
    one, two = (Leases(engine, 1, name, clock=lambda: literal(0.0), seconds=SECONDS) for name in "ab")
    assert one.claim("trial 1") and not two.claim("trial 1", patient=True)
    monkeypatch.setattr(module, "known_dead", lambda owner: owner == "a")
    assert two.others() == {} and two.claim("trial 1", patient=True)
    engine.dispose()


def test_of_two_who_find_a_driver_dead_one_gets_its_task(database, monkeypatch):
    """The other one takes it between the look and the grasp."""
    connection = Connection(parse_storage(database), write=True)
    dead, one, two = (Leases(connection.engine, 1, name) for name in ("dead", "one", "two"))

    def looks(owner):
        monkeypatch.setattr(module, "known_dead", lambda owner: owner == "dead")
        assert one.claim("trial 1")
        return owner == "dead"

    with connection.kept(print):
        assert dead.claim("trial 1")
        monkeypatch.setattr(module, "known_dead", looks)
        assert not two.claim("trial 1") and two.others() == {"trial 1": "one"}


def test_signs_of_life_come_from_a_thread_and_end_with_the_block(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'leases.db'}")
    METADATA.create_all(engine)
    now = 0.0
    leases, others = (Leases(engine, 1, name, clock=lambda: literal(now), seconds=0.06) for name in "ab")
    assert others.claim("trial 2")

    def beats():
        with engine.connect() as connection:
            return dict(connection.execute(select(LEASES.c.task, LEASES.c.beat)).all())

    with leases.beating():
        assert leases.claim("trial 1") and beats() == {"trial 1": 0.0, "trial 2": 0.0}
        now = 7.0
        deadline = time.monotonic() + 30
        while beats() != {"trial 1": 7.0, "trial 2": 0.0}:
            assert time.monotonic() < deadline, "no sign of life has come"
            time.sleep(0.01)
    assert beats() == {"trial 2": 0.0}
    engine.dispose()


@pytest.fixture(autouse=True)
def no_known_dead(monkeypatch):
    monkeypatch.setattr(module, "known_dead", lambda owner: False)
