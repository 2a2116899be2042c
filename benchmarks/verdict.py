"""Is the verdict right about its own certainty, and what does following it cost? Simulated studies, whose truth is known.

    python benchmarks/verdict.py --studies 400

Three techniques with true accuracies, trained with K seeds, predict n test images; half of what decides an image is the image
itself, so that techniques err on the same ones. Gaps between them follow the prior, or do not: all equal, or one far ahead.
One line a cell: in fifths the probability of being best that was said, how often it came true, and how often it was said; the
expected and the realised regret of what is recommended, in points; the realised regret of the rule before, which took the
quickest to train of those that nothing beats; how often a winner is called, and how often wrongly. The last line is JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tlsearch.reports.answer.verdict import Predictions, Verdict, judge
from tlsearch.search.statistics.chances import PRIOR_SD
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
    return ACCURACY + rng.normal(0, PRIOR_SD / math.sqrt(2), 3)


def predicted(
    rng: np.random.Generator, skills: np.ndarray, images: int, seeds: int, spread: np.ndarray
) -> Iterator[np.ndarray]:
    """Each technique's probabilities, ``(seeds, images, 2)``, for labels that are all 0."""
    difficulty = rng.random(images)
    for skill, own in zip(skills, spread, strict=True):
        accuracy = np.clip(skill + rng.normal(0, own, (seeds, 1)), 0, 1)
        chance = np.where(rng.random((seeds, images)) < 0.5, difficulty, rng.random((seeds, images)))
        right = np.where(chance < accuracy, 0.9, 0.1).astype(np.float32)
        yield np.stack([right, 1 - right], axis=2)


def before(found: Verdict) -> Technique:
    """What the rule before recommended."""
    if found.winner:
        return found.winner
    unbeaten = [technique for technique in found.intervals if technique not in found.beaten]
    return min(unbeaten or found.intervals, key=SECONDS.__getitem__)


def cell(gaps: str, images: int, seeds: int, spread: tuple[float, ...], studies: int) -> dict[str, Any]:
    """What comes of so many studies of one kind."""
    rng = np.random.default_rng([images, seeds, len(gaps)])
    said, came, expected, realised, earlier, wins, wrong = [], [], [], [], [], 0, 0
    for _ in range(studies):
        skills = skills_of(gaps, rng)
        own = zip(Technique, predicted(rng, skills, images, seeds, spread), strict=True)
        predictions = {technique: Predictions(one, SECONDS[technique]) for technique, one in own}
        found = judge(predictions, np.zeros(images, np.int64), "accuracy", resamples=1000)
        true = dict(zip(Technique, skills.tolist(), strict=True))
        best = max(true.values())
        assert found.recommended is not None
        said += [one.probability_best for one in found.chances.values()]
        came += [true[technique] == best for technique in found.chances]
        expected.append(found.chances[found.recommended].expected_regret)
        realised.append(best - true[found.recommended])
        earlier.append(best - true[before(found)])
        wins += found.winner is not None
        wrong += found.winner is not None and (gaps == "equal" or true[found.winner] < best)
    said, came = np.array(said), np.array(came)
    fifths = []
    for low in FIFTHS if gaps == "prior" else ():
        within = (said >= low) & (said <= low + 0.2)
        fifths.append([round(float(said[within].mean()), 2), round(float(came[within].mean()), 2), int(within.sum())])
    points = {"expected": expected, "realised": realised, "rule_before": earlier}
    shares = {"wins": wins / studies, "false_wins": wrong / studies}
    return {"fifths": fifths, **{k: round(100 * float(np.mean(v)), 2) for k, v in points.items()}, **shares}


def main() -> None:
    """Every kind of study in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400)
    asked = parser.parse_args()
    result = {}
    plain = itertools.product(("prior",), (60, 150, 300, 600, 2000), (3,), ((0.005,) * 3,))
    seeds = itertools.product(("prior",), (300,), (2, 5, 10), ((0.005,) * 3, (0.01,) * 3))
    uneven = itertools.product(("prior",), (300,), (3,), ((0.0, 0.0, 0.02), (0.01,) * 3))
    other = itertools.product(("equal", "one ahead"), (150, 600), (3,), ((0.005,) * 3,))
    for gaps, images, count, spread in itertools.chain(plain, seeds, uneven, other):
        name = f"{gaps}, {images} images, {count} seeds, spread {'/'.join(f'{100 * one:g}' for one in spread)}"
        result[name] = cell(gaps, images, count, spread, asked.studies)
        print(name, result[name], flush=True)
    print(json.dumps({"benchmark": "verdict", "studies": asked.studies, "prior_sd": PRIOR_SD, "cells": result}))


if __name__ == "__main__":
    main()
