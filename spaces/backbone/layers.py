"""The one Keras layer of our own. It is used while training only: saved and exported models never contain it."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="tlsearch")
class FixedBatchNormalization(keras.layers.BatchNormalization):
    """BatchNorm that normalises by its moving statistics even while γ and β train.

    Calling the base with ``training=False``, as Keras' transfer-learning guide does, no longer has this effect: in Keras
    3.15 the ``training=True`` of ``fit`` overrides the argument that was given when the functional model was made, and an
    unfrozen BatchNorm then uses batch statistics.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The normalised inputs, whatever ``training`` says."""
        return super().call(inputs, training=False, mask=mask)
