"""Would an interval over folds be right? Small data sets drawn from large ones, against the truth on the images left out.

    python benchmarks/folds.py SETS --weights FILE --images 300 --repeats 400
    python benchmarks/folds.py SETS --weights FILE --images 300 --repeats 40 --fine-tune

Each repeat draws ``--images`` images of a set and compares two heads on its frozen features: one on those of the last layer,
one on those of an earlier block; C is chosen on a validation part, as a search does. With ``--fine-tune`` it compares the first
recipes that a search tries of ``frozen`` and of ``fine-tune``, as tlsearch trains them. Once on a split of 70, 15 and 15%, and
once on five stratified folds, each of which chooses for itself. The truth is what the same models score on all images that were
not drawn, or ``OTHERS`` of them (``these models``), or its mean over all repeats (``such models``: others of the same kind,
trained on other images).
One line a set: the half-width of the 95% interval of the difference and how often it holds the truth, for

    split      paired over the test images of the one split
    images     paired over all images, each predicted by the fold that did not see it
    folds      Student's t over the folds' differences
    corrected  the same with the correction for overlapping training sets (Nadeau & Bengio 2003)
    both       the images' interval, as wide as the corrected one where that is wider
    wider      the images' interval, as wide as that of the folds where that is wider

The last line is JSON.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split

from tlsearch.search import open_folder
from tlsearch.search.activations.extract import Extractor
from tlsearch.search.data.split import Fold
from tlsearch.search.engines.fair_start import fair_start
from tlsearch.search.events import ignore
from tlsearch.search.options import SearchOptions
from tlsearch.search.phases.extract import CacheFiller
from tlsearch.search.training.trainer import Job
from tlsearch.search.workers.messages import Begin, Train, Trained
from tlsearch.search.workers.processes import ProcessPool
from tlsearch.spaces import BackboneSpec
from tlsearch.spaces.backbone.spec import load_network, weights_fingerprint
from tlsearch.spaces.recipe import Technique
from tlsearch.spaces.space import SearchSpace

FOLDS = 5
INVERSE_STRENGTHS = (1e-3, 1e-2, 1e-1)
EARLIER = 13
"""Which of the network's blocks the second head reads."""

OTHERS = 1500
"""Images that were not drawn on which a fine-tuned model is tested at most."""


def features_of(folder: Path, size: int, weights: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Two kinds of features of all images, and their labels. As many components as tell nearly everything: it is faster."""
    with tempfile.TemporaryDirectory() as scratch:
        data = open_folder(folder, size=size, cache_dir=Path(scratch))
        backbone = BackboneSpec(0.35, size, weights)
        file = backbone.locate()
        context = SearchOptions(backbone=backbone, cache_dir=Path(scratch)).context(
            data, file, weights_fingerprint(backbone, file)
        )
        blocks = Extractor(context, load_network(backbone, file)).features(np.arange(len(data.labels)))
    return [
        PCA(min(64, blocks[which].shape[1]), whiten=True).fit_transform(blocks[which]) for which in (-1, EARLIER)
    ], data.labels


def right(features: np.ndarray, labels: np.ndarray, rows: np.ndarray, val: np.ndarray) -> np.ndarray:
    """Whether a head trained on ``rows`` is right about each image there is, C being chosen on ``val``."""
    best, chosen = -1.0, np.zeros(len(labels), bool)
    for inverse in INVERSE_STRENGTHS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            head = LogisticRegression(C=inverse, max_iter=200).fit(features[rows], labels[rows])
        scored = head.predict(features) == labels
        if scored[val].mean() > best:
            best, chosen = float(scored[val].mean()), scored
    return chosen


def draw(labels: np.ndarray, images: int, rng: np.random.Generator, others: int) -> list[Fold]:
    """The split of so many images first, then their folds. Each is tested on its own test images and then on the others."""
    drawn, rest = train_test_split(
        np.arange(len(labels)), train_size=images, stratify=labels, random_state=int(rng.integers(2**31))
    )
    rest = rng.permutation(rest)[:others]
    kept, test = train_test_split(drawn, test_size=0.15, stratify=labels[drawn], random_state=int(rng.integers(2**31)))
    divided = StratifiedKFold(FOLDS, shuffle=True, random_state=int(rng.integers(2**31))).split(drawn, labels[drawn])
    found = []
    for mine, own in [(kept, test), *((drawn[mine], drawn[own]) for mine, own in divided)]:
        train, val = train_test_split(mine, test_size=0.15 / 0.85, random_state=int(rng.integers(2**31)))
        found.append(Fold(np.sort(train), np.sort(val), np.concatenate([own, rest])))
    return found


def of_heads(kinds: list[np.ndarray], labels: np.ndarray, folds: list[Fold]) -> Iterator[np.ndarray]:
    """By how much the first head is righter than the second about each test image of a fold: −1, 0 or 1."""
    for fold in folds:
        first, second = (right(features, labels, fold.train, fold.val)[fold.test] for features in kinds)
        yield first.astype(int) - second


def of_techniques(folder: Path, size: int, weights: str, folds: list[Fold]) -> Iterator[np.ndarray]:
    """The same of the first recipes of ``fine-tune`` and ``frozen``."""
    space, backbone = SearchSpace(), BackboneSpec(0.35, size, weights)
    recipes = [space.recipe(values) for values in fair_start(space, len(space.techniques), 0)]
    recipes = [recipe for recipe in recipes if recipe.technique is not Technique.FULL]
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        data = open_folder(folder, size=size, cache_dir=scratch)
        rows = np.arange(len(data.labels))
        data = dataclasses.replace(data, train=rows, val=rows[:1], test=rows, folds=tuple(folds))
        file = backbone.locate()
        context = SearchOptions(backbone=backbone, cache_dir=scratch).context(data, file, weights_fingerprint(backbone, file))
        pool = stack.enter_context(ProcessPool(1, 1))
        pool.begin(Begin(context, tuple(recipe.first_trained_layer for recipe in recipes), folded=True))
        filler = stack.enter_context(CacheFiller(pool, context, space, pool.wait_until_ready().values_at, ignore))
        cached = filler.fill("search")
        for place, fold in enumerate(folds):
            hits: dict[Technique, np.ndarray] = {}
            jobs = [Job(recipe, place, head_seed=place, test=True, fold=place) for recipe in recipes]
            for task, answer in pool.map([Train(number, job, cached) for number, job in enumerate(jobs)]):
                assert isinstance(answer, Trained) and answer.outcome and answer.outcome.test is not None
                hits[task.job.recipe.technique] = answer.outcome.test.argmax(axis=1) == data.labels[fold.test]
            yield hits[Technique.FINE_TUNE].astype(int) - hits[Technique.FROZEN]


def repeat(folds: list[Fold], images: int, found: Iterator[np.ndarray]) -> Iterator[tuple[str, float, float, float]]:
    """Of each kind of interval: its name, the difference, the half-width, and these models' difference on other images."""
    split, *divided = folds
    others = len(split.test) - round(0.15 * images)
    own = next(found)
    yield "split", *paired(own[:-others]), float(own[-others:].mean())
    within, outside, by_fold = [], [], []
    for _ in divided:
        own = next(found)
        within.append(own[:-others])
        by_fold.append(float(within[-1].mean()))
        outside.append(float(own[-others:].mean()))
    truth, (mean, alone) = float(np.mean(outside)), paired(np.concatenate(within))
    spread, critical = float(np.std(by_fold, ddof=1)), float(stats.t.ppf(0.975, FOLDS - 1))
    corrected = critical * spread * math.sqrt(1 / FOLDS + 1 / (FOLDS - 1))
    widths = {
        "images": alone,
        "folds": critical * spread / math.sqrt(FOLDS),
        "corrected": corrected,
        "both": max(alone, corrected),
        "wider": max(alone, critical * spread / math.sqrt(FOLDS)),
    }
    yield from ((name, mean, width, truth) for name, width in widths.items())


def paired(found: np.ndarray) -> tuple[float, float]:
    """The mean of differences, and half of its 95% interval."""
    return float(found.mean()), 1.96 * float(found.std(ddof=1)) / math.sqrt(len(found))


def main() -> None:
    """One set after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+", help="folders of images, at least a thousand more than are drawn")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--fine-tune", action="store_true", help="tlsearch's own recipes, which takes a minute a repeat")
    asked = parser.parse_args()
    result: dict[str, Any] = {}
    for folder in asked.sets:
        kinds, labels = features_of(folder, asked.size, asked.weights)
        rng = np.random.default_rng(0)
        drawn = [draw(labels, asked.images, rng, OTHERS if asked.fine_tune else len(labels)) for _ in range(asked.repeats)]
        every = [fold for folds in drawn for fold in folds]
        by_fold = of_techniques(folder, asked.size, asked.weights, every) if asked.fine_tune else of_heads(kinds, labels, every)
        found: dict[str, list[tuple[float, float, float]]] = {}
        for number, folds in enumerate(drawn, 1):
            for name, *one in repeat(folds, asked.images, by_fold):
                found.setdefault(name, []).append((one[0], one[1], one[2]))
            if asked.fine_tune and number % 10 == 0 and number < asked.repeats:
                print(folder.name, number, summed_up(found), flush=True)
        result[folder.name] = summed_up(found)
        print(folder.name, len(labels), result[folder.name], flush=True)
    print(json.dumps({"benchmark": "folds", "images": asked.images, "repeats": asked.repeats, "sets": result}))


def summed_up(found: Mapping[str, list[tuple[float, float, float]]]) -> dict[str, Any]:
    """Of each kind of interval: the half-width in points and how often it holds the truth."""
    result = {}
    for name, rows in found.items():
        mean, width, truth = np.array(rows).T
        result[name] = {
            "half_width": round(100 * float(width.mean()), 2),
            "these_models": round(float((np.abs(mean - truth) <= width).mean()), 3),
            "such_models": round(float((np.abs(mean - truth.mean()) <= width).mean()), 3),
            "truth": round(100 * float(truth.mean()), 2),
        }
    return result


if __name__ == "__main__":
    main()
