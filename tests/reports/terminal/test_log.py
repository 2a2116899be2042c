import io

import pytest
from rich.console import Console

from tlsearch.reports.terminal.log import Log
from tlsearch.search.events import (
    Confirmed,
    FoldStarted,
    Foreseen,
    NodesChanged,
    NodeState,
    PhaseAdvanced,
    PhaseEnded,
    PhaseStarted,
    TechniqueClosed,
    TrialFinished,
    Warned,
)
from tlsearch.search.trial import ClosedTechnique, Confirmation
from tlsearch.spaces.recipe import Technique

from ...search.factory import complete, failed, pruned, recipe

CONFIRMED = Confirmation(
    recipe=recipe(), trial=0, seed=1, seconds=3.0, val_score=0.8, scores={"accuracy": 0.75}, predictions=""
)  # fmt: skip
EVENTS = [
    PhaseStarted("decode", 1200),
    PhaseAdvanced("decode", 600),
    PhaseEnded("decode", 3.2),
    PhaseStarted("search", 6, 1),
    TechniqueClosed(ClosedTechnique(Technique.FULL, 3, 2, 0.0003)),
    PhaseAdvanced("search", 1, 4),
    TrialFinished(complete(1)),
    TrialFinished(pruned(2)),
    TrialFinished(failed(3)),
    PhaseEnded("search", 61.0),
    Confirmed(CONFIRMED),
    Foreseen(Technique.FROZEN, 0.006),
    Warned("no room for the cache"),
    NodesChanged((NodeState("node-2", "10.0.0.2", ("node-2/worker-1", "node-2/worker-2")),)),
]


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=40)


def lines(console):
    return console.file.getvalue().splitlines()


def test_a_line_for_each_thing_that_ends(console):
    log = Log(console, "accuracy")
    for event in EVENTS:
        log(event)
    assert lines(console) == [
        "decoding: 1,200 images",
        "decoding: done in 3.2 s",
        "search: 6 trials, 1 of them done before",
        "no more trials of full after 3: 2 more would raise the best score by 0.03 points in expectation",
        "[2/4] trial 1  frozen, lr 0.001  →  accuracy 80.0% at epoch 2, 30 s",
        "[3/4] trial 2  frozen, lr 0.001  →  pruned at 80.0%, 30 s",
        "[4/4] trial 3  frozen, lr 0.001  →  failed: the training loss became nan",
        "search: done in 61 s",
        "confirmed frozen  →  test accuracy 75.0%",
        "stopping now: frozen would be recommended, which costs 0.6 points in expectation",
        "warning: no room for the cache",
        "1 node, 2 workers: node-2 (10.0.0.2) 2",
    ]


def test_quiet_writes_warnings_only(console):
    log = Log(console, "accuracy", quiet=True)
    for event in EVENTS:
        log(event)
    assert lines(console) == ["warning: no room for the cache"]


def test_a_stopped_trial_is_not_counted_as_done(console):
    log = Log(console, "accuracy")
    log(PhaseStarted("search", 4))
    log(TrialFinished(failed(0, interrupted=True, error="stopped by Ctrl-C")))
    log(TrialFinished(complete(1)))
    assert lines(console)[1].startswith("[0/4]") and lines(console)[1].endswith("→  stopped, to be trained again")
    assert lines(console)[2].startswith("[1/4]")


def test_a_trial_that_kept_its_head_says_so(console):
    Log(console, "accuracy")(TrialFinished(complete(1, "full", best_epoch=0)))
    assert "accuracy 80.0% with the head that it began with, 30 s" in lines(console)[0]


def test_text_from_elsewhere_stays_text(console):
    Log(console, "accuracy")(Warned("[red]x[/red]\x1b[2J"))
    assert lines(console) == ["warning: [red]x[/red]\\x1b[2J"]


def test_a_fold_is_announced():
    out = io.StringIO()
    Log(Console(file=out), "accuracy")(FoldStarted(1, 5))
    assert out.getvalue() == "fold 2 of 5\n"
