"""Workers that answer after a while instead of training: what the real search loop is driven with to time it alone."""

from __future__ import annotations

import heapq
import itertools
import time
from typing import Any

import numpy as np
from common import trial_seconds

from tlsearch.search.training.trainer import Outcome
from tlsearch.search.trial import Measurement
from tlsearch.search.workers.messages import Trained
from tlsearch.search.workers.pool import TrainingRuns

EPOCHS = 5
"""That a made-up trial takes."""


class TimedWorker:
    """Answers when its time has come."""

    def __init__(self, number: int) -> None:
        self.name = f"worker-{number}"
        self.run: Any = None
        self.epoch = 0
        self.each = 0.0


class TimedPool:
    """Workers whose trials take so many seconds and nothing else; see `WorkerPool.train`."""

    def __init__(self, count: int, seconds: float) -> None:
        self.workers = [TimedWorker(number) for number in range(1, count + 1)]
        self.seconds = seconds
        self.slept = 0.0
        self.trained = 0.0
        self._rng = np.random.default_rng(0)

    def train(self, runs: TrainingRuns) -> None:
        """Hands out runs and gives answers, each at its time."""
        due: list[tuple[float, int, TimedWorker]] = []
        order = itertools.count()
        idle = self.workers[::-1]
        while True:
            while idle and (run := runs.next_run(idle[-1].name)) is not None:
                worker = idle.pop()
                worker.run, worker.epoch = run, 0
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
            goes_on = runs.goes_on(worker.run, measurement(worker.epoch))
            if goes_on and worker.epoch < EPOCHS:
                heapq.heappush(due, (time.monotonic() + worker.each, next(order), worker))
                continue
            idle.append(worker)
            runs.ended(worker.run, Trained(outcome(worker.epoch) if goes_on else None))


def measurement(epoch: int) -> Measurement:
    """A made-up epoch."""
    return Measurement(epoch, 0.5, 0.7, 0.5, 0.8, 0.8, 1.0)


def outcome(epoch: int) -> Outcome:
    """A made-up end."""
    return Outcome(measurement(epoch), 100, 1.0, 0.1, 400.0, "features")
