"""Trains one recipe, one measurement an epoch.

A `Trainer` lives as long as its worker. What trials share is made once and kept: the network, the opened caches, the
models with their traced functions (a trial with the same shape restores their weights and sets the learning rate), and heads
trained on the frozen base, which are the first stage of ``fine-tune`` and ``full``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from ...spaces.backbone.network import Network
from ...spaces.backbone.trained import Weights, whole_weights
from ...spaces.recipe import Recipe
from ..data.augment import VIEWS
from ..data.dataset import Dataset
from ..metrics import log_loss, scores, softmax
from ..selection import better
from ..trial import Measurement, Metric
from .inputs import Inputs
from .models.base import TrainableModel
from .models.shelf import ModelShelf
from .order import epoch_order

T = TypeVar("T")

PATIENCE = 3
"""Epochs without a lower validation loss after which a stage ends: of ten epochs, the KerasTuner examples' usual three."""

CHUNK_BYTES = 16 << 20
"""Of the inputs of one call of a model: a whole epoch of a head on 6,000 images, six steps from pixels."""


@dataclass(frozen=True, slots=True)
class Job:
    """One training run.

    Attributes:
        recipe: What to train.
        seed: Of initial weights, order of images and dropout in the main stage.
        head_seed: The same for the first stage; trials that share it share their trained heads.
        patience: Epochs without a lower validation loss before a stage ends; None trains all epochs.
        test: Whether to predict the test split with the model of the best epoch. Only confirmation asks for it.
        keep: Whether to give the weights of the best epoch.
    """

    recipe: Recipe
    seed: int
    head_seed: int
    patience: int | None = PATIENCE
    test: bool = False
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished training run gives.

    Attributes:
        best: The measurement of the best epoch by the study's metric, ties going to the lower validation loss.
        trainable_params: Parameters that the main stage trained.
        seconds: Wall time of the whole run.
        setup_seconds: The part of it that was neither training steps nor evaluation.
        images_per_second: Of the main stage's training steps.
        trained_from: ``features``, ``activations`` or ``pixels``.
        test: Probabilities ``(n_test, classes)`` float32 where they were asked for.
        weights: Of the whole model at its best epoch, where they were asked for.
    """

    best: Measurement
    trainable_params: int
    seconds: float
    setup_seconds: float
    images_per_second: float
    trained_from: str
    test: NDArray[np.float32] | None = None
    weights: Weights | None = None


class DivergedError(Exception):
    """The loss is no longer a finite number."""


@dataclass(frozen=True, slots=True)
class _Stage:
    """How a stage went.

    Attributes:
        best: The measurement of its best epoch.
        snapshot: The model at that epoch.
        step_seconds: Wall time of the training steps.
        other_seconds: Wall time of evaluation.
        images: Images trained on, each as often as it was.
    """

    best: Measurement
    snapshot: Any
    step_seconds: float
    other_seconds: float
    images: int

    @property
    def seconds(self) -> float:
        return self.step_seconds + self.other_seconds


@dataclass(frozen=True, slots=True)
class _Head:
    """A head trained on the frozen base.

    Attributes:
        best: The measurement of its best epoch.
        arrays: As `TrainableModel.reset` takes them.
        seconds: Wall time of training it; 0 where it was kept from an earlier trial.
    """

    best: Measurement
    arrays: list[NDArray[np.float32]]
    seconds: float


class Trainer:
    """Trains recipes on one data set and backbone.

    Args:
        dataset: The images' splits and labels.
        network: The backbone, BatchNorm not folded.
        inputs_for: Gives a recipe's inputs: of its cut where that is among the cached cuts, else of the pixels. Where the last
            argument is true they must hold the test split's rows too.
        metric: What the best epoch is chosen by.
        threads: See `FlatModel`.
    """

    def __init__(
        self,
        dataset: Dataset,
        network: Network,
        inputs_for: Callable[[Recipe, Collection[int], bool], Inputs],
        metric: Metric,
        *,
        threads: int | None = 1,
    ) -> None:
        self._dataset = dataset
        self._metric: Metric = metric
        self._inputs_for = inputs_for
        self._network = network
        self._shelf = ModelShelf(network, len(dataset.classes), threads=threads)
        self._heads: dict[tuple[Recipe, int, int | None], _Head] = {}

    def train(self, job: Job, cached_cuts: Collection[int] = ()) -> Generator[Measurement, None, Outcome]:
        """Trains ``job``, yielding a measurement an epoch; the generator's value is the outcome.

        Args:
            job: What to train.
            cached_cuts: Cuts whose activations are in the cache; recipes of other cuts train from pixels.

        Raises:
            DivergedError: The loss is no longer a finite number.
        """
        started = time.perf_counter()
        recipe = job.recipe
        head = self._head(job, cached_cuts)
        if head is not None:
            # The state in which the main stage starts.
            yield replace(head.best, epoch=0)
        inputs = self._inputs_for(recipe, cached_cuts, job.test)
        model = self._shelf.take(recipe, inputs.cut, inputs.dtype)
        model.reset(recipe, job.seed, head.arrays if head else None)
        stage = yield from self._stage(model, inputs, recipe, job.seed, job.patience)
        model.restore(stage.snapshot)
        test = softmax(self._logits(model, inputs, self._dataset.test)) if job.test else None
        seconds = time.perf_counter() - started
        measured = stage.seconds + (head.seconds if head else 0.0)
        return Outcome(
            best=stage.best,
            trainable_params=model.trainable_params,
            seconds=seconds,
            setup_seconds=max(seconds - measured, 0.0),
            images_per_second=stage.images / stage.step_seconds,
            trained_from=inputs.trained_from,
            test=test,
            weights=self._whole(recipe, model, stage.snapshot) if job.keep else None,
        )

    def _whole(self, recipe: Recipe, model: TrainableModel, snapshot: Any) -> Weights:
        return whole_weights(recipe, self._network, model.layers_of(snapshot), model.head_of(snapshot))

    def _head(self, job: Job, cached_cuts: Collection[int]) -> _Head | None:
        """The head that the main stage starts from, trained unless an earlier trial trained the same; None where untrained."""
        first = job.recipe.first_stage
        if first is None:
            return None
        key = (first, job.head_seed, job.patience)
        if key in self._heads:
            return self._heads[key]
        inputs = self._inputs_for(first, cached_cuts, False)
        model = self._shelf.take(first, inputs.cut, inputs.dtype)
        model.reset(first, job.head_seed, None)
        stage = _value_of(self._stage(model, inputs, first, job.head_seed, job.patience))
        head = _Head(stage.best, model.head_of(stage.snapshot), stage.seconds)
        self._heads[key] = replace(head, seconds=0.0)
        return head

    def _stage(
        self, model: TrainableModel, inputs: Inputs, recipe: Recipe, seed: int, patience: int | None
    ) -> Generator[Measurement, None, _Stage]:
        order = np.random.default_rng(seed)
        weights = class_weights(self._dataset, recipe)
        best, snapshot = None, None
        step_seconds = other_seconds = 0.0
        images = 0
        lowest, waited = math.inf, 0
        for epoch in range(1, recipe.epochs + 1):
            began = time.perf_counter()
            rows = epoch_order(self._dataset.train, order, row_bytes=inputs.row_bytes)
            view = (epoch - 1) % VIEWS if recipe.augment else 0
            loss, accuracy = self._epoch(model, inputs, rows, view, recipe.batch_size, weights)
            stepped = time.perf_counter()
            measurement = self._measure(model, inputs, epoch, loss, accuracy, began)
            if best is None or self._is_better(measurement, best):
                best, snapshot = measurement, model.snapshot()
            step_seconds += stepped - began
            other_seconds += time.perf_counter() - stepped
            images += len(rows)
            yield measurement
            waited = 0 if measurement.val_loss < lowest else waited + 1
            lowest = min(lowest, measurement.val_loss)
            if patience is not None and waited >= patience:
                break
        assert best is not None
        return _Stage(best, snapshot, step_seconds, other_seconds, images)

    def _epoch(
        self,
        model: TrainableModel,
        inputs: Inputs,
        rows: NDArray[np.int64],
        view: int,
        batch_size: int,
        class_weights: NDArray[np.float32],
    ) -> tuple[float, float]:
        """One pass over ``rows``. The last batch is filled up with images of weight 0, so that all steps have one shape.

        Its loss is a mean over the whole batch, so that every image of an epoch counts alike.

        Returns:
            Mean loss, mean accuracy.
        """
        size = min(batch_size, len(rows))
        steps = -(-len(rows) // size)
        order = np.resize(rows, (steps, size))
        labels = self._dataset.labels[order]
        weights = class_weights[labels]
        weights.ravel()[len(rows) :] = 0
        images = np.minimum(size, len(rows) - size * np.arange(steps))
        a_call = max(1, CHUNK_BYTES // (size * inputs.row_bytes))
        total_loss = total_accuracy = 0.0
        for first in range(0, steps, a_call):
            call = slice(first, first + a_call)
            tensors = [t.reshape(-1, size, *t.shape[1:]) for t in inputs.batch(order[call].ravel(), view)]
            losses, accuracies = model.train(tensors, labels[call], weights[call])
            total_loss += float(losses.sum()) * size
            total_accuracy += float(accuracies @ images[call])
        return _finite("training", total_loss / len(rows)), total_accuracy / len(rows)

    def _measure(
        self, model: TrainableModel, inputs: Inputs, epoch: int, loss: float, accuracy: float, began: float
    ) -> Measurement:
        labels = self._dataset.labels[self._dataset.val]
        probabilities = softmax(self._logits(model, inputs, self._dataset.val))
        val_loss = _finite("validation", log_loss(probabilities, labels))
        measured = scores(probabilities, labels)
        return Measurement(
            epoch=epoch,
            loss=loss,
            accuracy=accuracy,
            val_loss=val_loss,
            val_accuracy=measured["accuracy"],
            score=measured[self._metric],
            seconds=time.perf_counter() - began,
        )

    def _logits(self, model: TrainableModel, inputs: Inputs, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        size = model.predict_batch_size
        parts = [model.predict(inputs.batch(rows[at : at + size], 0)) for at in range(0, len(rows), size)]
        return np.concatenate(parts)

    def _is_better(self, measurement: Measurement, best: Measurement) -> bool:
        if better(self._metric, measurement.score, best.score):
            return True
        return measurement.score == best.score and measurement.val_loss < best.val_loss


def class_weights(dataset: Dataset, recipe: Recipe) -> NDArray[np.float32]:
    """Weight of an image by its label, ``(classes,)``; ``balanced`` is n / (classes · images of the class)."""
    classes = len(dataset.classes)
    if recipe.class_weight == "none":
        return np.ones(classes, np.float32)
    counts = np.bincount(dataset.labels[dataset.train], minlength=classes)
    return np.asarray(counts.sum() / (classes * counts), np.float32)


def _finite(split: str, loss: float) -> float:
    """The loss itself.

    Raises:
        DivergedError: It is not a finite number.
    """
    if not math.isfinite(loss):
        raise DivergedError(f"the {split} loss became {loss}: try a lower learning rate")
    return loss


def _value_of(generator: Generator[Any, None, T]) -> T:
    """Runs a generator to its end, for its value alone."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return cast(T, end.value)
