import keras
import numpy as np
import pytest
import tensorflow as tf

from tlsearch.spaces.backbone.model import build_model, build_trained_part, cross_entropy, network_for
from tlsearch.spaces.backbone.network import IMAGE, POOL
from tlsearch.spaces.recipe import Recipe

from ..factory import activations, run

LABELS = np.array([0, 1, 1])


def recipe(**changes):
    return Recipe(**{"technique": "fine-tune", "fine_tune_at": 100, "learning_rate": 1e-3, **changes})


def gradients(model, inputs):
    with tf.GradientTape() as tape:
        logits = model(inputs)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(LABELS, logits)
    return tape.gradient(loss, model.trainable_variables)


@pytest.mark.parametrize("batch_norm", ["folded", "inference"])
@pytest.mark.parametrize("layer", [54, 100, 125, 152])
def test_gradients_on_activations_are_those_from_pixels(network, images, layer, batch_norm):
    chosen = recipe(fine_tune_at=layer, batch_norm=batch_norm)
    parts = network_for(chosen, network)
    cut = parts.cut_for(layer)
    whole = build_trained_part(chosen, parts, 2, start=IMAGE)
    suffix = build_trained_part(chosen, parts, 2, start=cut)
    for ours, theirs in zip(suffix.layers[-1].weights, whole.layers[-1].weights, strict=True):
        ours.assign(theirs)
    tensors = activations(parts, cut, images)
    expected, found = gradients(whole, images), gradients(suffix, tensors)
    assert len(found) == len(expected) > 0
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4 + 1e-3 * float(np.abs(theirs).max()))


@pytest.mark.parametrize(
    ("changes", "arrays"),
    [({}, 2), ({"head_units": 8, "head_layers": 3}, 8)],
)
def test_the_head_has_the_layers_of_the_recipe(network, changes, arrays):
    head = build_trained_part(recipe(technique="frozen", fine_tune_at=None, **changes), network, 5, start=POOL + 1)
    assert len(head.weights) == arrays
    assert head.output.shape == (None, 5)


def test_a_built_model_gives_probabilities_and_is_compiled(network, images):
    model = build_model(recipe(dropout=0.5), network, 3)
    probabilities = model.predict_on_batch(images)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)


@pytest.mark.parametrize("batch_norm", ["folded", "inference", "train"])
def test_a_built_model_can_be_made_again_from_its_own_description(network, batch_norm):
    model = build_model(recipe(batch_norm=batch_norm), network, 3)
    again = keras.models.model_from_json(model.to_json())
    assert [type(layer) for layer in again.layers] == [type(layer) for layer in model.layers]


def test_the_folded_and_the_plain_model_agree(network, images):
    models = [build_model(recipe(batch_norm=mode), network, 2) for mode in ("folded", "inference")]
    for ours, theirs in zip(models[0].get_layer("head").weights, models[1].get_layer("head").weights, strict=True):
        ours.assign(theirs)
    first, second = (run(model, images) for model in models)
    np.testing.assert_allclose(first, second, atol=1e-4)


@pytest.mark.parametrize("images", [1, 3])
def test_smoothed_labels_may_have_a_dimension_of_their_own(images):
    """As `fit` gives them; a last batch may hold one image."""
    loss = cross_entropy(Recipe(technique="frozen", learning_rate=1e-3, label_smoothing=0.2), from_logits=True)
    logits = np.arange(images * 4, dtype=np.float32).reshape(images, 4) ** 0.5
    labels = np.arange(images) % 4
    shifted = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -0.8 * shifted[np.arange(images), labels] - 0.2 * shifted.mean(axis=1)
    for given in (labels, labels[:, None]):
        np.testing.assert_allclose(np.asarray(loss(given, logits)), expected, rtol=1e-5)
