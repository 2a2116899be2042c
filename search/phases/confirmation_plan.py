"""Which training runs confirmation consists of, and in which order.

First each technique's contenders are trained again, to choose its finalist by more than one lucky score. Then every finalist
is trained with a few seeds and tested; where no number of seeds was asked for, `look` says whether more are worth it. What
comes next follows from what is recorded alone, so that a run which was cut off goes on as if it had not been.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...spaces.recipe import Technique
from ..events import Listener, Warned
from ..seeds import derive
from ..selection import contenders, finalists
from ..statistics.bootstrap import resample
from ..statistics.chances import CARE
from ..statistics.seeds import FIRST, RESAMPLES, Prospect, look
from ..storage.store import StudyStore
from ..trial import CompleteTrial, Confirmation, Trial
from .time_limit import TimeLimit

TYPICAL = 4
"""Runs of each technique that a plan takes where no number was asked for, the repeats of its contenders included."""

RESERVED_AT_MOST = 0.5
"""Share of the time that is kept for confirmation at most: finalists must be found before they can be confirmed."""


@dataclass(frozen=True, slots=True)
class Run:
    """One training run.

    Attributes:
        trial: Whose recipe is trained.
        number: Of its seed, from 0.
        seed: Of the run.
        test: Whether it meets the test split; False for a contender that is trained again.
    """

    trial: CompleteTrial
    number: int
    seed: int
    test: bool = True

    @property
    def claim(self) -> str:
        """Names it among several drivers."""
        return f"{'confirm' if self.test else 'repeat'} {self.trial.number} {self.seed}"


class ConfirmationPlan:
    """What is still to be trained.

    Args:
        store: Of the study.
        seeds: Of each finalist; ``auto`` for as many as it takes.
        care: Difference that matters, in the metric's unit.
        repeats: Whether contenders are trained again first.
    """

    def __init__(
        self, store: StudyStore, seeds: int | Literal["auto"] = "auto", care: float = CARE, *, repeats: bool = True
    ) -> None:
        self.store = store
        self.care = care
        self.auto = seeds == "auto"
        self.first = FIRST if seeds == "auto" else seeds
        self.prospect: Prospect | None = None
        self._repeats = repeats and self.first > 0
        self._looks: dict[tuple[tuple[int, int], ...], Counter[Technique] | None] = {}

    def remaining(self, gone: Collection[Run] = ()) -> list[Run]:
        """The runs that are due now; more may follow when they are done.

        Seed by seed, so that a time limit cuts all techniques alike.

        Args:
            gone: Runs that have failed, and are not tried again.
        """
        return self._repeats_due(gone) or self._tests_due(gone)

    def progress(self, gone: Collection[Run] = ()) -> tuple[int, int]:
        """Runs that are done, and all that are known of."""
        chosen = self.store.finalists()
        repeated = {repeat.trial for repeat in self.store.repeats()}
        done = sum(trial.number in repeated for own in self._contenders(self.store.trials()).values() for trial in own)
        done += sum(c.trial == chosen[c.recipe.technique].number for c in self.store.confirmations())
        due = self._repeats_due(gone)
        return done, done + len(due) + len(self._tests_due(gone))

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
        settings = self.store.settings

        def seconds(finished: Sequence[Trial]) -> float:
            if not self.first:
                return 0.0
            runs = [*finalists(finished, settings.metric, settings.data.val).values()] * self.first
            if self._repeats:
                runs += [trial for own in self._contenders(finished).values() for trial in own]
            return min(test_seconds + expected_seconds(runs, workers), most)

        return seconds

    def fit(self, limit: TimeLimit, workers: int, listener: Listener) -> None:
        """Makes do with as many seeds as the time that is left allows, but at least one; a warning says if these are fewer.

        Where there is no time for that, contenders are not trained again.
        """
        if not limit.exists or (left := limit.left) <= 0:
            return
        asked = self.first

        def is_too_much() -> bool:
            runs = [*self._repeats_due(()), *self._tests_due(())]
            return expected_seconds([run.trial for run in runs], workers) > left

        while self.first > 1 and is_too_much():
            self.first, self.auto = self.first - 1, False
        if self.first == 1 and is_too_much():
            self._repeats = False
        if self.first < asked:
            listener(
                Warned(
                    f"The {left:.0f} s that are left of the time limit allow for {self.first} instead of {asked} training "
                    "seeds a finalist. The same command adds the others."
                )
            )

    def _contenders(self, trials: Sequence[Trial]) -> Mapping[Technique, Sequence[CompleteTrial]]:
        """Where there is a choice, the trials to choose from."""
        found = contenders(trials, self.store.settings.metric, self.store.settings.data.val)
        return {technique: own for technique, own in found.items() if len(own) > 1}

    def _repeats_due(self, gone: Collection[Run]) -> list[Run]:
        if not self._repeats:
            return []
        repeated = {repeat.trial for repeat in self.store.repeats()}
        confirmed = {confirmation.trial for confirmation in self.store.confirmations()}
        seed = derive(self.store.settings.seed, 0, 3)
        due = []
        for own in self._contenders(self.store.trials()).values():
            # A finalist that was confirmed without being chosen in this way stays: so earlier versions did it.
            if own[0].number in confirmed and not any(trial.number in repeated for trial in own):
                continue
            due += [Run(trial, 0, seed, test=False) for trial in own if trial.number not in repeated]
        return [run for run in due if run not in gone]

    def _tests_due(self, gone: Collection[Run]) -> list[Run]:
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
        labels = None
        predictions = {}
        for technique, own in by_technique.items():
            loaded = [self.store.predictions(confirmation) for confirmation in own]
            predictions[technique], labels = np.stack([probabilities for probabilities, _ in loaded]), loaded[0][1]
        if labels is None or len(predictions) < 2:
            return None
        seconds = {technique: float(np.mean([c.seconds for c in own])) for technique, own in by_technique.items()}
        settings = self.store.settings
        resampled = resample(predictions, labels, settings.metric, seed=settings.seed, resamples=RESAMPLES)
        self.prospect, more = look(resampled, len(labels), settings.metric, seconds, counts, self.care)
        return more


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
