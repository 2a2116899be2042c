"""Which training runs confirmation consists of, and in which order.

Every technique's finalist is trained again with a few seeds and tested; where no number of seeds was asked for, `look` says
whether more are worth it. What comes next follows from what is recorded alone, so that a run which was cut off goes on as if it
had not been.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...spaces.recipe import Technique
from ..data.split import FEWEST_FOLDS
from ..events import Listener, Warned
from ..seeds import derive
from ..selection import finalists
from ..statistics.bootstrap import resample
from ..statistics.chances import CARE
from ..statistics.seeds import FIRST, RESAMPLES, Prospect, look
from ..storage.store import StudyStore
from ..storage.tested import confirmed, ties_of
from ..trial import CompleteTrial, Confirmation, Trial
from .time_limit import TimeLimit

TYPICAL = FIRST
"""Seeds of each technique that a plan takes where no number was asked for: 12 of 14 real data sets needed no more."""

RESERVED_AT_MOST = 0.5
"""Share of the time that is kept for confirmation at most: finalists must be found before they can be confirmed."""


@dataclass(frozen=True, slots=True)
class Run:
    """One training run.

    Attributes:
        trial: Whose recipe is trained.
        number: Of its seed, from 0.
        seed: Of the run.
    """

    trial: CompleteTrial
    number: int
    seed: int

    @property
    def claim(self) -> str:
        """Names it among several drivers."""
        return f"confirm {self.trial.number} {self.seed}"


class ConfirmationPlan:
    """What is still to be trained.

    Args:
        store: Of the study.
        seeds: Of each finalist; ``auto`` for as many as it takes, and for one in each fold: folds repeat the training as well.
        care: Difference that matters, in the metric's unit.
    """

    def __init__(self, store: StudyStore, seeds: int | Literal["auto"] = "auto", care: float = CARE) -> None:
        self.store = store
        self.care = care
        divided = store.settings.data.folds > 1
        self.auto = seeds == "auto" and not divided
        self.first = (1 if divided else FIRST) if seeds == "auto" else seeds
        self.prospect: Prospect | None = None
        self._looks: dict[tuple[tuple[int, int], ...], Counter[Technique] | None] = {}

    def remaining(self, gone: Collection[Run] = ()) -> list[Run]:
        """The runs that are due now; more may follow when they are done.

        Seed by seed, so that a time limit cuts all techniques alike.

        Args:
            gone: Runs that have failed, and are not tried again.
        """
        chosen = self.store.finalists()
        confirmations = self.store.confirmations()
        done = {(c.trial, c.seed) for c in confirmations}
        counts = Counter(dict.fromkeys(chosen, self.first))
        while True:
            runs = [
                Run(trial, number, derive(self.store.settings.seed, 0, 2, number))
                for number in range(max(counts.values(), default=0))
                for technique, trial in chosen.items()
                if number < counts[technique]
            ]
            due = [run for run in runs if (run.trial.number, run.seed) not in done and run not in gone]
            if due or not self.auto:
                return due
            wanted = {(run.trial.number, run.seed) for run in runs}
            known = [confirmation for confirmation in confirmations if (confirmation.trial, confirmation.seed) in wanted]
            if (more := self._look(known, counts)) is None:
                return []
            counts += more

    def progress(self, gone: Collection[Run] = ()) -> tuple[int, int]:
        """Runs that are done, and all that are known of."""
        chosen = self.store.finalists()
        done = sum(c.trial == chosen[c.recipe.technique].number for c in self.store.confirmations())
        return done, done + len(self.remaining(gone))

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
        metric = self.store.settings.metric

        def seconds(finished: Sequence[Trial]) -> float:
            if not self.first:
                return 0.0
            runs = [*finalists(finished, metric).values()] * self.first
            return min(test_seconds + expected_seconds(runs, workers), most)

        return seconds

    def fit(self, limit: TimeLimit, workers: int, listener: Listener) -> None:
        """Makes do with as many seeds as the time that is left allows, but at least one; a warning says if these are fewer."""
        if not limit.exists or (left := limit.left) <= 0:
            return
        asked, due = self.first, self.remaining()

        def expected() -> float:
            # Runs of later rounds were not asked for: they are begun where there is time.
            return expected_seconds([run.trial for run in due if run.number < self.first], workers)

        while self.first > 1 and expected() > left:
            self.first, self.auto = self.first - 1, False
        if self.first < asked:
            listener(
                Warned(
                    f"The {left:.0f} s that are left of the time limit allow for {self.first} instead of {asked} training "
                    "seeds a finalist. The same command adds the others."
                )
            )

    def _look(self, known: Sequence[Confirmation], counts: Counter[Technique]) -> Counter[Technique] | None:
        """How many seeds to add where so many of each are done; None where no more are worth their time."""
        key = tuple((confirmation.trial, confirmation.seed) for confirmation in known)
        if key not in self._looks:
            self._looks[key] = self._more(known, counts)
        return self._looks[key]

    def _more(self, known: Sequence[Confirmation], counts: Counter[Technique]) -> Counter[Technique] | None:
        by_technique: dict[Technique, list[Confirmation]] = {}
        for confirmation in known:
            by_technique.setdefault(confirmation.recipe.technique, []).append(confirmation)
        if len(by_technique) < 2:
            return None
        self.prospect, more = _looked(self.store, by_technique, counts, self.care)
        return more


def foresee(store: StudyStore, care: float) -> Prospect | None:
    """What the folds that are done say; None where they are too few to say anything."""
    known = confirmed(store)
    folds = {confirmation.fold for own in known.values() for confirmation in own}
    if len(known) < 2 or len(folds) < FEWEST_FOLDS:
        return None
    return _looked(store, known, Counter(), care)[0]


def _looked(
    store: StudyStore, known: Mapping[Technique, Sequence[Confirmation]], counts: Counter[Technique], care: float
) -> tuple[Prospect, Counter[Technique] | None]:
    predictions = {}
    for technique, own in known.items():
        predictions[technique], labels = store.stacked(own)
    seconds = {technique: float(np.mean([c.seconds for c in own])) for technique, own in known.items()}
    ties, settings = ties_of(store, next(iter(known.values()))), store.settings
    resampled = resample(predictions, labels, settings.metric, ties=ties, seed=settings.seed, resamples=RESAMPLES)
    return look(resampled, len(labels), settings.metric, seconds, counts, care)


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
