from dataclasses import replace

import numpy as np
import pytest

from tlsearch.spaces.backbone.folding import fold
from tlsearch.spaces.backbone.network import IMAGE, POOL
from tlsearch.spaces.backbone.spec import ALPHAS, BackboneSpec, load_network

from ..conftest import with_random_statistics
from ..factory import run


@pytest.mark.parametrize("alpha", [alpha if alpha == 0.35 else pytest.param(alpha, marks=pytest.mark.slow) for alpha in ALPHAS])
def test_the_folded_network_gives_the_same_features(alpha, images):
    network = with_random_statistics(load_network(BackboneSpec(alpha, 32, "random"), None))
    folded = fold(network)
    assert sum(step.kind == "BatchNormalization" for step in folded.steps) == 0
    assert len(network.steps) - len(folded.steps) == 52 + 4, "the BatchNorm layers and the paddings"
    expected = run(network.build(IMAGE, POOL + 1), images)
    found = run(folded.build(IMAGE, POOL + 1), images)
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1.0, float(np.abs(expected).max())))
    assert np.abs(expected).max() > 0.01


def test_layers_keep_the_numbers_of_the_original(network):
    names = {step.index: step.config["name"] for step in network.steps}
    for step in fold(network).steps:
        assert names[step.index] == step.config["name"]


def test_padding_stays_before_a_convolution_that_pads_by_itself(network):
    padding = next(step for step in network.steps if step.kind == "ZeroPadding2D")
    steps = (
        replace(step, config={**step.config, "padding": "same"}) if padding.index in step.inputs else step
        for step in network.steps
    )
    folded = fold(replace(network, steps=tuple(steps)))
    assert folded.step(padding.index).kind == "ZeroPadding2D"
    assert fold(network).step(padding.index).kind != "ZeroPadding2D"


def test_a_batch_norm_behind_something_else_is_refused(network):
    broken = [step for step in network.steps if step.index <= 2]
    relu = next(step for step in network.steps if step.kind == "ReLU")
    batch_norm = broken[-1]
    steps = (broken[0], type(relu)(1, relu.kind, relu.config, (0,), relu.shape), batch_norm)
    with pytest.raises(ValueError, match="Conv2D or DepthwiseConv2D"):
        fold(type(network)(32, steps))
