"""The blog post's rule of thumb, put to the test: what it predicts for a data set beside what tlsearch measures.

    python benchmarks/rule_of_thumb.py                                             the four built-in data sets
    python benchmarks/rule_of_thumb.py photos/ --trials 12 --run "--alpha 0.35"    and folders of photographs

Each data set is searched by the command, in a study of its own under ``--studies``, where running it again goes on with them;
``--run`` takes further options of ``tlsearch run``, for the folders only. A table in Markdown is printed as it grows, and last
one JSON line.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tlsearch.search.data.demo import VARIANTS

COLUMNS = ("data set", "size", "similarity", "k-NN", "rule predicts", "verdict", "recommended", "rule is", "test accuracies")


def main() -> None:
    """Searches each data set, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--variant", action="append", choices=list(VARIANTS), help="Built-in sets.  [default: all four]")
    parser.add_argument("--no-demo", action="store_true", help="The folders only.")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--confirm", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--studies", type=Path, help="Folder of the studies.  [default: a temporary one]")
    parser.add_argument("--run", default="", help="Further options for the folders, as one argument.")
    asked = parser.parse_args()
    variants = [] if asked.no_demo else (asked.variant or list(VARIANTS))
    wanted = [(variant, ["--demo", variant]) for variant in variants]
    wanted += [(folder.name, [str(folder), *shlex.split(asked.run)]) for folder in asked.folders]
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        rows = []
        for name, options in wanted:
            report = search((asked.studies or Path(scratch)) / name, options, asked)
            rows.append(row_of(name, report))
            print(f"| {' | '.join(rows[-1].values())} |", flush=True)
    print(json.dumps({"benchmark": "rule_of_thumb", "trials": asked.trials, "confirm": asked.confirm, "rows": rows}))


def search(study: Path, options: list[str], asked: argparse.Namespace) -> dict[str, Any]:
    """The report of a search in the folder ``study``."""
    tlsearch = [sys.executable, "-m", "tlsearch"]
    budget = ["--trials", str(asked.trials), "--confirm", str(asked.confirm), "--seed", str(asked.seed)]
    run = [*tlsearch, "run", *options, *budget, "--study", str(study), "--quiet"]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run([*tlsearch, "report", str(study), "--format", "json"], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def row_of(name: str, report: dict[str, Any]) -> dict[str, str]:
    """A row of the table, by column."""
    data, verdict = report["data"], report["verdict"]
    rule, knn = verdict["rule_of_thumb"], data["knn"]
    tested = [entry for entry in report["techniques"] if entry["test_accuracy"]]
    agrees = {True: "right", False: "wrong", None: "undecided"}[rule["agrees"]]
    cells = (
        name,
        f"{data['size']} ({data['train']:,} in {len(data['classes'])} classes)",
        data["similarity"] or "–",
        f"{knn['accuracy']:.3f} ({knn['corrected']:.3f} corrected)" if knn else "–",
        rule["predicts"] or "–",
        f"{verdict['winner']} wins" if verdict["winner"] else verdict["decision"],
        verdict["recommended"] or "–",
        agrees,
        ", ".join(f"{entry['technique']} {entry['test_accuracy']['mean']:.3f}" for entry in tested),
    )
    return dict(zip(COLUMNS, cells, strict=True))


if __name__ == "__main__":
    main()
