"""A model of Keras layers: on every backend, and with BatchNorm layers that train."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....spaces.backbone.model import build_trained_part, cross_entropy, make_optimizer
from ....spaces.backbone.network import POOL, Network
from ....spaces.recipe import Recipe
from .base import TrainableModel, draw_head, head_shapes, predict_batch_size

Snapshot = list[NDArray[np.float32]]


class KerasModel(TrainableModel):
    """See `TrainableModel`.

    Args:
        recipe: Its shape; the rate of dropout and the mode of BatchNorm are part of it.
        network: As `network_for` gives it for the recipe.
        classes: Number of classes.
        cut: Where the model begins.
    """

    def __init__(self, recipe: Recipe, network: Network, classes: int, cut: int) -> None:
        import keras

        self._model = build_trained_part(recipe, network, classes, start=cut)
        self._optimizer = make_optimizer(recipe, penalized=True)
        self._model.compile(
            optimizer=self._optimizer,
            loss=cross_entropy(recipe, from_logits=True),
            weighted_metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
            jit_compile=False,
        )
        self._model.optimizer.build(self._model.trainable_variables)
        self._pretrained = self._model.get_weights()
        # Not zeros throughout: in half precision the scale of the loss is among them.
        self._fresh = [variable.numpy().copy() for variable in self._model.optimizer.variables]
        self._random_states = [variable for variable in self._model.variables if variable.name == "seed_generator_state"]
        self._backbone = {step.config["name"] for step in network.steps}
        self._head_shapes = head_shapes(recipe, network.step(POOL).shape[0], classes)
        self.predict_batch_size = predict_batch_size(cut)
        self.trainable_params = sum(int(np.prod(variable.shape)) for variable in self._model.trainable_variables)

    def reset(self, recipe: Recipe, seed: int, head: Sequence[NDArray[np.float32]] | None) -> None:
        backbone = self._pretrained[: -len(self._head_shapes)]
        self._model.set_weights([*backbone, *(head if head is not None else draw_head(self._head_shapes, seed))])
        for variable, value in zip(self._model.optimizer.variables, self._fresh, strict=True):
            variable.assign(value)
        for state in self._random_states:
            state.assign(np.array([seed % 2**32, 0], np.uint32))

    def train(
        self,
        tensors: list[NDArray[Any]],
        labels: NDArray[np.int64],
        weights: NDArray[np.float32],
        rates: NDArray[np.float32],
        penalty: float = 0.0,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self._optimizer.penalty.assign(penalty)
        results = []
        for step, rate in enumerate(rates):
            self._optimizer.learning_rate = rate
            images = _unwrap([t[step] for t in tensors])
            results.append(self._model.train_on_batch(images, labels[step], sample_weight=weights[step]))
        losses, accuracies = np.array(results, np.float32).T
        return losses, accuracies

    def predict(self, tensors: list[NDArray[Any]]) -> NDArray[np.float32]:
        """See `TrainableModel`. A smaller batch is filled up: another shape would be traced anew."""
        count, size = len(tensors[0]), self.predict_batch_size
        if count < size:
            tensors = [np.concatenate([t, np.zeros((size - count, *t.shape[1:]), t.dtype)]) for t in tensors]
        logits: NDArray[np.float32] = self._model.predict_on_batch(_unwrap(tensors))
        return logits[:count]

    def snapshot(self) -> Snapshot:
        return [array.copy() for array in self._model.get_weights()]

    def restore(self, snapshot: Snapshot) -> None:
        self._model.set_weights(snapshot)

    def head_of(self, snapshot: Snapshot) -> list[NDArray[np.float32]]:
        return snapshot[-len(self._head_shapes) :]

    def layers_of(self, snapshot: Snapshot) -> dict[str, tuple[NDArray[np.float32], ...]]:
        place = {id(weight): number for number, weight in enumerate(self._model.weights)}
        return {
            layer.name: tuple(snapshot[place[id(weight)]] for weight in layer.weights)
            for layer in self._model.layers
            if layer.trainable and layer.weights and layer.name in self._backbone
        }


def _unwrap(tensors: list[NDArray[Any]]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors
