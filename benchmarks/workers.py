"""How trials use the cores best: workers side by side, or threads within one.

    python benchmarks/workers.py DATA --weights FILE --alpha 0.35 --size 160

runs the same search with each number of workers and threads that is worth trying here, from a cache filled beforehand, and
prints one JSON line: wall seconds of each.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

from common import parser

from tlsearch.search import Budget, Study, open_folder, study
from tlsearch.spaces import BackboneSpec, SearchSpace
from tlsearch.spaces.recipe import Technique


def main() -> None:
    """Runs every layout once, the first one twice: what it fills serves the others."""
    arguments = parser(__doc__, trials=9)
    arguments.add_argument("--epochs", type=int, default=2)
    asked = arguments.parse_args()
    cores = os.cpu_count() or 1
    layouts = sorted({(1, cores), (cores, 1), (cores, 2), (max(1, cores // 2), 2)})
    seconds = {}
    with tempfile.TemporaryDirectory() as scratch:
        data = open_folder(asked.data, size=asked.size, cache_dir=Path(scratch))
        backbone = BackboneSpec(alpha=asked.alpha, size=asked.size, weights=str(asked.weights))
        space = SearchSpace(epochs=dict.fromkeys(Technique, asked.epochs), head_epochs=asked.epochs)
        for place, layout in enumerate([layouts[0], *layouts]):
            study.choose_workers = lambda _, layout=layout: layout  # type: ignore[attr-defined]
            searching = Study.open(
                Path(scratch) / f"study-{place}",
                data,
                backbone=backbone,
                space=space,
                algorithm="random",
                cache_dir=Path(scratch),
            )
            began = time.monotonic()
            searching.run(Budget(trials=asked.trials, confirm=0), prune=False, patience=None)
            seconds["{} workers, {} threads".format(*layout)] = round(time.monotonic() - began, 1)
    print(json.dumps({"benchmark": "workers", "cores": cores, "trials": asked.trials, "seconds": seconds}))


if __name__ == "__main__":
    main()
