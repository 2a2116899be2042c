"""How far a search scales, simulated with costs that were measured: 1 to 1,000 workers, one driver or several.

    python benchmarks/loop.py --out docs/scaling.json
    python benchmarks/simulate_scaling.py docs/scaling.json --plot docs/scaling.svg
    python benchmarks/simulate_scaling.py docs/scaling.json --store PostgreSQL --latency-ms 0.5 --drivers 4

prints one JSON line: throughput, the share of the workers' time that is spent training, and the share of the driver's that is
not spent waiting, by the number of workers and the length of a trial; and beside each point that `loop.py` measured what the
simulation says of it. A driver does one thing at a time: it proposes and records the start, records each epoch, and observes
and records the end of every trial, while a worker waits for the first two. Every worker gets five trials.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import simpy
from common import trial_seconds

WORKERS = (1, 2, 4, 8, 16, 32, 64, 125, 250, 500, 1000)
LENGTHS = {"2 s": 2.0, "1 min": 60.0, "10 min": 600.0}
TRIALS_A_WORKER = 5
SEARCHES = 3

MEASURED = "optuna tpe"
"""The engine that `loop.py` runs the real loop with."""

STORE = ("begin", "measure", "finish")
"""What the driver asks of the store."""


Line = tuple[tuple[float, float], ...]
"""Seconds by the number of trials, as measured."""


@dataclass(frozen=True)
class Costs:
    """Seconds of the driver's time.

    Attributes:
        propose, adopt, observe: Of the engine, by the number of trials.
        begin, measure, finish: Of the store.
        rest: Of everything else that the loop does for a trial, by the number of trials.
        epochs: Of a trial.
    """

    propose: Line
    adopt: Line
    observe: Line
    begin: float
    measure: float
    finish: float
    rest: Line
    epochs: int

    @classmethod
    def of(cls, measured: dict[str, Any], engine: str, store: str = "SQLite", latency_ms: float = 0.0) -> Costs:
        """From what `loop.py` measured, the database being so far away that each statement takes so much longer."""
        points, recorded = measured["proposals"][engine], measured["store"][store]
        own = {name: _line(points, f"{name}_ms") for name in ("propose", "adopt", "observe")}
        asked = {name: (recorded[f"{name}_ms"] + latency_ms * recorded[f"{name}_statements"]) / 1e3 for name in STORE}
        return cls(**own, **asked, rest=_line(measured["store"]["SQLite"]["rest"], "ms"), epochs=recorded["epochs"])

    def before(self, number: int, trials: int) -> float:
        """Until trial ``number`` of so many trains. The first half is the fair start, which the engine only takes note of."""
        chosen = self.adopt if number < trials // 2 else self.propose
        return _at(chosen, number) + self.begin

    def after(self, number: int) -> float:
        """From the end of its training on."""
        return self.finish + _at(self.observe, number) + _at(self.rest, number)


def _line(points: Sequence[dict[str, float]], name: str) -> Line:
    return tuple((point["trials"], point[name] / 1e3) for point in points)


def _at(line: Line, number: int) -> float:
    """A cost at trial ``number``: between measured points, or beyond, on a line."""
    trials, seconds = zip(*line, strict=True)
    if number <= trials[-1] or len(line) < 2:
        return float(np.interp(number, trials, seconds))
    slope = (seconds[-1] - seconds[-2]) / (trials[-1] - trials[-2])
    return float(seconds[-1] + max(0.0, slope) * (number - trials[-1]))


class Simulation:
    """One search.

    Args:
        workers: That train side by side.
        trials: In all.
        seconds: That a trial trains, on average; they vary as in `loop.py`.
        costs: Of the driver.
        drivers: That share the workers and the study, each with proposals of its own.
        seed: Of how long each trial takes.
    """

    def __init__(self, workers: int, trials: int, seconds: float, costs: Costs, *, drivers: int = 1, seed: int = 0) -> None:
        self._env = simpy.Environment()
        self._drivers = [simpy.Resource(self._env) for _ in range(drivers)]
        self._study = simpy.Resource(self._env)
        self._rng = np.random.default_rng(seed)
        self._trials, self._seconds, self._costs = trials, seconds, costs
        self._started = 0
        self._busy = self._trained = 0.0
        for place in range(workers):
            self._env.process(self._worker(self._drivers[place % drivers]))
        self._env.run()
        wall = self._env.now
        self.result = {
            "trials_per_hour": round(3600 * trials / wall, 1),
            "utilisation": round(self._trained / workers / wall, 4),
            "driver_busy": round(self._busy / drivers / wall, 4),
        }

    def _worker(self, driver: simpy.Resource) -> Generator[Any, Any, None]:
        costs = self._costs
        while self._started < self._trials:
            number = self._started
            self._started += 1
            with driver.request() as turn:
                yield turn
                # One driver at a time begins a trial, so that it sees all that were begun before.
                yield from self._use(self._study, costs.before(number, self._trials))
            each = trial_seconds(self._rng, self._seconds) / costs.epochs
            for _ in range(costs.epochs):
                yield self._env.timeout(each)
                self._trained += each
                yield from self._use(driver, costs.measure)
            yield from self._use(driver, costs.after(number))

    def _use(self, resource: simpy.Resource, seconds: float) -> Generator[Any, Any, None]:
        with resource.request() as turn:
            yield turn
            yield self._env.timeout(seconds)
        self._busy += seconds


def simulate(workers: int, trials: int, seconds: float, costs: Costs, drivers: int = 1) -> dict[str, float]:
    """The mean of several searches."""
    found = [Simulation(workers, trials, seconds, costs, drivers=drivers, seed=seed).result for seed in range(SEARCHES)]
    return {name: round(float(np.mean([one[name] for one in found])), 4) for name in found[0]}


def curves(costs: Costs, drivers: int) -> list[dict[str, Any]]:
    """Every number of workers with every length of a trial."""
    return [
        {
            "trial": name,
            "workers": workers,
            **simulate(workers, TRIALS_A_WORKER * workers, seconds, costs, min(drivers, workers)),
        }
        for name, seconds in LENGTHS.items()
        for workers in WORKERS
    ]


def beside(measured: dict[str, Any], costs: Costs) -> list[dict[str, Any]]:
    """What was measured, and what the simulation says of the same."""
    found = []
    for kind, points in (("made-up training", measured["loop"]), ("training", measured.get("training", []))):
        for point in points:
            said = simulate(point["workers"], point["trials"], point["trial_seconds"], costs)
            simulated = {name: said[name] for name in ("trials_per_hour", "utilisation")}
            found.append({"kind": kind, **point, "simulated": simulated})
    return found


def plot(result: dict[str, Any], measured: dict[str, Any], costs: Costs) -> str:
    """Three charts side by side, as SVG: throughput, utilisation, and what a trial costs the driver."""
    import vl_convert

    lines = [{**point, "what": "simulated"} for point in result["curves"]]
    shown = {"made-up training": "2 s", "training": "training on this machine"}
    points = [
        {"trial": shown[one["kind"]], **{n: one[n] for n in ("workers", "trials_per_hour", "utilisation")}}
        for one in result["measured"]
    ]
    store = 1e3 * (costs.begin + costs.epochs * costs.measure + costs.finish)
    engines = [
        {"engine": engine, "trials": point["trials"], "ms": max(point["propose_ms"], 0.01)}
        for engine, found in measured["proposals"].items()
        for point in found
    ]
    engines += [{"engine": "record it (SQLite)", "trials": at, "ms": store} for at in (10, 3000)]
    powers = {"values": [1, 10, 100, 1000], "format": ","}
    workers = {"field": "workers", "type": "quantitative", "scale": {"type": "log"}, "title": "workers", "axis": powers}
    order = [*LENGTHS, "training on this machine"]
    below = {"orient": "bottom", "columns": 2, "labelLimit": 300}
    trial = {"field": "trial", "type": "nominal", "title": "a trial takes", "sort": order, "legend": below}

    def against_workers(field: str, title: str, **options: Any) -> dict[str, Any]:
        y = {"field": field, "type": "quantitative", "title": None, **options}
        return {
            "title": title,
            "width": 250,
            "height": 260,
            "layer": [
                {"data": {"values": lines}, "mark": "line", "encoding": {"x": workers, "y": y, "color": trial}},
                {
                    "data": {"values": points},
                    "mark": {"type": "point", "filled": True, "size": 45, "opacity": 1},
                    "encoding": {"x": workers, "y": y, "color": trial},
                },
            ],
        }

    number = {
        "field": "trials",
        "type": "quantitative",
        "scale": {"type": "log"},
        "axis": powers,
        "title": "trials observed before",
    }
    milliseconds = {"field": "ms", "type": "quantitative", "scale": {"type": "log"}, "title": None, "axis": {"tickCount": 5}}
    engine = {"field": "engine", "type": "nominal", "title": None, "legend": below}
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": "white",
        "padding": 10,
        "resolve": {"scale": {"color": "independent"}},
        "hconcat": [
            against_workers("trials_per_hour", "Trials an hour", scale={"type": "log"}, axis={"format": ",", "tickCount": 5}),
            against_workers("utilisation", "Workers' time spent training", axis={"format": "%"}),
            {
                "title": "Milliseconds to propose a trial",
                "width": 250,
                "height": 260,
                "data": {"values": engines},
                "mark": {"type": "line", "point": True},
                "encoding": {"x": number, "y": milliseconds, "color": engine},
            },
        ],
    }
    return str(vl_convert.vegalite_to_svg(spec, vl_version="5.20"))


def main() -> None:
    """Simulates and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("costs", type=Path, help="what `loop.py --out` wrote")
    parser.add_argument("--engine", default=MEASURED)
    parser.add_argument("--store", default="SQLite", help="of those that were measured")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="to the database and back, for each of its statements")
    parser.add_argument("--drivers", type=int, default=1)
    parser.add_argument("--plot", type=Path)
    asked = parser.parse_args()
    measured = json.loads(asked.costs.read_text())
    costs = Costs.of(measured, asked.engine, asked.store, asked.latency_ms)
    local = Costs.of(measured, MEASURED)
    result = {
        "benchmark": "simulate_scaling",
        "engine": asked.engine,
        "store": asked.store,
        "latency_ms": asked.latency_ms,
        "drivers": asked.drivers,
        "curves": curves(costs, asked.drivers),
        "measured": beside(measured, local),
    }
    if asked.plot:
        asked.plot.write_text(plot(result, measured, costs))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
