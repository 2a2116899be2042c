"""The confirm phase: each technique's finalist is trained again with several seeds and evaluated on the test split.

The finalist is chosen on the validation split alone. This is the only place that asks a worker for test predictions. Of the
models trained with a finalist's seeds, the one that did best on the validation split is kept with the study.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...spaces.recipe import Technique
from ..data.dataset import Dataset
from ..events import Confirmed, Listener, PhaseAdvanced, Warned
from ..metrics import scores
from ..seeds import derive
from ..selection import finalists
from ..storage.base import POLL_SECONDS
from ..storage.models import KeptModel, keep_better
from ..storage.store import StudyStore
from ..training.trainer import Job, Outcome
from ..trial import CompleteTrial, Confirmation, Trial
from ..workers.messages import Train, Trained
from ..workers.pool import RunEnd, WorkerPool
from .time_limit import TimeLimit
from .training import Conditions, TrainingPhase

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


@dataclass(frozen=True, slots=True)
class ConfirmationPlan:
    """Which training runs confirmation consists of: every finalist with every seed.

    Attributes:
        store: Of the study.
        seeds: That each finalist is trained with.
    """

    store: StudyStore
    seeds: tuple[int, ...]

    @classmethod
    def of(cls, store: StudyStore, count: int) -> ConfirmationPlan:
        """A plan with so many seeds, the same for every technique."""
        return cls(store, tuple(derive(store.settings.seed, 0, 2, number) for number in range(count)))

    @property
    def total(self) -> int:
        """Training runs, those that are done included."""
        return len(self.seeds) * len(self._finalists())

    def remaining(self) -> list[tuple[CompleteTrial, int]]:
        """Finalists and seeds that are not confirmed yet; seed by seed, so that a time limit cuts all techniques alike."""
        confirmed = {(c.trial, c.seed) for c in self.store.confirmations()}
        return [
            (trial, seed)
            for seed in self.seeds
            for trial in self._finalists().values()
            if (trial.number, seed) not in confirmed
        ]

    def reserve(self, *, test_seconds: float, limit: TimeLimit, workers: int) -> Callable[[Sequence[Trial]], float]:
        """How much of its time limit a search keeps for the confirmation, estimated from the trials that have finished.

        Args:
            test_seconds: Wall time that computing the test split's activations is expected to take.
            limit: Of the run. At most `RESERVED_AT_MOST` of what is left of it now is kept.
            workers: That will confirm side by side.

        Returns:
            A function that gives the seconds to keep for the trials that have finished.
        """
        most = RESERVED_AT_MOST * max(0.0, limit.left)

        def seconds(finished: Sequence[Trial]) -> float:
            if not self.seeds:
                return 0.0
            runs = [*finalists(finished, self.store.settings.metric).values()] * len(self.seeds)
            return min(test_seconds + expected_seconds(runs, workers), most)

        return seconds

    def fitting(self, limit: TimeLimit, workers: int, listener: Listener) -> ConfirmationPlan:
        """The plan with as many seeds as the time that is left allows, but at least one, and a warning if these are fewer."""
        if not limit.exists or (left := limit.left) <= 0:
            return self
        waiting = self.remaining()
        planned = [seed for seed in self.seeds if any(seed == other for _, other in waiting)]
        dropped: list[int] = []
        while len(planned) > 1 and expected_seconds([trial for trial, seed in waiting if seed in planned], workers) > left:
            dropped.append(planned.pop())
        if not dropped:
            return self
        kept = tuple(seed for seed in self.seeds if seed not in dropped)
        listener(
            Warned(
                f"The {left:.0f} s that are left of the time limit allow for {len(kept)} instead of {len(self.seeds)} "
                "training seeds a finalist. The same command adds the others."
            )
        )
        return dataclasses.replace(self, seeds=kept)

    def _finalists(self) -> dict[Technique, CompleteTrial]:
        return finalists(self.store.trials(), self.store.settings.metric)


class Confirmer(TrainingPhase):
    """Does the training runs of a plan that have not been done yet."""

    def __init__(self, plan: ConfirmationPlan, dataset: Dataset, conditions: Conditions) -> None:
        super().__init__(plan.store, conditions)
        self._plan = plan
        self._dataset = dataset
        self._waiting = plan.remaining()
        self._total = plan.total
        self._done = self._total - len(self._waiting)
        self._running: dict[int, tuple[CompleteTrial, int]] = {}
        self._begun = 0

    def run(self, pool: WorkerPool) -> None:
        """Confirms until nothing remains or the time limit is reached."""
        self._train(pool)
        if self._waiting:
            self._listener(Warned(f"The time limit left {len(self._waiting)} of {self._total} confirmation runs undone."))

    def goes_on(self, run: Train, measurement: object) -> bool:
        """See `TrainingRuns`. Every run is trained to its end."""
        return True

    def ended(self, run: Train, end: RunEnd) -> None:
        trial, seed = self._running.pop(run.ticket)
        if self._may_retry((trial.number, seed), end):
            self._store.recorder.release(_claim(trial, seed))
            self._waiting.insert(0, (trial, seed))
            return
        if not isinstance(end, Trained):
            self._store.recorder.release(_claim(trial, seed))
            if end.details:
                self._store.keep_traceback(trial.number, end.details, seed=seed)
            failed = f"A confirmation run of {trial.recipe.technique} failed ({end.error}); its seed is left out."
            self._listener(Warned(failed, end.details))
            return
        assert end.outcome is not None
        if (recorded := self._recorded(trial, seed, end.outcome)) is None:
            # Another driver has taken it over.
            self._waiting.append((trial, seed))
            return
        self._listener(Confirmed(recorded))
        self._advance()

    def _begin(self, worker: str) -> Train | None:
        if (taken := self._take()) is None:
            return None
        trial, seed = taken
        ticket, self._begun = self._begun, self._begun + 1
        self._running[ticket] = taken
        job = Job(trial.recipe, seed, head_seed=seed, patience=self._conditions.patience, test=True, keep=True)
        return Train(ticket, job, self._conditions.cached_cuts)

    def _take(self) -> tuple[CompleteTrial, int] | None:
        """Takes the first waiting run that no other driver is training."""
        for trial, seed in [*self._waiting]:
            if not self._store.recorder.claim(_claim(trial, seed)):
                continue
            self._waiting.remove((trial, seed))
            if not self._store.recorder.shared or (trial, seed) in self._plan.remaining():
                return trial, seed
            # Another driver has done it.
            self._store.recorder.release(_claim(trial, seed))
            self._advance()
        return None

    def _waiting_for(self) -> str:
        count = len(self._waiting) if self._store.recorder.shared else 0
        return f"{count} confirmation run{'s' if count > 1 else ''} of other drivers" if count else ""

    def _out_of_time(self) -> bool:
        return self._limit.reached()

    def _recorded(self, trial: CompleteTrial, seed: int, outcome: Outcome) -> Confirmation | None:
        """Records a run and keeps its model; None where another driver has taken the run over."""
        assert outcome.test is not None
        labels = self._dataset.labels[self._dataset.test]
        confirmation = Confirmation(
            recipe=trial.recipe,
            trial=trial.number,
            seed=seed,
            seconds=outcome.seconds,
            val_score=outcome.best.score,
            scores={str(name): value for name, value in scores(outcome.test, labels).items()},
            predictions="",
        )
        assert outcome.weights is not None
        model = KeptModel(
            recipe=trial.recipe,
            trial=trial.number,
            seed=seed,
            order=self._plan.seeds.index(seed),
            epoch=outcome.best.epoch,
            val_score=confirmation.val_score,
            weights=outcome.weights,
        )
        # The model first: a kill between the two then costs a training run, not the model.
        self._keep(model)
        return self._store.confirm(confirmation, outcome.test, labels, claim=_claim(trial, seed))

    def _keep(self, model: KeptModel) -> None:
        """Keeps a model unless a better one is there, and while no other driver does the same."""
        claim = f"model {model.recipe.technique}"
        while not self._store.recorder.claim(claim):
            self._limit.sleep(POLL_SECONDS / 10)
        try:
            keep_better(self._store.files, model, self._store.settings.metric)
        finally:
            self._store.recorder.release(claim)

    def _advance(self) -> None:
        self._done += 1
        self._listener(PhaseAdvanced("confirm", self._done))


def _claim(trial: CompleteTrial, seed: int) -> str:
    return f"confirm {trial.number} {seed}"
