"""Loss scaling keeps gradients within the range of float16 in mixed precision (Micikevicius et al. 2018, arXiv 1710.03740).

The loss is multiplied by a factor before its gradient is taken, and the gradient divided by it. A step whose gradient still
overflows is skipped, and the factor halved. After many steps without overflow the factor is doubled. The constants are those of
Keras' ``LossScaleOptimizer``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

FIRST = 2.0**15
STEPS_TO_DOUBLE = 2000


class LossScale:
    """The factor, and how long it has held."""

    def __init__(self) -> None:
        import keras

        self.factor = keras.Variable(np.float32(FIRST), trainable=False, name="loss_scale")
        self._steps = keras.Variable(np.int32(0), trainable=False, dtype="int32", name="steps_at_this_scale")

    def reset(self) -> None:
        """Back to the first factor."""
        self.factor.assign(FIRST)
        self._steps.assign(0)

    def apply(self, gradient: Any, update: Callable[[Any], None]) -> None:
        """In a TensorFlow graph: calls ``update`` with the gradient divided by `factor`, unless the gradient is not finite."""
        import tensorflow as tf

        def step() -> Any:
            update(gradient / self.factor.value)
            steps = self._steps.value + 1
            longer = steps < STEPS_TO_DOUBLE
            self._steps.assign(tf.where(longer, steps, 0))
            self.factor.assign(tf.where(longer, self.factor.value, 2 * self.factor.value))
            return tf.constant(True)

        def leave_out() -> Any:
            self._steps.assign(0)
            self.factor.assign(tf.maximum(1.0, self.factor.value / 2))
            return tf.constant(False)

        tf.cond(tf.reduce_all(tf.math.is_finite(gradient)), step, leave_out)
