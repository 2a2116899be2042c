"""Confirmation: each technique's finalist is trained again from its start, with several seeds, and meets the test split.

The finalist is chosen on the validation split alone. This is the only place that asks a worker for test predictions. Of a
finalist's seeds the model that did best on the validation split is kept with the study.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ...spaces.recipe import Technique
from ..context import Context
from ..data.dataset import Dataset
from ..events import Confirmed, Listener, PhaseAdvanced, Warned
from ..metrics import scores
from ..seeds import derive
from ..selection import finalists
from ..storage.base import POLL_SECONDS
from ..storage.models import KeptModel, keep_better
from ..storage.store import StudyStore
from ..training.trainer import Job
from ..trial import CompleteTrial, Confirmation, Trial
from ..workers.messages import Continue, Failed, FromWorker, Measured, ToWorker, Train, Trained
from ..workers.pool import Died, Worker, WorkerPool

RESERVED_AT_MOST = 0.5
"""Share of the time that is kept for confirmation at most: finalists must be found before they can be confirmed."""


def expected_seconds(runs: Sequence[CompleteTrial], workers: int) -> float:
    """Wall time of training runs, each given by the trial whose recipe it trains and as long as that was.

    Building and tracing are done once by each worker, in its first run of a finalist. Workers that take the next run as soon as
    they are free need at most the mean of their loads and, for the last run, the longest run's share (Graham 1969):
    total / m + (1 − 1/m) · longest.
    """
    if not runs:
        return 0.0
    once = {trial.number: _once(trial) for trial in runs}
    times = Counter(trial.number for trial in runs)
    again = [trial.seconds - once[trial.number] for trial in runs]
    total = sum(again) + sum(min(times[number], workers) * seconds for number, seconds in once.items())
    return total / workers + (1 - 1 / workers) * max(again)


def _once(trial: CompleteTrial) -> float:
    """Seconds of a trial that its worker need not spend again: what its first epoch took beyond the others is tracing."""
    epochs = [measurement.seconds for measurement in trial.curve if measurement.epoch > 0]
    traced = epochs[0] - float(np.median(epochs[1:])) if len(epochs) > 1 else 0.0
    return min(trial.seconds, trial.setup_seconds + max(0.0, traced))


class Confirmer:
    """Trains the finalists that have not been confirmed yet.

    Attributes:
        test_seconds: Wall time that computing the test split's frozen activations is expected to take.
        available: Wall time until the deadline when the search begins.

    Args:
        store: Of the study.
        context: What the search trains on.
        seeds: Times that each finalist is trained; the same seeds for every technique.
        patience: As in `Job`.
        deadline: On the monotonic clock; None for no limit.
        listener: Told what happens.
    """

    def __init__(
        self,
        store: StudyStore,
        context: Context,
        seeds: int,
        *,
        patience: int | None,
        deadline: float | None,
        listener: Listener,
    ) -> None:
        self._store = store
        self._dataset: Dataset = context.dataset
        self._seeds = [derive(store.settings.seed, 0, 2, number) for number in range(seeds)]
        self._patience = patience
        self._deadline = deadline
        self._listener = listener
        self._waiting: list[tuple[CompleteTrial, int]] = []
        self._done = 0
        self._moved: set[tuple[int, int]] = set()
        self.test_seconds = 0.0
        self.available = math.inf

    def reserve(self, finished: Sequence[Trial], workers: int) -> float:
        """Seconds of a time limit that confirmation needs, as far as the trials that have finished tell.

        Args:
            finished: Trials.
            workers: That will confirm side by side.
        """
        if not self._seeds:
            return 0.0
        runs = [*finalists(finished, self._store.settings.metric).values()] * len(self._seeds)
        needed = self.test_seconds + expected_seconds(runs, workers)
        return min(needed, RESERVED_AT_MOST * self.available)

    def fit(self, workers: int) -> None:
        """Plans with fewer seeds, and says so, where the time that is left does not allow for all; one is tried in any."""
        if self._deadline is None or (left := self._deadline - time.monotonic()) <= 0:
            return
        waiting = self.remaining()
        planned = sorted({seed for _, seed in waiting}, key=self._seeds.index)
        fitting = len(planned)
        while fitting > 1:
            runs = [trial for trial, seed in waiting if seed in planned[:fitting]]
            if expected_seconds(runs, workers) <= left:
                break
            fitting -= 1
        if dropped := len(planned) - fitting:
            asked = len(self._seeds)
            self._seeds = [seed for seed in self._seeds if seed not in planned[fitting:]]
            self._listener(
                Warned(
                    f"The {left:.0f} s that are left of the time limit allow for {asked - dropped} instead of {asked} "
                    "training seeds a finalist. The same command adds the others."
                )
            )

    @property
    def total(self) -> int:
        """Training runs that confirmation consists of."""
        return len(self._seeds) * len(self._finalists())

    def remaining(self) -> list[tuple[CompleteTrial, int]]:
        """Finalists and seeds that are not confirmed yet; seed by seed, so that a time limit cuts all techniques alike."""
        confirmed = {(c.trial, c.seed) for c in self._store.confirmations()}
        return [
            (trial, seed)
            for seed in self._seeds
            for trial in self._finalists().values()
            if (trial.number, seed) not in confirmed
        ]

    def run(self, pool: WorkerPool, cached_cuts: frozenset[int]) -> None:
        """Confirms until nothing remains or the deadline has come."""
        self._cached_cuts = cached_cuts
        self._waiting = self.remaining()
        self._done = self.total - len(self._waiting)
        self._tasks: dict[int, tuple[CompleteTrial, int]] = {}
        self._looked = -math.inf
        pool.drive(self._next, self._handle)
        self._wait_for_others(pool)
        if self._waiting:
            self._listener(Warned(f"The time limit left {len(self._waiting)} of {self.total} confirmation runs undone."))

    def _wait_for_others(self, pool: WorkerPool) -> None:
        """Until every run is done: one whose driver has died is done here."""
        told = False
        while self._store.shared and self._waiting and not self._out_of_time():
            if not told:
                plural = "s" if len(self._waiting) > 1 else ""
                self._listener(Warned(f"Waiting for {len(self._waiting)} confirmation run{plural} of other drivers."))
                told = True
            time.sleep(POLL_SECONDS)
            pool.drive(self._next, self._handle)

    def _out_of_time(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _finalists(self) -> dict[Technique, CompleteTrial]:
        return finalists(self._store.trials(), self._store.settings.metric)

    def _next(self, worker: Worker) -> ToWorker | None:
        if self._out_of_time() or (self._store.shared and time.monotonic() < self._looked + POLL_SECONDS):
            return None
        if (taken := self._take()) is None:
            self._looked = time.monotonic() if self._store.shared else self._looked
            return None
        trial, seed = taken
        ticket = len(self._tasks)
        self._tasks[ticket] = taken
        job = Job(trial.recipe, seed, head_seed=seed, patience=self._patience, test=True, keep=True)
        return Train(ticket, job, self._cached_cuts)

    def _take(self) -> tuple[CompleteTrial, int] | None:
        """The next run that no other driver is at; it waits no longer."""
        for trial, seed in [*self._waiting]:
            if not self._store.claim(_claim(trial, seed)):
                continue
            self._waiting.remove((trial, seed))
            if not self._store.shared or (trial, seed) in self.remaining():
                return trial, seed
            # Another driver has done it.
            self._store.release(_claim(trial, seed))
            self._done += 1
            self._listener(PhaseAdvanced("confirm", self._done))
        return None

    def _handle(self, worker: Worker, task: ToWorker, message: FromWorker | Died) -> None:
        assert isinstance(task, Train)
        if isinstance(message, Measured):
            worker.send(Continue(True))
            return
        trial, seed = self._tasks[task.ticket]
        if isinstance(message, Died) and message.with_node and (trial.number, seed) not in self._moved:
            self._moved.add((trial.number, seed))
            self._store.release(_claim(trial, seed))
            self._waiting.insert(0, (trial, seed))
            self._looked = -math.inf
            return
        if isinstance(message, Failed | Died):
            technique = trial.recipe.technique
            self._store.release(_claim(trial, seed))
            self._listener(Warned(f"A confirmation run of {technique} failed ({message.error}); its seed is left out."))
            return
        assert isinstance(message, Trained) and message.outcome is not None and message.outcome.test is not None
        labels = self._dataset.labels[self._dataset.test]
        confirmation = Confirmation(
            recipe=trial.recipe,
            trial=trial.number,
            seed=seed,
            seconds=message.outcome.seconds,
            val_score=message.outcome.best.score,
            scores={str(name): value for name, value in scores(message.outcome.test, labels).items()},
            predictions="",
        )
        if message.outcome.weights is not None:
            # Before the confirmation: a kill between the two then costs a training run, not the model.
            self._keep(KeptModel.of(confirmation, message.outcome, order=self._seeds.index(seed)))
        recorded = self._store.confirm(confirmation, message.outcome.test, labels, claim=_claim(trial, seed))
        if recorded is None:
            # Another driver has taken it over.
            self._waiting.append((trial, seed))
            return
        self._done += 1
        self._listener(Confirmed(recorded))
        self._listener(PhaseAdvanced("confirm", self._done))

    def _keep(self, model: KeptModel) -> None:
        """Keeps a model unless a better one is there, and while no other driver does the same."""
        claim = f"model {model.recipe.technique}"
        while not self._store.claim(claim):
            time.sleep(POLL_SECONDS / 10)
        try:
            keep_better(self._store.files, model, self._store.settings.metric)
        finally:
            self._store.release(claim)


def _claim(trial: CompleteTrial, seed: int) -> str:
    return f"confirm {trial.number} {seed}"
