"""The contract of a model that outlives a trial."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....spaces.backbone.network import IMAGE, POOL
from ....spaces.recipe import Recipe

PREDICT_BATCH = 64
"""Images a prediction step from cached activations: from 32 on, more are no faster."""

PIXELS_BATCH = 16
"""The same from pixels, small enough for the activations of the early layers to stay in the processor's cache: measured at
α = 0.35 and 160 px on one core, 885 images/s, and 720 with 64."""

FEATURES_BATCH = 1024
"""The same for a head alone, whose cost is the call."""


class TrainableModel(ABC):
    """What trains under a recipe, from a cut of the network to logits.

    What a caller may assume
        After `reset` a model does what a new one would: the same recipe, seed, head and batches give the same weights,
        whatever it trained before. What a recipe says of the rate, dropout and regularisation may differ
        from trial to trial; all else that it asks of the model is its shape, and fixed.

    What a caller must keep
        `reset` comes before anything else. A snapshot is restored to the model that gave it.

    Attributes:
        trainable_params: Parameters that train.
        predict_batch_size: Most images of a call of `predict`.
    """

    trainable_params: int
    predict_batch_size: int

    @abstractmethod
    def reset(self, recipe: Recipe, seed: int, head: Sequence[NDArray[np.float32]] | None) -> None:
        """Restores the pretrained weights and a fresh optimizer, and sets ``head`` or a head drawn from ``seed``."""

    @abstractmethod
    def train(
        self,
        tensors: list[NDArray[Any]],
        labels: NDArray[np.int64],
        weights: NDArray[np.float32],
        rates: NDArray[np.float32],
        penalty: float = 0.0,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Trains for some steps.

        Args:
            tensors: At the cut, each ``(steps, batch, …)``.
            labels: ``(steps, batch)``.
            weights: Of the images, ``(steps, batch)``; 0 for one that only fills up a batch.
            rates: Learning rate of each step, ``(steps,)``.
            penalty: Half of it times the squared norm of the trained kernels is added to the loss that is minimised.

        Returns:
            For each step, before its update: the batch's mean of loss · weight, without the penalty, and its weighted accuracy;
            ``(steps,)`` each.
        """

    @abstractmethod
    def predict(self, tensors: list[NDArray[Any]]) -> NDArray[np.float32]:
        """Logits ``(n, classes)`` of at most `predict_batch_size` images."""

    @abstractmethod
    def snapshot(self) -> Any:
        """The weights as they are, for `restore`."""

    @abstractmethod
    def restore(self, snapshot: Any) -> None:
        """Restores the weights of a `snapshot`."""

    @abstractmethod
    def head_of(self, snapshot: Any) -> list[NDArray[np.float32]]:
        """The head's arrays, kernel and bias of each Dense layer, which `reset` takes."""

    @abstractmethod
    def layers_of(self, snapshot: Any) -> dict[str, tuple[NDArray[np.float32], ...]]:
        """The arrays of the backbone's trained layers by name, for `Network.with_weights` of the network that trains."""


def predict_batch_size(cut: int) -> int:
    """Images of a prediction step from ``cut`` on."""
    return {IMAGE: PIXELS_BATCH, POOL + 1: FEATURES_BATCH}.get(cut, PREDICT_BATCH)


def head_shapes(recipe: Recipe, features: int, classes: int) -> list[tuple[int, ...]]:
    """Shapes of the head's arrays."""
    widths = [features, *[recipe.head_units] * recipe.head_layers, classes]
    return [shape for wide, narrow in pairwise(widths) for shape in ((wide, narrow), (narrow,))]


def draw_head(shapes: Sequence[tuple[int, ...]], seed: int) -> list[NDArray[np.float32]]:
    """Keras' default for Dense: kernels uniform within ±√(6 / (fan_in + fan_out)) (Glorot & Bengio 2010), biases 0."""
    rng = np.random.default_rng([seed, 1])

    def draw(shape: tuple[int, ...]) -> NDArray[np.float32]:
        if len(shape) == 1:
            return np.zeros(shape, np.float32)
        limit = np.sqrt(6 / sum(shape))
        return rng.uniform(-limit, limit, shape).astype(np.float32)

    return [draw(shape) for shape in shapes]
