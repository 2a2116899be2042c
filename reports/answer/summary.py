"""The one reading of a study; every report draws from it, so that all of them show the same numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...search.selection import finalists, maximized
from ...search.settings import StudySettings
from ...search.storage.base import StudyPlace
from ...search.storage.models import kept_bytes
from ...search.storage.notes import RunNote
from ...search.storage.store import StudyStore
from ...search.trial import CompleteTrial, Confirmation, FailedTrial, FinishedTrial, PrunedTrial, RunningTrial, Trial
from ...spaces.recipe import Technique
from ...spaces.space import SearchSpace
from .bootstrap import resample
from .cost import cost_sentence, pareto_front
from .dataset import RuleOfThumb, rule_of_thumb
from .insight import Confusion, Similarity, confusion_of, similarity_of
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

    @property
    def confirm_seconds(self) -> float | None:
        """Mean worker time of training its finalist once; None where it was not confirmed."""
        return float(np.mean([c.seconds for c in self.confirmations])) if self.confirmations else None


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
        similarity: Of the images to those of the weights; None where it was not measured.
        confusion: Of the recommended technique on the test split; None where nothing was confirmed.
        pareto_seconds: Confirmed techniques on the Pareto front of test score against training seconds.
        pareto_params: The same against trained parameters.
        cost_sentence: What the best score costs beside the quickest technique; empty where fewer than two were confirmed.
        kept_bytes: Of all models that it keeps.
        weights_file: Name of the file of the pretrained weights, and whether Keras downloaded it for this study.
        runs: What each run of its search trained on; none where that was not recorded.
        damage: What of a damaged study could not be read; empty for a sound one.
    """

    path: StudyPlace
    settings: StudySettings
    trials: tuple[Trial, ...]
    techniques: tuple[TechniqueSummary, ...]
    ranked: tuple[CompleteTrial, ...]
    verdict: Verdict
    rule: RuleOfThumb
    timing: Timing
    similarity: Similarity | None = None
    confusion: Confusion | None = None
    pareto_seconds: frozenset[Technique] = frozenset()
    pareto_params: frozenset[Technique] = frozenset()
    cost_sentence: str = ""
    damage: str = ""
    weights_file: tuple[str, bool] = ("", False)
    runs: tuple[RunNote, ...] = ()
    kept_bytes: int = 0

    @property
    def failures(self) -> tuple[FailedTrial, ...]:
        """Trials that failed by themselves."""
        return tuple(t for t in self.trials if isinstance(t, FailedTrial) and not t.interrupted)

    @property
    def untried(self) -> tuple[Technique, ...]:
        """Techniques that were asked for and got no trial."""
        return tuple(technique.technique for technique in self.techniques if not technique.trials)

    @property
    def trial_overhead(self) -> dict[Technique, float]:
        """What a complete trial took beside its steps and evaluations, in seconds: the median by technique."""
        spent: dict[Technique, list[float]] = {}
        for trial in self.ranked:
            spent.setdefault(trial.recipe.technique, []).append(trial.setup_seconds)
        return {technique: float(np.median(spent[technique])) for technique in Technique if technique in spent}

    @property
    def from_pixels(self) -> tuple[CompleteTrial, ...]:
        """Complete trials that computed their frozen layers anew in each epoch: a cache would not have paid, or did not fit."""
        return tuple(t for t in self.ranked if t.trained_from == "pixels" and t.recipe.technique is not Technique.FULL)

    @property
    def is_demonstration(self) -> bool:
        """Whether the images are the built-in drawings."""
        return self.settings.data.path.startswith("demo:")

    @property
    def running(self) -> tuple[RunningTrial, ...]:
        """Trials that are being trained, or were when the search was killed."""
        return tuple(t for t in self.trials if isinstance(t, RunningTrial))


def summarize(study: StudyPlace | Path | str | StudyStore) -> Summary:
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
    by_technique = {technique: tuple(_of(technique, trials)) for technique in space.techniques}
    untried = [technique for technique, own in by_technique.items() if not own]
    verdict = judge(predictions, labels, settings.metric, untried=untried, seed=settings.seed)
    accuracy = verdict.intervals if settings.metric == "accuracy" else _intervals(predictions, labels, settings.seed)
    techniques = tuple(
        TechniqueSummary(
            technique=technique,
            trials=own,
            best=best.get(technique),
            test=_test_score(confirmed.get(technique, ()), settings.metric, verdict.intervals),
            test_accuracy=_test_score(confirmed.get(technique, ()), "accuracy", accuracy),
            confirmations=confirmed.get(technique, ()),
        )
        for technique, own in by_technique.items()
    )
    complete = [trial for trial in trials if isinstance(trial, CompleteTrial)]
    sign = -1 if maximized(settings.metric) else 1
    profile = store.notes.profile()
    similarity = None if profile is None else similarity_of(profile, space)
    tested = [one for one in techniques if one.test and one.best]
    scores = {one.technique: one.test.mean for one in tested if one.test}
    seconds = {one.technique: one.confirm_seconds or 0.0 for one in tested}
    params = {one.technique: float(one.best.trainable_params) for one in tested if one.best}
    return Summary(
        path=store.place,
        settings=settings,
        trials=trials,
        techniques=techniques,
        ranked=tuple(sorted(complete, key=lambda trial: (sign * trial.score, trial.number))),
        verdict=verdict,
        rule=rule_of_thumb(settings.data, similarity.label if similarity else None),
        timing=Timing.of(store.timing()),
        similarity=similarity,
        confusion=_confusion(verdict.recommended, predictions, labels, len(settings.data.classes)),
        pareto_seconds=pareto_front(scores, seconds, settings.metric),
        pareto_params=pareto_front(scores, params, settings.metric),
        cost_sentence=cost_sentence(scores, seconds, params, verdict.comparisons, settings.metric),
        damage=store.damage,
        weights_file=store.notes.weights_file(),
        runs=store.notes.runs(),
        kept_bytes=kept_bytes(store.files),
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


def _confusion(
    technique: Technique | None,
    predictions: Mapping[Technique, Predictions],
    labels: NDArray[np.int64] | None,
    classes: int,
) -> Confusion | None:
    if technique is None or labels is None:
        return None
    return confusion_of(predictions[technique].probabilities, labels, classes)


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
