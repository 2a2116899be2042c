"""The simulation's laws: what it says where the answer is known without it."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("simpy")
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def simulation():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import simulate_scaling

        yield simulate_scaling
    finally:
        sys.path.remove(str(BENCHMARKS))


def costs(simulation, seconds, epochs=5):
    """All of the driver's time for a trial goes into recording its end."""
    nothing = dict.fromkeys(("propose", "adopt", "observe", "rest"), ((1, 0.0),))
    return simulation.Costs(**nothing, begin=0.0, measure=0.0, finish=seconds, epochs=epochs)


def test_a_driver_that_costs_nothing_is_no_limit(simulation):
    found = simulation.simulate(1, 50, 60.0, costs(simulation, 0.0))
    assert found["trials_per_hour"] == pytest.approx(60, rel=0.1) and found["utilisation"] == 1.0 and found["driver_busy"] == 0
    assert simulation.simulate(50, 1000, 60.0, costs(simulation, 0.0))["trials_per_hour"] == pytest.approx(3000, rel=0.15)


def test_a_driver_that_is_never_idle_is_the_limit(simulation):
    found = simulation.simulate(200, 2000, 1.0, costs(simulation, 0.1))
    assert found["trials_per_hour"] == pytest.approx(36_000, rel=0.02) and found["driver_busy"] > 0.98
    assert found["utilisation"] == pytest.approx(1.0 / (200 * 0.1), rel=0.05), "10 of 200 workers' time"
    shared = simulation.simulate(200, 2000, 1.0, costs(simulation, 0.1), drivers=4)
    assert shared["trials_per_hour"] == pytest.approx(4 * 36_000, rel=0.05)


def test_drivers_that_share_a_study_begin_one_trial_at_a_time(simulation):
    own = dataclasses.replace(costs(simulation, 0.0), begin=0.1)
    found = [simulation.simulate(200, 2000, 1.0, own, drivers=drivers)["trials_per_hour"] for drivers in (1, 4)]
    assert found == pytest.approx([36_000, 36_000], rel=0.02)


def test_costs_come_from_what_was_measured(simulation):
    points = [{"trials": n, "propose_ms": 10.0, "adopt_ms": 2.0, "observe_ms": 1.0} for n in (10, 100)]
    points.append({"trials": 200, "propose_ms": 20.0, "adopt_ms": 2.0, "observe_ms": 1.0})
    statements = {"begin_statements": 10, "measure_statements": 2, "finish_statements": 5, "epochs": 5}
    rest = [{"trials": 50, "ms": 2.0}, {"trials": 150, "ms": 4.0}]
    measured = {
        "proposals": {"optuna tpe": points, "optuna random": points[:1]},
        "store": {
            "SQLite": {"begin_ms": 5.0, "measure_ms": 1.0, "finish_ms": 6.0, "rest": rest, **statements},
            "PostgreSQL": {"begin_ms": 2.0, "measure_ms": 1.0, "finish_ms": 3.0, **statements},
        },
    }
    own = simulation.Costs.of(measured, "optuna tpe")
    assert own.before(49, 100) == pytest.approx(0.002 + 0.005) and own.before(50, 100) == pytest.approx(0.010 + 0.005)
    assert own.before(150, 200) == pytest.approx(0.015 + 0.005)
    assert own.before(300, 300) - own.begin == pytest.approx(0.03), "on the line of the last two points"
    assert own.after(100) == pytest.approx(0.006 + 0.001 + 0.003)
    other = simulation.Costs.of(measured, "optuna random", "PostgreSQL", latency_ms=0.5)
    assert (other.begin, other.measure, other.finish) == pytest.approx((0.007, 0.002, 0.0055))
    assert other.rest == own.rest and other.before(3000, 3000) == pytest.approx(0.017)


def test_the_committed_measurements_can_be_simulated_and_drawn(simulation):
    measured = json.loads((BENCHMARKS.parent / "docs" / "scaling.json").read_text())
    own = simulation.Costs.of(measured, simulation.MEASURED)
    assert max(point["workers"] for point in measured["loop"]) == 1000
    measured["loop"] = measured["loop"][:2]
    compared = simulation.beside(measured, own)
    assert {point["kind"] for point in compared} >= {"made-up training"}
    curves = [{"trial": "2 s", "workers": workers, **simulation.simulate(workers, 20, 2.0, own)} for workers in (1, 4)]
    svg = simulation.plot({"curves": curves, "measured": compared}, measured, own)
    assert svg.startswith("<svg")
