"""What a trial takes beside its training steps and evaluations: building, tracing, loading, restoring.

    python benchmarks/trial_overhead.py DATA --weights FILE --alpha 0.35 --size 160 --trials 40

searches with one epoch a stage, so that overhead is most of it, and prints one JSON line: by technique the median and the
largest overhead of a trial in seconds, and the wall time of the whole search.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path

from common import parser, report, search


def main() -> None:
    """Searches once."""
    asked = parser(__doc__, trials=40).parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        study = Path(scratch) / "study"
        options = [asked.data, "--study", study, "--epochs", 1, "--no-prune", "--confirm", 0, "--algorithm", "random"]
        for option in ("weights", "alpha", "size", "trials"):
            options += [f"--{option}", getattr(asked, option)]
        run = search(*options, cache=Path(scratch) / "cache")
        trials = report(study)["trials"]
    overhead: dict[str, list[float]] = {}
    for trial in trials:
        overhead.setdefault(trial["technique"], []).append(trial["overhead_seconds"])
    result = {
        "benchmark": "trial_overhead",
        "trials": len(trials),
        "median_seconds": {name: round(statistics.median(all_), 3) for name, all_ in overhead.items()},
        "largest_seconds": {name: round(max(all_), 3) for name, all_ in overhead.items()},
        "wall_seconds": round(run.seconds, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
