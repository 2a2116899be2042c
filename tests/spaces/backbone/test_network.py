import keras
import numpy as np
import pytest

from tlsearch.spaces.backbone.folding import fold
from tlsearch.spaces.backbone.network import IMAGE, POOL, network_of
from tlsearch.spaces.backbone.spec import BackboneSpec, load_network
from tlsearch.spaces.recipe import LAYERS
from tlsearch.spaces.space import BLOCK_STARTS

from ..factory import activations, run


def whole(network, images):
    return run(network.build(IMAGE, POOL + 1), images)


def test_is_the_network_that_keras_builds(images):
    keras.utils.set_random_seed(3)
    base = keras.applications.MobileNetV2(input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=None)
    pooled = run(base, images / 127.5 - 1).mean(axis=(1, 2))
    np.testing.assert_allclose(whole(network_of(base), images), pooled, atol=1e-5)


def test_only_the_first_inbound_node_counts(images):
    base = keras.applications.MobileNetV2(input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=None)
    before = network_of(base)
    base(keras.Input((32, 32, 3)))  # calling the base again appends nodes to its layers
    assert [step.inputs for step in network_of(base).steps] == [step.inputs for step in before.steps]


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("layer", [54, 100, 153])
def test_prefix_then_suffix_is_the_whole(network, images, folded, layer):
    network = fold(network) if folded else network
    cut = network.cut_for(layer)
    if cut == IMAGE:
        pytest.skip("training starts from pixels: there is no prefix")
    suffix = network.build(cut, POOL + 1, first_trained_layer=layer)
    tensors = activations(network, cut, images)
    assert [tensor.shape[1:] for tensor in tensors] == network.shapes_at(cut)
    np.testing.assert_allclose(run(suffix, tensors), whole(network, images), atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("folded", [False, True])
def test_prefix_then_suffix_is_the_whole_at_every_layer(network, images, folded):
    network = fold(network) if folded else network
    expected = whole(network, images)
    for cut in sorted({network.cut_for(layer) for layer in range(1, LAYERS)} - {IMAGE}):
        tensors = activations(network, cut, images)
        np.testing.assert_allclose(network.build(cut, POOL + 1)(tensors), expected, atol=2e-5, err_msg=f"cut {cut}")


def test_block_starts_are_those_of_the_network(network):
    starts = [step.index for step in network.steps if step.config["name"] in {f"block_{n}_expand" for n in range(1, 17)}]
    assert tuple(starts) == BLOCK_STARTS


def test_the_cut_is_the_cheapest_frontier_at_or_below_within_its_block():
    network = load_network(BackboneSpec(0.35, 160, "random"), None)
    assert network.cut_for(100) == 98
    assert [network.cut_for(layer) for layer in (54, 81, 116, 134)] == [54, 81, 116, 134]
    for layer in range(1, LAYERS):
        cut = network.cut_for(layer)
        assert cut <= layer
        if cut != IMAGE:
            start = max(start for start in (*BLOCK_STARTS, 151) if start <= layer)
            assert start <= cut
            assert all(network.values_at(cut) <= network.values_at(other) for other in range(start, layer + 1))
            assert 2 * network.values_at(cut) < 3 * 160**2


def test_nothing_trained_and_everything_trained(network):
    assert network.cut_for(LAYERS) == POOL + 1
    assert network.cut_for(0) == IMAGE
    assert network.frontier(POOL + 1) == (POOL,)


@pytest.mark.parametrize("layer", [0, 54, 100, LAYERS])
def test_exactly_the_layers_from_n_on_are_trainable(network, layer):
    model = network.build(IMAGE, POOL + 1, first_trained_layer=layer)
    base = keras.applications.MobileNetV2(input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=None)
    for frozen in base.layers[:layer]:
        frozen.trainable = False
    assert len(model.trainable_variables) == len(base.trainable_variables)


def test_thaw_undoes_an_earlier_freeze(network):
    model = network.build(IMAGE, POOL + 1, first_trained_layer=100)
    network.thaw(model, 0)
    assert len(model.trainable_variables) == 156
    network.thaw(model, LAYERS)
    assert model.trainable_variables == []


@pytest.mark.parametrize(("mode", "moves"), [("inference", False), ("train", True)])
def test_batch_norm_uses_batch_statistics_in_train_mode_only(network, images, mode, moves):
    model = network.build(IMAGE, POOL + 1, first_trained_layer=100, batch_norm=mode)
    normal = next(layer for layer in model.layers if layer.name == "block_16_project_BN")
    before = normal.moving_mean.numpy().copy()
    model(images, training=True)
    assert (np.abs(normal.moving_mean.numpy() - before).max() > 0) == moves
    frozen = next(layer for layer in model.layers if layer.name == "block_1_project_BN")
    assert not frozen.trainable
