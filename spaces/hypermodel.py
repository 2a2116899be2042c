"""The search space as a KerasTuner hypermodel, for people with a tuner of their own."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import keras_tuner

from .backbone.model import build_model, compile_model, network_for
from .backbone.network import Network
from .backbone.spec import BackboneSpec, load_network
from .recipe import LAYERS, Recipe
from .schedule import schedule_callback
from .space import SearchSpace


class TransferHyperModel(keras_tuner.HyperModel):
    """Chooses a transfer-learning technique and its settings; works unchanged in a stock KerasTuner tuner.

    ``fit`` does what the technique asks for: ``fine-tune`` and ``full`` first train the head on the frozen base. Each trial
    passes every image through the whole network: ``tlsearch run`` does the same search several times faster, and trains heads
    along the recipe's path of penalties, which this does not.

    Args:
        classes: Number of classes.
        space: What may be tried.
        size: Side of the square images, pixels.
        alpha: Width multiplier of MobileNetV2.
        weights: ``imagenet``, ``starter``, ``random`` or a file of weights without top.

    Example:
        >>> tuner = keras_tuner.RandomSearch(TransferHyperModel(classes=2), objective="val_accuracy", max_trials=20)
        >>> tuner.search(train_images, train_labels, validation_data=(val_images, val_labels))
    """

    def __init__(
        self,
        classes: int,
        *,
        space: SearchSpace | None = None,
        size: int = 160,
        alpha: float = 1.0,
        weights: str = "imagenet",
    ) -> None:
        super().__init__(name="tlsearch")
        self.classes = classes
        self.space = space or SearchSpace()
        self.backbone = BackboneSpec(alpha, size, weights)

    def build(self, hp: keras_tuner.HyperParameters) -> Any:
        """A compiled model from images ``(n, size, size, 3)``, pixels from 0 to 255, to probabilities."""
        return build_model(self.space.sample(hp), self._network, self.classes)

    def fit(self, hp: keras_tuner.HyperParameters, model: Any, *args: Any, **kwargs: Any) -> Any:
        """Trains ``model`` as its recipe says; arguments are those of ``keras.Model.fit`` and win over the recipe's."""
        recipe = self.space.sample(hp)
        settings: dict[str, Any] = {"epochs": recipe.epochs}
        if len(args) > 1 or "y" in kwargs:
            settings["batch_size"] = recipe.batch_size
        first = recipe.first_stage
        if first is not None:
            self._train_head(recipe, first, model, args, {**settings, **kwargs})
        kwargs["callbacks"] = [*(kwargs.get("callbacks") or ()), schedule_callback(recipe)]
        return model.fit(*args, **{**settings, **kwargs})

    def _train_head(self, recipe: Recipe, first: Recipe, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        network = network_for(recipe, self._network)
        network.thaw(model, LAYERS)
        compile_model(model, first)
        # The tuner's callbacks belong to the main stage: checkpoints and best epochs are counted there.
        model.fit(*args, **{**kwargs, "epochs": first.epochs, "callbacks": [schedule_callback(first)]})
        network.thaw(model, recipe.first_trained_layer)
        compile_model(model, recipe)

    @cached_property
    def _network(self) -> Network:
        return load_network(self.backbone, self.backbone.locate())
