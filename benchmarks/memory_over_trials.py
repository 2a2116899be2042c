"""Whether a worker's memory grows from trial to trial.

    python benchmarks/memory_over_trials.py DATA --weights FILE --alpha 0.35 --size 96 --trials 60

searches over mixed trials with one worker and prints one JSON line: its resident memory after the tenth trial and after the
last, and the ratio of the two.
"""

from __future__ import annotations

import json
import multiprocessing
import tempfile
from pathlib import Path

import psutil
from common import parser

from tlsearch.search import Budget, Study, open_folder
from tlsearch.search.events import TrialFinished
from tlsearch.spaces import BackboneSpec, SearchSpace
from tlsearch.spaces.recipe import Technique


def main() -> None:
    """Searches once and looks at the worker after each trial."""
    asked = parser(__doc__, trials=60, size=96).parse_args()
    resident: list[int] = []

    def listener(event: object) -> None:
        if isinstance(event, TrialFinished):
            (worker,) = multiprocessing.active_children()
            resident.append(psutil.Process(worker.pid).memory_info().rss)

    with tempfile.TemporaryDirectory() as scratch:
        data = open_folder(asked.data, size=asked.size, cache_dir=Path(scratch))
        study = Study.open(
            Path(scratch) / "study",
            data,
            backbone=BackboneSpec(alpha=asked.alpha, size=asked.size, weights=asked.weights),
            space=SearchSpace(epochs=dict.fromkeys(Technique, 1), head_epochs=1),
            algorithm="random",
            cache_dir=Path(scratch),
        )
        study.run(Budget(trials=asked.trials, confirm=0), workers=1, listener=listener)
    tenth = resident[min(9, len(resident) - 1)]
    result = {
        "benchmark": "memory_over_trials",
        "trials": len(resident),
        "after_tenth_mb": tenth // 2**20,
        "after_last_mb": resident[-1] // 2**20,
        "ratio": round(resident[-1] / tenth, 3),
        "each_tenth_mb": [value // 2**20 for value in resident[9::10]],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
