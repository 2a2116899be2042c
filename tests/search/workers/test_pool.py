"""What the pool does with tasks and answers, with workers that are no processes."""

import numpy as np
import pytest

from tlsearch.search.training.trainer import Job, Outcome
from tlsearch.search.workers.messages import ComputeFeatures, Failed, Features, Measured, Ready, Train, Trained
from tlsearch.search.workers.pool import Died, TaskFailedError, TrainingRuns, Worker, WorkerPool
from tlsearch.search.workers.watchdog import Watchdog
from tlsearch.spaces.errors import SearchFailedError
from tlsearch.spaces.recipe import Recipe

from ..factory import measurement

LOST = Died("node-2 was lost", with_node=True)


class ScriptedWorker(Worker):
    """Answers with what ``answer`` gives for a message."""

    process_id = None

    def __init__(self, name, answer, at_cache):
        super().__init__(name)
        self.answer, self.cached, self.mailbox, self.restarts = answer, at_cache, [], 0

    @property
    def at_cache(self):
        return self.cached

    def begin(self, begin):
        self.mailbox.append(Ready({}, None) if begin is None else begin)

    def send(self, message):
        self.mailbox.append(self.answer(self, message))

    def kill(self):
        pass

    def _start_again(self):
        self.restarts += 1
        self.mailbox = [Ready({}, None)] if self.restarts < 5 else []


class ScriptedPool(WorkerPool):
    """Workers whose answers come in turn, the last worker's first."""

    def __init__(self, answer, count=2, at_cache=(True, True)):
        super().__init__(Watchdog())
        self.workers = [ScriptedWorker(f"worker-{n + 1}", answer, at_cache[n]) for n in range(count)]
        self.begin(None)
        while not all(worker.ready for worker in self.workers):
            self.wait_until_ready()

    def close(self):
        pass

    def share(self, keys):
        pass

    def _receive(self):
        for worker in reversed(self.workers):
            if worker.mailbox:
                yield worker, worker.mailbox.pop(0)
                return


def features(worker, message):
    return Features([np.float32([[message.first]])])


def tasks(count):
    return [ComputeFeatures(number, np.arange(1)) for number in range(count)]


def test_every_task_is_done_once_and_comes_with_its_answer():
    done = list(ScriptedPool(features).map(tasks(5)))
    assert sorted(task.first for task, _ in done) == [0, 1, 2, 3, 4]
    assert all(answer.blocks == [[task.first]] for task, answer in done)


@pytest.mark.parametrize("times", [1, 3])
def test_a_task_that_is_lost_with_its_machine_is_done_again(times):
    lost = []

    def answer(worker, message):
        if message.first == 1 and len(lost) < times:
            lost.append(worker.name)
            return LOST
        return features(worker, message)

    pool = ScriptedPool(answer)
    assert sorted(task.first for task, _ in pool.map(tasks(3))) == [0, 1, 2]
    assert sum(worker.restarts for worker in pool.workers) == times and sum(worker.deaths for worker in pool.workers) == 0


@pytest.mark.parametrize("failure", [Failed("no luck", details="why"), Died("no luck", details="why")])
def test_after_a_failure_nothing_more_begins_but_what_is_under_way_is_kept(failure):
    """The last worker answers first, with a failure, while the first has a task."""
    asked = []

    def answer(worker, message):
        asked.append(message.first)
        return failure if worker.name == "worker-2" else features(worker, message)

    found = []
    with pytest.raises(TaskFailedError, match="no luck") as error:
        for task, _ in ScriptedPool(answer).map(tasks(9)):
            found.append(task.first)
    assert error.value.__notes__ == ["In the worker:\nwhy"]
    assert asked == [0, 1] and found == [0]


def test_what_fills_the_cache_is_done_by_workers_that_write_into_it():
    names = []

    def answer(worker, message):
        names.append(worker.name)
        return features(worker, message)

    list(ScriptedPool(answer, at_cache=(False, True)).map(tasks(3), at_cache=True))
    assert names == ["worker-2"] * 3


def run(ticket):
    return Train(ticket, Job(Recipe(technique="frozen", learning_rate=1e-3, epochs=3), 1, head_seed=2), frozenset())


def trains(worker, message):
    """Three epochs, unless it is told to stop."""
    if isinstance(message, Train):
        worker.epoch = 0
    elif not message.go_on:
        return Trained(None)
    worker.epoch += 1
    if worker.epoch > 3:
        return Trained(Outcome(measurement(3, 0.5), 1, 1.0, 0.0, 1.0, "features"))
    return Measured(measurement(worker.epoch, 0.5))


def test_a_training_run_among_other_tasks_trains_all_of_its_epochs():
    ((task, end),) = ScriptedPool(trains).map([run(7)])
    assert task.ticket == 7 and end.outcome is not None


class Runs(TrainingRuns):
    def __init__(self, count, epochs):
        self.waiting, self.epochs, self.heard = [run(number) for number in range(count)], epochs, []

    def next_run(self, worker):
        return self.waiting.pop(0) if self.waiting else None

    def goes_on(self, run, measurement):
        self.heard.append((run.ticket, measurement.epoch))
        return measurement.epoch < self.epochs

    def ended(self, run, end):
        self.heard.append((run.ticket, end.outcome is not None))


@pytest.mark.parametrize(("epochs", "whole"), [(9, True), (2, False)])
def test_training_goes_on_for_as_long_as_it_is_told(epochs, whole):
    runs = Runs(3, epochs)
    ScriptedPool(trains).train(runs)
    for ticket in range(3):
        expected = [*range(1, min(3, epochs) + 1), whole]
        assert [what for number, what in runs.heard if number == ticket] == expected


def test_a_pool_whose_workers_die_at_the_start_ends_with_what_they_wrote():
    class Dying(ScriptedWorker):
        def begin(self, begin):
            self.mailbox = [Died("exit code 3", details="ImportError: libfoo")]

        def _start_again(self):
            self.begin(None)

    pool = ScriptedPool(features, count=0)
    pool.workers = [Dying("worker-1", features, at_cache=True)]
    pool.begin(None)
    with pytest.raises(SearchFailedError, match="no worker process could be started, exit code 3") as error:
        pool.wait_until_ready()
    assert "ImportError: libfoo" in "".join(error.value.__notes__)
