"""The fast model: all trained weights in one vector, whole runs of steps in one call. BatchNorm must be folded.

A step of a head on cached features takes 0.2 ms, and a call of Keras' ``train_on_batch`` 3 ms of Python: here the loop over
steps is part of the graph. One vector means one update of the optimizer instead of a hundred (Adam and RMSprop are elementwise,
so the result is the same), a snapshot that is one array, and a graph that is traced in a fifth of the time.

Under Keras' policy ``mixed_float16`` the backbone computes in half precision, on weights that are kept in float32, and the head
in float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....spaces.backbone.functional import apply
from ....spaces.backbone.model import make_optimizer
from ....spaces.backbone.network import IMAGE, POOL, Network
from ....spaces.recipe import Recipe
from .base import TrainableModel, draw_head, head_shapes, predict_batch_size
from .loss_scale import LossScale
from .tensorflow_steps import TrainedPart, trace_prediction, trace_training

Snapshot = NDArray[np.float32]

PIECE_BYTES = 10 << 20
"""Of the largest activation of the images whose gradient is computed at a time, so that the early layers' activations stay
in the cache. Measured training all layers at α = 0.35 and 160 px on each of two cores at once, where this is 8 images: with
2 MB of second-level cache a core 189 images/s (4 images 196, 2 images 194, the batch of 32 at once 175), with 1 MB of it and
32 MB shared 258 (4 images 230, 16 images 266, the batch at once 240)."""

LEAST_PIECE, MOST_PIECE = 4, 16
"""Fewer images take longer to start than to compute, more are never faster (N = 54 and 98: 16 images 7% faster than 32)."""


class FlatModel(TrainableModel):
    """See `TrainableModel`.

    Args:
        recipe: Its shape; the rate of dropout is not part of it.
        network: Folded.
        classes: Number of classes.
        cut: Where the model begins.
        dtype: Of the tensors at the cut.
        threads: Processor cores that it may keep busy: a batch is computed in pieces that stay in a core's cache, so many of
            them at once. None for a GPU, which is kept busy by whole batches.
    """

    def __init__(
        self,
        recipe: Recipe,
        network: Network,
        classes: int,
        cut: int,
        dtype: np.dtype[Any],
        *,
        threads: int | None = 1,
    ) -> None:
        import keras

        above = [step for step in network.steps if step.weights and step.index >= cut]
        self._trained = [step for step in above if step.index >= recipe.first_trained_layer]
        self._frozen = {step.index: step.weights for step in above if step.index < recipe.first_trained_layer}
        self._backbone = [array for step in self._trained for array in step.weights]
        self._head_shapes = head_shapes(recipe, network.step(POOL).shape[0], classes)
        self._shapes = [*(array.shape for array in self._backbone), *self._head_shapes]
        self._network, self._cut = network, cut
        self.trainable_params = sum(int(np.prod(shape)) for shape in self._shapes)
        images = predict_batch_size(cut)
        self.predict_batch_size = images * (threads or 1)
        self._weights = keras.Variable(np.zeros(self.trainable_params, np.float32), name="weights")
        self._optimizer = make_optimizer(recipe)
        self._optimizer.build([self._weights])
        self._recipe, self._seed, self._steps = recipe, 0, 0
        self._compute_dtype = keras.config.dtype_policy().compute_dtype
        self._scale = LossScale() if self._compute_dtype == "float16" else None
        shapes = [network.step(IMAGE).shape] if cut == IMAGE else network.shapes_at(cut)
        part = TrainedPart(self._weights, self._shapes, self._logits, shapes, dtype, threads or 1)
        piece_images = None if threads is None else _piece_images(network, cut)
        self._train = trace_training(part, self._optimizer, piece_images=piece_images, scale=self._scale)
        self._predict = trace_prediction(part, piece_images=images)
        self._warm_up([np.zeros((1, *shape), dtype) for shape in shapes])

    def reset(self, recipe: Recipe, seed: int, head: Sequence[NDArray[np.float32]] | None) -> None:
        arrays = [*self._backbone, *(head if head is not None else draw_head(self._head_shapes, seed))]
        self._weights.assign(np.concatenate([array.ravel() for array in arrays]))
        for variable in self._optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
        if self._scale is not None:
            self._scale.reset()
        self._recipe, self._seed, self._steps = recipe, seed, 0

    def train(
        self,
        tensors: list[NDArray[Any]],
        labels: NDArray[np.int64],
        weights: NDArray[np.float32],
        rates: NDArray[np.float32],
        penalty: float = 0.0,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        seed = np.array([self._seed, self._steps], np.int32)
        recipe = self._recipe
        settings = np.array([recipe.dropout, recipe.label_smoothing, penalty, recipe.weight_decay], np.float32)
        results = self._train(tensors, labels.astype(np.int32), weights, rates, settings, seed)
        self._steps += len(labels)
        losses, accuracies = results.numpy().T
        return losses, accuracies

    def predict(self, tensors: list[NDArray[Any]]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = self._predict(tensors).numpy()
        return logits

    def snapshot(self) -> Snapshot:
        weights: Snapshot = self._weights.numpy().copy()
        return weights

    def restore(self, snapshot: Snapshot) -> None:
        self._weights.assign(snapshot)

    def head_of(self, snapshot: Snapshot) -> list[NDArray[np.float32]]:
        return self._arrays(snapshot)[len(self._backbone) :]

    def layers_of(self, snapshot: Snapshot) -> dict[str, tuple[NDArray[np.float32], ...]]:
        arrays = iter(self._arrays(snapshot))
        return {step.config["name"]: tuple(next(arrays) for _ in step.weights) for step in self._trained}

    def _warm_up(self, tensors: list[NDArray[Any]]) -> None:
        """Runs what was traced once, so that no trial's first step takes a hundred times as long as its second."""
        labels, weights = np.zeros((0, 1), np.int32), np.zeros((0, 1), np.float32)
        self._train(
            [t[:0, None] for t in tensors], labels, weights, weights[:, 0], np.zeros(4, np.float32), np.zeros(2, np.int32)
        )
        self._predict(tensors)

    def _arrays(self, snapshot: Snapshot) -> list[NDArray[np.float32]]:
        """The vector's parts in their shapes."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes])
        return [part.reshape(shape) for part, shape in zip(np.split(snapshot, ends[:-1]), self._shapes, strict=True)]

    def _logits(self, parts: list[Any], tensors: list[Any], drop: Any) -> Any:
        """Logits ``(n, classes)`` of tensors at the cut, as the graph computes them; see `TrainedPart`."""
        import keras

        backbone = iter(parts[: len(self._backbone)])
        weights = {step.index: [next(backbone) for _ in step.weights] for step in self._trained}
        places = (IMAGE,) if self._cut == IMAGE else self._network.frontier(self._cut)
        (x,) = apply(
            self._network,
            dict(zip(places, tensors, strict=True)),
            {**self._frozen, **weights},
            [POOL],
            dtype=self._compute_dtype,
        )
        *hidden, kernel, bias = parts[len(self._backbone) :]
        for place in range(0, len(hidden), 2):
            x = keras.ops.relu(keras.ops.add(keras.ops.matmul(x, hidden[place]), hidden[place + 1]))
        return keras.ops.add(keras.ops.matmul(drop(x), kernel), bias)


def _piece_images(network: Network, cut: int) -> int | None:
    """Images whose gradient is computed at a time; None for a head, whose step takes less than a loop over pieces."""
    if cut > POOL:
        return None
    largest = max(math.prod(step.shape) for step in network.steps if step.index >= cut) * np.dtype(np.float32).itemsize
    return int(np.clip(PIECE_BYTES // largest, LEAST_PIECE, MOST_PIECE))
