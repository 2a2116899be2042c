"""The graphs of the fast model: a loop of training steps, and a prediction. The only TensorFlow in training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....spaces.backbone.pieces import in_pieces
from .loss_scale import LossScale

Logits = Callable[[list[Any], list[Any], Callable[[Any], Any]], Any]
"""From the weights in their shapes, the tensors at the cut and what drops some of the head's inputs."""


def trace_training(
    variable: Any,
    logits: Logits,
    layout: Sequence[tuple[int, ...]],
    shapes: Sequence[tuple[int, ...]],
    dtype: Any,
    *,
    optimizer: Any,
    piece_images: int | None,
    threads: int,
    scale: LossScale | None = None,
) -> Any:
    """A function that trains for some steps.

    Args:
        variable: All trained weights, a ``keras.Variable`` of one dimension.
        logits: What is trained.
        layout: Shapes of the weights, in their order.
        shapes: Of the tensors at the cut, for one image.
        dtype: Of these tensors.
        optimizer: Built for the variable.
        piece_images: Most images whose gradient is computed at a time, the batch's being their sum; None for the whole batch.
        threads: Pieces that are computed at once.
        scale: Where ``logits`` computes in half precision.

    Returns:
        A function of tensors, each ``(steps, batch, …)``, labels and weights ``(steps, batch)``, the rate of dropout and a seed
        ``(2,)`` whose second number counts the steps. It gives loss and accuracy of each step, ``(steps, 2)``.
    """
    import tensorflow as tf

    @tf.function(autograph=False, input_signature=[
        [tf.TensorSpec((None, None, *shape), dtype) for shape in shapes],
        tf.TensorSpec((None, None), tf.int32),
        tf.TensorSpec((None, None), tf.float32),
        tf.TensorSpec((), tf.float32),
        tf.TensorSpec((2,), tf.int32),
    ])  # fmt: skip
    def train(tensors: list[Any], labels: Any, weights: Any, dropout: Any, seed: Any) -> Any:
        def mask(shape: Any, step: Any) -> Any:
            """Zero for an input that is dropped, and more than 1 for the others, to make up for it."""
            drawn = tf.random.stateless_uniform(shape, tf.stack([seed[0], seed[1] + step]))
            return tf.cast(drawn >= dropout, tf.float32) / (1 - dropout)

        def update(gradient: Any) -> None:
            # Not `optimizer.apply`: on the way it registers a gradient function that keeps every graph for good.
            optimizer.update_step(gradient, variable, optimizer.learning_rate)
            optimizer.iterations.assign_add(1)

        def one(step: Any, told: Any) -> Any:
            label, weight = labels[step], weights[step]
            size = tf.shape(label)[0]
            parts = _parts(variable.value, layout)
            inputs = (size, layout[-2][0])
            # Drawing numbers takes as long as the rest of a head's step: not where none is dropped.
            kept = tf.cond(dropout > 0, lambda: mask(inputs, step), lambda: tf.ones(inputs))

            def piece(at: Any, to: Any) -> Any:
                """Of the images from ``at`` up to ``to``: their shares of the batch's gradient and loss, and their hits."""
                with tf.GradientTape() as tape:
                    tape.watch(parts)
                    guess = logits(parts, [tensor[step, at:to] for tensor in tensors], lambda x: x * kept[at:to])
                    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(label[at:to], guess) * weight[at:to]
                    loss = tf.math.divide_no_nan(tf.reduce_sum(losses), tf.cast(size, tf.float32))
                    scaled = loss if scale is None else loss * scale.factor.value
                gradient = tf.concat([tf.reshape(part, [-1]) for part in tape.gradient(scaled, parts)], axis=0)
                right = tf.argmax(guess, axis=1, output_type=tf.int32) == label[at:to]
                return gradient, loss, tf.reduce_sum(tf.cast(right, tf.float32) * weight[at:to])

            if piece_images is None:
                gradient, loss, hits = piece(0, size)
            else:
                gradient, loss, hits = _added_up(piece, size, piece_images, variable.shape, threads)
            if scale is None:
                update(gradient)
            else:
                scale.apply(gradient, update)
            accuracy = tf.math.divide_no_nan(hits, tf.reduce_sum(weight))
            return step + 1, told.write(step, tf.stack([loss, accuracy]))

        steps = tf.shape(labels)[0]
        told = tf.TensorArray(tf.float32, steps, element_shape=(2,))
        return tf.while_loop(lambda step, _: step < steps, one, (0, told), parallel_iterations=1)[1].stack()

    return train


def trace_prediction(
    variable: Any,
    logits: Logits,
    layout: Sequence[tuple[int, ...]],
    shapes: Sequence[tuple[int, ...]],
    dtype: Any,
    *,
    piece_images: int,
    threads: int,
) -> Any:
    """A function from tensors at the cut, each ``(n, …)``, to logits ``(n, classes)``.

    Args:
        variable: As in `trace_training`.
        logits: The same.
        layout: The same.
        shapes: The same.
        dtype: The same.
        piece_images: Images of a piece, where several are computed at once.
        threads: So many.
    """
    import tensorflow as tf

    @tf.function(autograph=False, input_signature=[[tf.TensorSpec((None, *shape), dtype) for shape in shapes]])
    def predict(tensors: list[Any]) -> Any:
        parts = _parts(variable.value, layout)
        (found,) = in_pieces(
            lambda piece: [logits(parts, piece, lambda x: x)], tensors, outputs=1, most=piece_images, threads=threads
        )
        return found

    return predict


def _added_up(piece: Callable[[Any, Any], Any], size: Any, most: int, gradient_shape: Sequence[int], threads: int) -> Any:
    """What ``piece`` gives of ``size`` images, added up over pieces of at most ``most``, all but the last of one size."""
    import tensorflow as tf

    length = -(-size // tf.maximum(1, -(-size // most)))

    def add(at: Any, *totals: Any) -> Any:
        to = tf.minimum(at + length, size)
        return to, *(total + part for total, part in zip(totals, piece(at, to), strict=True))

    totals = (tf.zeros(gradient_shape), 0.0, 0.0)
    return tf.while_loop(lambda at, *_: at < size, add, (0, *totals), parallel_iterations=threads)[1:]


def _parts(vector: Any, layout: Sequence[tuple[int, ...]]) -> list[Any]:
    import tensorflow as tf

    parts = tf.split(vector, [int(np.prod(shape)) for shape in layout])
    return [tf.reshape(part, shape) for part, shape in zip(parts, layout, strict=True)]
