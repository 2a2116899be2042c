"""What a study records about each trial: plain values that outlive the process which trained it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ..spaces.recipe import Recipe, Technique

Metric = Literal["accuracy", "balanced_accuracy", "macro_f1", "log_loss"]
"""What selection and verdict go by. ``log_loss`` is minimised, the others are maximised."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One epoch of the main stage, or one penalty where a head is trained along a path of them.

    Accuracies are fractions, losses are mean cross-entropies in nats.

    Epoch 0 stands for the model before the main stage's first step: under ``fine-tune`` and ``full`` that is the head
    trained on the frozen base. It is never a trial's best epoch.

    Attributes:
        score: The study's metric on the validation split.
        seconds: Wall time of this epoch, its evaluation included.
    """

    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    score: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What every trial has from its start.

    Attributes:
        number: Position in the study, from 0.
        recipe: What is trained.
        seed: Of everything random in this trial.
        started: In UTC.
        worker: The worker process that trains it; empty until one has taken it.
        curve: What has been measured so far.
        fold: Whose splits it is trained and validated on; 0 where there is one split.
    """

    number: int
    recipe: Recipe
    seed: int
    started: datetime
    worker: str = ""
    curve: tuple[Measurement, ...] = ()
    fold: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningTrial(Trial):
    """Being trained, or cut off by a kill that nobody has recorded yet."""

    def at_end(self, seconds: float | None = None) -> dict[str, Any]:
        """The fields of a `FinishedTrial` if the trial ends now, whatever its result is.

        Args:
            seconds: Wall time that the worker spent on it; None for the time since its start.
        """
        ended = datetime.now(UTC)
        if seconds is None:
            seconds = max(0.0, (ended - self.started).total_seconds())
        known = {field.name: getattr(self, field.name) for field in dataclasses.fields(Trial)}
        return {**known, "ended": ended, "seconds": seconds}

    def as_interrupted(self, error: str) -> FailedTrial:
        """The trial if it ends now, through no fault of its own."""
        return FailedTrial(**self.at_end(), error=error, interrupted=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedTrial(Trial):
    """What every ended trial has.

    Attributes:
        ended: In UTC.
        seconds: Wall time that the worker spent on it.
        setup_seconds: The part of ``seconds`` that is not training steps or evaluation: building, tracing, loading.
    """

    ended: datetime
    seconds: float
    setup_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteTrial(FinishedTrial):
    """Trained to its end.

    Attributes:
        best_epoch: The epoch that ``score`` was measured at; 0 where no epoch was better than the head before.
        score: The study's metric on the validation split, at its best epoch.
        val_accuracy: At the best epoch.
        trainable_params: Parameters that the main stage trained.
        images_per_second: Of the main stage's training steps.
        trained_from: ``features``, ``activations`` or ``pixels``: where the main stage's input came from.
        head_c: Of the head that it is (``frozen``) or started from: the inverse strength C, in scikit-learn's sense, of the L2
            penalty it was trained with; None where it was trained without a path of penalties, or by version 0.1.0.
    """

    best_epoch: int
    score: float
    val_accuracy: float
    trainable_params: int
    images_per_second: float
    trained_from: str
    head_c: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedTrial(FinishedTrial):
    """Stopped early because it did worse than earlier trials of its own technique at the same epoch."""

    score: float
    val_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTrial(FinishedTrial):
    """Did not give a result.

    Attributes:
        error: Why, in one line.
        interrupted: True where the trial itself was not at fault (the search was stopped or killed): it does not count
            towards the study's total, and its recipe is trained again on resume.
    """

    error: str
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class ClosedTechnique:
    """A technique that gets no more trials.

    Attributes:
        technique: Which.
        trials: That had told something by then.
        left: That it would have got still.
        gain: What these were expected to raise the best technique's score by, in the metric's unit.
    """

    technique: Technique
    trials: int
    left: int
    gain: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A technique's finalist, trained again with another seed and evaluated on the test split.

    Attributes:
        trial: Number of the trial whose recipe this is.
        scores: The test split's ``accuracy``, ``balanced_accuracy``, ``macro_f1`` and ``log_loss``.
        val_score: The study's metric on the validation split.
        predictions: Path, relative to the study, of an ``.npz`` with ``probabilities`` ``(n_test, n_classes)`` float32 and
            ``labels`` ``(n_test,)`` int64, in the order of the test split.
        fold: Whose test images these are; 0 where there is one split.
    """

    recipe: Recipe
    trial: int
    seed: int
    seconds: float
    val_score: float
    scores: dict[str, float]
    predictions: str
    fold: int = 0
