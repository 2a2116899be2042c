"""The models of a worker that are kept, and those that are given up."""

import dataclasses
import gc
import weakref

import numpy as np
import pytest

from tlsearch.search.training.models import shelf as room
from tlsearch.search.training.models.flat_model import FlatModel
from tlsearch.search.training.models.keras_model import KerasModel
from tlsearch.search.training.models.shelf import ModelShelf
from tlsearch.spaces.backbone.network import POOL
from tlsearch.spaces.backbone.spec import BackboneSpec, load_network
from tlsearch.spaces.recipe import Recipe

pytestmark = pytest.mark.trains
SPEC = BackboneSpec(0.35, 32, "starter")
KEPT = 2


@pytest.fixture(scope="module")
def plain():
    return load_network(SPEC, SPEC.locate())


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Keeps two models: each more takes half a second to build."""
    monkeypatch.setattr(room, "KEPT_MODELS", KEPT)


def test_models_are_kept_by_their_shape(plain):
    shelf, features = ModelShelf(plain, 2), np.dtype(np.float16)
    head = Recipe(technique="frozen", learning_rate=1e-3)
    model = shelf.take(head, POOL + 1, features)
    same = dataclasses.replace(head, learning_rate=1e-2, dropout=0.4, epochs=3, batch_size=8)
    assert shelf.take(same, POOL + 1, features) is model
    assert shelf.take(dataclasses.replace(head, optimizer="rmsprop"), POOL + 1, features) is not model
    for units in range(1, KEPT + 1):
        shelf.take(dataclasses.replace(head, head_units=units, head_layers=1), POOL + 1, features)
    assert shelf.take(head, POOL + 1, features) is not model, "the least recently used one was given up"


def test_the_memory_of_a_model_that_was_given_up_is_free_at_once(plain):
    shelf, features = ModelShelf(plain, 2), np.dtype(np.float16)
    head = Recipe(technique="frozen", learning_rate=1e-3)
    gc.collect()
    gc.disable()
    try:
        model = weakref.ref(shelf.take(head, POOL + 1, features))
        for units in range(1, KEPT + 1):
            assert model() is not None
            shelf.take(dataclasses.replace(head, head_units=units, head_layers=1), POOL + 1, features)
        assert model() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("mode", ["inference", "train"])
def test_a_head_alone_is_trained_fast_however_batch_norm_is_kept(plain, mode):
    recipe = Recipe(technique="frozen", learning_rate=1e-5, batch_norm=mode)
    model = ModelShelf(plain, 2).take(recipe, POOL + 1, np.dtype(np.float16))
    assert isinstance(model, FlatModel)
    model.reset(recipe, 1, None)
    weights, rates = np.ones((5, 8), np.float32), np.full(5, 1e-5, np.float32)
    losses, _ = model.train([np.ones((5, 8, 1280), np.float16)], np.zeros((5, 8), np.int64), weights, rates)
    assert (np.diff(losses) < 0).all()


def test_kept_batch_norm_is_trained_by_keras(plain):
    shelf = ModelShelf(plain, 2)
    recipe = Recipe(technique="fine-tune", fine_tune_at=145, learning_rate=1e-3, batch_norm="train")
    assert isinstance(shelf.take(recipe, plain.cut_for(145), np.dtype(np.float16)), KerasModel)
