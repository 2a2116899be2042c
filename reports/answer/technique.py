"""What became of one technique in a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...search.trial import CompleteTrial, Confirmation, FailedTrial, FinishedTrial, PrunedTrial, Trial
from ...spaces.recipe import Technique


@dataclass(frozen=True, slots=True)
class TestScore:
    """A technique's result on the test split.

    Attributes:
        mean: Over seeds.
        std: Sample standard deviation over seeds; None for one seed.
        ci95: 95% interval of the mean, over images and seeds.
        by_seed: In the order of the seeds; in a study in folds, of each fold in turn, and ``std`` and ``ci95`` are over folds.
    """

    __test__ = False  # not a test class, whatever its name says to pytest

    mean: float
    std: float | None
    ci95: tuple[float, float]
    by_seed: tuple[float, ...]

    @classmethod
    def of(cls, scores: Sequence[float], ci95: tuple[float, float]) -> TestScore:
        """From the score of each seed, at least one."""
        std = float(np.std(scores, ddof=1)) if len(scores) > 1 else None
        return cls(float(np.mean(scores)), std, ci95, tuple(scores))


@dataclass(frozen=True, slots=True)
class TechniqueSummary:
    """One technique.

    Attributes:
        trials: All that it got, interrupted ones left out.
        best: Its finalist; None where no trial was completed.
        test: By the study's metric; None where it was not confirmed.
        test_accuracy: The same by accuracy.
        confirmations: Of the finalist.
    """

    technique: Technique
    trials: tuple[Trial, ...]
    best: CompleteTrial | None = None
    test: TestScore | None = None
    test_accuracy: TestScore | None = None
    confirmations: tuple[Confirmation, ...] = ()

    @property
    def confirmed_val_score(self) -> float | None:
        """Mean score of its finalist on the validation split with other seeds; None where it was not confirmed."""
        return float(np.mean([c.val_score for c in self.confirmations])) if self.confirmations else None

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
