"""One stage of training: a model's epochs on some inputs, and the best of them."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...spaces.recipe import Recipe
from ...spaces.schedule import learning_rates
from ..data.augment import VIEWS
from ..data.dataset import Dataset
from ..metrics import log_loss, scores, softmax
from ..selection import Candidates
from ..trial import Measurement, Metric
from .inputs import Inputs
from .logistic import SolvedHead, is_solvable
from .models.base import TrainableModel
from .order import epoch_order
from .schedule import passes_a_round, penalties, steps_a_pass

CHUNK_BYTES = 16 << 20
"""Of the inputs of one call of a model: a whole epoch of a head on 6,000 images, six steps from pixels."""


class DivergedError(Exception):
    """The loss is no longer a finite number."""


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """How a stage went.

    Attributes:
        best: The measurement of its chosen epoch.
        snapshot: The model at that epoch.
        step_seconds: Wall time of the training steps.
        seconds: Wall time of training steps and evaluation.
        images: Images trained on, each counted as often as it was used.
    """

    best: Measurement
    snapshot: Any
    step_seconds: float
    seconds: float
    images: int


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What is trained on what.

    Attributes:
        dataset: The images' splits and labels.
        metric: What the best epoch is chosen by.
        recipe: Its batch size, epochs, augmentation and class weights.
        inputs: Of the recipe.
        model: Reset for the recipe.
    """

    dataset: Dataset
    metric: Metric
    recipe: Recipe
    inputs: Inputs
    model: TrainableModel

    def train(
        self, seed: int, patience: int | None, rounds: int | None = None, start: Measurement | None = None
    ) -> Generator[Measurement, None, StageOutcome]:
        """Trains, yielding a measurement an epoch, or a penalty where a path of them is trained.

        Args:
            seed: Of the order of images.
            patience: See `Job`. A run whose rate decays is not ended, as its last epochs are its best, nor are exact heads.
            rounds: See `Job`.
            start: Of the model as it is; where the rate decays, the stage never ends below it.

        Raises:
            DivergedError: The loss is no longer a finite number.
        """
        order = np.random.default_rng(seed)
        weights = class_weights(self.dataset, self.recipe)
        decays = self.recipe.schedule == "cosine" and not self.recipe.trains_path
        rows, labels = self.dataset.train, self.dataset.labels[self.dataset.train]
        solved = None
        if is_solvable(self.recipe, len(rows)):
            solved = SolvedHead(self.inputs.batch(rows, 0)[0], labels, weights[labels])
        before = (start, self.model.snapshot()) if start and decays else None
        candidates = Candidates(self.metric, len(self.dataset.val), _latest if decays else _surest, before)
        step_seconds = seconds = 0.0
        passed = 0
        lowest, waited = math.inf, 0
        measurement = start
        for epoch, (penalty, passes) in enumerate(islice(self._rounds(), rounds), 1):
            began = time.perf_counter()
            if solved is not None:
                head, probabilities, iterations = solved.solve(1 / (penalty * len(rows)))
                self.model.reset(self.recipe, seed, head)
                passed += iterations
                loss, accuracy = log_loss(probabilities, labels), scores(probabilities, labels)["accuracy"]
            for rates in () if solved else passes:
                shuffled = epoch_order(rows, order, row_bytes=self.inputs.row_bytes)
                view = passed % VIEWS if self.recipe.augment else 0
                passed += 1
                loss, accuracy = self._epoch(shuffled, view, weights, rates, penalty)
            stepped = time.perf_counter()
            measurement = self._measure(epoch, loss, accuracy, began)
            candidates.add(measurement, self.model.snapshot)
            step_seconds += stepped - began
            seconds += time.perf_counter() - began
            yield measurement
            waited = 0 if measurement.val_loss < lowest else waited + 1
            lowest = min(lowest, measurement.val_loss)
            if patience is not None and waited >= patience and not (decays or solved):
                break
        if rounds is None or measurement is None:
            best, snapshot = candidates.choice
        else:
            best, snapshot = measurement, self.model.snapshot()
        return StageOutcome(best, snapshot, step_seconds, seconds, images=passed * len(rows))

    def _rounds(self) -> Iterator[tuple[float, NDArray[np.float32]]]:
        """What is trained between two measurements: a penalty, and the learning rates of its steps, ``(passes, steps)``."""
        recipe, images = self.recipe, len(self.dataset.train)
        passes, steps = passes_a_round(recipe, images), steps_a_pass(recipe, images)
        rounds = 1 if recipe.trains_path else recipe.epochs
        rates = learning_rates(recipe, rounds * passes * steps).reshape(rounds, passes, steps)
        if recipe.trains_path:
            yield from ((penalty, rates[0]) for penalty in penalties(recipe, images))
        else:
            yield from ((0.0, some) for some in rates)

    def _epoch(
        self,
        rows: NDArray[np.int64],
        view: int,
        class_weights: NDArray[np.float32],
        rates: NDArray[np.float32],
        penalty: float,
    ) -> tuple[float, float]:
        """One pass over ``rows``. The last batch is filled up with images of weight 0, so that all steps have one shape.

        Its loss is a mean over the whole batch, so that every image of an epoch counts alike.

        Returns:
            Mean loss, mean accuracy.
        """
        size = min(self.recipe.batch_size, len(rows))
        steps = steps_a_pass(self.recipe, len(rows))
        order = np.resize(rows, (steps, size))
        labels = self.dataset.labels[order]
        weights = class_weights[labels]
        weights.ravel()[len(rows) :] = 0
        images = np.minimum(size, len(rows) - size * np.arange(steps))
        a_call = max(1, CHUNK_BYTES // (size * self.inputs.row_bytes))
        total_loss = total_accuracy = 0.0
        for first in range(0, steps, a_call):
            call = slice(first, first + a_call)
            tensors = [t.reshape(-1, size, *t.shape[1:]) for t in self.inputs.batch(order[call].ravel(), view)]
            losses, accuracies = self.model.train(tensors, labels[call], weights[call], rates[call], penalty)
            total_loss += float(losses.sum()) * size
            total_accuracy += float(accuracies @ images[call])
        return _finite("training", total_loss / len(rows)), total_accuracy / len(rows)

    def _measure(self, epoch: int, loss: float, accuracy: float, began: float) -> Measurement:
        labels = self.dataset.labels[self.dataset.val]
        probabilities = self.predict(self.dataset.val)
        val_loss = _finite("validation", log_loss(probabilities, labels))
        measured = scores(probabilities, labels)
        return Measurement(
            epoch=epoch,
            loss=loss,
            accuracy=accuracy,
            val_loss=val_loss,
            val_accuracy=measured["accuracy"],
            score=measured[self.metric],
            seconds=time.perf_counter() - began,
        )

    def predict(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Probabilities ``(len(rows), classes)`` that the model gives as it is."""
        size = self.model.predict_batch_size
        parts = [self.model.predict(self.inputs.batch(rows[at : at + size], 0)) for at in range(0, len(rows), size)]
        return softmax(np.concatenate(parts))


def _latest(measurement: Measurement) -> float:
    return measurement.epoch


def _surest(measurement: Measurement) -> float:
    return -measurement.val_loss


def class_weights(dataset: Dataset, recipe: Recipe) -> NDArray[np.float32]:
    """Weight of an image by its label, ``(classes,)``; ``balanced`` is n / (classes · images of the class)."""
    classes = len(dataset.classes)
    if recipe.class_weight == "none":
        return np.ones(classes, np.float32)
    counts = np.bincount(dataset.labels[dataset.train], minlength=classes)
    return np.asarray(counts.sum() / (classes * counts), np.float32)


def _finite(split: str, loss: float) -> float:
    """The loss; raises a DivergedError if it is not a finite number."""
    if not math.isfinite(loss):
        raise DivergedError(f"the {split} loss became {loss}: try a lower learning rate")
    return loss
