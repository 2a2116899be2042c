"""What wins on real data, by its size and kind: default searches on whole data sets and on small parts of them.

    python benchmarks/evidence.py SETS --weights FILE --studies DIR
    python benchmarks/evidence.py SETS --weights FILE --studies DIR --images 8 32 128 all --alpha 1.0 --size 160

Each cell is a search of one set with so many labelled images a class: nested parts of the training and validation splits that
tlsearch draws, a fifth of them for validation, and always the whole test split. A class with fewer gives all it has. Cells are
added to ``docs/evidence.json``, one a line; a cell that is there is not searched again, and a search that was cut off goes on.

A cell holds what is known before the first trial (images, nearest-neighbour accuracy by depth, what the rule of thumb expects),
what the search found (test accuracies, differences, the verdict), and how the verdict holds on images that it was not drawn
from: for each of ``HALVINGS`` random halves of the test split the verdict over the one half, and the techniques' accuracies on
the other.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import report, search
from numpy.typing import NDArray

from tlsearch.reports.answer.verdict import Predictions, judge
from tlsearch.search import open_folder
from tlsearch.search.data.dataset import Dataset
from tlsearch.search.statistics.bootstrap import Ties
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.storage.tested import confirmed, ties_of

EVIDENCE = Path(__file__).parent.parent / "docs" / "evidence.json"

HALVINGS = 10

VALIDATION = 0.2
"""Of the labelled images of a cell."""

_KEY = ("set", "images", "alpha", "weights", "trials", "seed")


def main() -> None:
    """Searches the cells that are missing, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+", help="folders of images")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--studies", type=Path, required=True)
    parser.add_argument("--images", nargs="+", default=["8", "32", "128", "all"], help="a class")
    parser.add_argument("--alpha", type=float, default=0.35)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--trials", type=int, default=9, help="nine are the proven settings")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cells", type=Path, default=EVIDENCE, help="where they are added; another file searches them anew")
    asked = parser.parse_args()
    for images in asked.images:
        for folder in asked.sets:
            key = (folder.name, images, asked.alpha, asked.weights.name, asked.trials, asked.seed)
            cells = json.loads(asked.cells.read_text()) if asked.cells.exists() else []
            if any(tuple(cell[name] for name in _KEY) == key for cell in cells):
                continue
            if (cell := _cell(folder, images, asked)) is not None:
                keep([*cells, {**dict(zip(_KEY, key, strict=True)), **cell}], asked.cells)
                print(folder.name, images, cell["test_accuracy"], cell["verdict"]["recommended"], flush=True)


def keep(cells: list[dict[str, Any]], path: Path) -> None:
    """Writes the cells, one a line."""
    ordered = sorted(cells, key=lambda cell: (cell["alpha"], cell["weights"], cell["set"], cell["train"], cell["seed"]))
    path.write_text("[\n" + ",\n".join(map(json.dumps, ordered)) + "\n]\n")


def _cell(folder: Path, images: str, asked: argparse.Namespace) -> dict[str, Any] | None:
    """What one cell found; None where the set has no more images than a smaller cell."""
    cache = asked.studies / "cache"
    data = open_folder(folder, seed=asked.seed, size=asked.size, cache_dir=cache)
    parts = {"test": data.test, **_part(data, images, asked.seed)}
    labelled = len(data.train) + len(data.val)
    if images != "all" and len(parts["train"]) + len(parts["val"]) == labelled:
        return None
    study = asked.studies / f"{folder.name}-{images}-{asked.alpha:g}-{asked.weights.stem[-12:]}-{asked.trials}-{asked.seed}"
    asked.studies.mkdir(parents=True, exist_ok=True)
    labels = study.with_suffix(".csv")
    with labels.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "label", "split"))
        rows.writerows((data.files[row], data.classes[data.labels[row]], part) for part in parts for row in parts[part])
    options: list[object] = ["--labels", labels, "--alpha", asked.alpha, "--size", asked.size, "--weights", asked.weights]
    search(folder, *options, "--trials", asked.trials, "--seed", asked.seed, "--study", study, cache=cache)
    return {**_found(report(study)), "halves": list(halves(study))}


def _part(data: Dataset, images: str, seed: int) -> dict[str, NDArray[np.int64]]:
    """Rows of the training and validation images of a cell: of each class the first in an order that all cells share."""
    if images == "all":
        return {"train": data.train, "val": data.val}
    held = max(2, round(VALIDATION * int(images)))
    return {"train": _first(data, data.train, int(images) - held, seed), "val": _first(data, data.val, held, seed)}


def _first(data: Dataset, rows: NDArray[np.int64], each: int, seed: int) -> NDArray[np.int64]:
    order = sorted(rows.tolist(), key=lambda row: hashlib.blake2b(f"{seed} {data.files[row]}".encode()).digest())
    return np.array([row for label in range(len(data.classes)) for row in [r for r in order if data.labels[r] == label][:each]])


def _found(found: dict[str, Any]) -> dict[str, Any]:
    """What of a report a cell keeps."""
    data, verdict = found["data"], found["verdict"]
    tested = {one["technique"]: one for one in found["techniques"] if one["test_accuracy"]}
    return {
        "classes": len(data["classes"]),
        **{part: data[part] for part in ("train", "val", "test")},
        "similarity": data["similarity"],
        "knn": data["knn"] and {name: round(data["knn"][name], 4) for name in ("accuracy", "corrected", "chance")},
        "depth": [round(point["knn_accuracy"], 4) for point in data["depth_profile"] or ()],
        "suggested_cut": data["suggested_cut"],
        "rule": verdict["rule_of_thumb"]["predicts"],
        "test_accuracy": {name: round(one["test_accuracy"]["mean"], 4) for name, one in tested.items()},
        "by_seed": {name: [round(value, 4) for value in one["test_accuracy"]["seeds"]] for name, one in tested.items()},
        "validation": {name: round(one["best_val_accuracy"], 4) for name, one in tested.items()},
        "recipes": {name: one["recipe"] for name, one in tested.items()},
        "differences": [
            [one["a"], one["b"], round(one["difference"], 4), [round(end, 4) for end in one["ci95"]], round(one["p"], 4)]
            for one in verdict["comparisons"]
        ],
        "verdict": {
            **{name: verdict[name] for name in ("decision", "winner", "recommended", "proven")},
            **{name: _rounded(verdict[name]) for name in ("probability_best", "expected_regret")},
        },
        "seconds": round(found["timing"]["wall"]),
        "version": found["study"]["settings"]["version"],
    }


def halves(study: Path) -> Iterator[dict[str, Any]]:
    """The verdict over one half of the test images, and the accuracies on the other, for each of some random halves."""
    store = StudyStore.open(study)
    chosen = confirmed(store)
    stacked = {technique: store.stacked(own) for technique, own in chosen.items()}
    labels = next(iter(stacked.values()))[1]
    ties = ties_of(store, next(iter(chosen.values())))
    # What belongs together is on one side, here too.
    groups = np.arange(len(labels)) if ties.groups is None else np.unique(ties.groups, return_inverse=True)[1]
    seconds = {technique: float(np.mean([one.seconds for one in own])) for technique, own in chosen.items()}
    for number in range(HALVINGS):
        side = np.random.default_rng(number).permutation(groups.max() + 1) % 2
        here, there = np.flatnonzero(side[groups] == 0), np.flatnonzero(side[groups] == 1)
        seen = {name: Predictions(found[:, here], seconds[name]) for name, (found, _) in stacked.items()}
        verdict = judge(seen, labels[here], "accuracy", ties=Ties(groups=groups[here]), seed=number)
        right = {name: float((found[:, there].argmax(axis=2) == labels[there]).mean()) for name, (found, _) in stacked.items()}
        chances = verdict.chances
        yield {
            "winner": verdict.winner,
            "recommended": verdict.recommended,
            "probability_best": _rounded({name: one.probability_best for name, one in chances.items()}),
            "expected_regret": _rounded({name: one.expected_regret for name, one in chances.items()}),
            "elsewhere": _rounded(right),
        }


def _rounded(values: dict[Any, float]) -> dict[str, float]:
    return {str(name): round(value, 4) for name, value in values.items()}


if __name__ == "__main__":
    main()
