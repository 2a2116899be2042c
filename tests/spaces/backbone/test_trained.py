"""Weights that left a worker make up the model that was trained, and the one that is deployed is the same function."""

import numpy as np
import pytest

from tlsearch.spaces.backbone.model import build_trained_part, network_for
from tlsearch.spaces.backbone.network import IMAGE, POOL
from tlsearch.spaces.backbone.spec import BackboneSpec, load_network
from tlsearch.spaces.backbone.trained import deployable_model, trained_model, whole_weights
from tlsearch.spaces.recipe import Recipe

from ..factory import flat_layers, run

SIZE = 32
CASES = [
    Recipe(technique="frozen", learning_rate=1e-3, head_units=8, head_layers=2, dropout=0.3),
    Recipe(technique="fine-tune", learning_rate=1e-3, fine_tune_at=100),
    Recipe(technique="fine-tune", learning_rate=1e-3, fine_tune_at=134, batch_norm="inference"),
    pytest.param(Recipe(technique="full", learning_rate=1e-3, batch_norm="train"), marks=pytest.mark.slow),
]


@pytest.fixture(scope="module")
def network():
    spec = BackboneSpec(0.35, SIZE, "starter")
    return load_network(spec, spec.locate())


@pytest.fixture(scope="module")
def blank():
    return load_network(BackboneSpec(0.35, SIZE, "random"), None)


@pytest.mark.parametrize("recipe", CASES, ids=["frozen", "folded", "inference", "train"])
def test_a_trained_part_goes_home_and_becomes_the_same_model_again(network, blank, recipe):
    own = network_for(recipe, network)
    cut = own.cut_for(recipe.first_trained_layer)
    part = build_trained_part(recipe, own, 3, start=cut)
    rng = np.random.default_rng(0)
    trained = [array * rng.uniform(0.9, 1.1, array.shape).astype(np.float32) for array in part.get_weights()]
    part.set_weights(trained)
    images = rng.integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    cut_at = run(own.build(IMAGE, POOL + 1, outputs=list(own.frontier(cut))), images) if cut != IMAGE else images
    logits = part.predict_on_batch(cut_at)
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = exponents / exponents.sum(axis=1, keepdims=True)

    names = {step.config["name"] for step in own.steps}
    layers = {layer.name: layer.get_weights() for layer in part.layers if layer.name in names and layer.weights}
    head = trained[sum(len(arrays) for arrays in layers.values()) :]
    weights = whole_weights(recipe, network, layers, head)
    # The pretrained weights are not needed for it: a network of the same shape will do.
    whole = trained_model(recipe, blank, 3, weights)
    for array, kept in zip(whole.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(array, kept)
    np.testing.assert_allclose(run(whole, images), expected, atol=1e-5)
    deployed = deployable_model(recipe, blank, 3, weights)
    np.testing.assert_allclose(run(deployed, images), expected, atol=1e-4)
    kinds = {type(layer).__name__ for layer in flat_layers(deployed)}
    assert not {"BatchNormalization", "FixedBatchNormalization", "Dropout"} & kinds


def test_weights_of_another_model_are_refused(network, blank):
    recipe = CASES[0]
    part = build_trained_part(recipe, network_for(recipe, network), 3, start=POOL + 1)
    weights = whole_weights(recipe, network, {}, part.get_weights())
    for build in (trained_model, deployable_model):
        with pytest.raises(ValueError):
            build(recipe, blank, 4, weights)
