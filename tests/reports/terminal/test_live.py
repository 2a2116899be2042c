import io
import logging

import pytest
from rich.console import Console

from tlsearch.reports.terminal.live import LiveProgress
from tlsearch.search.events import (
    FoldStarted,
    Foreseen,
    NodesChanged,
    NodeState,
    PhaseAdvanced,
    PhaseEnded,
    PhaseStarted,
    TechniqueClosed,
    TrialFinished,
    TrialMeasured,
    TrialStarted,
    Warned,
)
from tlsearch.search.training.schedule import PATH
from tlsearch.search.trial import ClosedTechnique, RunningTrial
from tlsearch.spaces.recipe import Technique

from ...search.factory import START, complete, failed, measurement, recipe
from ..factory import rendered


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=100, force_terminal=True)


@pytest.fixture
def live(console, clock):
    return LiveProgress(console, "accuracy", clock)


def running(number, technique="frozen", worker="worker-1", **changes):
    return RunningTrial(number=number, recipe=recipe(technique, **changes), seed=1, started=START, worker=worker)


def test_what_is_running_with_its_epochs_and_the_best_so_far(live):
    live(PhaseStarted("search", 20))
    live(TrialStarted(running(0)))
    live(TrialStarted(running(1, "fine-tune", "worker-2", epochs=10)))
    assert rendered(live, 100).count("preparing") == 2
    live(TrialMeasured(1, measurement(5, 0.9)))
    live(TrialFinished(complete(0)))
    live(PhaseAdvanced("search", 1))
    text = rendered(live, 100)
    assert "trial 0" not in text and "1/20" in text
    assert "worker-1  waiting" in text
    assert "worker-2  trial 1  fine-tune  ━━━━━━╌╌╌╌╌╌ epoch 5/10  90.0%  ~7.5 s left" in text
    assert "best so far: frozen 80.0%" in text


def test_a_head_counts_its_penalties(live):
    live(PhaseStarted("search", 20))
    live(TrialStarted(running(0, epochs=20, l2_path=True)))
    live(TrialMeasured(0, measurement(3, 0.9)))
    assert f"epoch 3/{len(PATH)}  90.0%  ~3.0 s left" in rendered(live, 100)


def test_the_best_is_not_replaced_by_a_worse_one(live):
    for number, scores in enumerate([(0.8,), (0.9,), (0.7,)]):
        live(TrialStarted(running(number)))
        live(TrialFinished(complete(number, scores=scores)))
    assert "best so far: frozen 90.0%" in rendered(live)


def test_where_the_workers_are_and_where_they_went(live):
    live(
        NodesChanged(
            (NodeState("node-1", "10.0.0.1", ("node-1/worker-1",)), NodeState("node-2", "10.0.0.2", ("node-2/worker-1",)))
        )
    )
    live(TrialStarted(running(0, worker="node-1/worker-1")))
    live(TrialStarted(running(1, worker="node-2/worker-1")))
    text = rendered(live, 100)
    assert "2 nodes, 2 workers: node-1 (10.0.0.1) 1, node-2 (10.0.0.2) 1" in text
    assert "node-2/worker-1  trial 1" in text
    live(NodesChanged((NodeState("node-1", "10.0.0.1", ("node-1/worker-1",)),)))
    assert "node-2/worker-1  trial 1" in rendered(live, 100), "until the search has heard of it"
    live(TrialFinished(failed(1, worker="node-2/worker-1")))
    text = rendered(live, 100)
    assert "1 node, 1 worker: node-1" in text and "node-2" not in text


def test_time_left_counts_only_what_this_run_did(live, clock):
    live(PhaseStarted("search", 20, done=10))
    assert "left" not in rendered(live)
    clock.now = 30.0
    live(PhaseAdvanced("search", 12))
    assert "about 2 min 00 s left" in rendered(live, 100)
    live(PhaseAdvanced("search", 20))
    live(PhaseEnded("search", 30.0))
    assert "left" not in rendered(live, 100)


def test_confirmation_says_what_stopping_now_would_cost_and_may_grow(live, clock):
    live(PhaseStarted("confirm", 6))
    clock.now = 60.0
    live(PhaseAdvanced("confirm", 6, 6))
    assert "6/6" in rendered(live, 100) and "stopping now" not in rendered(live, 100)
    live(Foreseen(Technique.FULL, 0.008))
    live(PhaseAdvanced("confirm", 7, 8))
    text = rendered(live, 100)
    assert "7/8" in text and "stopping now: full would be recommended, which costs 0.8 points in expectation" in text


def test_finished_trials_and_warnings_scroll_away_above(live, console):
    with live:
        live(TrialStarted(running(0)))
        live(TrialFinished(complete(0)))
        live(TechniqueClosed(ClosedTechnique(Technique.FULL, 3, 2, 0.0003)))
        live(Warned("[red]x[/red]"))
    printed = console.file.getvalue()
    assert "no more trials of full after 3: 2 more would raise the best score by 0.03 points in expectation" in printed
    assert "trial 0  frozen, lr 0.001" in printed and "warning: [red]x[/red]" in printed


def test_no_row_is_wider_than_the_terminal(live):
    live(PhaseStarted("search", 20))
    live(TrialStarted(running(0, "fine-tune", head_units=128, head_layers=3, dropout=0.4, augment=True)))
    live(TrialMeasured(0, measurement(1, 0.9)))
    lines = rendered(live, 80).splitlines()
    assert max(map(len, lines)) <= 80 and sum("trial 0" in line for line in lines) == 1


def test_what_libraries_log_and_print_does_not_tear_it(live, console):
    """They write to the standard streams; while it is live these lead above the drawing."""
    with live:
        live(TrialStarted(running(0)))
        print("from a library")
        logging.getLogger("library").warning("watch out")
        logging.StreamHandler().emit(logging.LogRecord("x", logging.WARNING, "", 0, "logged", (), None))
    printed = console.file.getvalue()
    assert "from a library" in printed and "logged" in printed


def test_a_fold_has_bars_of_its_own_in_place_of_those_before(live):
    live(FoldStarted(0, 5))
    live(PhaseStarted("search", 20))
    live(TrialFinished(complete(0)))
    live(PhaseEnded("search", 9.0))
    assert "search, fold 1 of 5" in rendered(live, 100) and "best so far" in rendered(live, 100)
    live(FoldStarted(1, 5))
    assert "fold 1" not in rendered(live, 100) and "best so far" not in rendered(live, 100)
    live(PhaseStarted("search", 20))
    assert rendered(live, 100).count("fold 2 of 5") == 1
