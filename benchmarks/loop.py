"""What the search itself costs beside training: proposals, the store, and the loop with up to 1,000 workers that train nothing.

    python benchmarks/loop.py --out costs.json
    python benchmarks/loop.py --only proposals

runs four things, each of the real code, and prints one JSON line, which `simulate_scaling.py` reads:

- proposals: for each engine, the time to propose, to adopt (one of the fair start) and to observe a trial when so many were
  observed before;
- store: the real search loop without any training, which is its ceiling, and the part of it that the start, an epoch and the
  end of a trial take to record in SQLite, or in the database of --storage;
- loop: the same in real time, with workers that answer after a while instead of training: how many trials an hour it keeps up
  with, by the number of workers. The processor time that real worker processes would take is not part of it; waiting for the
  messages of so many pipes is measured apart;
- training: a real search on the built-in pictures, with one worker and with two.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import pickle
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import sqlalchemy
from common import report
from common import search as run_search
from timed_pool import EPOCHS, TimedPool, measurement, outcome

from tlsearch.search.engines import ALGORITHMS, WAIT, Engine, make_engine
from tlsearch.search.phases import search as search_loop
from tlsearch.search.phases.search import Searcher
from tlsearch.search.phases.training import Conditions
from tlsearch.search.settings import DataSettings, StudySettings
from tlsearch.search.storage.address import parse_storage
from tlsearch.search.storage.shared.studies import SharedStudy
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.training.trainer import Job
from tlsearch.search.trial import FinishedTrial
from tlsearch.search.workers.messages import Measured, Trained
from tlsearch.spaces.space import SearchSpace

SPACE = SearchSpace()
AT = (10, 30, 100, 300, 1000, 3000)
"""Observed trials at which proposals are timed."""

PATIENCE = 90.0
"""Seconds after which an engine is not asked with more trials still."""

LAYOUTS = ((1, 6), (2, 12), (8, 48), (32, 128), (128, 256), (1000, 1000))
"""Workers, and trials that they are given: enough for most of the time to be spent with all of them busy."""


def new_store(place: Path | SharedStudy, engine: str = "optuna", algorithm: str = "tpe") -> StudyStore:
    """An empty study."""
    data = DataSettings(
        path="made up", fingerprint="f", classes=("a", "b"), train=160, val=40, test=40, train_per_class=(80, 80),
        test_per_class=(20, 20),
    )  # fmt: skip
    settings = StudySettings(
        name=place.name, created="2026-01-01T00:00:00+00:00", engine=engine, algorithm=algorithm, seed=0, metric="accuracy",
        space=SPACE.as_dict(), data=data, alpha=0.35, size=160, weights="random", weights_fingerprint="w", version="",
    )  # fmt: skip
    return StudyStore.create(place, settings)


def search(store: StudyStore, trials: int, pool: TimedPool) -> float:
    """The real loop; its wall time in seconds."""
    with store.hold():
        began = time.monotonic()
        Searcher(store, SPACE, trials, Conditions(patience=3), prune=True).run(pool)  # type: ignore[arg-type]
        return time.monotonic() - began


def proposals(engine_name: str, algorithm: str) -> list[dict[str, float]]:
    """Milliseconds to propose, to adopt and to observe, by the number of trials that were observed before."""
    engine = make_engine(engine_name, algorithm, SPACE, seed=0, maximize=True)
    proposer = make_engine("optuna", "random", SPACE, seed=1, maximize=True)
    known = 0
    found = []
    began = time.monotonic()
    for wanted in AT:
        adopting: list[float] = []
        for number in range(known, wanted):
            values = proposer.propose(number)
            assert isinstance(values, dict)
            _timed(engine.adopt, adopting)(number, values)
            engine.observe(number, (number % 97) / 97)
            if time.monotonic() - began > PATIENCE:
                return found
        proposing: list[float] = []
        observing: list[float] = []
        known = wanted + 5
        for number in range(wanted, known):
            values = _timed(engine.propose, proposing)(number)
            assert values is not None and values is not WAIT
            _timed(engine.observe, observing)(number, 0.5)
        found.append(
            {
                "trials": wanted,
                "propose_ms": round(1e3 * statistics.median(proposing), 2),
                "observe_ms": round(1e3 * statistics.median(observing), 2),
                "adopt_ms": round(1e3 * statistics.median(adopting[-50:]), 2),
            }
        )
    return found


def store_costs(place: Path | SharedStudy, trials: int) -> dict[str, Any]:
    """The loop without training, and what it asks of the store: milliseconds and statements, commits among them.

    What is left of the loop's time beside the store's and the engine's grows with the number of trials: all others of its
    technique decide whether a trial goes on.
    """
    store = new_store(place)
    spent: dict[str, list[float]] = defaultdict(list)
    asked: dict[str, int] = defaultdict(int)
    now = [""]
    ends = [(0.0, 0.0)]

    def count(*_: Any) -> None:
        asked[now[0]] += 1

    def end(trial: FinishedTrial, finish: Callable[[FinishedTrial], bool] = store.finish) -> bool:
        done = finish(trial)
        ends.append((time.perf_counter(), sum(sum(times) for times in spent.values())))
        return done

    def timed_engine(*arguments: Any, **options: Any) -> Engine:
        engine = make_engine(*arguments, **options)
        for name in ("propose", "adopt", "observe"):
            setattr(engine, name, _timed(getattr(engine, name), spent["engine"]))
        ends[0] = (time.perf_counter(), 0.0)
        return engine

    store.finish = end  # type: ignore[method-assign]
    for name in ("begin", "measure", "finish"):
        setattr(store, name, _timed(getattr(store, name), spent[name], lambda name=name: now.__setitem__(0, name)))
    size = _size(place)
    with patched(search_loop, "make_engine", timed_engine), counted(count):
        wall = search(store, trials, TimedPool(1, 0.0))
    engine = spent.pop("engine")
    found: dict[str, Any] = {"trials": trials, "wall": round(wall, 2), "trials_per_hour": round(3600 * trials / wall)}
    found |= {f"{name}_ms": round(1e3 * statistics.median(times), 2) for name, times in spent.items()}
    found |= {f"{name}_statements": round(asked[name] / len(times), 1) for name, times in spent.items()}
    found |= {"engine_ms": round(1e3 * sum(engine) / trials, 2), "rest": []}
    for first, last in ((0, trials // 10), (trials // 10, trials // 3), (trials // 3, trials)):
        (began, known), (ended, known_then) = ends[first], ends[last]
        rest = (ended - began - (known_then - known)) / (last - first)
        found["rest"].append({"trials": (first + last) // 2, "ms": round(1e3 * rest, 2)})
    return {**found, "bytes_a_trial": round((_size(place) - size) / trials), "epochs": EPOCHS}


@contextlib.contextmanager
def patched(module: Any, name: str, value: Any) -> Iterator[None]:
    """The module with another value meanwhile."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


@contextlib.contextmanager
def counted(count: Callable[..., None]) -> Iterator[None]:
    """Has ``count`` called for every statement and commit of every database."""
    events = ("before_cursor_execute", "commit")
    for event in events:
        sqlalchemy.event.listen(sqlalchemy.Engine, event, count)
    try:
        yield
    finally:
        for event in events:
            sqlalchemy.event.remove(sqlalchemy.Engine, event, count)


def _size(place: Path | SharedStudy) -> int:
    return (place / "study.db").stat().st_size if isinstance(place, Path) else 0


def loop_rates(scratch: Path, seconds: float) -> list[dict[str, float]]:
    """What the real loop keeps up with, by the number of workers."""
    found = []
    for workers, trials in LAYOUTS:
        pool = TimedPool(workers, seconds)
        wall = search(new_store(scratch / f"loop-{len(found)}"), trials, pool)
        found.append(
            {
                "workers": workers,
                "trials": trials,
                "trial_seconds": seconds,
                "wall": round(wall, 2),
                "trials_per_hour": round(3600 * trials / wall),
                "utilisation": round(pool.trained / workers / wall, 4),
                "driver_busy": round(1 - pool.slept / wall, 4),
            }
        )
    return found


def training(scratch: Path, workers: int, trials: int = 24) -> dict[str, float]:
    """A real search: what `loop_rates` says of made-up ones."""
    study = scratch / f"training-{workers}"
    options = ["--algorithm", "random", "--epochs", EPOCHS, "--confirm", 0, "--no-prune", "--no-early-stopping"]
    run_search("--study", study, "--trials", trials, "--workers", workers, *options, cache=scratch / "cache")
    found = report(study)
    wall, seconds = found["timing"]["train"], [trial["seconds"] for trial in found["trials"]]
    return {
        "workers": workers,
        "trials": trials,
        "trial_seconds": round(statistics.fmean(seconds), 2),
        "wall": round(wall, 2),
        "trials_per_hour": round(3600 * trials / wall),
        "utilisation": round(sum(seconds) / workers / wall, 4),
        "images_per_second": {
            name: round(statistics.median(one["images_per_second"] for one in found["trials"] if one["technique"] == name))
            for name in ("frozen", "fine-tune", "full")
        },
    }


def waiting(pipes: int) -> float:
    """Milliseconds to find the one of so many pipes that has a message."""
    pairs = [multiprocessing.Pipe() for _ in range(pipes)]
    ours = [pair[0] for pair in pairs]
    times = []
    for turn in range(20):
        pairs[turn * 7 % pipes][1].send(None)
        start = time.perf_counter()
        (ready,) = wait(ours)
        times.append(time.perf_counter() - start)
        ready.recv()  # type: ignore[union-attr]
    for one, other in pairs:
        one.close()
        other.close()
    return round(1e3 * statistics.median(times), 3)


def message_bytes() -> dict[str, int]:
    """What goes through the pipe to and from a worker for a trial of the search."""
    from tlsearch.search.workers.messages import Continue, Train

    recipe = SPACE.recipe({"technique": "full", "full/learning_rate": 1e-4, "head_units": 0, "dropout": 0.0})
    messages = {
        "train": Train(0, Job(recipe, 2**31, 2**31), frozenset(SPACE.cuts)),
        "epoch": (Measured(measurement(1)), Continue(True)),
        "end": Trained(outcome(1)),
    }
    return {name: len(pickle.dumps(message)) for name, message in messages.items()}


def _timed(call: Callable[..., Any], times: list[float], begins: Callable[[], None] = lambda: None) -> Callable[..., Any]:
    """``call``, which adds to ``times`` how long it took, without what it calls back."""

    def timed(*arguments: Any, **options: Any) -> Any:
        back: list[float] = []
        own = [_timed(argument, back) if callable(argument) else argument for argument in arguments]
        begins()
        began = time.perf_counter()
        try:
            return call(*own, **options)
        finally:
            times.append(time.perf_counter() - began - sum(back))

    return timed


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="file of the JSON; what it holds of another --only stays")
    parser.add_argument("--only", choices=["proposals", "store", "loop", "training"])
    parser.add_argument("--storage", help="URL of a PostgreSQL whose costs are measured beside SQLite's; a study is left in it")
    parser.add_argument("--trials", type=int, default=1000, help="without training")
    parser.add_argument("--seconds", type=float, default=2.0, help="that a made-up trial takes")
    asked = parser.parse_args()
    found: dict[str, Any] = {"benchmark": "loop", "cores": os.cpu_count()}
    if asked.out and asked.out.exists():
        found = json.loads(asked.out.read_text())
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if asked.only in (None, "proposals"):
            engines = [
                (engine, algorithm) for engine, known in ALGORITHMS.items() for algorithm in known if algorithm != "grid"
            ]
            found["proposals"] = {f"{engine} {algorithm}": proposals(engine, algorithm) for engine, algorithm in engines}
        if asked.only in (None, "store"):
            found.setdefault("store", {})["SQLite"] = store_costs(scratch / "store", asked.trials)
            if asked.storage:
                place = SharedStudy(parse_storage(asked.storage), f"loop-{os.getpid()}")
                found["store"]["PostgreSQL"] = store_costs(place, asked.trials)
            found["wait_ms"] = {str(pipes): waiting(pipes) for pipes in (1, 10, 100, 400)}
            found["message_bytes"] = message_bytes()
        if asked.only in (None, "loop"):
            found["loop"] = loop_rates(scratch, asked.seconds)
        if asked.only in (None, "training"):
            found["training"] = [training(scratch, workers) for workers in (1, 2)]
    print(json.dumps(found))
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
