"""A trained model as one list of arrays, and back: what a worker sends home, a study keeps and an export is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..recipe import Recipe
from .folding import fold
from .model import build_trained_part, network_for
from .network import IMAGE, Network

Weights = tuple[NDArray[np.float32], ...]
"""Of a whole model, from the first layer to the head's last, in the order of Keras' ``get_weights``."""


def whole_weights(
    recipe: Recipe,
    network: Network,
    layers: Mapping[str, Sequence[NDArray[np.float32]]],
    head: Sequence[NDArray[np.float32]],
) -> Weights:
    """What a training run gave, with the layers that stayed as they were.

    Args:
        recipe: What was trained.
        network: The backbone with its pretrained weights, BatchNorm not folded.
        layers: The arrays of each trained layer of the backbone, by name.
        head: The head's arrays.
    """
    whole = network_for(recipe, network).with_weights(layers)
    return (*(array for step in whole.steps for array in step.weights), *head)


def trained_model(recipe: Recipe, network: Network, classes: int, weights: Weights) -> Any:
    """The model as it was trained, from images ``(n, size, size, 3)`` to probabilities ``(n, classes)``; not compiled.

    Args:
        recipe: What was trained.
        network: Of the same α and size, BatchNorm not folded; its weights do not matter.
        classes: Number of classes.
        weights: As `whole_weights` gives them.

    Raises:
        ValueError: The weights are those of another model.
    """
    part = build_trained_part(recipe, network_for(recipe, network), classes, start=IMAGE)
    part.set_weights(list(weights))
    return _with_probabilities(part)


def deployable_model(recipe: Recipe, network: Network, classes: int, weights: Weights) -> Any:
    """The same function as `trained_model` for deployment: BatchNorm folded away, no dropout, layers of Keras alone.

    The arguments are those of `trained_model`.
    """
    whole = _with_arrays(network_for(recipe, network), weights)
    head = weights[sum(len(step.weights) for step in whole.steps) :]
    part = build_trained_part(replace(recipe, batch_norm="folded", dropout=0.0), fold(whole), classes, start=IMAGE)
    folded = [array for step in fold(whole).steps for array in step.weights]
    part.set_weights([*folded, *head])
    return _with_probabilities(part)


def _with_arrays(network: Network, weights: Weights) -> Network:
    """The network with the first of ``weights``, as many as it has."""
    own: dict[str, Weights] = {}
    at = 0
    for step in network.steps:
        if step.weights:
            own[step.config["name"]] = weights[at : at + len(step.weights)]
            at += len(step.weights)
    return network.with_weights(own)


def _with_probabilities(part: Any) -> Any:
    import keras

    probabilities = keras.layers.Softmax(name="probabilities")(part.output)
    return keras.Model(part.input, probabilities, name="tlsearch_mobilenet_v2")
