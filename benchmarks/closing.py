"""What closing techniques early saves, and what it costs: default searches with and without it, on real data sets.

    python benchmarks/closing.py SETS --weights FILE --studies DIR

searches each set twice with the same seed, ``--no-close-arms`` first, with two seeds of each finalist, and prints a row of a
table in Markdown for it and at the end one JSON line. *Regret* is by how much the test accuracy of what a search recommends is
below the best of what the two searches have confirmed. A set whose studies are in the folder is not searched again, and a
search that was cut off goes on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean
from typing import Any

from common import report, search


def main() -> None:
    """Searches the sets one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+", help="folders of images")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--studies", type=Path, required=True)
    parser.add_argument("--alpha", type=float, default=0.35)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print("| data set | trials | seconds of training | recommended | regret, points |\n|---|--:|--:|---|--:|")
    rows = []
    for folder in asked.sets:
        pair = [_searched(folder, asked, *more) for more in (("--no-close-arms",), ())]
        best = max(accuracy for found in pair for accuracy in _tested(found).values())
        row = {
            "set": folder.name,
            "trials": [len(found["trials"]) for found in pair],
            "seconds": [round(sum(one["seconds"] for one in found["trials"]), 1) for found in pair],
            "recommended": [found["verdict"]["recommended"] for found in pair],
            "regret": [round(100 * (best - _tested(found)[found["verdict"]["recommended"]]), 2) for found in pair],
            "closed": pair[1]["closed"],
        }
        rows.append(row)
        cells = (", ".join(map(str, row[name])) for name in ("trials", "seconds", "recommended", "regret"))
        print(f"| {folder.name} | {' | '.join(cells)} |", flush=True)
    means = {name: [round(fmean(row[name][side] for row in rows), 2) for side in (0, 1)] for name in ("seconds", "regret")}
    print(json.dumps({"benchmark": "closing", "sets": len(rows), "mean": means, "rows": rows}))


def _searched(folder: Path, asked: argparse.Namespace, *more: str) -> dict[str, Any]:
    """The report of a search of one set."""
    study = asked.studies / f"{folder.name}-{asked.alpha:g}-{asked.size}-{asked.trials}-{asked.seed}{''.join(more)}"
    options = ["--alpha", asked.alpha, "--size", asked.size, "--weights", asked.weights, "--trials", asked.trials]
    options += ["--seed", asked.seed, "--confirm", 2]
    search(folder, *options, "--study", study, *more, cache=asked.studies / "cache")
    return report(study)


def _tested(found: dict[str, Any]) -> dict[str, float]:
    return {one["technique"]: one["test_accuracy"]["mean"] for one in found["techniques"] if one["test_accuracy"]}


if __name__ == "__main__":
    main()
