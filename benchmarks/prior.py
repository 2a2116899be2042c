"""What to expect before the first trial: fits the model of `search/statistics/expectation.py` to ``docs/evidence.json``.

    python benchmarks/prior.py             what other data sets would have told of each: Brier scores and regrets
    python benchmarks/prior.py --write     and writes the numbers that are shipped

Each data set is judged by a model that was fitted to the others (never to other cells of the same set). The Brier score is of
the probabilities of being best, 0 to 2; the regret of taking what is best in expectation, in points of test accuracy below the
best technique of the cell. Beside it stand the blog post's rule, which leaves it open between two techniques where the
similarity is uncertain, and the rules that always take the same.

The gaps y of a set's cells are normal about a linear function of the predictors, with a covariance between sets, one between
the searches of a set, and the error that images and seeds leave. Both covariances are those of the highest marginal posterior
density under a log-normal prior of their standard deviations (about 3 points, a factor of e). The prior of the gaps at the
middle of the predictors is normal with a standard deviation of 10 points; that of the slopes is narrow.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from evidence import EVIDENCE
from numpy.typing import NDArray
from scipy.optimize import minimize

from tlsearch.reports.answer.dataset import LARGE_PER_CLASS, RULE, Size
from tlsearch.search.depth_profile import DepthPoint, DepthProfile
from tlsearch.search.statistics.expectation import COMPARED, FREEDOM, foretell, predictors
from tlsearch.spaces.recipe import Technique

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "search" / "statistics" / "expectation.json"

COEFFICIENTS = np.array([0.1, 0.01, 0.01])
"""Standard deviations of the coefficients' prior, as shares of 1 for a predictor's unit. Steeper slopes would be learned from
the sets that are there, and contradicted by the next."""

SPREAD = 0.03
"""Median of the prior of the standard deviations between sets and between searches."""

DRAWS = 10_000

Cell = dict[str, Any]


def main() -> None:
    """Prints the table of scores; ``--write`` ships the model of all cells."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    cells = json.loads(EVIDENCE.read_text())
    print("| what is taken | Brier score | regret in points |\n|---|--:|--:|")
    for name, policy in {"the model, other sets": left_out(cells), **fixed_rules()}.items():
        scores = [judged(policy(cell), cell) for cell in cells]
        print(f"| {name} | {np.mean([one[0] for one in scores]):.3f} | {100 * np.mean([one[1] for one in scores]):.2f} |")
    learned = fit(cells)
    for technique, row in zip(COMPARED, np.reshape(learned["coefficients"], (-1, len(COMPARED))).T, strict=True):
        print(f"{technique} above frozen, in points:", *(f"{100 * value:+.1f}" for value in row))
    if asked.write:
        SHIPPED.write_text(json.dumps(learned) + "\n")


def left_out_models(cells: Sequence[Cell]) -> dict[str, dict[str, Any]]:
    """For each data set the model of all others."""
    return {name: fit([cell for cell in cells if cell["set"] != name]) for name in {cell["set"] for cell in cells}}


def left_out(cells: Sequence[Cell]) -> Callable[[Cell], NDArray[np.float64]]:
    """Scores that a model of all other sets expects of a cell, drawn: ``(DRAWS, 3)``."""
    models = left_out_models(cells)
    rng = np.random.default_rng(0)

    def expected(cell: Cell) -> NDArray[np.float64]:
        told = foretell(models[cell["set"]], known(cell))
        normal = rng.standard_normal((DRAWS, len(COMPARED))) @ np.linalg.cholesky(told.scale).T
        gaps = np.array(told.mean) + normal * np.sqrt(FREEDOM / rng.chisquare(FREEDOM, DRAWS))[:, None]
        return np.column_stack([np.zeros(DRAWS), gaps])

    return expected


def fixed_rules() -> dict[str, Callable[[Cell], NDArray[np.float64]]]:
    """Rules that take one technique, or one of two, as draws in which it is ahead."""
    order = list(Technique)
    rules: dict[str, Callable[[Cell], NDArray[np.float64]]] = {
        "the post's rule": lambda cell: np.eye(3)[[order.index(one) for one in ruled(cell)]]
    }
    for place, technique in enumerate(order):
        rules[f"always {technique}"] = lambda _, place=place: np.eye(3)[[place]]
    return rules


def ruled(cell: Cell) -> list[Technique]:
    """What the post's rule takes in a cell: one technique, or two that it leaves open where the similarity is uncertain."""
    if cell["rule"] is not None:
        return [Technique(cell["rule"])]
    size: Size = "large" if cell["train"] >= LARGE_PER_CLASS * cell["classes"] else "small"
    return [RULE[size, "similar"], RULE[size, "different"]]


def judged(drawn: NDArray[np.float64], cell: Cell) -> tuple[float, float]:
    """Brier score and regret of what draws of the techniques' scores say."""
    accuracy = np.array([cell["test_accuracy"][technique] for technique in Technique])
    best = np.isclose(accuracy, accuracy.max())
    chances = np.eye(3)[drawn.argmax(axis=1)].mean(axis=0)
    lost = (drawn.max(axis=1, keepdims=True) - drawn).mean(axis=0)
    taken = np.isclose(lost, lost.min())
    return float(((chances - best / best.sum()) ** 2).sum()), float(accuracy.max() - accuracy[taken].mean())


def known(cell: Cell) -> NDArray[np.float64]:
    """A cell's predictors."""
    points = tuple(DepthPoint(place, "", accuracy, (0.0, 1.0)) for place, accuracy in enumerate(cell["depth"]))
    profile = DepthProfile(points, cell["train"], cell["knn"]["chance"], 0.5)
    return predictors(cell["train"] / cell["classes"], profile)


def fit(cells: Sequence[Cell]) -> dict[str, Any]:
    """The model's numbers, as `foretell` takes them."""
    design = np.concatenate([np.kron(known(cell), np.eye(len(COMPARED))) for cell in cells])
    gaps = np.array(
        [cell["test_accuracy"][one] - cell["test_accuracy"][Technique.FROZEN] for cell in cells for one in COMPARED]
    )
    believed = np.repeat(COEFFICIENTS**2, len(COMPARED))
    same = np.array([[one["set"] == other["set"] for other in cells] for one in cells], float)
    error = np.zeros((len(gaps), len(gaps)))
    for place, cell in enumerate(cells):
        error[2 * place : 2 * place + 2, 2 * place : 2 * place + 2] = _error(cell)

    def covariance(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.kron(same, _square(values[:3])) + np.kron(np.eye(len(cells)), _square(values[3:])) + error

    def improbable(values: NDArray[np.float64]) -> float:
        marginal = covariance(values) + (design * believed) @ design.T
        lower = np.linalg.cholesky(marginal)
        spread = sum((values[place] - np.log(SPREAD)) ** 2 for place in (0, 2, 3, 5)) / 2
        return float(np.square(np.linalg.solve(lower, gaps)).sum() / 2 + np.log(lower.diagonal()).sum() + spread)

    start = np.array([np.log(SPREAD), 0, np.log(SPREAD)] * 2)
    found = minimize(improbable, start, method="L-BFGS-B", bounds=[(-7, 0), (-0.5, 0.5), (-7, 0)] * 2).x
    weighed = design.T @ np.linalg.inv(covariance(found))
    uncertainty = np.linalg.inv(weighed @ design + np.diag(1 / believed))
    return {
        "sets": len({cell["set"] for cell in cells}),
        "cells": len(cells),
        "coefficients": _rounded(uncertainty @ weighed @ gaps),
        "uncertainty": _rounded(uncertainty),
        "between_sets": _rounded(_square(found[:3])),
        "between_searches": _rounded(_square(found[3:])),
    }


def _square(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A covariance of two gaps from its Cholesky factor: logarithms on the diagonal."""
    lower = np.array([[np.exp(values[0]), 0], [values[1], np.exp(values[2])]])
    return lower @ lower.T


def _error(cell: Cell) -> NDArray[np.float64]:
    """Covariance of the errors of a cell's two gaps, from the intervals of all three differences."""
    variance = {(a, b): max((high - low) / 3.92, 0.003) ** 2 for a, b, _, (low, high), _ in cell["differences"]}
    own = [variance[str(Technique.FROZEN), str(technique)] for technique in COMPARED]
    most = 0.95 * np.sqrt(own[0] * own[1])
    both = np.clip((sum(own) - variance[str(COMPARED[0]), str(COMPARED[1])]) / 2, -most, most)
    return np.array([[own[0], both], [both, own[1]]])


def _rounded(values: NDArray[np.float64]) -> Any:
    return np.round(values, 7).tolist()


if __name__ == "__main__":
    main()
