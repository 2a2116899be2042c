"""Heads of one Dense layer, solved to their optimum instead of trained by steps: a regularised logistic regression."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...spaces.recipe import Recipe

MOST_IMAGES = 10_000
"""Of more training images, whose features would fill 50 MB and more, steps reach the optimum as well."""


def is_solvable(recipe: Recipe, images: int) -> bool:
    """Whether a recipe's main stage is a convex problem of a size to be solved at once: its rate and epochs play no part."""
    stepped = recipe.head_layers or recipe.dropout or recipe.label_smoothing or recipe.augment
    return recipe.trains_path and not stepped and images <= MOST_IMAGES


def _regression() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(warm_start=True, max_iter=1000)


@dataclass(frozen=True, slots=True, eq=False)
class SolvedHead:
    """Logistic regressions with one L2 penalty after the other, each from the solution before.

    Attributes:
        features: Standardised, ``(n, features)``.
        labels: ``(n,)``.
        weights: Of the images, ``(n,)``.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    weights: NDArray[np.float32]
    _model: Any = field(default_factory=_regression)

    def solve(self, inverse_strength: float) -> tuple[list[NDArray[np.float32]], NDArray[np.float64], int]:
        """The head with a penalty whose C in scikit-learn's sense is given.

        Returns:
            Kernel and bias, the probabilities of the images, ``(n, classes)``, and how often the images were passed over.
        """
        model = self._model.set_params(C=inverse_strength)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "failed to converge": a thousand passes are near enough
            model.fit(self.features, self.labels, self.weights)
        kernel, bias = model.coef_.T, model.intercept_
        if len(model.classes_) == 2:
            # One vector, for the second class against the first: a softmax has half of it for each.
            kernel, bias = np.hstack([-kernel, kernel]) / 2, np.concatenate([-bias, bias]) / 2
        arrays = [np.asarray(array, np.float32) for array in (kernel, bias)]
        return arrays, model.predict_proba(self.features), int(model.n_iter_[0])
