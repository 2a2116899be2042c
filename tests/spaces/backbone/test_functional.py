import numpy as np
import pytest
import tensorflow as tf

from tlsearch.spaces.backbone.folding import fold
from tlsearch.spaces.backbone.functional import apply
from tlsearch.spaces.backbone.network import IMAGE, POOL, Network
from tlsearch.spaces.recipe import LAYERS

from ..factory import activations


@pytest.fixture(scope="module")
def folded(network):
    return fold(network)


def run(network: Network, known: dict, outputs: list[int]) -> list[np.ndarray]:
    weights = {step.index: step.weights for step in network.steps if step.weights}
    return [np.asarray(output) for output in apply(network, known, weights, outputs)]


def test_gives_every_step_that_keras_gives(folded, images):
    steps = [step.index for step in folded.steps if step.index > IMAGE]
    expected = folded.build(IMAGE, POOL + 1, outputs=steps).predict_on_batch(images)
    for index, ours, theirs in zip(steps, run(folded, {IMAGE: images}, steps), expected, strict=True):
        assert ours.shape[1:] == folded.step(index).shape
        np.testing.assert_allclose(ours, theirs, atol=2e-5 * max(1.0, float(np.abs(theirs).max())), err_msg=f"step {index}")


def test_prefix_then_suffix_is_the_whole_at_every_layer(folded, images):
    (expected,) = run(folded, {IMAGE: images}, [POOL])
    cuts = sorted({folded.cut_for(layer) for layer in range(1, LAYERS)} - {IMAGE})
    wanted = sorted({index for cut in cuts for index in folded.frontier(cut)})
    outputs = dict(zip(wanted, run(folded, {IMAGE: images}, wanted), strict=True))
    for layer in range(1, LAYERS):
        if (cut := folded.cut_for(layer)) != IMAGE:
            (found,) = run(folded, {index: outputs[index] for index in folded.frontier(cut)}, [POOL])
            np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=f"fine_tune_at {layer}")


def test_gradients_on_activations_are_those_from_pixels_at_every_layer(folded, images):
    direction = np.random.default_rng(2).normal(size=(3, 1280)).astype(np.float32)

    def gradients(known: dict, first: int) -> dict[int, list[np.ndarray]]:
        """Of a loss on the pooled features, for the weights from step ``first`` on."""
        weights = {s.index: [tf.constant(a) for a in s.weights] for s in folded.steps if s.weights and s.index >= first}
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss = tf.reduce_sum(apply(folded, known, weights, [POOL])[0] ** 2 * direction)
        return tape.gradient(loss, weights)

    expected = gradients({IMAGE: images}, IMAGE)
    found: dict[int, dict] = {}
    for layer in range(1, LAYERS):
        if (cut := folded.cut_for(layer)) == IMAGE:
            continue
        if cut not in found:
            known = dict(zip(folded.frontier(cut), run(folded, {IMAGE: images}, folded.frontier(cut)), strict=True))
            found[cut] = gradients(known, cut)
        trained = [step.index for step in folded.steps if step.weights and step.index >= layer]
        for index in trained:
            for ours, theirs in zip(found[cut][index], expected[index], strict=True):
                scale = float(np.abs(theirs).max())
                np.testing.assert_allclose(ours, theirs, atol=1e-5 + 1e-4 * scale, err_msg=f"fine_tune_at {layer}")


def test_pixels_may_be_of_any_type(folded, images):
    bytes_, floats = run(folded, {IMAGE: images.astype(np.uint8)}, [POOL]), run(folded, {IMAGE: images}, [POOL])
    np.testing.assert_array_equal(bytes_, floats)


def test_what_is_known_is_not_computed_again(folded, images):
    cut = folded.cut_for(134)
    known = dict(zip(folded.frontier(cut), activations(folded, cut, images), strict=True))
    weights = {step.index: step.weights for step in folded.steps if step.weights and step.index >= cut}
    assert apply(folded, known, weights, [POOL])[0].shape == (3, 1280)


def test_a_network_that_is_not_folded_is_refused(network, images):
    with pytest.raises(ValueError, match="fold the network first"):
        run(network, {IMAGE: images}, [POOL])
