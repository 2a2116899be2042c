"""How the learning rate changes from step to step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .recipe import Recipe

WARM_UP = 0.1
"""Share of a cosine schedule's steps in which the rate rises: Adam's moments are cold, and a pretrained network is easily
spoilt."""


def learning_rates(recipe: Recipe, steps: int) -> NDArray[np.float32]:
    """The learning rate of each step of a run, ``(steps,)``: constant, or a linear warm-up and a cosine decay to 0.

    The schedule is that of Loshchilov & Hutter (2017, arXiv 1608.03983) without restarts, the warm-up that of Goyal et al.
    (2017, arXiv 1706.02677).
    """
    if recipe.schedule == "constant":
        return np.full(steps, recipe.learning_rate, np.float32)
    warm = int(WARM_UP * steps)
    number = np.arange(steps)
    decay = 0.5 * (1 + np.cos(np.pi * (number - warm) / max(1, steps - warm)))
    return np.asarray(recipe.learning_rate * np.where(number < warm, (number + 1) / (warm + 1), decay), np.float32)


def schedule_callback(recipe: Recipe) -> Any:
    """A Keras callback that sets the recipe's learning rate before each step; constant where Keras does not know the steps."""
    import keras

    class Schedule(keras.callbacks.Callback):  # type: ignore[misc]
        """See `schedule_callback`."""

        def on_train_begin(self, logs: Any = None) -> None:
            """Reckons the rates of all steps."""
            steps = (self.params.get("steps") or 0) * self.params["epochs"]
            self.rates = iter(learning_rates(recipe, steps).tolist())

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            """Sets the rate of the next step."""
            self.model.optimizer.learning_rate = next(self.rates, self.model.optimizer.learning_rate)

    return Schedule()
