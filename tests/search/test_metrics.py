import numpy as np
import pytest
from sklearn import metrics as sk

from tlsearch.search.metrics import confusion_matrix, log_loss, scores, softmax
from tlsearch.search.selection import better, maximized


@pytest.fixture
def sample():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 200)
    return softmax(rng.normal(size=(200, 4)) + 1.5 * np.eye(4)[labels]), labels


def test_agrees_with_scikit_learn(sample):
    probabilities, labels = sample
    predicted = probabilities.argmax(axis=1)
    found = scores(probabilities, labels)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(labels, predicted))
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(labels, predicted))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(labels, predicted, average="macro"))
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)  # scikit-learn insists
    assert found["log_loss"] == pytest.approx(sk.log_loss(labels, exact), abs=1e-6)


def test_classes_that_are_not_tested_do_not_count(sample):
    probabilities, labels = sample
    rows = labels != 2
    predicted, present = probabilities[rows].argmax(axis=1), [0, 1, 3]
    found = scores(probabilities[rows], labels[rows])
    assert found["balanced_accuracy"] == pytest.approx(
        sk.recall_score(labels[rows], predicted, labels=present, average="macro")
    )
    assert found["macro_f1"] == pytest.approx(sk.f1_score(labels[rows], predicted, labels=present, average="macro"))
    expected = sk.confusion_matrix(labels[rows], predicted, labels=range(4))
    np.testing.assert_array_equal(confusion_matrix(labels[rows], predicted, 4), expected)


def test_a_certain_mistake_costs_a_finite_loss():
    assert np.isfinite(log_loss(np.array([[1.0, 0.0]]), np.array([1])))


def test_softmax_of_large_logits_is_finite():
    np.testing.assert_allclose(softmax(np.array([[1000.0, 0.0]])), [[1.0, 0.0]])


def test_less_log_loss_and_more_of_the_others_is_better():
    assert better("log_loss", 0.1, 0.2) and not better("accuracy", 0.1, 0.2)
    assert not better("accuracy", 0.2, 0.2)
    assert [maximized(metric) for metric in ("accuracy", "macro_f1", "log_loss")] == [True, True, False]
