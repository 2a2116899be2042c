"""The main process's side of its workers, wherever they run: hands out tasks, hears answers, notices when one dies.

`processes` has those of this machine, `ray` those of a cluster.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ...spaces.errors import SearchFailedError
from ..activations.cache import EntryKey
from ..trial import Measurement
from .messages import Begin, Continue, Failed, FromWorker, Measured, Ready, Task, ToWorker, Train, Trained
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
        output: The end of what it wrote to its standard streams.
    """

    error: str
    with_node: bool = False
    output: str = ""


RunEnd = Trained | Failed | Died
"""How a training run ends."""


class TaskFailedError(Exception):
    """A task came to nothing; the message is one line, fit for a report."""


class TrainingRuns(ABC):
    """The side of a conversation with the workers that says what is trained, for how long, and hears how it ended.

    What an implementer may assume
        Methods are called one at a time, in the main process. Of each run that `next_run` gives, `goes_on` is called after
        every epoch and `ended` once, last.
    """

    @abstractmethod
    def next_run(self, worker: str) -> Train | None:
        """The next run for an idle worker; None for none at the moment. It is asked for again after each message."""

    @abstractmethod
    def goes_on(self, run: Train, measurement: Measurement) -> bool:
        """Whether another epoch is to be trained."""

    @abstractmethod
    def ended(self, run: Train, end: RunEnd) -> None:
        """Takes the end of a run: ``Trained`` without an outcome where `goes_on` ended it."""


class Worker(ABC):
    """A process that does one task at a time, and its replacement where it dies.

    An implementer answers every message with exactly one, through the pool that the worker belongs to.

    Attributes:
        name: Its own within the pool, the same for as long as it has a task.
        task: What it was given to do, None while idle.
        ready: Whether it has answered `Begin`.
        deaths: Processes that died in its place.
        kill_reason: Why it is being killed; empty while it is not.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.task: Task | None = None
        self.ready = False
        self.deaths = 0
        self.kill_reason = ""

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


NextTask = Callable[[Worker], Task | None]
Answers = Iterator[tuple[Worker, Task, FromWorker | Died]]

_Task = TypeVar("_Task", bound=Task)


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

    def map(self, tasks: Iterable[_Task], *, at_cache: bool = False) -> Iterator[tuple[_Task, FromWorker]]:
        """Does tasks and yields each with its answer, in the order in which they are done.

        A task that is lost together with its machine is done again by another worker. Training runs train all of their epochs.

        Args:
            tasks: All of one kind.
            at_cache: Whether they fill the main process's cache, and only workers that write into it are asked.

        Raises:
            TaskFailedError: A task failed. No more are begun; the answers of those under way have been yielded.
        """
        waiting = deque(tasks)
        failed: list[str] = []
        for worker, task, message in self._answers(
            lambda worker: None if failed or not waiting else waiting.popleft(), at_cache=at_cache
        ):
            if isinstance(message, Measured):
                worker.send(Continue(True))
            elif isinstance(message, Died) and message.with_node:
                waiting.appendleft(task)  # type: ignore[arg-type]
            elif isinstance(message, Failed | Died):
                failed.append(message.error)
            else:
                yield task, message  # type: ignore[misc]
        if failed:
            raise TaskFailedError(failed[0])

    def train(self, runs: TrainingRuns) -> None:
        """Trains until ``runs`` gives no more and every run has ended."""
        for worker, run, message in self._answers(lambda worker: runs.next_run(worker.name), at_cache=False):
            assert isinstance(run, Train)
            if isinstance(message, Measured):
                worker.send(Continue(runs.goes_on(run, message.measurement)))
            else:
                assert isinstance(message, Trained | Failed | Died)
                runs.ended(run, message)

    def _answers(self, next_task: NextTask, *, at_cache: bool) -> Answers:
        """Keeps every worker busy until nothing is left to do, and yields what the workers say.

        After `Measured` a worker waits for a `Continue`; any other message ends its task.
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
                yield worker, task, message

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
            error = SearchFailedError(
                f"no worker process could be started, {died.error}. Try --workers 1, or --debug for its output."
            )
            error.add_note(f"Its output ends with:\n{died.output or '(nothing)'}")
            raise error

    def _end_hanging(self) -> None:
        busy = {w.name: w for w in self.workers if not w.kill_reason and (w.task is not None or not w.ready)}
        watched = {name: process for name, w in busy.items() if (process := w.process_id) is not None}
        for name, reason in self._watchdog.look(watched):
            busy[name].kill_reason = reason
            busy[name].kill()
