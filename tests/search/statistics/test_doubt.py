import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.search.statistics.doubt import doubtful


def test_wrong_labels_are_found_the_surest_first():
    truth = np.repeat([0, 1, 2], 20)
    probabilities = np.full((60, 3), 0.1)
    probabilities[np.arange(60), truth] = 0.8
    probabilities[[5, 45]] = (0.01, 0.98, 0.01), (0.05, 0.05, 0.9)
    labels = truth.copy()
    labels[45] = 1
    places, likely = doubtful(probabilities, labels)
    assert (places.tolist(), likely.tolist()) == ([5, 45], [1, 2])


def test_an_image_that_no_class_is_sure_of_is_not_doubted():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.1, 0.9], [0.1, 0.9]])
    assert doubtful(probabilities, np.array([0, 0, 0, 1, 1]))[0].tolist() == []


@given(st.integers(0, 2**32 - 1))
def test_none_is_said_to_be_what_its_label_says(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, 50)
    places, likely = doubtful(rng.dirichlet(np.ones(4), 50), labels)
    assert (likely != labels[places]).all() and len(set(places.tolist())) == len(places)
