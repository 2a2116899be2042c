"""The main process's side of its workers: starts them, hands out tasks, notices when one dies."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from ..spaces.errors import SearchFailedError
from .devices import find_gpus, plan_workers
from .last_words import LastWords
from .messages import Begin, Failed, FromWorker, Measured, Ready, ToWorker
from .watchdog import TICK, Watchdog
from .worker import serve

MEMORY_A_WORKER = 1_500_000_000
"""Bytes that a worker needs with TensorFlow, a traced α = 1.0 suffix and its batches; measured on CPU."""

_GRACE_SECONDS = 5.0
_MAX_FALSE_STARTS = 3


@dataclass(frozen=True, slots=True)
class Died:
    """In place of an answer: the worker's process ended by itself or by a signal."""

    error: str


@dataclass(slots=True)
class Worker:
    """One worker process.

    Attributes:
        name: ``worker-1`` and so on; a replacement keeps the name.
        task: What it was given to do, None while idle.
        ready: Whether it has answered `Begin`.
        deaths: Processes of this name that died.
        words: What its process writes to the standard streams.
        doom: Why it is being killed; empty while it is not.
    """

    name: str
    process: SpawnProcess
    connection: Connection
    words: LastWords
    task: ToWorker | None = None
    ready: bool = False
    deaths: int = 0
    doom: str = ""

    def send(self, message: ToWorker) -> None:
        """Sends a message. That the process has died is noticed by `WorkerPool.drive`, which reads the other end."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(message)


NextTask = Callable[[Worker], ToWorker | None]
Handle = Callable[[Worker, ToWorker, FromWorker | Died], None]


class WorkerPool:
    """A fixed number of workers that live for the whole search.

    Args:
        count: Worker processes.
        threads: Cores that each may keep busy.
        gpus: The GPU that each sees; none where they are to use none, or what the backend finds.

    They start at once, importing Keras while the caller goes on; `begin` tells them what the search is about.
    """

    def __init__(self, count: int, threads: int, gpus: Sequence[str] = ()) -> None:
        self._spawn = multiprocessing.get_context("spawn")
        self._threads = threads
        self._gpus = {f"worker-{place}": gpu for place, gpu in enumerate(gpus, start=1)}
        self._begin: Begin | None = None
        self._watchdog = Watchdog()
        self.workers = [self._start(f"worker-{number + 1}") for number in range(count)]

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self, begin: Begin) -> None:
        """Sends every worker its first message; they answer `Ready` or `Failed`."""
        self._begin = begin
        for worker in self.workers:
            worker.send(begin)

    def wait_until_ready(self) -> Ready:
        """Waits until one worker has answered `begin`, and gives its answer.

        Raises:
            TlsearchError: What kept the workers from beginning: weights that cannot be loaded, or a process that dies.
        """
        while True:
            for _, message in self._messages():
                if isinstance(message, Ready):
                    return message

    def drive(self, next_task: NextTask, handle: Handle) -> None:
        """Keeps every worker busy until there is nothing left to do.

        Args:
            next_task: Called with an idle worker; gives its next task, or None for none at the moment. It is asked again
                after each message.
            handle: Called with a worker, the task it was given and what it says. After `Measured` the worker waits for a
                `Continue`; any other message ends the task.
        """
        while True:
            for worker in [worker for worker in self.workers if worker.ready and worker.task is None]:
                if (task := next_task(worker)) is None:
                    break
                worker.task = task
                worker.send(task)
                self._watchdog.heard(worker.name)
            if any(worker.ready for worker in self.workers) and all(worker.task is None for worker in self.workers):
                return
            for worker, message in self._messages():
                if isinstance(message, Ready) or worker.task is None:
                    continue
                task = worker.task
                if not isinstance(message, Measured):
                    worker.task = None
                handle(worker, task, message)

    def _messages(self) -> Iterator[tuple[Worker, FromWorker | Died]]:
        """What the workers say, if anything. One that died is replaced before its `Died` is given; one that hangs is killed."""
        by_connection = {worker.connection: worker for worker in self.workers}
        for connection in wait(list(by_connection), TICK):
            assert isinstance(connection, Connection)
            worker = by_connection[connection]
            try:
                message: FromWorker | Died = worker.connection.recv()
            except (EOFError, ConnectionResetError):
                began = worker.ready
                message = self._replace(worker)
                if not began and worker.deaths >= _MAX_FALSE_STARTS:
                    raise SearchFailedError(
                        f"no worker process could be started, {message.error}. Try --workers 1, or --debug for its output."
                    ) from None
            self._watchdog.heard(worker.name)
            if isinstance(message, Ready):
                worker.ready = True
            elif isinstance(message, Failed) and not worker.ready:
                raise message.cause or SearchFailedError(message.error)
            elif isinstance(message, Failed) and message.spent:
                worker.process.kill()
                self._renew(worker)
            yield worker, message
        busy = {w.name: w for w in self.workers if w.process.pid and not w.doom and (w.task is not None or not w.ready)}
        for name, reason in self._watchdog.look({name: w.process.pid or 0 for name, w in busy.items()}):
            busy[name].doom = reason
            busy[name].process.kill()

    def close(self) -> None:
        """Ends every worker: idle ones by closing their pipe, the others by a signal."""
        for worker in self.workers:
            worker.connection.close()
            if worker.task is not None or not worker.ready:
                worker.process.terminate()
        deadline = time.monotonic() + _GRACE_SECONDS
        for worker in self.workers:
            worker.process.join(max(0.1, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.words.close()

    def _start(self, name: str) -> Worker:
        ours, theirs = self._spawn.Pipe()
        words = LastWords()
        arguments = (theirs, self._threads, words, self._gpus.get(name))
        process = self._spawn.Process(target=serve, args=arguments, name=f"tlsearch {name}", daemon=True)
        process.start()
        theirs.close()
        if self._begin is not None:
            ours.send(self._begin)
        return Worker(name, process, ours, words)

    def _replace(self, worker: Worker) -> Died:
        """Starts another process in place of one that died, and says what that died of."""
        worker.process.join()
        code = worker.process.exitcode or 0
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        hint = " (out of memory?)" if code == -9 else ""
        said = worker.words.last_line() if code != -9 else ""
        last = f"; its last words: {said[:200]}" if said else ""
        error = worker.doom or f"the worker process died: {how}{hint}{last}"
        self._renew(worker)
        worker.deaths += 1
        return Died(error)

    def _renew(self, worker: Worker) -> None:
        worker.connection.close()
        worker.process.join()
        worker.words.close()
        fresh = self._start(worker.name)
        worker.process, worker.connection, worker.words = fresh.process, fresh.connection, fresh.words
        worker.ready, worker.doom = False, ""


def choose_workers(asked: int | None) -> tuple[int, int, tuple[str, ...]]:
    """How many workers, threads for each, and their GPUs: as asked, or one worker a GPU or a core, within memory.

    TensorFlow keeps barely 1.2 of 2 cores busy on this network, so workers side by side beat threads.
    """
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    affordable = int(psutil.virtual_memory().available // MEMORY_A_WORKER)
    return plan_workers(asked, cores=cores, affordable=affordable, gpus=find_gpus())
