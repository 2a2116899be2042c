"""The graphs of the fast model: a loop of training steps, and a prediction. The only TensorFlow in training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....spaces.backbone.pieces import in_pieces
from .loss_scale import LossScale


@dataclass(frozen=True, slots=True, eq=False)
class TrainedPart:
    """What the graphs compute: logits, from the tensors at a cut and weights that lie in one vector.

    Attributes:
        weights: All trained weights, a ``keras.Variable`` of one dimension.
        layout: Shapes of the weights, in their order; the output layer's kernel and bias come last.
        logits: Gives logits of the weights in their shapes, the tensors at the cut, and a function that is applied to the
            inputs of the output layer.
        shapes: Of the tensors at the cut, for one image.
        dtype: Of these tensors.
        threads: Pieces of a batch that are computed at once.
    """

    weights: Any
    layout: Sequence[tuple[int, ...]]
    logits: Callable[[list[Any], list[Any], Callable[[Any], Any]], Any]
    shapes: Sequence[tuple[int, ...]]
    dtype: np.dtype[Any]
    threads: int

    @property
    def kernels(self) -> NDArray[np.float32]:
        """1 for each weight of a kernel, which weight decay shrinks, and 0 for each bias."""
        return np.concatenate([np.full(int(np.prod(shape)), len(shape) > 1, np.float32) for shape in self.layout])

    def split(self) -> list[Any]:
        """The weights in their shapes."""
        import tensorflow as tf

        parts = tf.split(self.weights.value, [int(np.prod(shape)) for shape in self.layout])
        return [tf.reshape(part, shape) for part, shape in zip(parts, self.layout, strict=True)]

    def signature(self, leading: int) -> list[Any]:
        """Of the tensors at the cut, with so many dimensions of any length before an image's own."""
        import tensorflow as tf

        return [tf.TensorSpec((None,) * leading + tuple(shape), self.dtype) for shape in self.shapes]


def trace_training(part: TrainedPart, optimizer: Any, *, piece_images: int | None, scale: LossScale | None = None) -> Any:
    """A function that trains for some steps.

    Args:
        part: What is trained.
        optimizer: Built for its weights.
        piece_images: Most images whose gradient is computed at a time, the batch's being their sum; None for the whole batch.
        scale: Where ``part`` computes in half precision.

    Returns:
        A function of tensors, each ``(steps, batch, …)``, labels and weights ``(steps, batch)``, learning rates ``(steps,)``,
        four settings ``(4,)`` (dropout, label smoothing, L2 penalty, weight decay) and a seed ``(2,)`` whose second number
        counts the steps. It gives loss and accuracy of each step, ``(steps, 2)``.
    """
    import tensorflow as tf

    kernels = tf.constant(part.kernels)

    @tf.function(autograph=False, input_signature=[
        part.signature(leading=2),
        tf.TensorSpec((None, None), tf.int32),
        tf.TensorSpec((None, None), tf.float32),
        tf.TensorSpec((None,), tf.float32),
        tf.TensorSpec((4,), tf.float32),
        tf.TensorSpec((2,), tf.int32),
    ])  # fmt: skip
    def train(tensors: list[Any], labels: Any, weights: Any, rates: Any, settings: Any, seed: Any) -> Any:
        dropout, label_smoothing, penalty, weight_decay = tf.unstack(settings)

        def train_step(number: Any, results: Any) -> Any:
            label, weight = labels[number], weights[number]
            size = tf.shape(label)[0]
            parts = part.split()
            kept = _kept((size, part.layout[-2][0]), dropout, seed, number)

            def share(at: Any, to: Any) -> tuple[Any, Any, Any]:
                """What the images from ``at`` up to ``to`` add to the batch's gradient, loss and weighted hits."""
                with tf.GradientTape() as tape:
                    tape.watch(parts)
                    logits = part.logits(parts, [x[number, at:to] for x in tensors], lambda x: x * kept[at:to])
                    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(label[at:to], logits)
                    uniform = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=1)
                    losses = (losses + label_smoothing * (uniform - losses)) * weight[at:to]
                    loss = tf.math.divide_no_nan(tf.reduce_sum(losses), tf.cast(size, tf.float32))
                    scaled = loss if scale is None else loss * scale.factor.value
                gradient = tf.concat([tf.reshape(one, [-1]) for one in tape.gradient(scaled, parts)], axis=0)
                right = tf.argmax(logits, axis=1, output_type=tf.int32) == label[at:to]
                return gradient, loss, tf.reduce_sum(tf.cast(right, tf.float32) * weight[at:to])

            if piece_images is None:
                gradient, loss, hits = share(0, size)
            else:
                gradient, loss, hits = _added_up(share, size, piece_images, part.weights.shape, part.threads)

            def update(gradient: Any) -> None:
                value, rate = part.weights.value, rates[number]
                decayed = rate * weight_decay * kernels * value
                # Not `optimizer.apply`: on the way it registers a gradient function that keeps every graph for good.
                optimizer.update_step(gradient + penalty * kernels * value, part.weights, rate)
                part.weights.assign_sub(decayed)
                optimizer.iterations.assign_add(1)

            if scale is None:
                update(gradient)
            else:
                scale.apply(gradient, update)
            accuracy = tf.math.divide_no_nan(hits, tf.reduce_sum(weight))
            return number + 1, results.write(number, tf.stack([loss, accuracy]))

        steps = tf.shape(labels)[0]
        results = tf.TensorArray(tf.float32, steps, element_shape=(2,))
        return tf.while_loop(lambda number, _: number < steps, train_step, (0, results), parallel_iterations=1)[1].stack()

    return train


def trace_prediction(part: TrainedPart, *, piece_images: int) -> Any:
    """A function from tensors at the cut, each ``(n, …)``, to logits ``(n, classes)``, in pieces of ``piece_images`` images."""
    import tensorflow as tf

    @tf.function(autograph=False, input_signature=[part.signature(leading=1)])
    def predict(tensors: list[Any]) -> Any:
        parts = part.split()
        (found,) = in_pieces(
            lambda piece: [part.logits(parts, piece, lambda x: x)],
            tensors,
            outputs=1,
            most=piece_images,
            threads=part.threads,
        )
        return found

    return predict


def _kept(shape: Any, dropout: Any, seed: Any, step: Any) -> Any:
    """Zero for an input that is dropped, and more than 1 for the others, to make up for it."""
    import tensorflow as tf

    def draw() -> Any:
        drawn = tf.random.stateless_uniform(shape, tf.stack([seed[0], seed[1] + step]))
        return tf.cast(drawn >= dropout, tf.float32) / (1 - dropout)

    # Drawing numbers takes as long as the rest of a head's step: not where none is dropped.
    return tf.cond(dropout > 0, draw, lambda: tf.ones(shape))


def _added_up(share: Callable[[Any, Any], Any], size: Any, most: int, gradient_shape: Sequence[int], threads: int) -> Any:
    """What ``share`` gives of ``size`` images, added up over pieces of at most ``most``, all but the last of one size."""
    import tensorflow as tf

    length = -(-size // tf.maximum(1, -(-size // most)))

    def add(at: Any, *totals: Any) -> Any:
        to = tf.minimum(at + length, size)
        return to, *(total + part for total, part in zip(totals, share(at, to), strict=True))

    totals = (tf.zeros(gradient_shape), 0.0, 0.0)
    return tf.while_loop(lambda at, *_: at < size, add, (0, *totals), parallel_iterations=threads)[1:]
