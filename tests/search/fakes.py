"""Workers that train nothing."""

from types import SimpleNamespace

import numpy as np

from tlsearch.search.phases.confirm import Confirmer
from tlsearch.search.phases.confirmation_plan import ConfirmationPlan
from tlsearch.search.phases.progress import Progress
from tlsearch.search.phases.search import Searcher
from tlsearch.search.phases.time_limit import TimeLimit
from tlsearch.search.phases.training import Conditions
from tlsearch.search.training.trainer import Outcome
from tlsearch.search.workers.messages import Failed, Trained
from tlsearch.search.workers.pool import Died
from tlsearch.spaces.space import SearchSpace

from .factory import measurement


class FakeClock:
    """Time passes only where somebody sleeps, or trains an epoch of `FakePool`."""

    def __init__(self, now=0.0):
        self.time = now

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds

    def limit(self, seconds):
        return TimeLimit(self.time + seconds, self.now, self.sleep)


class FakePool:
    """Trains as `WorkerPool.train` does.

    ``result`` gives a job's score, or its failure; ``predictions`` are those of the test split, or give them for a job. An
    epoch takes a second of ``clock``.
    """

    def __init__(self, result, count=2, epochs=2, predictions=None, clock=None):
        self.workers = [SimpleNamespace(name=f"worker-{n}") for n in range(count)]
        self.result, self.epochs, self.predictions, self.jobs = result, epochs, predictions, []
        self.clock = clock or FakeClock()

    def _predicted(self, job):
        if not job.test:
            return None
        return self.predictions(job) if callable(self.predictions) else self.predictions

    def train(self, runs):
        busy = {}
        while True:
            for worker in self.workers:
                if worker.name not in busy and (run := runs.next_run(worker.name)) is not None:
                    busy[worker.name] = run
                    self.jobs.append(run.job)
            if not busy:
                return
            name = max(busy)
            run = busy[name]
            runs.ended(run, self._end(runs, run, busy, name))

    def _end(self, runs, run, busy, name):
        end = self.result(run.job)
        if not isinstance(end, Failed | Died):
            for epoch in range(1, self.epochs + 1):
                self.clock.sleep(1.0)
                if not runs.goes_on(run, measurement(epoch, end)):
                    end = None
                    break
            outcome = None if end is None else _outcome(end, self.epochs, self._predicted(run.job), run.job)
            end = Trained(outcome)
        del busy[name]
        return end


def searcher(store, total=12, space=None, *, prune=False, **changes):
    """A search of what the study has not done yet."""
    conditions = Conditions(patience=3, **{name: changes.pop(name) for name in ("limit", "listener") if name in changes})
    space = space or SearchSpace()
    progress = Progress.of(store.trials(), space, total)
    return Searcher(store, space, progress.total, conditions, prune=prune, **changes)


def confirmer(store, dataset, seeds=2, **conditions):
    return Confirmer(ConfirmationPlan(store, seeds), dataset, Conditions(patience=3, **conditions))


def _outcome(score, epoch, predictions, job):
    # The weights tell which run they are of.
    weights = (np.float32([job.seed]),) if job.keep else None
    return Outcome(measurement(epoch, score), 100, 1.0, 0.1, 400.0, "features", test=predictions, weights=weights)
