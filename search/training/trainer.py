"""Trains one recipe, one measurement an epoch.

A `Trainer` lives as long as its worker. What trials share is made once and kept: the network, the opened caches, the
models with their traced functions (a trial with the same shape restores their weights and sets the learning rate), and heads
trained on the frozen base, which are the first stage of ``fine-tune`` and ``full``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from ...spaces.backbone.network import Network
from ...spaces.backbone.trained import Weights, whole_weights
from ...spaces.recipe import Recipe
from ..data.dataset import Dataset
from ..trial import Measurement, Metric
from .inputs import Inputs, Scaling, StandardizedInputs
from .models.shelf import ModelShelf
from .schedule import REFIT_PENALTIES, inverse_strength
from .stage import Stage

T = TypeVar("T")

PATIENCE = 3
"""Epochs without a lower validation loss after which a stage ends: of ten epochs, the KerasTuner examples' usual three."""


@dataclass(frozen=True, slots=True)
class Job:
    """One training run.

    Attributes:
        recipe: What to train.
        seed: Of initial weights, order of images and dropout in the main stage.
        head_seed: The same for the first stage; trials that share it share their trained heads.
        patience: Epochs without a lower validation loss before a stage ends; None trains all epochs.
        rounds: Measurements of the main stage to train for, the last of which is kept, whatever the validation split says: 0
            keeps the head that it starts from. None trains all and keeps the best.
        test: Whether to predict the test split with the model of the best epoch. Only confirmation asks for it.
        keep: Whether to give the weights of the best epoch.
        fold: Whose splits of the data set are used.
    """

    recipe: Recipe
    seed: int
    head_seed: int
    patience: int | None = PATIENCE
    rounds: int | None = None
    test: bool = False
    keep: bool = False
    fold: int = 0


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
        head_c: See `CompleteTrial`.
        test: Probabilities ``(n_test, classes)`` float32 where they were asked for.
        weights: Of the whole model at its best epoch, where they were asked for.
    """

    best: Measurement
    trainable_params: int
    seconds: float
    setup_seconds: float
    images_per_second: float
    trained_from: str
    head_c: float | None = None
    test: NDArray[np.float32] | None = None
    weights: Weights | None = None


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
        self._heads: dict[tuple[Recipe, int, int | None, int], _Head] = {}
        self._scalings: dict[int, Scaling] = {}

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
        start = replace(head.best, epoch=0) if head else None
        if start is not None:
            yield start
        stage = self._stage(recipe, self._inputs_for(recipe, cached_cuts, job.test), job.fold)
        model = stage.model
        model.reset(recipe, job.seed, head.arrays if head else None)
        trained = yield from stage.train(job.seed, job.patience, job.rounds, start)
        model.restore(trained.snapshot)
        test = stage.predict(self._dataset.fold(job.fold).test) if job.test else None
        weights = None
        if job.keep:
            layers = model.layers_of(trained.snapshot)
            weights = whole_weights(recipe, self._network, layers, self._head_of(stage, trained.snapshot, job.fold))
        seconds = time.perf_counter() - started
        measured = trained.seconds + (head.seconds if head else 0.0)
        return Outcome(
            best=trained.best,
            trainable_params=model.trainable_params,
            seconds=seconds,
            setup_seconds=max(seconds - measured, 0.0),
            images_per_second=trained.images / trained.step_seconds if trained.images else 0.0,
            trained_from=stage.inputs.trained_from,
            head_c=inverse_strength(recipe.first_stage or recipe, (head or trained).best.epoch),
            test=test,
            weights=weights,
        )

    def _head(self, job: Job, cached_cuts: Collection[int]) -> _Head | None:
        """The head that the main stage starts from, trained unless an earlier trial trained the same; None where untrained."""
        first = job.recipe.first_stage
        if first is None:
            return None
        key = (first, job.head_seed, job.patience, job.fold)
        if key in self._heads:
            return self._heads[key]
        rounds = REFIT_PENALTIES if job.rounds is not None and first.trains_path else None
        stage = self._stage(first, self._inputs_for(first, cached_cuts, False), job.fold)
        stage.model.reset(first, job.head_seed, None)
        trained = _value_of(stage.train(job.head_seed, job.patience, rounds))
        head = _Head(trained.best, self._head_of(stage, trained.snapshot, job.fold), trained.seconds)
        self._heads[key] = replace(head, seconds=0.0)
        return head

    def _head_of(self, stage: Stage, snapshot: Any, fold: int) -> list[NDArray[np.float32]]:
        """The head of a snapshot, for features that are not standardised."""
        head = stage.model.head_of(snapshot)
        return self._scalings[fold].fold(head) if stage.recipe.trains_path else head

    def _stage(self, recipe: Recipe, inputs: Inputs, fold: int) -> Stage:
        dataset = self._dataset.fold(fold)
        if recipe.trains_path:
            if fold not in self._scalings:
                self._scalings[fold] = Scaling.of(inputs, dataset.train)
            inputs = StandardizedInputs(inputs, self._scalings[fold])
        model = self._shelf.take(recipe, inputs.cut, inputs.dtype)
        return Stage(dataset, self._metric, recipe, inputs, model)


def _value_of(generator: Generator[Any, None, T]) -> T:
    """Runs a generator to its end, for its value alone."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return cast(T, end.value)
