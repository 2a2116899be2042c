"""Many trials in one study: whether time, memory and open files grow with their number."""

from __future__ import annotations

import itertools
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tlsearch.search.storage.folder.lock import hold
from tlsearch.search.storage.store import StudyStore

from ..search.factory import begin, complete, settings, values
from ..search.fakes import FakePool, searcher


@dataclass
class Growth:
    """Medians over the first and the last tenth of the trials."""

    trials: int
    first_ms: float
    last_ms: float
    first_mb: float
    last_mb: float
    first_files: int
    last_files: int
    resume_seconds: float
    """To open the study anew and propose one trial more."""


def search_many(folder: Path, trials: int, engine: str = "optuna", algorithm: str = "tpe") -> Growth:
    """Searches with workers that train nothing, so that all the time is the search's own."""
    store = StudyStore.create(folder, settings(name=folder.name, engine=engine, algorithm=algorithm))
    process = psutil.Process()
    moments: list[float] = []
    memory: list[float] = []
    files: list[int] = []

    def score(job: object) -> float:
        moments.append(time.perf_counter())
        memory.append(process.memory_info().rss / 1e6)
        files.append(process.num_fds())
        return 0.5 + (job.seed % 997) / 2000  # type: ignore[attr-defined]

    with hold(folder):
        searcher(store, trials).run(FakePool(score, count=1))
    began = time.perf_counter()
    again = StudyStore.open(folder)
    assert len(again.trials()) == trials
    asked: list[float] = []

    def first(job: object) -> float:
        asked.append(time.perf_counter())
        return 0.5

    with hold(folder):
        searcher(again, trials + 1).run(FakePool(first, count=1))
    resume = asked[0] - began
    tenth = max(2, trials // 10)
    steps = [1000 * (b - a) for a, b in itertools.pairwise(moments)]
    return Growth(
        trials,
        statistics.median(steps[1 : tenth + 1]),
        statistics.median(steps[-tenth:]),
        statistics.median(memory[1 : tenth + 1]),
        statistics.median(memory[-tenth:]),
        files[1],
        files[-1],
        resume,
    )


def store_many(folder: Path, trials: int) -> tuple[float, float, float]:
    """Records so many trials; gives the milliseconds that one of the first and of the last tenth took, and to read one more."""
    store = StudyStore.create(folder, settings(name=folder.name))
    one = complete(0)
    took = []
    for number in range(trials):
        began = time.perf_counter()
        begin(store, values(), one.recipe, seed=number + 1)
        store.measure(number, one.curve[0])
        store.finish(complete(number, seed=number + 1))
        took.append(1000 * (time.perf_counter() - began))
    store.trials()
    began = time.perf_counter()
    store.trials()
    tenth = max(2, trials // 10)
    return statistics.median(took[:tenth]), statistics.median(took[-tenth:]), 1000 * (time.perf_counter() - began)


def main() -> None:
    """Prints the table of the long version."""
    import tempfile

    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        # KerasTuner's Bayesian oracle fits a model to all trials for each proposal: at 200 that takes seconds, in its own code.
        for engine, algorithm in (("optuna", "tpe"), ("keras-tuner", "random")):
            grown = search_many(Path(folder) / f"{engine}", 200, engine, algorithm)
            print(
                f"{grown.trials} trials, {engine} ({algorithm}): {grown.first_ms:.0f} → {grown.last_ms:.0f} ms a trial, "
                f"{grown.first_mb:.0f} → {grown.last_mb:.0f} MB, {grown.first_files} → {grown.last_files} open files, "
                f"resumed in {grown.resume_seconds:.1f} s",
                flush=True,
            )
        first, last, read = store_many(Path(folder) / "many", 5000)
        print(f"5,000 recorded trials: {first:.1f} → {last:.1f} ms to record one, {read:.1f} ms to read what is new")


if __name__ == "__main__":
    main()
