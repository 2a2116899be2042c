"""Which engine and algorithm finds the best recipes? Played on a model of measured trials, with as many seeds as one likes.

    python benchmarks/algorithms.py STUDY… --trials 9 20 60 --seeds 20

A real search of twenty trials has one result, which differs from seed to seed by more than the algorithms do. So the trials of
the given studies, complete or pruned, make a *surrogate* (Eggensperger et al. 2015): for each technique a forest of trees that
predicts a recipe's validation accuracy on each study's data set. The algorithms search on it as they do in a real search, with
the fair start before them; what they see is the prediction with the noise of the set's validation images. The regret of a
technique is how far the finalist's prediction is below that of the best of 2,000 random recipes, in points.

It says how well the algorithms use what is in the trials. What the trees do not show, such as a narrow peak that no study has
met, it cannot say.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import report
from sklearn.ensemble import ExtraTreesRegressor

from tlsearch.search.engines import ALGORITHMS, WAIT, make_engine
from tlsearch.search.engines.fair_start import fair_start
from tlsearch.spaces.ranges import Values
from tlsearch.spaces.recipe import Recipe, Technique
from tlsearch.spaces.space import SearchSpace

SPACE = SearchSpace()
RANDOM = 2000
"""Recipes of a technique among which the best that there is is looked for."""

LEFT_OUT = ("hyperband", "grid")
"""Left out: a grid enumerates, and Hyperband shortens trials, of which the surrogate knows nothing."""


class Surrogate:
    """Predicts the validation accuracy of recipes on the data sets of some studies.

    Args:
        reports: JSON reports of the studies.
    """

    def __init__(self, reports: list[dict[str, Any]]) -> None:
        self.sets = sorted({found["data"]["fingerprint"] for found in reports})
        self.images = {found["data"]["fingerprint"]: found["data"]["val"] for found in reports}
        rows: dict[Technique, list[tuple[list[float], float]]] = defaultdict(list)
        for found in reports:
            for trial in found["trials"]:
                if trial["val_accuracy"] is not None:
                    recipe = Recipe.from_dict(trial["recipe"])
                    features = self._features(recipe, found["data"]["fingerprint"])
                    rows[recipe.technique].append((features, trial["val_accuracy"]))
        self.trials = sum(map(len, rows.values()))
        self._trees = {
            technique: ExtraTreesRegressor(100, min_samples_leaf=2, max_features=0.7, random_state=0).fit(
                *zip(*own, strict=True)
            )
            for technique, own in rows.items()
        }

    def predict(self, recipes: list[Recipe], data: str) -> np.ndarray:
        """Accuracies of recipes of one technique."""
        return np.asarray(self._trees[recipes[0].technique].predict([self._features(recipe, data) for recipe in recipes]))

    def _features(self, recipe: Recipe, data: str) -> list[float]:
        own = [math.log10(recipe.learning_rate), recipe.first_trained_layer, recipe.head_layers, recipe.dropout]
        return [*own, *(float(data == other) for other in self.sets)]


def played(surrogate: Surrogate, data: str, engine: str, algorithm: str, trials: int, seed: int) -> dict[Technique, float]:
    """Each technique's finalist's accuracy, without noise, after a search on the surrogate."""
    rng = np.random.default_rng(seed)
    searcher = make_engine(engine, algorithm, SPACE, seed=seed, maximize=True)
    seen: dict[Technique, tuple[float, float]] = {}
    for number, values in enumerate(proposed(searcher, trials, seed)):
        recipe = SPACE.recipe(values)
        (true,) = surrogate.predict([recipe], data)
        noise = math.sqrt(max(true * (1 - true), 0.0) / surrogate.images[data])
        score = float(np.clip(true + rng.normal(0, noise), 0, 1))
        searcher.observe(number, score)
        seen[recipe.technique] = max(seen.get(recipe.technique, (0.0, 0.0)), (score, true))
    return {technique: true for technique, (_, true) in seen.items()}


def proposed(searcher: Any, trials: int, seed: int) -> Iterator[Values]:
    """What a search with one worker tries: the fair start, then what the engine proposes."""
    design = fair_start(SPACE, trials, seed)
    for number in range(trials):
        if number < len(design):
            searcher.adopt(number, design[number])
            yield design[number]
        elif (values := searcher.propose(number)) is not WAIT:
            yield values


def best_of(surrogate: Surrogate, data: str) -> dict[Technique, float]:
    """The best accuracy of random recipes of each technique."""
    best = {}
    for technique in Technique:
        random = make_engine("optuna", "random", SPACE.replace(techniques=(technique,)), seed=0, maximize=True)
        recipes = [SPACE.recipe(random.propose(number)) for number in range(RANDOM)]  # type: ignore[arg-type]
        best[technique] = float(surrogate.predict(recipes, data).max())
    return best


def main() -> None:
    """Plays every algorithm on every set, and prints the mean regrets with their standard errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", type=Path, nargs="+")
    parser.add_argument("--trials", type=int, nargs="+", default=[20])
    parser.add_argument("--seeds", type=int, default=20)
    asked = parser.parse_args()
    surrogate = Surrogate([report(study) for study in asked.studies])
    best = {data: best_of(surrogate, data) for data in surrogate.sets}
    result: dict[str, Any] = {}
    for trials in asked.trials:
        for engine, algorithm in ((e, a) for e, own in ALGORITHMS.items() for a in own if a not in LEFT_OUT):
            regrets = defaultdict(list)
            for data in surrogate.sets:
                for seed in range(asked.seeds):
                    for technique, true in played(surrogate, data, engine, algorithm, trials, seed).items():
                        regrets[technique].append(100 * (best[data][technique] - true))
            mean = {str(technique): round(statistics.mean(own), 2) for technique, own in regrets.items()}
            error = {str(t): round(statistics.stdev(own) / math.sqrt(len(own)), 2) for t, own in regrets.items()}
            print(f"{trials:3} {engine} {algorithm:9} {'  '.join(f'{t} {mean[t]} ± {error[t]}' for t in mean)}", flush=True)
            result[f"{trials} {engine} {algorithm}"] = mean
    about = {"sets": len(surrogate.sets), "measured_trials": surrogate.trials, "seeds": asked.seeds}
    print(json.dumps({"benchmark": "algorithms", **about, "regret": result}))


if __name__ == "__main__":
    main()
