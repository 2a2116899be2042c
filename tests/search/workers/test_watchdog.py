"""When a worker is taken to hang; no time passes here but on a clock of the test's."""

import pytest

from tlsearch.search.workers.watchdog import BUSY_SECONDS, IDLE_SECONDS, PACE, TICK, Watchdog


class Machine:
    """A clock, and the processor time of process 1."""

    def __init__(self):
        self.now = self.processor = 0.0
        self.dog = Watchdog(lambda: self.now, lambda pid: self.processor)

    def pass_time(self, seconds, busy, step=TICK):
        """The first hanging worker that is told of, and after how long."""
        for passed in range(int(seconds / step)):
            self.now += step
            self.processor += step * busy
            if hanging := self.dog.look({"worker-1": 1}):
                return hanging[0][1], (passed + 1) * step
        return None


@pytest.fixture
def machine():
    return Machine()


def test_an_idle_worker_hangs(machine):
    reason, after = machine.pass_time(1000, busy=0)
    assert "no processor time for 300 s" in reason and after == pytest.approx(IDLE_SECONDS, abs=2 * TICK)


def test_a_busy_worker_is_given_much_longer(machine):
    reason, after = machine.pass_time(10_000, busy=1)
    assert "endless loop" in reason and after == pytest.approx(BUSY_SECONDS, abs=2 * TICK)


def test_a_slow_pace_makes_it_wait_longer(machine):
    assert machine.pass_time(1800, busy=1) is None
    machine.dog.heard("worker-1")
    _, after = machine.pass_time(100_000, busy=1)
    assert after == pytest.approx(PACE * 1800, rel=0.01)


def test_one_that_speaks_does_not_hang(machine):
    for _ in range(100):
        assert machine.pass_time(IDLE_SECONDS / 2, busy=0) is None
        machine.dog.heard("worker-1")


def test_one_that_waits_for_a_slow_disk_does_not_hang(machine):
    assert machine.pass_time(3000, busy=0.001) is None


def test_a_machine_that_slept_is_no_reason(machine):
    machine.pass_time(50, busy=0)
    machine.now += 8 * 3600
    assert machine.dog.look({"worker-1": 1}) == []
    assert machine.pass_time(IDLE_SECONDS / 2, busy=0) is None


def test_looks_at_most_once_a_tick(machine):
    machine.now += TICK / 2
    assert machine.dog.look({"worker-1": 1}) == []
    assert machine.pass_time(IDLE_SECONDS * 0.9, busy=0, step=TICK / 5) is None


def test_a_new_process_of_the_same_name_starts_anew(machine):
    machine.pass_time(IDLE_SECONDS - 2 * TICK, busy=0)
    machine.now += TICK
    assert machine.dog.look({"worker-1": 2}) == []
    machine.now += TICK
    assert machine.dog.look({"worker-1": 2}) == []
