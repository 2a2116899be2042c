"""Workers that are processes of this machine."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

from ..activations.cache import EntryKey
from ..machine.devices import cores, find_gpus, machine_memory, plan_workers
from ..machine.last_words import LastWords
from . import fork_server, watchdog
from .inside import serve
from .messages import Begin, FromWorker, ToWorker
from .pool import MEMORY_A_WORKER, Died, Worker, WorkerPool

_GRACE_SECONDS = 5.0


class ProcessWorker(Worker):
    """One worker process, and the pipe to it.

    Args:
        name: ``worker-1`` and so on; a replacement keeps the name.
        threads: Cores that it may keep busy.
        gpu: The one that it sees; None leaves that to the backend.
    """

    def __init__(self, name: str, threads: int, gpu: str | None = None) -> None:
        super().__init__(name)
        self._threads = threads
        self._gpu = gpu
        self._begin: Begin | None = None
        self.process, self.connection, self._words = self._start()

    @property
    def process_id(self) -> int | None:
        return self.process.pid

    @property
    def at_cache(self) -> bool:
        return True

    def begin(self, begin: Begin) -> None:
        self._begin = begin
        self.send(begin)

    def send(self, message: ToWorker) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(message)

    def kill(self) -> None:
        self.process.kill()

    def _start_again(self) -> None:
        self.connection.close()
        self.process.join()
        self._words.close()
        self.process, self.connection, self._words = self._start()
        if self._begin is not None:
            self.send(self._begin)

    def death(self) -> Died:
        """Why its process has ended."""
        self.process.join()
        output = self._words.tail()
        if self.kill_reason:
            return Died(self.kill_reason, details=output)
        code = self.process.exitcode or 0
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        hint = " (out of memory?)" if code == -9 else ""
        last = f"; its last words: {output.splitlines()[-1][:200]}" if output and code != -9 else ""
        return Died(f"the worker process died: {how}{hint}{last}", details=output)

    def hang_up(self) -> None:
        """Terminates its process: left to end by itself, an idle one takes a second to tear TensorFlow down."""
        self.connection.close()
        self.process.terminate()

    def join(self, seconds: float) -> None:
        """Waits for its process to end, and kills it after ``seconds``."""
        self.process.join(seconds)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self._words.close()

    def _start(self) -> tuple[BaseProcess, Any, LastWords]:
        spawn: Any = get_context("spawn")
        # A pipe's end is of another class on Windows.
        ours, theirs = spawn.Pipe()
        words = LastWords()

        def start(context: Any) -> BaseProcess:
            arguments = (theirs, dict(os.environ), self._threads, words, self._gpu)
            process: BaseProcess = context.Process(target=serve, args=arguments, name=f"tlsearch {self.name}", daemon=True)
            process.start()
            return process

        try:
            process = start(fork_server.worker_context() if self._gpu is None else spawn)
        except (EOFError, ConnectionError):
            # The fork server has just been killed, and with it the workers that this one may be to replace.
            process = start(spawn)
        theirs.close()
        return process, ours, words


class ProcessPool(WorkerPool):
    """A fixed number of worker processes.

    Args:
        count: Worker processes.
        threads: Cores that each may keep busy.
        gpus: The GPU that each sees; none where they are to use none, or what the backend finds.
    """

    workers: list[ProcessWorker]

    def __init__(self, count: int, threads: int, gpus: Sequence[str] = ()) -> None:
        super().__init__(watchdog.Watchdog())
        own = [*gpus, *[None] * (count - len(gpus))]
        self.workers = [ProcessWorker(f"worker-{number + 1}", threads, own[number]) for number in range(count)]

    def share(self, keys: Sequence[EntryKey]) -> None:
        """Does nothing: they read the cache itself."""

    def close(self) -> None:
        for worker in self.workers:
            worker.hang_up()
        deadline = time.monotonic() + _GRACE_SECONDS
        for worker in self.workers:
            worker.join(max(0.1, deadline - time.monotonic()))

    def _receive(self) -> Iterator[tuple[Worker, FromWorker | Died]]:
        waiting = {worker.connection: worker for worker in self.workers}
        ready = wait(list(waiting), watchdog.TICK)
        for connection, worker in waiting.items():
            if connection not in ready:
                continue
            try:
                message: FromWorker | Died = connection.recv()
            except (EOFError, ConnectionResetError):
                message = worker.death()
            yield worker, message


def choose_workers(asked: int | None) -> tuple[int, int, tuple[str, ...]]:
    """How many workers, threads for each, and their GPUs: as asked, or one worker for each GPU or core, within memory.

    Several workers are a little faster than one of several threads, which wait for each other after each batch.
    """
    import psutil

    memory = min(psutil.virtual_memory().available, machine_memory())
    affordable = int(memory // MEMORY_A_WORKER)
    return plan_workers(asked, cores=cores(), affordable=affordable, gpus=find_gpus())
