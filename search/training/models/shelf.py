"""The models of a worker, kept from trial to trial."""

from __future__ import annotations

import gc
from collections import OrderedDict
from typing import Any

import numpy as np

from ....spaces.backbone.model import network_for
from ....spaces.backbone.network import POOL, Network
from ....spaces.recipe import Recipe
from .base import TrainableModel

KEPT_MODELS = 8
"""A model with its optimizer's state and its graphs takes about 20 MB at α = 0.35; building one takes one to three seconds."""


class ModelShelf:
    """Keeps the models that were used last.

    Args:
        network: The backbone, BatchNorm not folded.
        threads: See `FlatModel`.
    """

    def __init__(self, network: Network, classes: int, *, threads: int | None = 1) -> None:
        self._network = network
        self._classes = classes
        self._threads = threads
        self._networks: dict[bool, Network] = {}
        self._models: OrderedDict[tuple[Any, ...], TrainableModel] = OrderedDict()

    def take(self, recipe: Recipe, cut: int, dtype: np.dtype[Any]) -> TrainableModel:
        """The model of the recipe's shape that begins at a cut, with tensors of ``dtype``; it must be reset before use."""
        import keras

        fast = keras.backend.backend() == "tensorflow" and (recipe.batch_norm == "folded" or cut > POOL)
        own = (recipe.first_trained_layer, recipe.head_units, recipe.head_layers, recipe.optimizer)
        graph = (recipe.batch_norm, recipe.dropout, recipe.weight_decay, recipe.label_smoothing)
        key = (fast, cut, dtype, *own) if fast else (fast, cut, *own, *graph)
        if key not in self._models:
            if len(self._models) >= KEPT_MODELS:
                self._models.popitem(last=False)
                # A model and its graphs hold each other: left alone, as many again as are kept would wait to be collected.
                gc.collect()
            self._models[key] = self._make(recipe, cut, dtype, fast=fast)
        self._models.move_to_end(key)
        return self._models[key]

    def _make(self, recipe: Recipe, cut: int, dtype: np.dtype[Any], *, fast: bool) -> TrainableModel:
        folded = recipe.batch_norm == "folded"
        if folded not in self._networks:
            self._networks[folded] = network_for(recipe, self._network)
        network = self._networks[folded]
        if fast:
            from .flat_model import FlatModel

            return FlatModel(recipe, network, self._classes, cut, dtype, threads=self._threads)
        from .keras_model import KerasModel

        return KerasModel(recipe, network, self._classes, cut)
