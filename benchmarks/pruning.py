"""What pruning saves, and what it loses, by the epoch from which a trial is held against the median.

Studies that were searched with ``--no-prune --no-early-stopping`` hold every trial's whole curve, so that every rule can be
played on them: the trials of a technique one after the other, in random orders, as a search would meet them.

    python benchmarks/pruning.py STUDY…

prints one JSON line: for each rule and technique the share of all epochs that is trained, in what share of the orders the best
score is missed, and the mean of what is missed. tlsearch's rule is ``median from 2``; the others hold a trial against the
median earlier or later, or spare its first epoch.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tlsearch.search.phases import pruning
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.trial import CompleteTrial

RULES = {"median from 1": (1, 1), "median from 2": (2, 1), "median from 2, none before": (2, 2), "median from 3": (3, 1)}
"""Epochs from which a trial is held against the median, and from which it is held against anything."""

ORDERS = 200


def main() -> None:
    """Plays every rule on every technique of every study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", type=Path, nargs="+")
    parser.add_argument("--trials", type=int, default=8, help="of a technique that an order has at most")
    asked = parser.parse_args()
    groups: dict[str, dict[Path, list[CompleteTrial]]] = {}
    for study in asked.studies:
        for trial in StudyStore.open(study).trials():
            if isinstance(trial, CompleteTrial):
                groups.setdefault(str(trial.recipe.technique), {}).setdefault(study, []).append(trial)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for rule, (pruning.WARMUP_EPOCHS, first) in RULES.items():
        for technique, studies in groups.items():
            orders = np.random.default_rng(0)
            played = []
            for trials in studies.values():
                count = min(asked.trials, len(trials))
                for _ in range(ORDERS):
                    order = [trials[place] for place in orders.permutation(len(trials))[:count]]
                    played.append(play(order, first))
            trained, missed = np.array(played).T
            found.setdefault(rule, {})[technique] = {
                "trained": round(float(trained.mean()), 3),
                "missed": round(float((missed > 0).mean()), 3),
                "mean_missed": round(float(missed.mean()), 5),
            }
    print(json.dumps({"benchmark": "pruning", "studies": len(asked.studies), "rules": found}))


def play(trials: Sequence[CompleteTrial], first: int) -> tuple[float, float]:
    """The share of epochs that is trained where trials are pruned, and by how much the best accuracy left falls short.

    Args:
        trials: In the order of the search.
        first: Epoch from which they may be pruned.
    """
    epochs, kept = 0, []
    for trial in trials:
        curve = _trained(trial)
        ends = (end for end in range(first, len(curve)) if pruning.falls_behind(trial.recipe, curve[:end], kept, "accuracy"))
        end = next(ends, len(curve))
        epochs += end
        if end == len(curve):
            kept.append(dataclasses.replace(trial, curve=tuple(curve)))
    best, left = (max(m.score for trial in group for m in _trained(trial)) for group in (trials, kept))
    return epochs / sum(len(_trained(trial)) for trial in trials), best - left


def _trained(trial: CompleteTrial) -> list[pruning.Measurement]:
    return [measurement for measurement in trial.curve if measurement.epoch > 0]


if __name__ == "__main__":
    main()
