"""Keras models that outlive a trial: built and traced once for a shape, reset for each trial that shares it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..spaces.model import build_trained_part, make_optimizer, network_for
from ..spaces.network import POOL, Network
from ..spaces.recipe import Recipe

KEPT_MODELS = 12
"""Models that a worker keeps; a model with its optimizer's state takes about 5 MB at α = 0.35 and 30 MB at 1.0."""

PREDICT_BATCH = 64
"""Images a prediction step, small enough for the activations of the early layers to stay in the processor's cache."""

FEATURES_BATCH = 1024
"""The same for a head alone, whose cost is the call."""


class CompiledModel:
    """What trains under a recipe, from its cut to logits, with its loss, optimizer and traced functions."""

    def __init__(self, recipe: Recipe, network: Network, classes: int, cut: int) -> None:
        import keras

        self._model = build_trained_part(recipe, network, classes, start=cut)
        self._model.compile(
            optimizer=make_optimizer(recipe),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            weighted_metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
            jit_compile=False,
        )
        self._model.optimizer.build(self._model.trainable_variables)
        self._pretrained = self._model.get_weights()
        self._head_arrays = 2 * (recipe.head_layers + 1)
        self.predict_batch_size = FEATURES_BATCH if cut > POOL else PREDICT_BATCH
        self.trainable_params = sum(int(np.prod(variable.shape)) for variable in self._model.trainable_variables)

    def reset(self, recipe: Recipe, seed: int, head: Sequence[NDArray[np.float32]] | None) -> None:
        """Back to the pretrained weights, a fresh optimizer, and ``head`` or a head drawn from ``seed``."""
        rng = np.random.default_rng([seed, 1])
        drawn = [_glorot_uniform(array.shape, rng) for array in self._pretrained[-self._head_arrays :]]
        self._model.set_weights([*self._pretrained[: -self._head_arrays], *(head if head is not None else drawn)])
        for variable in self._model.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
        self._model.optimizer.learning_rate = recipe.learning_rate
        for layer in self._model._flatten_layers():
            if (generator := getattr(layer, "seed_generator", None)) is not None:
                generator.state.assign(np.array([seed % 2**32, 0], np.uint32))

    def train_step(
        self, tensors: list[NDArray[Any]], labels: NDArray[np.int64], weights: NDArray[np.float32]
    ) -> tuple[float, float]:
        """One step on a batch; its loss and accuracy before the step."""
        loss, accuracy = self._model.train_on_batch(_unwrap(tensors), labels, sample_weight=weights)
        return float(loss), float(accuracy)

    def predict(self, tensors: list[NDArray[Any]]) -> NDArray[np.float32]:
        """Logits ``(n, classes)`` of a batch. A batch below `predict_batch_size` is padded, for it would be traced anew."""
        count, size = len(tensors[0]), self.predict_batch_size
        if count < size:
            tensors = [np.concatenate([t, np.zeros((size - count, *t.shape[1:]), t.dtype)]) for t in tensors]
        logits: NDArray[np.float32] = self._model.predict_on_batch(_unwrap(tensors))
        return logits[:count]

    def get_weights(self) -> list[NDArray[np.float32]]:
        """Copies, in an order that `set_weights` takes."""
        return [array.copy() for array in self._model.get_weights()]

    def set_weights(self, weights: Sequence[NDArray[np.float32]]) -> None:
        """Sets what `get_weights` gave."""
        self._model.set_weights(list(weights))

    def head_of(self, weights: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The head's part of `get_weights`."""
        return list(weights[-self._head_arrays :])


class ModelShelf:
    """The compiled models of a worker, least recently used ones given up first."""

    def __init__(self, network: Network, classes: int) -> None:
        self._network = network
        self._classes = classes
        self._models: OrderedDict[tuple[Any, ...], CompiledModel] = OrderedDict()

    def take(self, recipe: Recipe, cut: int) -> CompiledModel:
        """The model of the recipe's shape; its weights are whatever the last trial left, so `CompiledModel.reset` it."""
        key = (
            cut,
            recipe.first_trained_layer,
            recipe.batch_norm,
            recipe.head_units,
            recipe.head_layers,
            recipe.dropout,
            recipe.optimizer,
        )
        if key not in self._models:
            self._models[key] = CompiledModel(recipe, network_for(recipe, self._network), self._classes, cut)
            if len(self._models) > KEPT_MODELS:
                self._models.popitem(last=False)
        self._models.move_to_end(key)
        return self._models[key]


def _unwrap(tensors: list[NDArray[Any]]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors


def _glorot_uniform(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Keras' default for Dense: kernels uniform within ±√(6 / (fan_in + fan_out)) (Glorot & Bengio 2010), biases 0."""
    if len(shape) == 1:
        return np.zeros(shape, np.float32)
    limit = np.sqrt(6 / sum(shape))
    return rng.uniform(-limit, limit, shape).astype(np.float32)
