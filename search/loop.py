"""The search loop: propose → train → record, with as many trials running as there are workers."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from ..spaces.errors import SearchFailedError
from ..spaces.ranges import Values
from ..spaces.space import SearchSpace
from .design import fair_start
from .engines import WAIT, Engine, make_engine
from .events import Listener, PhaseAdvanced, TrialFinished, TrialMeasured, TrialStarted
from .messages import Continue, Failed, FromWorker, Measured, ToWorker, Train, Trained
from .metrics import better, maximized
from .pruning import falls_behind
from .seeds import derive
from .store import StudyStore, interrupted
from .train import Job, Outcome
from .trial import (
    CompleteTrial,
    FailedTrial,
    FinishedTrial,
    Measurement,
    PrunedTrial,
    RunningTrial,
    Trial,
)
from .workers import Died, Worker, WorkerPool

HOPELESS = 5
"""Failed trials without a single success after which a search gives up."""


@dataclasses.dataclass(slots=True)
class _Running:
    """A trial that a worker is training, and the slot of the search that it fills."""

    slot: int
    trial: RunningTrial
    curve: list[Measurement]
    pruned: bool = False


class Searcher:
    """Fills the slots of a search, from 0 to the study's total, each with one trial that was not interrupted.

    A trial's seed follows from its slot, and an interrupted trial is trained again in its slot with the same recipe and seed:
    so the slots come out the same whether or not a search was cut off.

    Args:
        store: Where trials are recorded.
        space: What may be tried.
        total: Slots.
        prune: Whether trials may be ended early within their technique.
        patience: As in `Job`.
        deadline: On the monotonic clock; None for no limit.
        listener: Told what happens.
        reserve: Seconds before the deadline at which the search must end, by the trials that have finished so far.
        suggested_cut: As in `fair_start`; may be set until `run` is called.
    """

    def __init__(
        self,
        store: StudyStore,
        space: SearchSpace,
        total: int,
        *,
        prune: bool,
        patience: int | None,
        deadline: float | None,
        listener: Listener,
        reserve: Callable[[Sequence[FinishedTrial]], float] = lambda finished: 0.0,
        suggested_cut: int | None = None,
    ) -> None:
        self._store = store
        self._space = space
        self._prune = prune
        self._patience = patience
        self._deadline = deadline
        self._reserve = reserve
        self._listener = listener
        self.suggested_cut = suggested_cut
        self._seed = store.settings.seed
        self._metric = store.settings.metric
        self._finished: list[FinishedTrial] = [t for t in store.trials() if isinstance(t, FinishedTrial)]
        self._running: dict[str, _Running] = {}
        self.total = total if space.size is None else min(total, max(space.size, self.done))

    @property
    def done(self) -> int:
        """Slots that are filled."""
        return sum(not _was_interrupted(trial) for trial in self._finished)

    @property
    def complete(self) -> bool:
        """Whether every slot is filled."""
        return self.done >= self.total

    def run(self, pool: WorkerPool, cached_cuts: frozenset[int]) -> None:
        """Searches until every slot is filled, the deadline has come or nothing is left to try.

        Raises:
            SearchFailedError: Nothing but failures.
            KeyboardInterrupt: Ctrl-C; running trials are recorded as interrupted.
        """
        self._cached_cuts = cached_cuts
        self._engine = make_engine(
            self._store.settings.engine,
            self._store.settings.algorithm,
            self._space,
            seed=self._seed,
            maximize=maximized(self._metric),
        )
        warm = self._store.settings.warm_start
        first = [recipe.values for recipe in warm.recipes] if warm else []
        self._design = (
            [] if self._engine.exhaustive else fair_start(self._space, self.total, self._seed, self.suggested_cut, first)
        )
        self._next_slot, self._retries = self._replay(self._engine)
        try:
            pool.drive(self._next, self._handle)
        finally:
            for running in self._running.values():
                self._record(running, interrupted(running.trial, "stopped before it was finished"))
        self.check()

    def check(self) -> None:
        """Raises where nothing but failures has come of the search.

        Raises:
            SearchFailedError: With the last reason.
        """
        if not any(isinstance(trial, CompleteTrial) for trial in self._finished):
            self._give_up()

    def _replay(self, engine: Engine) -> tuple[int, list[tuple[int, Values]]]:
        """Tells a new engine what happened before; gives the next slot, and the slots that a cut-off trial left empty."""
        values = self._store.values()
        # Slots are taken in order, and each that was taken has a trial.
        slot_of = {derive(self._seed, slot): slot for slot in range(len(self._finished))}
        ends: list[tuple[datetime, int, FinishedTrial]] = []
        adopted: dict[int, Values] = {}
        filled: set[int] = set()
        for trial in sorted(self._finished, key=lambda trial: trial.number):
            slot = slot_of[trial.seed]
            while ends and ends[0][0] <= trial.started:
                self._observe(engine, *ends.pop(0)[1:])
            if slot not in adopted:
                adopted[slot] = values[trial.number]
                engine.adopt(slot, adopted[slot])
            if not _was_interrupted(trial):
                filled.add(slot)
                ends = sorted([*ends, (trial.ended, slot, trial)], key=lambda end: end[:2])
        for _, slot, trial in ends:
            self._observe(engine, slot, trial)
        return len(adopted), [(slot, adopted[slot]) for slot in sorted(set(adopted) - filled)]

    def _observe(self, engine: Engine, slot: int, trial: FinishedTrial) -> None:
        engine.observe(slot, trial.score if isinstance(trial, CompleteTrial | PrunedTrial) else None)

    def _next(self, worker: Worker) -> ToWorker | None:
        """The next trial for an idle worker; None when there is none, or none yet."""
        if self._out_of_time():
            return None
        if self._retries:
            slot, values = self._retries.pop(0)
        elif self._next_slot >= self.total:
            return None
        else:
            slot = self._next_slot
            if slot < len(self._design):
                values = self._design[slot]
                self._engine.adopt(slot, values)
            else:
                proposed = self._engine.propose(slot)
                if proposed is None or proposed is WAIT:
                    return None
                values = proposed
            self._next_slot += 1
        recipe = self._space.recipe(values)
        seed = derive(self._seed, slot)
        trial = self._store.start(values, recipe, seed=seed, worker=worker.name)
        self._running[worker.name] = _Running(slot, trial, [])
        self._listener(TrialStarted(trial))
        job = Job(recipe, seed, head_seed=derive(self._seed, 0, 1), patience=self._patience)
        return Train(trial.number, job, self._cached_cuts)

    def _out_of_time(self) -> bool:
        if self._deadline is None:
            return False
        return time.monotonic() + self._reserve(self._finished) >= self._deadline

    def _handle(self, worker: Worker, task: ToWorker, message: FromWorker | Died) -> None:
        running = self._running[worker.name]
        if isinstance(message, Measured):
            running.curve.append(message.measurement)
            self._store.measure(running.trial.number, message.measurement)
            self._listener(TrialMeasured(running.trial.number, message.measurement))
            worker.send(Continue(self._goes_on(running)))
            return
        del self._running[worker.name]
        finished = self._finished_trial(running, message)
        self._record(running, finished)
        if not _was_interrupted(finished):
            self._observe(self._engine, running.slot, finished)
        self._listener(PhaseAdvanced("search", self.done))
        failures = sum(isinstance(t, FailedTrial) and not t.interrupted for t in self._finished)
        if failures >= HOPELESS and not any(isinstance(t, CompleteTrial) for t in self._finished):
            self._give_up()

    def _goes_on(self, running: _Running) -> bool:
        if self._out_of_time():
            return False
        technique = running.trial.recipe.technique
        rivals = [trial for trial in self._finished if trial.recipe.technique is technique]
        running.pruned = self._prune and falls_behind(running.curve, rivals, self._metric)
        return not running.pruned

    def _finished_trial(self, running: _Running, message: FromWorker | Died) -> FinishedTrial:
        trial = dataclasses.replace(running.trial, curve=tuple(running.curve))
        common = {field.name: getattr(trial, field.name) for field in dataclasses.fields(Trial)}
        ended = datetime.now(UTC)
        common |= {"ended": ended, "seconds": (ended - trial.started).total_seconds()}
        if isinstance(message, Failed | Died):
            return FailedTrial(**common, error=message.error)
        assert isinstance(message, Trained)
        if message.outcome is not None:
            return _complete(common, message.outcome)
        if not running.pruned:
            return interrupted(trial, "the time limit was reached")
        best = self._best(running.curve)
        return PrunedTrial(**common, score=best.score, val_accuracy=best.val_accuracy)

    def _best(self, curve: list[Measurement]) -> Measurement:
        measured = [m for m in curve if m.epoch > 0]
        best = measured[0]
        for measurement in measured[1:]:
            if better(self._metric, measurement.score, best.score):
                best = measurement
        return best

    def _record(self, running: _Running, trial: FinishedTrial) -> None:
        self._store.finish(trial)
        self._finished.append(trial)
        self._listener(TrialFinished(trial))

    def _give_up(self) -> None:
        errors = [trial.error for trial in self._finished if isinstance(trial, FailedTrial) and not trial.interrupted]
        if errors:
            raise SearchFailedError(f"none of {len(errors)} trials succeeded; the last one: {errors[-1]}.")


def _complete(common: dict[str, object], outcome: Outcome) -> CompleteTrial:
    return CompleteTrial(
        **{**common, "seconds": outcome.seconds},  # type: ignore[arg-type]
        setup_seconds=outcome.setup_seconds,
        best_epoch=outcome.best.epoch,
        score=outcome.best.score,
        val_accuracy=outcome.best.val_accuracy,
        trainable_params=outcome.trainable_params,
        images_per_second=outcome.images_per_second,
        trained_from=outcome.trained_from,
    )


def _was_interrupted(trial: FinishedTrial) -> bool:
    return isinstance(trial, FailedTrial) and trial.interrupted
