"""Kills searches at random moments and shows what was lost: ``python scripts/chaos.py --kills 30``.

Trains tiny models on made-up pictures, with both engines. Every study is killed several times (the main process, a worker, or
both), at moments drawn from the whole time that it takes, and then ends by the same command.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.chaos.kills import VICTIMS, Search, Tally, make_photos, run_to_the_end, torture


def main() -> int:
    """Runs it; 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=3600, help="start no further study after so long")
    parser.add_argument("--engine", choices=["optuna", "keras-tuner"], action="append")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    began = time.monotonic()
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="tlsearch-chaos-") as folder:
        home = Path(folder)
        photos = make_photos(home / "photos")
        engines = arguments.engine or ["optuna", "keras-tuner"]
        references = {engine: run_to_the_end(Search(home / f"reference-{engine}", photos, engine)) for engine in engines}
        for number, victim in enumerate(itertools.cycle(VICTIMS)):
            if tally.total >= arguments.kills or time.monotonic() - began > arguments.seconds:
                break
            engine = engines[number % len(engines)]
            reference, seconds = references[engine]
            search = Search(home / f"study-{number}", photos, engine)
            torture(search, victim, 5, reference, seconds, arguments.seed * 1000 + number, tally)
            print(f"study {number}: {engine}, {victim}, {tally.total} kills so far, {len(tally.problems)} problems", flush=True)
    rows = {
        "kills": f"{tally.total} ({', '.join(f'{name} {count}' for name, count in tally.kills.items())})",
        "during": ", ".join(f"{name} {count}" for name, count in tally.phases.items()),
        "studies ended": tally.studies,
        "trials finished": tally.finished_trials,
        "cut off and tried again": tally.cut_off,
        "failed with their worker": tally.failed,
        "equal to a study without kills": tally.compared,
        "lost, repeated or left behind": len(tally.problems),
        "seconds": round(time.monotonic() - began),
    }
    for name, value in rows.items():
        print(f"{name:32} {value}")
    for problem in tally.problems:
        print("PROBLEM:", problem)
    return bool(tally.problems)


if __name__ == "__main__":
    sys.exit(main())
