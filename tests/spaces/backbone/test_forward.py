import numpy as np
import pytest

from tlsearch.spaces.backbone.folding import fold
from tlsearch.spaces.backbone.forward import BATCH, _graph, _keras, compile_forward, images_a_call
from tlsearch.spaces.backbone.network import POOL
from tlsearch.spaces.backbone.spec import BackboneSpec, load_network

from ..factory import run

pytestmark = pytest.mark.trains


@pytest.fixture(scope="module")
def network():
    spec = BackboneSpec(0.35, 32, "starter")
    return load_network(spec, spec.locate())


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)


def test_every_way_gives_the_features_that_keras_gives(network, pixels):
    folded = fold(network)
    kept, steps = ([*one.frontier(100), POOL] for one in (network, folded))
    expected = run(network.build(0, POOL + 1, outputs=kept), pixels.astype(np.float32))
    for forward in (_graph(folded, steps, False, 1), _keras(folded, steps, False, 1), _keras(network, kept, False, 1)):
        found = forward(pixels)
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-4 * max(1.0, float(np.abs(theirs).max())))


@pytest.mark.parametrize("way", [_graph, _keras])
def test_averaged_outputs_are_the_means_over_the_positions(way, network, pixels):
    folded = fold(network)
    steps = list(folded.frontier(100))
    for whole, mean in zip(way(folded, steps, False, 1)(pixels), way(folded, steps, True, 1)(pixels), strict=True):
        np.testing.assert_allclose(mean, whole.mean(axis=(1, 2)), atol=1e-4)


def test_an_image_gives_the_same_alone_and_among_others(network, pixels):
    forward = compile_forward(fold(network), [POOL])
    (together,), (alone,) = forward(np.resize(pixels, (BATCH, 32, 32, 3))), forward(pixels[2:3])
    assert alone.shape == (1, 1280)
    np.testing.assert_allclose(together[2], alone[0], atol=1e-5)


@pytest.mark.parametrize("fold_first", [True, False])
def test_threads_change_nothing(fold_first, network):
    used = fold(network) if fold_first else network
    steps = [*used.frontier(100), POOL]
    images = np.random.default_rng(1).integers(0, 256, (images_a_call(3) - 1, 32, 32, 3), np.uint8)
    together = compile_forward(used, steps, threads=3)(images)
    alone = compile_forward(used, steps)
    parts = [alone(images[at : at + BATCH]) for at in range(0, len(images), BATCH)]
    for found, expected in zip(together, zip(*parts, strict=True), strict=True):
        np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-5)


def test_a_call_takes_a_batch_for_each_thread():
    assert [images_a_call(threads) for threads in (None, 1, 3)] == [BATCH, BATCH, 3 * BATCH]


def test_kept_batch_norm_goes_through_keras(network, pixels):
    (features,) = compile_forward(network, [POOL])(pixels)
    (folded,) = compile_forward(fold(network), [POOL])(pixels)
    np.testing.assert_allclose(features, folded, atol=1e-4)
