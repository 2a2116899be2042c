"""The graphs of the fast model: a loop of training steps, and a prediction. The only TensorFlow in training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Logits = Callable[[list[Any], list[Any], Callable[[Any], Any]], Any]
"""From the weights in their shapes, the tensors at the cut and what drops some of the head's inputs."""


def trace_training(
    variable: Any,
    optimizer: Any,
    logits: Logits,
    layout: Sequence[tuple[int, ...]],
    shapes: Sequence[tuple[int, ...]],
    dtype: Any,
) -> Any:
    """A function that trains for some steps.

    Args:
        variable: All trained weights, a ``keras.Variable`` of one dimension.
        optimizer: Built for it.
        logits: What is trained.
        layout: Shapes of the weights, in their order.
        shapes: Of the tensors at the cut, for one image.
        dtype: Of these tensors.

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
        def mask(x: Any, step: Any) -> Any:
            """Zero for an input that is dropped, and more than 1 for the others, to make up for it."""
            drawn = tf.random.stateless_uniform(tf.shape(x), tf.stack([seed[0], seed[1] + step]))
            return tf.cast(drawn >= dropout, x.dtype) / (1 - dropout)

        def drop(x: Any, step: Any) -> Any:
            # Drawing numbers takes as long as the rest of a head's step: not where none is dropped.
            return x * tf.stop_gradient(tf.cond(dropout > 0, lambda: mask(x, step), lambda: tf.ones_like(x)))

        def one(step: Any, told: Any) -> Any:
            label, weight = labels[step], weights[step]
            with tf.GradientTape() as tape:
                parts = _parts(variable.value, layout)
                guess = logits(parts, [tensor[step] for tensor in tensors], lambda x: drop(x, step))
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(label, guess) * weight)
            # Not `optimizer.apply`: on the way it registers a gradient function that keeps every graph for good.
            optimizer.update_step(tape.gradient(loss, variable.value), variable, optimizer.learning_rate)
            optimizer.iterations.assign_add(1)
            hits = tf.cast(tf.argmax(guess, axis=1, output_type=tf.int32) == label, tf.float32)
            accuracy = tf.math.divide_no_nan(tf.reduce_sum(hits * weight), tf.reduce_sum(weight))
            return step + 1, told.write(step, tf.stack([loss, accuracy]))

        steps = tf.shape(labels)[0]
        told = tf.TensorArray(tf.float32, steps, element_shape=(2,))
        return tf.while_loop(lambda step, _: step < steps, one, (0, told), parallel_iterations=1)[1].stack()

    return train


def trace_prediction(
    variable: Any, logits: Logits, layout: Sequence[tuple[int, ...]], shapes: Sequence[tuple[int, ...]], dtype: Any
) -> Any:
    """A function from tensors at the cut, each ``(n, …)``, to logits ``(n, classes)``. Arguments as in `trace_training`."""
    import tensorflow as tf

    @tf.function(autograph=False, input_signature=[[tf.TensorSpec((None, *shape), dtype) for shape in shapes]])
    def predict(tensors: list[Any]) -> Any:
        return logits(_parts(variable.value, layout), tensors, lambda x: x)

    return predict


def _parts(vector: Any, layout: Sequence[tuple[int, ...]]) -> list[Any]:
    import tensorflow as tf

    parts = tf.split(vector, [int(np.prod(shape)) for shape in layout])
    return [tf.reshape(part, shape) for part, shape in zip(parts, layout, strict=True)]
