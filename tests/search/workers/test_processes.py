"""Worker processes, really started: what becomes of a search when one dies."""

import os
import signal
from dataclasses import replace

import psutil
import pytest

from tlsearch.search.activations.passes import passes
from tlsearch.search.context import Context
from tlsearch.search.training.trainer import Job
from tlsearch.search.workers import processes, watchdog
from tlsearch.search.workers.messages import Begin, Extract, Train, Trained
from tlsearch.search.workers.pool import Died, TaskFailedError, TrainingRuns
from tlsearch.search.workers.processes import ProcessPool, choose_workers
from tlsearch.spaces.backbone.network import POOL
from tlsearch.spaces.backbone.spec import BackboneSpec, weights_fingerprint
from tlsearch.spaces.errors import SearchFailedError, WeightsError
from tlsearch.spaces.recipe import Recipe

from ...platforms import needs
from ..factory import striped_dataset

SPEC = BackboneSpec(0.35, 32, "random")
HEAD = Recipe(technique="frozen", learning_rate=1e-2, epochs=2, batch_size=8)


@pytest.fixture
def context(tmp_path):
    return Context(striped_dataset(tmp_path), SPEC, None, weights_fingerprint(SPEC, None), tmp_path / "cache", 0, "accuracy")


@pytest.fixture
def pool(context):
    with ProcessPool(1, 1) as pool:
        pool.begin(Begin(context, (), folded=True))
        yield pool


class Runs(TrainingRuns):
    """Recipes that the only worker trains one after the other; ``on_measured`` is called after each epoch."""

    def __init__(self, pool, recipes, on_measured=lambda runs, process: None):
        (self.worker,) = pool.workers
        self.on_measured = on_measured
        self.waiting = [
            Train(number, Job(recipe, 1, head_seed=2, patience=None), frozenset()) for number, recipe in enumerate(recipes)
        ]
        self.ends, self.processes = [], []
        pool.train(self)

    def next_run(self, worker):
        if not self.waiting:
            return None
        self.processes.append(self.worker.process_id)
        return self.waiting.pop(0)

    def goes_on(self, run, measurement):
        self.on_measured(self, self.worker.process_id)
        return True

    def ended(self, run, end):
        self.ends.append((run, end))


@pytest.mark.slow
@pytest.mark.trains
@needs("signal.SIGKILL")
def test_a_worker_that_is_killed_costs_one_task(pool):
    killed = []

    def kill_once(runs, process):
        if not killed:
            killed.append(process)
            os.kill(process, signal.SIGKILL)

    runs = Runs(pool, [HEAD, HEAD], kill_once)
    (_, died), (task, trained) = runs.ends
    assert isinstance(died, Died) and not died.with_node
    assert died.error == "the worker process died: killed by signal 9 (out of memory?)"
    assert task.ticket == 1 and isinstance(trained, Trained) and trained.outcome.best.epoch in (1, 2)
    assert runs.processes[0] == killed[0] != runs.processes[1]
    assert [worker.name for worker in pool.workers] == ["worker-1"]


@pytest.mark.slow
@pytest.mark.trains
@needs("signal.SIGKILL")
def test_a_fork_server_that_is_killed_costs_one_task_of_each_of_its_workers(pool):
    server = psutil.Process(pool.workers[0].process_id).parent()
    if server.pid == os.getpid():
        pytest.skip("workers are no copies here")
    killed = []

    def kill_once(runs, process):
        if not killed:
            killed.append(process)
            server.kill()
            psutil.wait_procs([psutil.Process(process)], timeout=10)

    (_, died), (_, trained) = Runs(pool, [HEAD, HEAD], kill_once).ends
    assert isinstance(died, Died)
    assert isinstance(trained, Trained) and trained.outcome is not None


@pytest.mark.trains
def test_a_task_that_fails_is_told_and_the_worker_lives(pool, context):
    context.cache.write_text("a file where a folder must be made")
    (work,) = passes(context, "search", [POOL + 1], folded=True, augment=False)
    pool.wait_until_ready()
    process = pool.workers[0].process_id
    with pytest.raises(TaskFailedError, match="cache") as failed:
        list(pool.map([Extract(work, 0)]))
    assert "Traceback" in failed.value.__notes__[0], "no error of the user's"
    runs = Runs(pool, [HEAD])
    ((_, trained),) = runs.ends
    assert isinstance(trained, Trained) and trained.outcome is not None
    assert runs.processes == [process]


@pytest.mark.slow
@pytest.mark.trains
@needs("psutil.RLIMIT_AS")
def test_one_that_hangs_crashes_or_runs_out_of_memory_costs_one_task(pool, monkeypatch):
    """Really: a stopped process, a segmentation fault, an address space that is limited from outside."""
    monkeypatch.setattr(watchdog, "IDLE_SECONDS", 2.0)
    monkeypatch.setattr(watchdog, "TICK", 0.5)

    def stop(process):
        process.suspend()

    def crash(process):
        process.send_signal(signal.SIGSEGV)

    def limit(process):
        room = process.memory_info().vms + 100_000_000
        process.rlimit(psutil.RLIMIT_AS, (room, room))

    faults = [stop, crash, limit]

    def strike(runs, process):
        if faults and len(runs.ends) == 3 - len(faults):
            faults.pop(0)(psutil.Process(process))

    # Three layers of 8192 units take 0.8 GB, and as much again twice for Adam.
    huge = replace(HEAD, head_units=8192, head_layers=3)
    runs = Runs(pool, [HEAD, HEAD, HEAD, huge, HEAD], strike)
    hung, crashed, limited, exhausted, after = (end for _, end in runs.ends)
    assert isinstance(hung, Died) and "no measurement and no processor time" in hung.error
    assert isinstance(crashed, Died) and "killed by signal 11" in crashed.error
    assert isinstance(limited, Trained)
    assert "out of memory" in exhausted.error or isinstance(exhausted, Died), exhausted
    assert isinstance(after, Trained) and after.outcome is not None
    assert runs.processes[2] == runs.processes[3] != runs.processes[4]


def test_what_keeps_workers_from_beginning_is_raised(context, tmp_path):
    broken = tmp_path / "weights.h5"
    broken.write_bytes(b"nothing of the kind")
    spec = BackboneSpec(0.35, 32, str(broken))
    with ProcessPool(1, 1) as pool:
        pool.begin(Begin(replace(context, backbone=spec, weights=broken), (), folded=True))
        with pytest.raises(WeightsError, match=r"weights\.h5"):
            pool.wait_until_ready()


@pytest.mark.slow
def test_workers_that_only_die_end_the_search(context):
    class Deadly:
        """Kills the worker that unpickles it."""

        def __reduce__(self):
            return os._exit, (3,)

    with ProcessPool(1, 1) as pool:
        pool.begin(Deadly())
        with pytest.raises(SearchFailedError, match=r"no worker process could be started, .* exit code 3"):
            pool.wait_until_ready()


def test_closing_ends_every_process(context):
    pool = ProcessPool(2, 1)
    pool.begin(Begin(context, (), folded=True))
    pool.close()
    assert not any(worker.process.is_alive() for worker in pool.workers)


@pytest.mark.parametrize(("cores", "gigabytes", "asked", "expected"), [
    (8, 64, None, (8, 1, ())), (8, 4, None, (2, 4, ())), (8, 1, None, (1, 8, ())), (64, 500, None, (16, 4, ())),
    (8, 64, 3, (3, 2, ())), (2, 64, 5, (5, 1, ())),
])  # fmt: skip
def test_as_many_workers_as_cores_and_memory_allow(monkeypatch, cores, gigabytes, asked, expected):
    import psutil

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": gigabytes * 10**9}))
    monkeypatch.setattr(processes, "machine_memory", lambda: 10**12)
    assert choose_workers(asked) == expected


@pytest.mark.parametrize(("limit", "workers"), [(10**12, 8), (4 * 10**9, 2), (10**9, 1)])
def test_no_more_workers_than_a_container_has_memory_for(monkeypatch, limit, workers):
    import psutil

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 64 * 10**9}))
    monkeypatch.setattr(processes, "machine_memory", lambda: limit)
    assert choose_workers(None)[0] == workers


def tell_gpu(connection, environment, threads, words, gpu):
    """In place of `serve`: says which GPU this process was given."""
    connection.send(gpu)


def test_each_worker_has_its_gpu_and_so_has_its_replacement(monkeypatch):
    monkeypatch.setattr(processes, "serve", tell_gpu)
    with ProcessPool(3, 1, ("GPU-a", "GPU-b", "GPU-a")) as pool:
        told = [worker.connection.recv() for worker in pool.workers]
        pool.workers[1].restart()
        assert [*told, pool.workers[1].connection.recv()] == ["GPU-a", "GPU-b", "GPU-a", "GPU-b"]
    with ProcessPool(1, 1) as pool:
        assert pool.workers[0].connection.recv() is None


def write_and_die(connection, environment, threads, words, gpu):
    """In place of `serve`: says something, then crashes."""
    words.take_standard_streams()
    os.write(2, b"cannot open libfoo\n")
    os._exit(3)


def test_what_a_crashed_process_wrote_comes_with_its_end(monkeypatch):
    monkeypatch.setattr(processes, "serve", write_and_die)
    with ProcessPool(1, 1) as pool:
        with pytest.raises(SearchFailedError, match=r"exit code 3; its last words: cannot open libfoo") as error:
            pool.wait_until_ready()
    assert error.value.__notes__ == ["Its output ends with:\ncannot open libfoo"]
