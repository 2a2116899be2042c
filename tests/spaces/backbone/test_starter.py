"""The built-in weights must really transfer: to classes that they were not trained on, from a head alone."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tlsearch.search.data import open_folder
from tlsearch.search.data.demo import write_demo
from tlsearch.search.training.inputs import PixelInputs
from tlsearch.spaces.backbone.network import IMAGE, POOL
from tlsearch.spaces.backbone.spec import STARTER, BackboneSpec, load_network

MARGIN = 0.15


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return open_folder(write_demo("small-similar", cache), size=96, cache_dir=cache)


def accuracy_of_a_head(dataset, weights):
    spec = BackboneSpec(0.35, 96, weights)
    network = load_network(spec, spec.locate())
    (images,) = PixelInputs(dataset, 0).batch(np.arange(len(dataset.labels)), 0)
    features = network.build(IMAGE, POOL + 1, name="features").predict(images, verbose=0)
    scaler = StandardScaler().fit(features[dataset.train])
    head = LogisticRegression(C=0.1, max_iter=500).fit(scaler.transform(features[dataset.train]), dataset.labels[dataset.train])
    return head.score(scaler.transform(features[dataset.test]), dataset.labels[dataset.test])


@pytest.mark.slow
@pytest.mark.trains
def test_a_head_on_the_starter_weights_beats_one_on_random_weights(dataset):
    assert accuracy_of_a_head(dataset, "starter") >= accuracy_of_a_head(dataset, "random") + MARGIN


def test_the_file_is_small():
    assert STARTER.stat().st_size <= 1.2e6
