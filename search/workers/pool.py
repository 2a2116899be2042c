"""The main process's side of its workers, wherever they run: hands out tasks, hears answers, notices when one dies.

`processes` has those of this machine, `ray` those of a cluster.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

from ...spaces.errors import SearchFailedError
from ..activations.cache import EntryKey
from .messages import Begin, Failed, FromWorker, Measured, Ready, ToWorker
from .watchdog import Watchdog

MEMORY_A_WORKER = 1_500_000_000
"""Bytes that a worker needs with TensorFlow, a traced α = 1.0 suffix and its batches; measured on CPU."""

_MAX_FALSE_STARTS = 3


@dataclass(frozen=True, slots=True)
class Died:
    """In place of an answer: the worker's process ended by itself or by a signal.

    Attributes:
        error: One line, fit for a report.
        with_node: Whether the whole machine went, which says nothing against the task: it is worth another try.
    """

    error: str
    with_node: bool = False


class Worker(ABC):
    """A process that does one task at a time, and its replacement where it dies.

    An implementer answers every message with exactly one, through the pool that the worker belongs to.

    Attributes:
        name: Its own within the pool, the same for as long as it has a task.
        task: What it was given to do, None while idle.
        ready: Whether it has answered `Begin`.
        deaths: Processes that died in its place.
        doom: Why it is being killed; empty while it is not.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.task: ToWorker | None = None
        self.ready = False
        self.deaths = 0
        self.doom = ""

    @property
    @abstractmethod
    def process_id(self) -> Hashable | None:
        """What the pool's watchdog knows its process by; None where there is none to be watched."""

    @property
    @abstractmethod
    def at_cache(self) -> bool:
        """Whether it writes into the same cache that the main process reads."""

    @abstractmethod
    def begin(self, begin: Begin) -> None:
        """Sends the first message, now or as soon as it can be sent, and again to each process that replaces a dead one."""

    @abstractmethod
    def send(self, message: ToWorker) -> None:
        """Sends a message. Raises nothing where the process has died: its pool notices."""

    @abstractmethod
    def kill(self) -> None:
        """Ends its process at once."""

    @abstractmethod
    def restart(self) -> None:
        """Starts another process in place of one that died or was killed."""


NextTask = Callable[[Worker], ToWorker | None]
Handle = Callable[[Worker, ToWorker, FromWorker | Died], None]


class WorkerPool(ABC):
    """Workers that live for the whole search.

    They start at once, importing Keras while the caller goes on; `begin` tells them what the search is about.

    Args:
        watchdog: Notices those that hang.

    Attributes:
        workers: All of them, ready or not.
    """

    workers: Sequence[Worker]

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Ends every worker."""

    @abstractmethod
    def share(self, keys: Sequence[EntryKey]) -> None:
        """Lets every worker, also one that comes later, read these complete entries of the main process's cache."""

    @abstractmethod
    def _receive(self) -> Iterator[tuple[Worker, FromWorker | Died]]:
        """What the workers say within a `watchdog.TICK`, if anything. Whoever died has not been replaced yet."""

    def begin(self, begin: Begin) -> None:
        """Sends every worker its first message; they answer `Ready` or `Failed`."""
        for worker in self.workers:
            worker.begin(begin)

    def wait_until_ready(self) -> Ready:
        """Waits until one worker has answered `begin`, and gives its answer.

        Raises:
            TlsearchError: What kept the workers from beginning: weights that cannot be loaded, or a process that dies.
        """
        while True:
            for _, message in self._messages():
                if isinstance(message, Ready):
                    return message

    def drive(self, next_task: NextTask, handle: Handle, *, at_cache: bool = False) -> None:
        """Keeps every worker busy until there is nothing left to do.

        Args:
            next_task: Called with an idle worker; gives its next task, or None for none at the moment. It is asked again
                after each message.
            handle: Called with a worker, the task it was given and what it says. After `Measured` the worker waits for a
                `Continue`; any other message ends the task.
            at_cache: Whether the tasks fill the main process's cache, and only workers that write into it are asked.
        """
        while True:
            ready = [worker for worker in self.workers if worker.ready and (worker.at_cache or not at_cache)]
            for worker in [worker for worker in ready if worker.task is None]:
                if (task := next_task(worker)) is None:
                    break
                worker.task = task
                worker.send(task)
                self._watchdog.heard(worker.name)
            if ready and all(worker.task is None for worker in self.workers):
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
        for worker, message in self._receive():
            self._watchdog.heard(worker.name)
            if isinstance(message, Ready):
                worker.ready = True
            elif isinstance(message, Died):
                self._replace(worker, message)
            elif isinstance(message, Failed) and not worker.ready:
                raise message.cause or SearchFailedError(message.error)
            elif isinstance(message, Failed) and message.spent:
                worker.kill()
                worker.restart()
            yield worker, message
        self._end_hanging()

    def _replace(self, worker: Worker, died: Died) -> None:
        began = worker.ready
        worker.restart()
        worker.deaths += not died.with_node
        if not began and worker.deaths >= _MAX_FALSE_STARTS:
            raise SearchFailedError(
                f"no worker process could be started, {died.error}. Try --workers 1, or --debug for its output."
            )

    def _end_hanging(self) -> None:
        busy = {w.name: w for w in self.workers if not w.doom and (w.task is not None or not w.ready)}
        watched = {name: process for name, w in busy.items() if (process := w.process_id) is not None}
        for name, reason in self._watchdog.look(watched):
            busy[name].doom = reason
            busy[name].kill()
