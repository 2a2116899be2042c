import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from tlsearch.search.metrics import softmax
from tlsearch.search.training.logistic import MOST_IMAGES, SolvedHead, is_solvable
from tlsearch.spaces.recipe import Recipe


def path(**changes):
    return Recipe(**{"technique": "frozen", "learning_rate": 1e-3, "l2_path": True, **changes})


def test_a_head_of_one_layer_on_a_path_of_penalties_is_solved():
    assert is_solvable(path(), MOST_IMAGES) and is_solvable(path(class_weight="balanced"), 10)
    assert not is_solvable(path(), MOST_IMAGES + 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"l2_path": False},
        {"technique": "full"},
        {"head_units": 8, "head_layers": 1},
        {"dropout": 0.1},
        {"label_smoothing": 0.1},
        {"augment": True},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_not_convex_or_changes_from_pass_to_pass_is_trained_by_steps(changes):
    assert not is_solvable(path(**changes), 100)


@given(st.integers(2, 5), st.integers(0, 2**31), st.booleans())
@settings(max_examples=20, deadline=None)
def test_the_head_gives_the_probabilities_of_the_regression(classes, seed, weighted):
    rng = np.random.default_rng(seed)
    labels = np.resize(np.arange(classes), 60)
    features = (rng.normal(size=(60, 12)) + labels[:, None] * 0.3).astype(np.float32)
    weights = rng.uniform(0.5, 2, 60).astype(np.float32) if weighted else np.ones(60, np.float32)
    head = SolvedHead(features, labels, weights)
    head.solve(1e-3)
    (kernel, bias), probabilities, passes = head.solve(0.1)
    assert (
        kernel.shape == (12, classes) and bias.shape == (classes,) and kernel.dtype == bias.dtype == np.float32 and passes > 0
    )
    np.testing.assert_allclose(softmax(features @ kernel + bias), probabilities, atol=1e-4)
    cold = LogisticRegression(C=0.1, max_iter=1000, tol=1e-6).fit(features, labels, weights)
    np.testing.assert_allclose(probabilities, cold.predict_proba(features), atol=0.01)
