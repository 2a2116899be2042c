"""The metrics that selection and verdict may use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .trial import Metric


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Probabilities ``(n, classes)`` float32 of logits of the same shape."""
    shifted = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(np.float64))
    probabilities: NDArray[np.float32] = (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def log_loss(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Mean negative log-likelihood in nats; probabilities are bounded away from 0 by float32's resolution."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(chosen, np.finfo(np.float32).eps)).mean())


def confusion_matrix(labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """How many images of each class, the row, were taken for each class, the column: ``(classes, classes)``.

    What scikit-learn's function of this name gives, whose import takes longer than all of a report.
    """
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def scores(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> dict[Metric, float]:
    """Every metric of ``probabilities`` ``(n, classes)`` against ``labels`` ``(n,)``.

    ``balanced_accuracy`` is the mean recall and ``macro_f1`` the mean F1 over the classes that occur in ``labels``.
    """
    predicted = probabilities.argmax(axis=1)
    matrix = confusion_matrix(labels, predicted, probabilities.shape[1])
    right, labelled, taken = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    present = labelled > 0
    return {
        "accuracy": float((predicted == labels).mean()),
        "balanced_accuracy": float((right[present] / labelled[present]).mean()),
        "macro_f1": float((2 * right[present] / (labelled + taken)[present]).mean()),
        "log_loss": log_loss(probabilities, labels),
    }
