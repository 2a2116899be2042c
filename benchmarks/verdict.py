"""Is the verdict right about its own certainty, and what does following it cost? Simulated studies, whose truth is known.

    python benchmarks/verdict.py --studies 400

Three techniques with true accuracies, trained with K seeds, or with as many as ``--confirm auto`` gives them, predict n test
images; half of what decides an image is the image itself, so that techniques err on the same ones. Gaps between them follow the
prior, or do not: all equal, or one far ahead. One line a cell: in fifths the probability of being best that was said, how often
it came true, and how often it was said; the expected and the realised regret of what is recommended, in points; the realised
regret of the rule before, which took the quickest to train of those that nothing beats; how often a winner is called, and how
often wrongly; training runs a study. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tlsearch.reports.answer.verdict import Predictions, Verdict, judge
from tlsearch.search.statistics.bootstrap import resample
from tlsearch.search.statistics.chances import CARE, PRIOR
from tlsearch.search.statistics.seeds import FIRST, MOST, look
from tlsearch.search.trial import Metric
from tlsearch.spaces.recipe import Technique

ACCURACY = 0.85
SECONDS = dict(zip(Technique, (1.0, 10.0, 30.0), strict=True))
FIFTHS = (0.0, 0.2, 0.4, 0.6, 0.8)


def skills_of(gaps: str, rng: np.random.Generator) -> np.ndarray:
    """True accuracies of the three techniques."""
    if gaps == "equal":
        return np.full(3, ACCURACY)
    if gaps == "one ahead":
        return ACCURACY + rng.permutation([0.0, 0.0, 0.1])
    return ACCURACY + rng.normal(0, PRIOR.gap / math.sqrt(2), 3)


def predicted(
    rng: np.random.Generator, labels: np.ndarray, classes: int, kinds: Iterable[tuple[float, int, float]]
) -> Iterator[np.ndarray]:
    """Each technique's probabilities, ``(seeds, images, classes)``: of its true accuracy, seeds, and spread between them."""
    images = len(labels)
    difficulty = rng.random(images)
    for skill, count, own in kinds:
        accuracy = np.clip(skill + rng.normal(0, own, (count, 1)), 0, 1)
        chance = np.where(rng.random((count, images)) < 0.5, difficulty, rng.random((count, images)))
        wrong = (labels + rng.integers(1, classes, (count, images))) % classes
        yield np.eye(classes, dtype=np.float32)[np.where(chance < accuracy, labels, wrong)]


def taken_by_auto(predictions: dict[Technique, np.ndarray], labels: np.ndarray, metric: Metric) -> dict[Technique, np.ndarray]:
    """The first predictions of each technique, as many as ``--confirm auto`` makes."""
    counts = Counter(dict.fromkeys(predictions, FIRST))
    while True:
        taken = {technique: one[: counts[technique]] for technique, one in predictions.items()}
        resampled = resample(taken, labels, metric, resamples=500)
        _, more = look(resampled, len(labels), metric, SECONDS, counts, CARE)
        if more is None:
            return taken
        counts += more


def before(found: Verdict) -> Technique:
    """What the rule before recommended."""
    if found.winner:
        return found.winner
    unbeaten = [technique for technique in found.intervals if technique not in found.beaten]
    return min(unbeaten or found.intervals, key=SECONDS.__getitem__)


def cell(
    gaps: str, images: int, seeds: Sequence[int], spread: Sequence[float], studies: int, *, classes: int = 2
) -> dict[str, Any]:
    """What comes of so many studies of one kind; no ``seeds`` stand for as many as it takes."""
    rng = np.random.default_rng([images, *seeds, len(gaps), classes])
    metric: Metric = "accuracy" if classes == 2 else "balanced_accuracy"
    said, came, expected, realised, earlier, runs, wins, wrong = [], [], [], [], [], 0, 0, 0
    for _ in range(studies):
        skills, labels = skills_of(gaps, rng), rng.integers(0, classes, images)
        own = predicted(rng, labels, classes, zip(skills, seeds or (MOST,) * 3, spread, strict=True))
        by_technique = dict(zip(Technique, own, strict=True))
        if not seeds:
            by_technique = taken_by_auto(by_technique, labels, metric)
        predictions = {technique: Predictions(one, SECONDS[technique]) for technique, one in by_technique.items()}
        found = judge(predictions, labels, metric, resamples=1000)
        true = dict(zip(Technique, skills.tolist(), strict=True))
        best = max(true.values())
        assert found.recommended is not None
        said += [one.probability_best for one in found.chances.values()]
        came += [true[technique] == best for technique in found.chances]
        expected.append(found.chances[found.recommended].expected_regret)
        realised.append(best - true[found.recommended])
        earlier.append(best - true[before(found)])
        runs += sum(map(len, by_technique.values()))
        wins += found.winner is not None
        wrong += found.winner is not None and (gaps == "equal" or true[found.winner] < best)
    said, came = np.array(said), np.array(came)
    fifths = []
    for low in FIFTHS if gaps == "prior" else ():
        within = (said >= low) & (said <= low + 0.2)
        fifths.append([round(float(said[within].mean()), 2), round(float(came[within].mean()), 2), int(within.sum())])
    points = {"expected": expected, "realised": realised, "rule_before": earlier}
    shares = {"wins": wins / studies, "false_wins": wrong / studies, "runs": runs / studies}
    return {"fifths": fifths, **{k: round(100 * float(np.mean(v)), 2) for k, v in points.items()}, **shares}


def kinds() -> Iterator[tuple[str, int, tuple[int, ...], tuple[float, ...], int]]:
    """The kinds of studies: gaps, test images, seeds (none for as many as it takes), spreads between seeds, classes."""
    usual, wide = (0.005,) * 3, (0.01,) * 3
    for images in (60, 150, 300, 600, 2000):
        yield from (("prior", images, seeds, usual, 2) for seeds in ((3,) * 3, ()))
    for count in (2, 5, 10):
        yield from (("prior", 300, (count,) * 3, spread, 2) for spread in (usual, wide))
    yield from (("prior", 300, seeds, (0.0, 0.0, 0.02), 2) for seeds in ((3,) * 3, ()))
    yield from (("prior", 300, seeds, wide, 2) for seeds in ((3,) * 3, (2, 5, 3), ()))
    yield from (("prior", 300, (3,) * 3, usual, classes) for classes in (5, 20))
    for gaps in ("equal", "one ahead"):
        yield from ((gaps, images, seeds, usual, 2) for images in (150, 600) for seeds in ((3,) * 3, ()))
    yield "equal", 2000, (), wide, 2


def main() -> None:
    """Every kind of study in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400)
    asked = parser.parse_args()
    result = {}
    for gaps, images, seeds, spread, classes in kinds():
        count = "/".join(map(str, seeds)) if len(set(seeds)) > 1 else str(seeds[0]) if seeds else "auto"
        spreads = "/".join(f"{100 * one:g}" for one in dict.fromkeys(spread))
        name = f"{gaps}, {images} images, {count} seeds, spread {spreads}{f', {classes} classes' if classes > 2 else ''}"
        result[name] = cell(gaps, images, seeds, spread, asked.studies, classes=classes)
        print(name, result[name], flush=True)
    print(json.dumps({"benchmark": "verdict", "studies": asked.studies, "prior_sd": PRIOR.gap, "cells": result}))


if __name__ == "__main__":
    main()
