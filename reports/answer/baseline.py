"""What one would score without looking at a picture: a model that does not beat it is of no use, whatever its accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...search.metrics import scores
from ...search.settings import DataSettings
from ...search.trial import Metric


@dataclass(frozen=True, slots=True)
class Baseline:
    """The best answer that is the same for every test image.

    Attributes:
        label: The class that is always answered: the most frequent one of the training split. Of ``log_loss`` the answer is the
            classes' frequencies there, and this is empty.
        score: By the study's metric, on the test split.
    """

    label: str
    score: float


def baseline_of(data: DataSettings, metric: Metric) -> Baseline:
    """The baseline of a data set."""
    shares = np.array(data.train_per_class, np.float64) / max(1, sum(data.train_per_class))
    most = int(shares.argmax())
    answer = shares if metric == "log_loss" else np.eye(len(shares))[most]
    labels = np.repeat(np.arange(len(shares)), data.test_per_class)
    probabilities = np.tile(answer.astype(np.float32), (len(labels), 1))
    score = scores(probabilities, labels)[metric] if len(labels) else float("nan")
    return Baseline("" if metric == "log_loss" else data.classes[most], score)
