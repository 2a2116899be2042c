"""Workers that train nothing."""

import numpy as np

from tlsearch.search.training.trainer import Outcome
from tlsearch.search.workers.messages import Failed, Measured, Trained
from tlsearch.search.workers.pool import Died

from .factory import measurement


class FakeWorker:
    def __init__(self, name):
        self.name, self.task, self.answers = name, None, []

    def send(self, message):
        self.answers.append(message)


class FakePool:
    """Drives ``next_task`` and ``handle`` as `WorkerPool` does.

    ``result`` gives a job's score, or its failure; ``predictions`` are those of the test split, or give them for a job.
    """

    def __init__(self, result, count=2, epochs=2, predictions=None):
        self.workers = [FakeWorker(f"worker-{n}") for n in range(count)]
        self.result, self.epochs, self.predictions, self.jobs = result, epochs, predictions, []

    def _predicted(self, job):
        if not job.test:
            return None
        return self.predictions(job) if callable(self.predictions) else self.predictions

    def drive(self, next_task, handle):
        while True:
            for worker in self.workers:
                if worker.task is None and (task := next_task(worker)) is not None:
                    worker.task = task
                    self.jobs.append(task.job)
            busy = [worker for worker in self.workers if worker.task is not None]
            if not busy:
                return
            worker = busy[-1]
            task = worker.task
            end = self.result(task.job)
            if not isinstance(end, Failed | Died):
                for epoch in range(1, self.epochs + 1):
                    handle(worker, task, Measured(task.ticket, measurement(epoch, end)))
                    if not worker.answers.pop().go_on:
                        end = None
                        break
                outcome = None if end is None else _outcome(end, self.epochs, self._predicted(task.job), task.job)
                end = Trained(task.ticket, outcome)
            worker.task = None
            handle(worker, task, end)


def _outcome(score, epoch, predictions, job):
    # The weights tell which run they are of.
    weights = (np.float32([job.seed]),) if job.keep else None
    return Outcome(measurement(epoch, score), 100, 1.0, 0.1, 400.0, "features", predictions, weights)
