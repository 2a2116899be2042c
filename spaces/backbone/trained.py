"""A trained model as one list of arrays, and back: what a worker returns, a study keeps and an export is made from."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..recipe import Recipe
from .folding import fold
from .model import build_trained_part, network_for, with_probabilities
from .network import IMAGE, Network

Weights = tuple[NDArray[np.float32], ...]
"""Of a whole model, from the first layer to the head's last, in the order of Keras' ``get_weights``."""

_NAME = "tlsearch_mobilenet_v2"


def whole_weights(
    recipe: Recipe,
    network: Network,
    layers: Mapping[str, Sequence[NDArray[np.float32]]],
    head: Sequence[NDArray[np.float32]],
) -> Weights:
    """The weights of the whole model after training: trained layers, layers that stayed as they were, and head.

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
    return with_probabilities(part, _NAME)


def deployable_model(recipe: Recipe, network: Network, classes: int, weights: Weights) -> Any:
    """A model for deployment that computes the same as `trained_model`: BatchNorm folded, no dropout, only Keras' own layers.

    The arguments are those of `trained_model`.
    """
    whole = network_for(recipe, network)
    arrays = iter(weights)
    layers = {step.config["name"]: tuple(itertools.islice(arrays, len(step.weights))) for step in whole.steps}
    folded = fold(whole.with_weights(layers))
    part = build_trained_part(replace(recipe, batch_norm="folded", dropout=0.0), folded, classes, start=IMAGE)
    # What the network has not taken is the head's.
    part.set_weights([*(array for step in folded.steps for array in step.weights), *arrays])
    return with_probabilities(part, _NAME)
