"""A search's progress on a terminal, redrawn in place."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from ...search.events import (
    Confirmed,
    Event,
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
from ...search.selection import better
from ...search.training.schedule import most_epochs
from ...search.trial import CompleteTrial, Measurement, Metric, RunningTrial
from ...spaces.recipe import Technique
from ..text import describe, duration, literal, score
from ..words.sentences import PHASES, places
from .drawing import COLOURS
from .log import closed_line, confirmed_line, fold_line, foreseen_line, trial_line


class LiveProgress:
    """A listener that draws phases, running trials and the best so far; finished trials scroll away above.

    Args:
        console: A terminal.
        metric: The study's.
        clock: Seconds of a clock that only goes forward.
    """

    def __init__(self, console: Console, metric: Metric, clock: Callable[[], float] = time.monotonic) -> None:
        self._metric: Metric = metric
        self._clock = clock
        self._phases = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            get_time=clock,
        )
        self._tasks: dict[str, TaskID] = {}
        self._began: dict[str, tuple[float, PhaseStarted]] = {}
        self._running: dict[int, tuple[RunningTrial, Measurement | None]] = {}
        self._workers: dict[str, int | None] = {}
        self._nodes: tuple[NodeState, ...] = ()
        self._best: dict[Technique, CompleteTrial] = {}
        self._foreseen: Foreseen | None = None
        self._fold = ""
        self._live = Live(
            get_renderable=self.__rich__, console=console, refresh_per_second=4, redirect_stdout=True, redirect_stderr=True
        )

    def __enter__(self) -> LiveProgress:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Takes note; the screen is redrawn four times a second."""
        if isinstance(event, FoldStarted):
            # Its scores are of other validation images, and its bars take the place of those of the fold before.
            self._fold, self._best = f", {fold_line(event)}", {}
            for phase in ("profile", "search", "confirm"):
                if phase in self._tasks:
                    self._phases.remove_task(self._tasks.pop(phase))
        elif isinstance(event, PhaseStarted):
            self._began[event.phase] = (self._clock(), event)
            self._tasks[event.phase] = self._phases.add_task(
                f"{PHASES[event.phase]}{self._fold}", total=event.total, completed=event.done, left=""
            )
        elif isinstance(event, PhaseAdvanced) and event.phase in self._tasks:
            if event.total is not None:
                began, start = self._began[event.phase]
                self._began[event.phase] = began, dataclasses.replace(start, total=event.total)
            total = self._began[event.phase][1].total
            self._phases.update(self._tasks[event.phase], completed=event.done, total=total, left=self._left(event))
        elif isinstance(event, PhaseEnded) and event.phase in self._tasks:
            self._phases.update(self._tasks[event.phase], left="")
            self._phases.stop_task(self._tasks[event.phase])
        elif isinstance(event, TrialStarted):
            self._running[event.trial.number] = (event.trial, None)
            self._workers[event.trial.worker] = event.trial.number
        elif isinstance(event, TrialMeasured):
            trial, _ = self._running[event.number]
            self._running[event.number] = (trial, event.measurement)
        elif isinstance(event, TrialFinished):
            self._finish(event)
        elif isinstance(event, TechniqueClosed):
            self._print(closed_line(event.closed), COLOURS[event.closed.technique])
        elif isinstance(event, Foreseen):
            self._foreseen = event
        elif isinstance(event, Confirmed):
            self._print(confirmed_line(event.confirmation, self._metric), COLOURS[event.confirmation.recipe.technique])
        elif isinstance(event, NodesChanged):
            self._nodes = event.nodes
        elif isinstance(event, Warned):
            self._print(f"warning: {event.message}", "yellow")

    def _finish(self, event: TrialFinished) -> None:
        trial = event.trial
        self._running.pop(trial.number, None)
        if self._workers.get(trial.worker) == trial.number:
            self._workers[trial.worker] = None
        if isinstance(trial, CompleteTrial):
            technique = trial.recipe.technique
            if technique not in self._best or better(self._metric, trial.score, self._best[technique].score):
                self._best[technique] = trial
        self._print(trial_line(trial, self._metric), COLOURS[trial.recipe.technique])

    def _left(self, event: PhaseAdvanced) -> str:
        """Time left at the speed so far."""
        began, start = self._began[event.phase]
        fresh = event.done - start.done
        if fresh <= 0 or event.done >= start.total:
            return ""
        return f"about {duration((start.total - event.done) * (self._clock() - began) / fresh)} left"

    def _print(self, line: str, style: str = "") -> None:
        self._live.console.print(Text(literal(line), style=style))

    def __rich__(self) -> RenderableType:
        """What is on the screen below the finished trials."""
        parts: list[RenderableType] = [self._phases]
        if self._nodes:
            parts.append(Text(literal(places(self._nodes)), style="dim", no_wrap=True, overflow="ellipsis"))
        if self._running:
            parts.append(self._states())
        if self._best:
            best = Text("best so far: ")
            for technique in Technique:
                if technique in self._best:
                    best.append(f"{technique} {score(self._best[technique].score, self._metric)}  ", COLOURS[technique])
            parts.append(best)
        if self._foreseen:
            parts.append(Text(foreseen_line(self._foreseen, self._metric), COLOURS[self._foreseen.technique]))
        parts.append(Text("Ctrl-C stops cleanly; the same command goes on.", style="dim"))
        return Group(*parts)

    def _states(self) -> Group:
        """What each worker is at, a line each, cut off where the terminal ends."""
        placed = {worker for node in self._nodes for worker in node.workers}
        # A worker that had to leave its node has another name by now.
        shown = {w: number for w, number in self._workers.items() if number is not None or w in placed or not self._nodes}
        wide = max(map(len, shown))
        lines = []
        for worker, number in sorted(shown.items()):
            line = Text(literal(worker).ljust(wide), no_wrap=True, overflow="ellipsis")
            if number is None:
                line.append("  waiting", "dim")
            else:
                trial, measurement = self._running[number]
                technique = trial.recipe.technique
                line.append(f"  trial {number}  ").append(technique, COLOURS[technique])
                line.append(f"  {self._epoch(trial, measurement)}").append(f"  {describe(trial.recipe)}", "dim")
            lines.append(line)
        return Group(*lines)

    def _epoch(self, trial: RunningTrial, measurement: Measurement | None) -> str:
        if measurement is None:
            return "preparing"
        done, total = measurement.epoch, most_epochs(trial.recipe)
        filled = round(12 * done / total)
        # Of the epochs so far the last one tells best how long the next will take: the first also compiles.
        left = f"  ~{duration((total - done) * measurement.seconds)} left" if done < total else ""
        return f"{'━' * filled}{'╌' * (12 - filled)} epoch {done}/{total}  {score(measurement.score, self._metric)}{left}"
