"""The one reading of a study; every report draws from it, so that all of them show the same numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from ...search.selection import better, maximized
from ...search.settings import StudySettings
from ...search.statistics.bootstrap import NO_TIES, Ties, resample
from ...search.statistics.expectation import expect
from ...search.storage.base import StudyPlace
from ...search.storage.models import kept_bytes
from ...search.storage.notes import RunNote
from ...search.storage.store import StudyStore
from ...search.storage.tested import confirmed as confirmed_of
from ...search.storage.tested import test_files, ties_of
from ...search.trial import ClosedTechnique, CompleteTrial, Confirmation, FailedTrial, RunningTrial, Trial
from ...spaces.recipe import Recipe, Technique
from ...spaces.space import SearchSpace
from .baseline import Baseline, baseline_of
from .cost import cost_sentence, pareto_front
from .dataset import RuleOfThumb, rule_of_thumb
from .doubts import Doubts, doubts_of
from .insight import Confusion, Similarity, confusion_of, similarity_of
from .lookalikes import Lookalikes, lookalikes_of
from .technique import TechniqueSummary, TestScore
from .timing import Timing
from .verdict import Predictions, Verdict, judge


@dataclass(frozen=True, slots=True)
class Summary:
    """A study, read.

    Attributes:
        trials: Every trial, interrupted ones too.
        techniques: That the space asks for, in the order of `Technique`.
        ranked: Complete trials, the best first.
        baseline: What the same answer for every test image scores.
        similarity: Of the images to those of the weights; None where it was not measured.
        confusion: Of the recommended technique on the test split; None where nothing was confirmed.
        lookalikes: Test images that look like trained ones; None where there are none, or nothing was confirmed.
        doubts: Test images whose labels are probably wrong; None where there are none, or nothing was confirmed.
        damage: What of a damaged study could not be read; empty for a sound one.
        weights_file: Name of the file of the pretrained weights, and whether Keras downloaded it for this study.
        runs: What each run of its search trained on; none where that was not recorded.
        kept_bytes: Of all models that it keeps.
        closed: Techniques that got no more trials, since these could hardly have changed the recommendation.
    """

    path: StudyPlace
    settings: StudySettings
    trials: tuple[Trial, ...]
    techniques: tuple[TechniqueSummary, ...]
    ranked: tuple[CompleteTrial, ...]
    verdict: Verdict
    rule: RuleOfThumb
    timing: Timing
    baseline: Baseline
    similarity: Similarity | None = None
    confusion: Confusion | None = None
    lookalikes: Lookalikes | None = None
    doubts: Doubts | None = None
    damage: str = ""
    weights_file: tuple[str, bool] = ("", False)
    runs: tuple[RunNote, ...] = ()
    kept_bytes: int = 0
    closed: tuple[ClosedTechnique, ...] = ()

    def of(self, technique: Technique | None) -> TechniqueSummary | None:
        """One technique; None where it was not asked for."""
        return next((one for one in self.techniques if one.technique is technique), None)

    @property
    def recommended(self) -> TechniqueSummary | None:
        """The technique that the verdict recommends; None where nothing was confirmed."""
        return self.of(self.verdict.recommended)

    @property
    def recommended_recipe(self) -> Recipe | None:
        """The best recipe of the recommended technique."""
        return self.recommended.best.recipe if self.recommended and self.recommended.best else None

    @property
    def tests(self) -> dict[Technique, TestScore]:
        """The test scores of the confirmed techniques."""
        return {one.technique: one.test for one in self.techniques if one.test}

    @property
    def trial_count(self) -> int:
        """Trials of all techniques, interrupted ones left out."""
        return sum(len(one.trials) for one in self.techniques)

    @property
    def failures(self) -> tuple[FailedTrial, ...]:
        """Trials that failed by themselves."""
        return tuple(t for t in self.trials if isinstance(t, FailedTrial) and not t.interrupted)

    @property
    def running(self) -> tuple[RunningTrial, ...]:
        """Trials that are being trained, or were when the search was killed."""
        return tuple(t for t in self.trials if isinstance(t, RunningTrial))

    @property
    def untried(self) -> tuple[Technique, ...]:
        """Techniques that were asked for and got no trial."""
        return tuple(one.technique for one in self.techniques if not one.trials)

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
    def useless(self) -> bool:
        """Whether the recommended technique is no better than the baseline."""
        test = self.recommended.test if self.recommended else None
        return test is not None and not better(self.settings.metric, test.mean, self.baseline.score)

    @property
    def is_demonstration(self) -> bool:
        """Whether the images are the built-in drawings."""
        return self.settings.data.path.startswith("demo:")

    @property
    def pareto_seconds(self) -> tuple[Technique, ...]:
        """Confirmed techniques on the Pareto front of test score against training seconds, the quickest first."""
        return pareto_front(self._scores, self._seconds, self.settings.metric)

    @property
    def pareto_params(self) -> tuple[Technique, ...]:
        """The same against trained parameters, the fewest first."""
        return pareto_front(self._scores, self._params, self.settings.metric)

    @property
    def cost_sentence(self) -> str:
        """What the best score costs beside the quickest technique; empty where fewer than two were confirmed."""
        return cost_sentence(self._scores, self._seconds, self._params, self.verdict.comparisons, self.settings.metric)

    @property
    def _scores(self) -> dict[Technique, float]:
        return {technique: test.mean for technique, test in self.tests.items()}

    @property
    def _seconds(self) -> dict[Technique, float]:
        return {one.technique: one.confirm_seconds for one in self.techniques if one.confirm_seconds is not None}

    @property
    def _params(self) -> dict[Technique, int]:
        return {one.technique: one.best.trainable_params for one in self.techniques if one.best and one.test}


def summarize(study: StudyPlace | Path | str | StudyStore, care: float | None = None) -> Summary:
    """Reads a study; of a damaged one, what is still sound.

    Args:
        study: The study, or where it is.
        care: As in `Verdict`; None for half a point.

    Raises:
        StudyError: There is none, or nothing of it can be read.
    """
    store = study if isinstance(study, StudyStore) else StudyStore.open(study, salvage=True)
    settings, trials = store.settings, store.trials()
    space = SearchSpace.from_dict(settings.space)
    best = store.finalists()
    confirmed = confirmed_of(store)
    predictions, labels, ties = _predictions(store, confirmed)
    counted = [t for t in trials if not (isinstance(t, FailedTrial) and t.interrupted)]
    by_technique = {technique: tuple(t for t in counted if t.recipe.technique is technique) for technique in space.techniques}
    untried = [technique for technique, own in by_technique.items() if not own]
    verdict = judge(predictions, labels, settings.metric, ties=ties, untried=untried, care=care, seed=settings.seed)
    tests = _test_scores(confirmed, settings.metric, verdict.intervals)
    accuracies = _test_scores(confirmed, "accuracy", _accuracy_intervals(verdict, predictions, labels, ties, settings))
    complete = [trial for trial in trials if isinstance(trial, CompleteTrial)]
    sign = -1 if maximized(settings.metric) else 1
    profile = store.notes.profile()
    similarity = None if profile is None else similarity_of(profile, space, expect(settings.data, profile, settings.weights))
    confusion = None
    if verdict.recommended and labels is not None:
        confusion = confusion_of(predictions[verdict.recommended].probabilities, labels, len(settings.data.classes))
    return Summary(
        path=store.place,
        settings=settings,
        trials=trials,
        techniques=tuple(
            TechniqueSummary(
                technique=technique,
                trials=own,
                best=best.get(technique),
                test=tests.get(technique),
                test_accuracy=accuracies.get(technique),
                confirmations=confirmed.get(technique, ()),
            )
            for technique, own in by_technique.items()
        ),
        ranked=tuple(sorted(complete, key=lambda trial: (sign * trial.score, trial.number))),
        verdict=verdict,
        rule=rule_of_thumb(settings.data, similarity.profile.label if similarity else None),
        timing=Timing.of(store.notes.timing()),
        baseline=baseline_of(settings.data, settings.metric),
        similarity=similarity,
        confusion=confusion,
        lookalikes=lookalikes_of(store, predictions, labels, settings.metric),
        doubts=doubts_of(
            predictions,
            labels,
            settings.metric,
            ties=ties,
            care=care,
            seed=settings.seed,
            files=partial(_files, store, confirmed),
        ),
        damage=store.damage,
        weights_file=store.notes.weights_file(),
        runs=store.notes.runs(),
        kept_bytes=kept_bytes(store.files),
        closed=tuple(closed for fold in store.folds for closed in fold.notes.closed()),
    )


def _predictions(
    store: StudyStore, confirmed: Mapping[Technique, tuple[Confirmation, ...]]
) -> tuple[dict[Technique, Predictions], NDArray[np.int64] | None, Ties]:
    """The test predictions of the confirmed techniques, the labels of the test images, and what ties these together."""
    predictions: dict[Technique, Predictions] = {}
    labels = None
    for technique, confirmations in confirmed.items():
        probabilities, labels = store.stacked(confirmations)
        predictions[technique] = Predictions(probabilities, float(np.mean([c.seconds for c in confirmations])))
    # All were tested on the same images.
    return predictions, labels, ties_of(store, next(iter(confirmed.values()))) if confirmed else NO_TIES


def _files(store: StudyStore, confirmed: Mapping[Technique, tuple[Confirmation, ...]]) -> tuple[str, ...]:
    """The files of the test images; empty where the study does not record them."""
    return test_files(store, {confirmation.fold for own in confirmed.values() for confirmation in own})


def _accuracy_intervals(
    verdict: Verdict,
    predictions: Mapping[Technique, Predictions],
    labels: NDArray[np.int64] | None,
    ties: Ties,
    settings: StudySettings,
) -> Mapping[Technique, tuple[float, float]]:
    if settings.metric == "accuracy" or labels is None:
        return verdict.intervals
    by_technique = {technique: one.probabilities for technique, one in predictions.items()}
    resampled = resample(by_technique, labels, "accuracy", ties=ties, seed=settings.seed)
    return {technique: one.ci95 for technique, one in resampled.items()}


def _test_scores(
    confirmed: Mapping[Technique, tuple[Confirmation, ...]],
    metric: str,
    intervals: Mapping[Technique, tuple[float, float]],
) -> dict[Technique, TestScore]:
    return {
        technique: TestScore.of(_by_seed_or_fold(confirmations, metric), intervals[technique])
        for technique, confirmations in confirmed.items()
    }


def _by_seed_or_fold(confirmations: Sequence[Confirmation], metric: str) -> list[float]:
    folds = {confirmation.fold for confirmation in confirmations}
    if len(folds) == 1:
        return [confirmation.scores[metric] for confirmation in confirmations]
    return [fmean(one.scores[metric] for one in confirmations if one.fold == fold) for fold in sorted(folds)]
