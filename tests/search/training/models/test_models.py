"""The promises of `TrainableModel`, held against the fast model and the one of Keras layers."""

import dataclasses

import keras
import numpy as np
import pytest

from tlsearch.search.training.models.base import head_shapes
from tlsearch.search.training.models.flat_model import LEAST_PIECE, MOST_PIECE, FlatModel, _piece_images
from tlsearch.search.training.models.keras_model import KerasModel
from tlsearch.search.training.models.loss_scale import STEPS_TO_DOUBLE, LossScale
from tlsearch.spaces.backbone.folding import fold
from tlsearch.spaces.backbone.functional import apply
from tlsearch.spaces.backbone.model import build_model
from tlsearch.spaces.backbone.network import IMAGE, POOL, Network
from tlsearch.spaces.backbone.spec import BackboneSpec, load_network
from tlsearch.spaces.recipe import Recipe

from ....spaces.factory import flat_layers

pytestmark = pytest.mark.trains
SPEC = BackboneSpec(0.35, 32, "starter")
CLASSES = 3
RECIPES = [
    Recipe(technique="frozen", learning_rate=1e-2, head_units=8, head_layers=2),
    Recipe(technique="fine-tune", fine_tune_at=145, learning_rate=1e-3),
    Recipe(technique="full", learning_rate=1e-3, optimizer="rmsprop"),
]
REGULARIZED = [
    dataclasses.replace(RECIPES[0], weight_decay=0.5, optimizer="rmsprop"),
    dataclasses.replace(RECIPES[1], weight_decay=1.0, label_smoothing=0.2),
]


def rates(recipe):
    return np.full(3, recipe.learning_rate, np.float32)


@pytest.fixture(scope="module")
def plain():
    return load_network(SPEC, SPEC.locate())


@pytest.fixture(scope="module")
def network(plain):
    return fold(plain)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def batches(network, pixels):
    """Three steps of eight images for a recipe: tensors at its cut, labels, weights."""
    weights = {step.index: step.weights for step in network.steps if step.weights}

    def make(recipe):
        cut = network.cut_for(recipe.first_trained_layer)
        outputs = [pixels] if cut == IMAGE else apply(network, {IMAGE: pixels}, weights, network.frontier(cut))
        tensors = [np.asarray(tensor).reshape(3, 8, *tensor.shape[1:]) for tensor in outputs]
        labels = np.arange(24).reshape(3, 8) % CLASSES
        return cut, tensors, labels, np.linspace(0, 1, 24, dtype=np.float32).reshape(3, 8)

    return make


def make(kind, recipe, network, cut, tensors):
    if kind is FlatModel:
        return FlatModel(recipe, network, CLASSES, cut, tensors[0].dtype)
    return KerasModel(recipe, network, CLASSES, cut)


@pytest.mark.parametrize("recipe", RECIPES, ids=[str(recipe.technique) for recipe in RECIPES])
def test_both_train_alike(recipe, network, batches):
    cut, tensors, labels, weights = batches(recipe)
    results, logits, heads = [], [], []
    for kind in (FlatModel, KerasModel):
        model = make(kind, recipe, network, cut, tensors)
        model.reset(recipe, 7, None)
        results.append(np.array(model.train(tensors, labels, weights, rates(recipe))))
        logits.append(model.predict([tensor[0] for tensor in tensors]))
        heads.append(model.head_of(model.snapshot()))
        assert model.trainable_params == sum(array.size for array in heads[-1]) + sum(
            array.size for arrays in model.layers_of(model.snapshot()).values() for array in arrays
        )
    np.testing.assert_allclose(results[0], results[1], rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(logits[0], logits[1], rtol=0.02, atol=0.02)
    for ours, theirs in zip(*heads, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-3)


@pytest.mark.parametrize("penalty", [0.0, 0.3])
@pytest.mark.parametrize("recipe", REGULARIZED, ids=[str(recipe.technique) for recipe in REGULARIZED])
def test_both_regularize_alike(recipe, penalty, network, batches):
    cut, tensors, labels, weights = batches(recipe)
    plain = dataclasses.replace(recipe, weight_decay=0.0, label_smoothing=0.0)
    heads = {}
    for kind in (FlatModel, KerasModel):
        for one in (recipe, plain):
            model = make(kind, one, network, cut, tensors)
            model.reset(one, 7, None)
            for _ in range(3):
                model.train(tensors, labels, weights, rates(one), penalty if one is recipe else 0.0)
            heads[kind, one] = np.concatenate([array.ravel() for array in model.head_of(model.snapshot())])
    # Optimizers that go by a gradient's sign may differ where it is zero but for rounding.
    apart = np.quantile(np.abs(heads[FlatModel, recipe] - heads[KerasModel, recipe]), 0.999)
    assert apart < 2e-3
    assert np.abs(heads[FlatModel, recipe] - heads[FlatModel, plain]).max() > 5 * apart


@pytest.mark.parametrize("kind", [FlatModel, KerasModel])
def test_a_reset_model_does_what_a_new_one_does(kind, network, batches):
    recipe = dataclasses.replace(RECIPES[1], dropout=0.3)
    cut, tensors, labels, weights = batches(recipe)
    model = make(kind, recipe, network, cut, tensors)
    model.reset(recipe, 1, None)
    first = model.train(tensors, labels, weights, rates(recipe))
    model.reset(dataclasses.replace(recipe, learning_rate=0.1), 2, None)
    model.train(tensors, labels, weights, rates(recipe))
    model.reset(recipe, 1, None)
    np.testing.assert_allclose(model.train(tensors, labels, weights, rates(recipe)), first, rtol=1e-5)
    fresh = make(kind, recipe, network, cut, tensors)
    fresh.reset(recipe, 1, None)
    np.testing.assert_allclose(fresh.train(tensors, labels, weights, rates(recipe)), first, rtol=1e-5)


@pytest.fixture
def half_precision():
    """As on a GPU: what is made meanwhile computes in float16, and the loss is scaled."""
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def test_half_precision_trains_alike_and_a_reset_begins_anew(network, batches, half_precision):
    """MobileNetV2's layers keep the policy that they were loaded under, so the network is loaded again."""
    recipe = RECIPES[1]
    cut, tensors, labels, weights = batches(recipe)
    half = KerasModel(recipe, fold(load_network(SPEC, SPEC.locate())), CLASSES, cut)
    assert {layer.compute_dtype for layer in flat_layers(half._model) if layer.weights} >= {"float16", "float32"}
    assert all(variable.dtype == "float32" for variable in half._model.trainable_variables)

    def run(model):
        model.reset(recipe, 5, None)
        losses, _ = model.train(tensors, labels, weights, rates(recipe))
        return losses, model.predict([t[0] for t in tensors])

    first, logits = run(half)
    assert logits.dtype == np.float32
    run(half)
    again, repeated = run(half)
    np.testing.assert_array_equal(again, first)
    np.testing.assert_array_equal(repeated, logits)
    keras.config.set_dtype_policy("float32")
    exact, _ = run(KerasModel(recipe, network, CLASSES, cut))
    np.testing.assert_allclose(first[0], exact[0], rtol=0.01)
    assert first[-1] < first[0] or np.isclose(first, exact, rtol=0.05).all()


@pytest.mark.parametrize("recipe", RECIPES, ids=[str(recipe.technique) for recipe in RECIPES])
def test_the_fast_model_trains_alike_in_half_precision(recipe, network, batches, half_precision):
    cut, tensors, labels, weights = batches(recipe)
    half = FlatModel(recipe, network, CLASSES, cut, tensors[0].dtype)
    for _ in range(2):
        half.reset(recipe, 5, None)
        losses, _ = half.train(tensors, labels, weights, rates(recipe))
    logits = half.predict([t[0] for t in tensors])
    keras.config.set_dtype_policy("float32")
    exact = FlatModel(recipe, network, CLASSES, cut, tensors[0].dtype)
    exact.reset(recipe, 5, None)
    expected, _ = exact.train(tensors, labels, weights, rates(recipe))
    assert logits.dtype == half.snapshot().dtype == np.float32
    np.testing.assert_allclose(losses, expected, rtol=0.02)
    # A head alone stays in single precision.
    assert np.array_equal(losses, expected) == (cut > POOL)


def test_a_gradient_that_overflows_is_left_out_and_the_next_is_scaled_less(network, batches, half_precision):
    recipe = RECIPES[1]
    cut, tensors, labels, weights = batches(recipe)
    model = FlatModel(recipe, network, CLASSES, cut, tensors[0].dtype)
    model.reset(recipe, 5, None)
    before = model.snapshot()
    model._scale.factor.assign(np.float32(3e38))
    first = [t[:1] for t in tensors]
    losses, _ = model.train(first, labels[:1], weights[:1], rates(recipe)[:1])
    assert np.isfinite(losses).all() and float(model._scale.factor.numpy()) == np.float32(1.5e38)
    np.testing.assert_array_equal(model.snapshot(), before)
    assert int(model._optimizer.iterations.numpy()) == 0
    model.reset(recipe, 5, None)
    assert float(model._scale.factor.numpy()) == 2.0**15
    model.train(first, labels[:1], weights[:1], rates(recipe)[:1])
    assert int(model._optimizer.iterations.numpy()) == 1 and not np.array_equal(model.snapshot(), before)


def test_the_scale_of_the_loss_is_doubled_after_many_steps(half_precision):
    import tensorflow as tf

    scale, applied = LossScale(), []
    scale._steps.assign(STEPS_TO_DOUBLE - 2)
    for _ in range(2):
        scale.apply(tf.constant([2.0**15]), lambda gradient: applied.append(gradient.numpy().tolist()))
    assert applied == [[1.0], [1.0]] and float(scale.factor.numpy()) == 2.0**16 and int(scale._steps.numpy()) == 0


@pytest.mark.parametrize("kind", [FlatModel, KerasModel])
def test_a_snapshot_is_the_model_as_it_was(kind, network, batches):
    recipe = RECIPES[0]
    cut, tensors, labels, weights = batches(recipe)
    model = make(kind, recipe, network, cut, tensors)
    model.reset(recipe, 1, None)
    model.train(tensors, labels, weights, rates(recipe))
    snapshot, before = model.snapshot(), model.predict([tensor[0] for tensor in tensors])
    model.train(tensors, labels, weights, rates(recipe))
    assert np.abs(model.predict([tensor[0] for tensor in tensors]) - before).max() > 1e-3
    model.restore(snapshot)
    np.testing.assert_array_equal(model.predict([tensor[0] for tensor in tensors]), before)
    other = make(kind, recipe, network, cut, tensors)
    other.reset(recipe, 9, model.head_of(snapshot))
    np.testing.assert_allclose(other.predict([tensor[0] for tensor in tensors]), before, rtol=1e-5)


@pytest.mark.parametrize("steps", [(1, 1, 1), (3,)])
def test_how_steps_are_called_changes_nothing(steps, network, batches):
    recipe = dataclasses.replace(RECIPES[0], dropout=0.5)
    cut, tensors, labels, weights = batches(recipe)
    model = make(FlatModel, recipe, network, cut, tensors)
    model.reset(recipe, 1, None)
    whole = model.train(tensors, labels, weights, rates(recipe))[0]
    model.reset(recipe, 1, None)
    parts = np.split(np.arange(3), np.cumsum(steps)[:-1])
    results = [
        model.train([tensor[part] for tensor in tensors], labels[part], weights[part], rates(recipe)[part])[0] for part in parts
    ]
    np.testing.assert_allclose(np.concatenate(results), whole, rtol=1e-6)


def test_a_batch_in_pieces_is_the_batch(network):
    size = 21  # pieces of 11 and 10
    recipe = Recipe(technique="full", learning_rate=1e-3, dropout=0.3)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (3, size, 32, 32, 3), np.uint8)]
    labels, weights = rng.integers(0, 2, (3, size)), rng.random((3, size), np.float32)
    results, after = [], []
    for threads in (1, None):
        model = FlatModel(recipe, network, 2, IMAGE, np.dtype(np.uint8), threads=threads)
        model.reset(recipe, 1, None)
        before = model.snapshot()
        results.append(np.array(model.train(images, labels, weights, rates(recipe))))
        after.append(model.snapshot() - before)
    np.testing.assert_allclose(results[0], results[1], rtol=1e-3)
    # Adam's first steps go by a gradient's sign alone: where it is zero but for rounding, they may differ.
    assert np.abs(after[0]).mean() > 3e-4
    assert np.quantile(np.abs(after[0] - after[1]), 0.9) < 1e-4


def test_threads_change_nothing(network, monkeypatch):
    """Each with pieces of its own, which are added up in their order whichever ends first."""
    monkeypatch.setattr("tlsearch.search.training.models.flat_model.MOST_PIECE", 5)
    recipe = Recipe(technique="full", learning_rate=1e-3, dropout=0.3)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 21, 32, 32, 3), np.uint8)
    labels, weights = rng.integers(0, 2, (3, 21)), rng.random((3, 21), np.float32)
    found = []
    for threads in (1, 3):
        model = FlatModel(recipe, network, 2, IMAGE, np.dtype(np.uint8), threads=threads)
        model.reset(recipe, 1, None)
        results = np.array(model.train([images], labels, weights, rates(recipe)))
        size = model.predict_batch_size
        rows = images.reshape(-1, 32, 32, 3)
        logits = np.concatenate([model.predict([rows[at : at + size]]) for at in range(0, len(rows), size)])
        found.append((results, model.snapshot(), logits))
        # The loop over steps, and in it the one over pieces.
        graph = model._train.get_concrete_function().graph.as_graph_def()
        nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
        assert {node.attr["parallel_iterations"].i for node in nodes if "While" in node.op} == {1, threads}
    for one, three in zip(*found, strict=True):
        np.testing.assert_array_equal(one, three)


def test_pieces_stay_in_the_cache(network):
    assert _piece_images(network, POOL + 1) is None, "a head's step takes less than the loop"
    assert _piece_images(network, IMAGE) == MOST_PIECE
    for factor, images in ((16, 13), (25, 8), (400, LEAST_PIECE)):  # as at 128, 160 and 640 pixels
        large = Network(network.size, tuple(replace_shape(step, factor) for step in network.steps))
        assert _piece_images(large, IMAGE) == images


def replace_shape(step, factor):
    """The step with so many times as many positions."""
    return dataclasses.replace(step, shape=(step.shape[0] * factor, *step.shape[1:]))


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5])
def test_dropout_drops_the_rate_asked_for_and_others_each_step(network, rate):
    """By the spread of a mean over 1,280 ones: √(rate / (1 − rate) / 1280), around 1. Known within 2% after 3,000 draws."""
    recipe = Recipe(technique="frozen", learning_rate=1e-13, dropout=rate)
    model = FlatModel(recipe, network, 2, POOL + 1, np.dtype(np.float16))
    average = np.stack([np.full(1280, 1 / 1280), np.zeros(1280)], axis=1).astype(np.float32)
    model.reset(recipe, 1, [average, np.zeros(2, np.float32)])
    steps = 3000
    losses, _ = model.train(
        [np.ones((steps, 1, 1280), np.float16)],
        np.zeros((steps, 1), np.int64),
        np.ones((steps, 1), np.float32),
        np.full(steps, recipe.learning_rate, np.float32),
    )
    # The loss is log(1 + exp(−mean)).
    means = -np.log(np.expm1(losses.astype(np.float64)))
    assert means.mean() == pytest.approx(1, abs=0.005)
    assert means.std() == pytest.approx(np.sqrt(rate / (1 - rate) / 1280), rel=0.06, abs=1e-4)
    if rate:
        assert len(np.unique(losses)) > steps / 30, "the same inputs are dropped in every step"


@pytest.mark.parametrize("layer", [60, 145])
def test_steps_on_activations_are_the_steps_from_pixels(layer, network, pixels):
    recipe = Recipe(technique="fine-tune", fine_tune_at=layer, learning_rate=1e-3)
    cut, weights = network.cut_for(layer), {step.index: step.weights for step in network.steps if step.weights}
    outputs = [np.asarray(tensor) for tensor in apply(network, {IMAGE: pixels[:8]}, weights, network.frontier(cut))]
    losses = []
    for start, tensors in ((cut, outputs), (IMAGE, [pixels[:8]])):
        model = FlatModel(recipe, network, 2, start, tensors[0].dtype)
        model.reset(recipe, 3, None)
        batch = [np.stack([tensor] * 3) for tensor in tensors]
        losses.append(model.train(batch, np.arange(24).reshape(3, 8) % 2, np.ones((3, 8), np.float32), rates(recipe))[0])
    np.testing.assert_allclose(losses[0], losses[1], rtol=2e-3)
    assert np.abs(np.diff(losses[0])).min() > 1e-3, "the steps changed nothing"


def test_trained_layers_make_the_network_that_was_trained(network, batches, pixels):
    recipe = RECIPES[1]
    cut, tensors, labels, weights = batches(recipe)
    model = make(FlatModel, recipe, network, cut, tensors)
    model.reset(recipe, 1, None)
    model.train(tensors, labels, weights, rates(recipe))
    snapshot = model.snapshot()
    trained = network.with_weights(model.layers_of(snapshot))
    assert set(model.layers_of(snapshot)) == {
        step.config["name"] for step in network.steps if step.weights and step.index >= 145
    }
    features = trained.build(IMAGE, POOL + 1).predict_on_batch(pixels[:8])
    kernel, bias = model.head_of(snapshot)
    np.testing.assert_allclose(features @ kernel + bias, model.predict([t[0] for t in tensors]), atol=1e-3)


def test_the_head_has_the_layers_of_the_recipe(plain):
    recipe = Recipe(technique="frozen", learning_rate=1e-3, head_units=8, head_layers=2)
    assert head_shapes(recipe, 1280, 5) == [(1280, 8), (8,), (8, 8), (8,), (8, 5), (5,)]
    head = build_model(recipe, plain, 5).get_layer("head")
    assert [tuple(weight.shape) for weight in head.weights] == head_shapes(recipe, 1280, 5)
