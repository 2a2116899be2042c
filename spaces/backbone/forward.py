"""The forward pass through frozen layers: pixels in, the outputs of chosen steps out, as fast as the backend can."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .functional import apply
from .network import IMAGE, Network
from .pieces import in_pieces

BATCH = 8
"""Images per call and thread, few enough for the activations of early layers to stay in the processor's cache. On one core at
α = 0.35: 950 images/s at 160 px (32 at a time: 840) and 2,660 at 96 px (16 at a time: 2,830)."""

Forward = Callable[[NDArray[np.uint8]], list[NDArray[np.float32]]]
"""From at most `images_a_call` images ``(n, size, size, 3)`` to the outputs of the steps, each ``(n, …)``, or ``(n, channels)``
where they are averaged over their positions."""


def images_a_call(threads: int | None) -> int:
    """The most images that one call of a function of `compile_forward` takes."""
    return BATCH * (threads or 1)


def forward_rows(
    forward: Forward, images_of: Callable[[NDArray[np.int64]], NDArray[np.uint8]], rows: NDArray[np.int64], threads: int | None
) -> list[NDArray[np.float32]]:
    """The outputs for all ``rows``, whose images are loaded a call at a time.

    Args:
        forward: As `compile_forward` gives it.
        images_of: Loads the images of some rows.
        rows: At least one.
        threads: As given to `compile_forward`.
    """
    size = images_a_call(threads)
    parts = [forward(images_of(rows[at : at + size])) for at in range(0, len(rows), size)]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def compile_forward(network: Network, steps: Sequence[int], *, averaged: bool = False, threads: int | None = 1) -> Forward:
    """The forward pass from pixels to the outputs of ``steps``.

    For a folded network under TensorFlow it is one graph, whose weights are constants that TensorFlow can optimise; otherwise
    it is a Keras model.

    Args:
        network: Folded or not.
        steps: Those whose outputs are returned; at least one.
        averaged: Whether to return their means over the positions instead.
        threads: Processor cores to use; None for a GPU.
    """
    import keras

    folded = all(step.kind != "BatchNormalization" for step in network.steps)
    if folded and keras.backend.backend() == "tensorflow":
        return _graph(network, steps, averaged, threads or 1)
    return _keras(network, steps, averaged, threads or 1)


def _graph(network: Network, steps: Sequence[int], averaged: bool, threads: int) -> Forward:
    import tensorflow as tf

    weights = {step.index: step.weights for step in network.steps if step.weights}
    images = tf.TensorSpec((None, network.size, network.size, 3), tf.uint8)

    @tf.function(autograph=False, input_signature=[images])
    def forward(images: Any) -> Any:
        return in_pieces(piece, [images], outputs=len(steps), most=BATCH, threads=threads)

    def piece(tensors: list[Any]) -> list[Any]:
        outputs = apply(network, {IMAGE: tensors[0]}, weights, list(steps))
        return [tf.reduce_mean(output, axis=(1, 2)) for output in outputs] if averaged else outputs

    concrete = forward.get_concrete_function()
    return lambda images: [tensor.numpy() for tensor in concrete(tf.constant(images))]


def _keras(network: Network, steps: Sequence[int], averaged: bool, threads: int) -> Forward:
    model = network.build(IMAGE, max(steps) + 1, outputs=list(steps), name="prefix")

    def forward(images: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        # Always a full batch: a smaller one would be traced anew.
        outputs = model.predict_on_batch(np.resize(images, (images_a_call(threads), *images.shape[1:])))
        tensors = outputs if isinstance(outputs, list) else [outputs]
        # On a GPU layers compute in half precision.
        wanted = [np.asarray(tensor[: len(images)], np.float32) for tensor in tensors]
        return [tensor.mean(axis=(1, 2)) for tensor in wanted] if averaged else wanted

    return forward
