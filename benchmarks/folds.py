"""Would an interval over folds be right? Small data sets drawn from large ones, against the truth on the images left out.

    python benchmarks/folds.py SETS --weights FILE --images 300 --repeats 400

Each repeat draws ``--images`` images of a set and compares two heads on its frozen features: one on those of the last layer,
one on those of an earlier block; C is chosen on a validation part, as a search does. Once on a split of 70, 15 and 15%, and
once on five stratified folds, each of which chooses for itself. The truth is what the same models score on all images that were
not drawn (``these models``), or its mean over all repeats (``such models``: others of the same kind, trained on other images).
One line a set: the half-width of the 95% interval of the difference and how often it holds the truth, for

    split      paired over the test images of the one split
    images     paired over all images, each predicted by the fold that did not see it
    folds      Student's t over the folds' differences
    corrected  the same with the correction for overlapping training sets (Nadeau & Bengio 2003)
    both       the images' interval, as wide as the corrected one where that is wider

The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split

from tlsearch.search import open_folder
from tlsearch.search.activations.extract import Extractor
from tlsearch.search.options import SearchOptions
from tlsearch.spaces import BackboneSpec
from tlsearch.spaces.backbone.spec import load_network, weights_fingerprint

FOLDS = 5
INVERSE_STRENGTHS = (1e-3, 1e-2, 1e-1)
EARLIER = 13
"""Which of the network's blocks the second head reads."""


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


def differences(kinds: list[np.ndarray], labels: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """By how much the first head is righter than the second about each image: −1, 0 or 1; trained and chosen on ``rows``."""
    train, val = train_test_split(rows, test_size=0.15 / 0.85, random_state=int(rng.integers(2**31)))
    first, second = (right(features, labels, train, val) for features in kinds)
    return first.astype(int) - second


def repeat(
    kinds: list[np.ndarray], labels: np.ndarray, images: int, rng: np.random.Generator
) -> Iterator[tuple[str, float, float, float]]:
    """Of each kind of interval: its name, the difference, the half-width, and these models' difference on other images."""
    drawn, others = train_test_split(
        np.arange(len(labels)), train_size=images, stratify=labels, random_state=int(rng.integers(2**31))
    )
    rest, test = train_test_split(drawn, test_size=0.15, stratify=labels[drawn], random_state=int(rng.integers(2**31)))
    found = differences(kinds, labels, rest, rng)
    yield "split", *paired(found[test]), float(found[others].mean())
    within, outside, by_fold = [], [], []
    for rest_of, fold in StratifiedKFold(FOLDS, shuffle=True, random_state=int(rng.integers(2**31))).split(
        drawn, labels[drawn]
    ):
        found = differences(kinds, labels, drawn[rest_of], rng)
        within.append(found[drawn[fold]])
        by_fold.append(float(within[-1].mean()))
        outside.append(float(found[others].mean()))
    truth, (mean, alone) = float(np.mean(outside)), paired(np.concatenate(within))
    spread, critical = float(np.std(by_fold, ddof=1)), float(stats.t.ppf(0.975, FOLDS - 1))
    corrected = critical * spread * math.sqrt(1 / FOLDS + 1 / (FOLDS - 1))
    widths = {
        "images": alone,
        "folds": critical * spread / math.sqrt(FOLDS),
        "corrected": corrected,
        "both": max(alone, corrected),
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
    asked = parser.parse_args()
    result: dict[str, Any] = {}
    for folder in asked.sets:
        kinds, labels = features_of(folder, asked.size, asked.weights)
        rng = np.random.default_rng(0)
        found: dict[str, list[tuple[float, float, float]]] = {}
        for _ in range(asked.repeats):
            for name, *one in repeat(kinds, labels, asked.images, rng):
                found.setdefault(name, []).append((one[0], one[1], one[2]))
        result[folder.name] = {}
        for name, rows in found.items():
            mean, width, truth = np.array(rows).T
            result[folder.name][name] = {
                "half_width": round(100 * float(width.mean()), 2),
                "these_models": round(float((np.abs(mean - truth) <= width).mean()), 3),
                "such_models": round(float((np.abs(mean - truth.mean()) <= width).mean()), 3),
            }
        print(folder.name, len(labels), round(100 * float(truth.mean()), 2), result[folder.name], flush=True)
    print(json.dumps({"benchmark": "folds", "images": asked.images, "repeats": asked.repeats, "sets": result}))


if __name__ == "__main__":
    main()
