"""The main process's side of its workers: assigns tasks, receives answers, replaces workers that die or hang.

`processes` has the workers of this machine, `ray` those of a cluster.
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
    """In place of an answer: the worker's process has ended.

    Attributes:
        error: Why, in one line for reports.
        with_node: Whether the whole machine was lost. The task is not to blame then, and worth a retry.
        details: The end of what the process wrote to its standard streams.
    """

    error: str
    with_node: bool = False
    details: str = ""


RunEnd = Trained | Failed | Died
"""How a training run ends."""


class TaskFailedError(Exception):
    """A task failed; the message is one line for reports, the worker's traceback a note."""


class TrainingRuns(ABC):
    """Decides what the workers train and for how long, and receives the results.

    What an implementer may assume
        Methods are called one at a time, in the main process. For each run that `next_run` returns, `goes_on` is called after
        every epoch and `ended` once, last.
    """

    @abstractmethod
    def next_run(self, worker: str) -> Train | None:
        """The next run for an idle worker, or None if there is none at the moment: it is called again after each message."""

    @abstractmethod
    def goes_on(self, run: Train, measurement: Measurement) -> bool:
        """Whether another epoch is to be trained."""

    @abstractmethod
    def ended(self, run: Train, end: RunEnd) -> None:
        """Receives the end of a run: ``Trained`` without an outcome if `goes_on` ended it."""


class Worker(ABC):
    """A process that does one task at a time; if it dies, another takes its place.

    What an implementer must keep
        Each message that is sent is answered by exactly one, which the pool receives.

    Attributes:
        name: Unique within the pool; constant while the worker has a task.
        task: What it is doing; None while idle.
        ready: Whether it has answered `Begin`.
        deaths: How many of its processes have died by themselves, not with their machine.
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
        """Identifies its process to the pool's watchdog; None if there is none to watch."""

    @property
    @abstractmethod
    def at_cache(self) -> bool:
        """Whether it writes into the cache that the main process reads."""

    @abstractmethod
    def begin(self, begin: Begin) -> None:
        """Sends the first message as soon as possible, and again to each process that replaces a dead one."""

    @abstractmethod
    def send(self, message: ToWorker) -> None:
        """Sends a message. Does not raise if the process has died: the pool will notice."""

    @abstractmethod
    def kill(self) -> None:
        """Ends its process at once."""

    @abstractmethod
    def _start_again(self) -> None:
        """Starts a new process in place of one that has died or was killed."""

    def assign(self, task: Task) -> None:
        """Gives it a task."""
        self.task = task
        self.send(task)

    def heard(self, message: FromWorker | Died) -> None:
        """Notes what a message says about its state. After `Measured` it goes on with its task."""
        if isinstance(message, Ready):
            self.ready = True
        elif isinstance(message, Died):
            self.deaths += not message.with_node
        if not isinstance(message, Measured):
            self.task = None

    def kill_because(self, reason: str) -> None:
        """Kills a process that hangs; the reason is told when it has died."""
        self.kill_reason = reason
        self.kill()

    def restart(self) -> None:
        """Replaces its process, which must begin anew."""
        self.ready, self.kill_reason = False, ""
        self._start_again()


NextTask = Callable[[Worker], Task | None]
Answers = Iterator[tuple[Worker, Task, FromWorker | Died]]

_Task = TypeVar("_Task", bound=Task)


class WorkerPool(ABC):
    """Workers that live for the whole search.

    They start importing Keras at once, while the caller goes on; `begin` says what the search is about.

    Args:
        watchdog: Detects workers that hang.

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
        """Makes these complete entries of the main process's cache readable for every worker, present and future."""

    @abstractmethod
    def _receive(self) -> Iterator[tuple[Worker, FromWorker | Died]]:
        """The messages that arrive within a `watchdog.TICK`. A worker that died has not been replaced yet."""

    def begin(self, begin: Begin) -> None:
        """Sends every worker its first message; they answer `Ready` or `Failed`."""
        for worker in self.workers:
            worker.begin(begin)

    def wait_until_ready(self) -> Ready:
        """Waits until one worker is ready, and returns its answer.

        Raises:
            TlsearchError: The workers cannot begin: weights cannot be loaded, or processes only die.
        """
        while True:
            for _, _, message in self._messages():
                if isinstance(message, Ready):
                    return message

    def map(self, tasks: Iterable[_Task], *, at_cache: bool = False) -> Iterator[tuple[_Task, FromWorker]]:
        """Does tasks, and yields each with its answer in the order of completion.

        A task that is lost together with its machine is retried by another worker. Training runs train all of their epochs.

        Args:
            tasks: All of one kind.
            at_cache: Whether the tasks fill the main process's cache: only workers that write into it are used then.

        Raises:
            TaskFailedError: A task failed. No more are begun; the answers of those under way have been yielded.
        """
        waiting = deque(tasks)
        failed: list[Failed | Died] = []
        for worker, task, message in self._answers(
            lambda worker: None if failed or not waiting else waiting.popleft(), at_cache=at_cache
        ):
            if isinstance(message, Measured):
                worker.send(Continue(True))
            elif isinstance(message, Died) and message.with_node:
                waiting.appendleft(task)  # type: ignore[arg-type]
            elif isinstance(message, Failed | Died):
                failed.append(message)
            else:
                yield task, message  # type: ignore[misc]
        if failed:
            error = TaskFailedError(failed[0].error)
            if failed[0].details:
                error.add_note(f"In the worker:\n{failed[0].details}")
            raise error

    def train(self, runs: TrainingRuns) -> None:
        """Trains until ``runs`` has no next run and every run has ended."""
        for worker, run, message in self._answers(lambda worker: runs.next_run(worker.name), at_cache=False):
            assert isinstance(run, Train)
            if isinstance(message, Measured):
                worker.send(Continue(runs.goes_on(run, message.measurement)))
            else:
                assert isinstance(message, Trained | Failed | Died)
                runs.ended(run, message)

    def _answers(self, next_task: NextTask, *, at_cache: bool) -> Answers:
        """Assigns tasks to idle workers until nothing is left to do, and yields the workers' messages about them."""
        while True:
            ready = [worker for worker in self.workers if worker.ready and (worker.at_cache or not at_cache)]
            for worker in [worker for worker in ready if worker.task is None]:
                if (task := next_task(worker)) is None:
                    break
                worker.assign(task)
                self._watchdog.heard(worker.name)
            if ready and all(worker.task is None for worker in self.workers):
                return
            for worker, task, message in self._messages():
                if task is not None:
                    yield worker, task, message

    def _messages(self) -> Iterator[tuple[Worker, Task | None, FromWorker | Died]]:
        """The messages that arrive, with the task that each is about; None for one that is about the worker's beginning.

        A worker that died is replaced before its `Died` is yielded; one that hangs is killed.
        """
        for worker, message in self._receive():
            self._watchdog.heard(worker.name)
            task, began = worker.task, worker.ready
            worker.heard(message)
            if isinstance(message, Died):
                self._replace(worker, message, began=began)
            elif isinstance(message, Failed) and not began:
                raise message.cause or SearchFailedError(message.error)
            elif isinstance(message, Failed) and message.spent:
                worker.kill()
                worker.restart()
            yield worker, task, message
        self._end_hanging()

    def _replace(self, worker: Worker, died: Died, *, began: bool) -> None:
        worker.restart()
        if not began and worker.deaths >= _MAX_FALSE_STARTS:
            error = SearchFailedError(
                f"no worker process could be started, {died.error}. Try --workers 1, or --debug for its output."
            )
            error.add_note(f"Its output ends with:\n{died.details or '(nothing)'}")
            raise error

    def _end_hanging(self) -> None:
        busy = {w.name: w for w in self.workers if not w.kill_reason and (w.task is not None or not w.ready)}
        watched = {name: process for name, w in busy.items() if (process := w.process_id) is not None}
        for name, reason in self._watchdog.look(watched):
            busy[name].kill_because(reason)
