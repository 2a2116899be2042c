"""Activations for tests of the network and its parts."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from tlsearch.spaces.backbone.network import IMAGE, Network


def activations(network: Network, cut: int, images: np.ndarray) -> list[np.ndarray]:
    """What the layers below ``cut`` give for images: one array for each tensor of the frontier."""
    outputs = run(network.build(IMAGE, cut, outputs=network.frontier(cut)), images)
    return outputs if isinstance(outputs, list) else [outputs]


def run(model: keras.Model, inputs: Any) -> Any:
    """What `predict_on_batch` gives, without the graph that it compiles first: that takes longer than a few images."""
    outputs = model(inputs, training=False)
    return [np.asarray(tensor) for tensor in outputs] if isinstance(outputs, list | tuple) else np.asarray(outputs)


def flat_layers(model: keras.Model) -> Iterator[Any]:
    """The layers of a model and of the models within it."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from flat_layers(layer)
        else:
            yield layer
