"""Workers that answer after a while instead of training: what the real search loop is driven with to time it alone."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from common import trial_seconds

from tlsearch.search.training.trainer import Outcome
from tlsearch.search.trial import Measurement
from tlsearch.search.workers.messages import Measured, Trained

EPOCHS = 5
"""That a made-up trial takes."""


class TimedWorker:
    """Answers when its time has come."""

    def __init__(self, number: int) -> None:
        self.name = f"worker-{number}"
        self.task: Any = None
        self.epoch = 0
        self.each = 0.0
        self.go_on = True

    def send(self, message: Any) -> None:
        """Takes a `Continue`."""
        self.go_on = message.go_on


class TimedPool:
    """Workers whose trials take so many seconds and nothing else; see `WorkerPool.drive`."""

    def __init__(self, count: int, seconds: float) -> None:
        self.workers = [TimedWorker(number) for number in range(1, count + 1)]
        self.seconds = seconds
        self.slept = 0.0
        self.trained = 0.0
        self._rng = np.random.default_rng(0)

    def drive(self, next_task: Callable[[Any], Any], handle: Callable[[Any, Any, Any], None]) -> None:
        """Hands out tasks and hears answers, each at its time."""
        due: list[tuple[float, int, TimedWorker]] = []
        order = itertools.count()
        idle = self.workers[::-1]
        while True:
            while idle and (task := next_task(idle[-1])) is not None:
                worker = idle.pop()
                worker.task, worker.epoch = task, 0
                worker.each = trial_seconds(self._rng, self.seconds) / EPOCHS
                heapq.heappush(due, (time.monotonic() + worker.each, next(order), worker))
            if not due:
                return
            at, _, worker = heapq.heappop(due)
            if (left := at - time.monotonic()) > 0:
                time.sleep(left)
                self.slept += left
            self.trained += worker.each
            worker.epoch += 1
            # All alike: none is pruned.
            handle(worker, worker.task, Measured(worker.task.ticket, measurement(worker.epoch)))
            if worker.go_on and worker.epoch < EPOCHS:
                heapq.heappush(due, (time.monotonic() + worker.each, next(order), worker))
                continue
            ended = outcome(worker.epoch) if worker.go_on else None
            task, worker.task, worker.go_on = worker.task, None, True
            idle.append(worker)
            handle(worker, task, Trained(task.ticket, ended))


def measurement(epoch: int) -> Measurement:
    """A made-up epoch."""
    return Measurement(epoch, 0.5, 0.7, 0.5, 0.8, 0.8, 1.0)


def outcome(epoch: int) -> Outcome:
    """A made-up end."""
    return Outcome(measurement(epoch), 100, 1.0, 0.1, 400.0, "features")
