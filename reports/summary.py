"""The one reading of a study; every report draws from it, so that all of them show the same numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..search.confirm import finalists
from ..search.metrics import maximized
from ..search.settings import StudySettings
from ..search.store import StudyStore
from ..search.trial import CompleteTrial, Confirmation, FailedTrial, FinishedTrial, PrunedTrial, RunningTrial, Trial
from ..spaces.recipe import Technique
from ..spaces.space import SearchSpace
from .bootstrap import resample
from .dataset import RuleOfThumb, rule_of_thumb
from .verdict import Predictions, Verdict, judge


@dataclass(frozen=True, slots=True)
class TestScore:
    """A technique's result on the test split.

    Attributes:
        mean, std: Over seeds; ``std`` is the sample's, None for one seed.
        ci95: Over images and seeds.
        by_seed: In the order of the seeds.
    """

    __test__ = False  # not a test class, whatever its name says to pytest

    mean: float
    std: float | None
    ci95: tuple[float, float]
    by_seed: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TechniqueSummary:
    """What became of one technique.

    Attributes:
        trials: All that it got, interrupted ones left out.
        seconds: That they took.
        best: Its finalist; None where no trial was completed.
        test: By the study's metric; None where it was not confirmed.
        test_accuracy: The same by accuracy.
        confirmations: Of the finalist.
    """

    technique: Technique
    trials: tuple[Trial, ...]
    best: CompleteTrial | None
    test: TestScore | None
    test_accuracy: TestScore | None
    confirmations: tuple[Confirmation, ...]

    @property
    def failed(self) -> int:
        """Trials that gave no result."""
        return sum(isinstance(trial, FailedTrial) for trial in self.trials)

    @property
    def pruned(self) -> int:
        """Trials that were ended early."""
        return sum(isinstance(trial, PrunedTrial) for trial in self.trials)

    @property
    def seconds(self) -> float:
        """Worker time that its trials took."""
        return sum(trial.seconds for trial in self.trials if isinstance(trial, FinishedTrial))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Where the time went, in seconds of wall time over all runs of the study.

    Attributes:
        wall: In all, from the opened data set on.
        decode: Decoding images, before ``wall`` begins; None where it was not recorded.
        extract: Computing what is frozen.
        train: Searching: the trials.
        confirm: Training the finalists again.
    """

    wall: float
    decode: float | None
    extract: float
    train: float
    confirm: float

    @classmethod
    def of(cls, stored: Mapping[str, float]) -> Timing:
        """From the seconds by phase that a study has stored."""
        return cls(
            wall=stored.get("wall", 0.0),
            decode=stored.get("decode"),
            extract=stored.get("extract", 0.0),
            train=stored.get("search", 0.0),
            confirm=stored.get("confirm", 0.0),
        )

    @property
    def overhead(self) -> float:
        """The rest: starting and stopping workers. A run that is still going has recorded its phases before its wall time."""
        return max(0.0, self.wall - self.extract - self.train - self.confirm)


@dataclass(frozen=True, slots=True)
class Summary:
    """A study, read.

    Attributes:
        trials: Every trial, interrupted ones too.
        techniques: That the space asks for, in the order of `Technique`.
        ranked: Complete trials, the best first.
        damage: What of a damaged study could not be read; empty for a sound one.
    """

    path: Path
    settings: StudySettings
    trials: tuple[Trial, ...]
    techniques: tuple[TechniqueSummary, ...]
    ranked: tuple[CompleteTrial, ...]
    verdict: Verdict
    rule: RuleOfThumb
    timing: Timing
    damage: str = ""

    @property
    def failures(self) -> tuple[FailedTrial, ...]:
        """Trials that failed by themselves."""
        return tuple(t for t in self.trials if isinstance(t, FailedTrial) and not t.interrupted)

    @property
    def untried(self) -> tuple[Technique, ...]:
        """Techniques that were asked for and got no trial."""
        return tuple(technique.technique for technique in self.techniques if not technique.trials)

    @property
    def is_demonstration(self) -> bool:
        """Whether the images are the built-in drawings."""
        return self.settings.data.path.startswith("demo:")

    @property
    def running(self) -> tuple[RunningTrial, ...]:
        """Trials that are being trained, or were when the search was killed."""
        return tuple(t for t in self.trials if isinstance(t, RunningTrial))


def summarize(study: Path | str | StudyStore) -> Summary:
    """Reads a study; of a damaged one, what is still sound.

    Raises:
        StudyError: There is none, or nothing of it can be read.
    """
    store = study if isinstance(study, StudyStore) else StudyStore.open(study, salvage=True)
    settings, trials = store.settings, store.trials()
    best = finalists(trials, settings.metric)
    space = SearchSpace.from_dict(settings.space)
    stored = store.confirmations()
    confirmed = {technique: tuple(c for c in stored if c.trial == finalist.number) for technique, finalist in best.items()}
    predictions, labels = _predictions(store, confirmed)
    verdict = judge(predictions, labels, settings.metric, seed=settings.seed)
    accuracy = verdict.intervals if settings.metric == "accuracy" else _intervals(predictions, labels, settings.seed)
    techniques = tuple(
        TechniqueSummary(
            technique=technique,
            trials=tuple(_of(technique, trials)),
            best=best.get(technique),
            test=_test_score(confirmed.get(technique, ()), settings.metric, verdict.intervals),
            test_accuracy=_test_score(confirmed.get(technique, ()), "accuracy", accuracy),
            confirmations=confirmed.get(technique, ()),
        )
        for technique in Technique
        if technique in space.techniques
    )
    complete = [trial for trial in trials if isinstance(trial, CompleteTrial)]
    sign = -1 if maximized(settings.metric) else 1
    return Summary(
        path=store.path,
        settings=settings,
        trials=trials,
        techniques=techniques,
        ranked=tuple(sorted(complete, key=lambda trial: (sign * trial.score, trial.number))),
        verdict=verdict,
        rule=rule_of_thumb(settings.data),
        timing=Timing.of(store.timing()),
        damage=store.damage,
    )


def _of(technique: Technique, trials: Iterable[Trial]) -> Iterable[Trial]:
    for trial in trials:
        if trial.recipe.technique is technique and not (isinstance(trial, FailedTrial) and trial.interrupted):
            yield trial


def _predictions(
    store: StudyStore, confirmed: dict[Technique, tuple[Confirmation, ...]]
) -> tuple[dict[Technique, Predictions], NDArray[np.int64] | None]:
    predictions: dict[Technique, Predictions] = {}
    labels = None
    for technique, confirmations in confirmed.items():
        if confirmations:
            loaded = [store.predictions(confirmation) for confirmation in confirmations]
            labels = loaded[0][1]
            seconds = float(np.mean([confirmation.seconds for confirmation in confirmations]))
            predictions[technique] = Predictions(np.stack([probabilities for probabilities, _ in loaded]), seconds)
    return predictions, labels


def _intervals(
    predictions: dict[Technique, Predictions], labels: NDArray[np.int64] | None, seed: int
) -> dict[Technique, tuple[float, float]]:
    """Of the accuracy, where another metric decides."""
    if labels is None:
        return {}
    resampled = resample({t: one.probabilities for t, one in predictions.items()}, labels, "accuracy", seed=seed)
    return {technique: one.ci95 for technique, one in resampled.items()}


def _test_score(
    confirmations: tuple[Confirmation, ...], metric: str, intervals: Mapping[Technique, tuple[float, float]]
) -> TestScore | None:
    if not confirmations:
        return None
    scores = [confirmation.scores[metric] for confirmation in confirmations]
    std = float(np.std(scores, ddof=1)) if len(scores) > 1 else None
    interval = intervals[confirmations[0].recipe.technique]
    return TestScore(float(np.mean(scores)), std, interval, tuple(scores))
