"""A search's progress as plain lines, for logs, pipes and ``--quiet``."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from ...search.events import (
    Confirmed,
    Event,
    FoldStarted,
    Foreseen,
    NodesChanged,
    Phase,
    PhaseAdvanced,
    PhaseEnded,
    PhaseStarted,
    TechniqueClosed,
    TrialFinished,
    Warned,
)
from ...search.trial import ClosedTechnique, CompleteTrial, Confirmation, FailedTrial, FinishedTrial, PrunedTrial
from ..text import count, describe, duration, gap, literal, metric_name, score
from ..words.sentences import PHASES, places, spared

_UNITS: dict[Phase, str] = {"search": "trial", "confirm": "training run"}
"""What is counted in a phase, where it is not images."""


class Log:
    """A listener that writes a line for each phase and each finished trial.

    Args:
        console: Where to.
        metric: The study's.
        quiet: Warnings only.
    """

    def __init__(self, console: Console, metric: str, *, quiet: bool = False) -> None:
        self._console = console
        self._metric = metric
        self._quiet = quiet
        self._total = 0
        self._done = 0

    def __call__(self, event: Event) -> None:
        """Writes what is worth a line."""
        if isinstance(event, Warned):
            self._write(f"warning: {event.message}")
        if self._quiet:
            return
        if isinstance(event, FoldStarted):
            self._write(fold_line(event))
        elif isinstance(event, PhaseStarted):
            if event.phase == "search":
                self._total, self._done = event.total, event.done
            before = f", {event.done:,} of them done before" if event.done else ""
            self._write(f"{PHASES[event.phase]}: {count(event.total, _UNITS.get(event.phase, 'image'))}{before}")
        elif isinstance(event, PhaseEnded):
            self._write(f"{PHASES[event.phase]}: done in {duration(event.seconds)}")
        elif isinstance(event, TrialFinished):
            self._done += not (isinstance(event.trial, FailedTrial) and event.trial.interrupted)
            self._write(f"[{self._done}/{self._total}] {trial_line(event.trial, self._metric)}")
        elif isinstance(event, PhaseAdvanced) and event.phase == "search" and event.total is not None:
            self._total = event.total
        elif isinstance(event, TechniqueClosed):
            self._write(closed_line(event.closed))
        elif isinstance(event, Confirmed):
            self._write(confirmed_line(event.confirmation, self._metric))
        elif isinstance(event, Foreseen):
            self._write(foreseen_line(event, self._metric))
        elif isinstance(event, NodesChanged):
            self._write(places(event.nodes))

    def _write(self, line: str) -> None:
        self._console.print(Text(literal(line)), soft_wrap=True)


def fold_line(event: FoldStarted) -> str:
    """Which fold comes next."""
    return f"fold {event.number + 1} of {event.total}"


def trial_line(trial: FinishedTrial, metric: str) -> str:
    """A finished trial in one line."""
    what = f"trial {trial.number}  {describe(trial.recipe, technique=True)}"
    if isinstance(trial, CompleteTrial):
        where = f"at epoch {trial.best_epoch}" if trial.best_epoch else "with the head that it began with"
        reached = f"{metric_name(metric)} {score(trial.score, metric)} {where}"
        return f"{what}  →  {reached}, {duration(trial.seconds)}"
    if isinstance(trial, PrunedTrial):
        return f"{what}  →  pruned at {score(trial.score, metric)}, {duration(trial.seconds)}"
    assert isinstance(trial, FailedTrial)
    return f"{what}  →  stopped, to be trained again" if trial.interrupted else f"{what}  →  failed: {trial.error}"


def confirmed_line(confirmation: Confirmation, metric: str) -> str:
    """A confirmation in one line."""
    value = score(confirmation.scores[metric], metric)
    return f"confirmed {confirmation.recipe.technique}  →  test {metric_name(metric)} {value}"


def closed_line(closed: ClosedTechnique) -> str:
    """Why a technique gets no more trials, in one line."""
    return f"no more trials of {spared(closed)}"


def foreseen_line(event: Foreseen, metric: str) -> str:
    """What stopping now would mean, in one line."""
    return f"stopping now: {event.technique} would be recommended, which costs {gap(event.regret, metric)} in expectation"
