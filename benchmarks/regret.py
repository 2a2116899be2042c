"""How far a search is from the best that is known: each technique's finalist on the test split, on many data sets.

    python benchmarks/regret.py SETS --weights FILE --studies DIR --trials 20
    python benchmarks/regret.py SETS --weights FILE --studies DIR --trials 20 --engine keras-tuner --seeds 0 1 2

``SETS`` are folders of images. Each is searched by the command in a study of its own under
``--studies``, where running the same again goes on. ``best_known.json`` beside this file holds, for each set, the best test
accuracy that is known of each technique: of a fixed recipe that searches nothing (a regularised logistic regression on
standardised features; fine-tuning from it at two cuts and two rates, Adam with cosine decay, two seeds), and of the longest
search there was. ``--learn`` adds what a search has found beyond it.

One line a set: for each technique the regret in points, its test accuracy below the best known one, negative where it is above.
Where the best known validation accuracy is recorded, it is split in two: what the search missed on the validation split (space,
recipe and proposals), and what its choice lost between the validation and the test split (selection). The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from common import report, search

KNOWN = Path(__file__).with_name("best_known.json")
SMALL_SIDE = 128
"""Pixels of the images, where ``best_known.json`` names no other side for a set."""


def main() -> None:
    """Searches each set, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+", help="folders of images")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--studies", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--engine", default="optuna")
    parser.add_argument("--algorithm")
    parser.add_argument("--learn", action="store_true", help="record what is better than the best known")
    asked = parser.parse_args()
    known: dict[str, Any] = json.loads(KNOWN.read_text())
    regrets: dict[str, list[float]] = {}
    for folder in asked.sets:
        for seed in asked.seeds:
            found, seconds = searched(folder, seed, known.get(folder.name, {}), asked)
            line = regrets_of(found, known.get(folder.name, {}))
            for technique, regret in line.items():
                regrets.setdefault(technique, []).append(regret["test"])
            print(f"{folder.name:16} seed {seed} {seconds:5.0f} s  {'  '.join(map(shown, line.items()))}", flush=True)
            if asked.learn:
                learn(found, known.setdefault(folder.name, {}))
                KNOWN.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    means = {technique: round(statistics.mean(values), 2) for technique, values in regrets.items()}
    how = {"trials": asked.trials, "engine": asked.engine, "algorithm": asked.algorithm, "seeds": asked.seeds}
    print(json.dumps({"benchmark": "regret", **how, "runs": {t: len(values) for t, values in regrets.items()}, "mean": means}))


def searched(folder: Path, seed: int, known: dict[str, Any], asked: argparse.Namespace) -> tuple[dict[str, Any], float]:
    """The report of a set's search, and its wall seconds; a search that is complete is read alone."""
    name = "-".join(map(str, (folder.name, asked.engine, asked.algorithm or "default", asked.trials, seed)))
    study = asked.studies / name
    options: list[object] = ["--alpha", 0.35, "--size", known.get("size", SMALL_SIDE), "--weights", asked.weights]
    options += ["--engine", asked.engine, "--trials", asked.trials, "--seed", seed, "--study", study]
    options += ["--algorithm", asked.algorithm] if asked.algorithm else []
    search(folder, *options, cache=asked.studies / "cache")
    found = report(study)
    return found, found["timing"]["wall"]


def regrets_of(found: dict[str, Any], known: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Regrets in points by technique: on the ``test`` split, and its two parts where the validation accuracy is known."""
    regrets = {}
    for entry in found["techniques"]:
        best = known.get(entry["technique"])
        if best is None or not entry["test_accuracy"]:
            continue
        test, val = entry["test_accuracy"]["mean"], entry["best_val_accuracy"]
        regrets[entry["technique"]] = {"test": 100 * (best["test"] - test)}
        if "val" in best:
            missed = 100 * (best["val"] - val)
            regrets[entry["technique"]] |= {"search": missed, "selection": 100 * (best["test"] - test) - missed}
    return regrets


def shown(regret: tuple[str, dict[str, float]]) -> str:
    """A technique's regret on one line."""
    technique, parts = regret
    split = f" (search {parts['search']:+.1f}, selection {parts['selection']:+.1f})" if "search" in parts else ""
    return f"{technique} {parts['test']:+.1f}{split}"


def learn(found: dict[str, Any], known: dict[str, Any]) -> None:
    """Records what is better than the best known."""
    for entry in found["techniques"]:
        if not entry["test_accuracy"]:
            continue
        test = entry["test_accuracy"]["mean"]
        if test > known.get(entry["technique"], {"test": 0.0})["test"]:
            val = round(entry["best_val_accuracy"], 4)
            known[entry["technique"]] = {"test": round(test, 4), "val": val, "from": "tlsearch"}


if __name__ == "__main__":
    main()
