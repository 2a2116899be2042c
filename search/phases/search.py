"""The search loop: propose → train → record, with as many trials running as there are workers."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from ...spaces.errors import SearchFailedError
from ...spaces.ranges import Values
from ...spaces.space import SearchSpace
from ..engines import WAIT, make_engine
from ..engines.fair_start import fair_start
from ..events import Listener, PhaseAdvanced, TrialFinished, TrialMeasured, TrialStarted, Warned
from ..seeds import derive
from ..selection import better, maximized
from ..storage.base import POLL_SECONDS
from ..storage.records import Proposal
from ..storage.store import StudyStore, interrupted
from ..training.trainer import Job, Outcome
from ..trial import CompleteTrial, FailedTrial, FinishedTrial, Measurement, PrunedTrial, RunningTrial, Trial
from ..workers.messages import Continue, Failed, FromWorker, Measured, ToWorker, Train, Trained
from ..workers.pool import Died, Worker, WorkerPool
from .pruning import falls_behind
from .slots import Slots, was_interrupted

HOPELESS = 5
"""Failed trials without a single success after which a search gives up."""


@dataclasses.dataclass(slots=True)
class _Running:
    """A trial that a worker is training."""

    trial: RunningTrial
    curve: list[Measurement]
    pruned: bool = False


class Searcher:
    """Fills the slots of a search, from 0 to the study's total, each with one trial that was not interrupted.

    A trial's seed follows from its slot, and an interrupted trial is trained again in its slot with the same recipe and seed:
    so the slots come out the same whether or not a search was cut off. One whose node was lost is trained again once. Where
    several drivers search in one study, each slot is filled by one of them, and all wait until the last is filled.

    Args:
        store: Where trials are recorded.
        space: What may be tried.
        total: Slots.
        prune: Whether trials may be ended early within their technique.
        patience: As in `Job`.
        deadline: On the monotonic clock; None for no limit.
        listener: Told what happens.
        suggested_cut: As in `fair_start`; may be set until `run` is called.

    Attributes:
        reserve: Seconds before the deadline at which the search must end, by the trials that have finished so far; may be set
            until `run` is called.
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
        suggested_cut: int | None = None,
    ) -> None:
        self._store = store
        self._space = space
        self._prune = prune
        self._patience = patience
        self._deadline = deadline
        self.reserve: Callable[[Sequence[FinishedTrial]], float] = lambda finished: 0.0
        self._listener = listener
        self.suggested_cut = suggested_cut
        self._seed = store.settings.seed
        self._metric = store.settings.metric
        self._finished: list[FinishedTrial] = [t for t in store.trials() if isinstance(t, FinishedTrial)]
        self._running: dict[str, _Running] = {}
        self._moved: set[int] = set()
        self.total = total if space.size is None else min(total, max(space.size, self.done))

    @property
    def done(self) -> int:
        """Slots that are filled."""
        return sum(not was_interrupted(trial) for trial in self._finished)

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
        self._slots = Slots(self._engine, self._seed)
        # What ended since this was made is in no list yet; the engine is told of everything.
        self._finished = self._slots.note(self._store.trials(), self._store.values)
        self._drafts: dict[int, Values] = {}
        self._looked = -math.inf
        try:
            pool.drive(self._next, self._handle)
            self._wait_for_others(pool)
        finally:
            for running in self._running.values():
                self._record(running, interrupted(running.trial, "stopped before it was finished"))
        self.check()

    @property
    def others_running(self) -> int:
        """Trials that other drivers are training, as of the last look."""
        return len(self._slots.running - self._own()) if self._store.shared else 0

    def check(self) -> None:
        """Raises where nothing but failures has come of the search.

        Raises:
            SearchFailedError: With the last reason.
        """
        if not any(isinstance(trial, CompleteTrial) for trial in self._finished):
            self._give_up()

    def _own(self) -> frozenset[int]:
        return frozenset(running.trial.number for running in self._running.values())

    def _wait_for_others(self, pool: WorkerPool) -> None:
        """Until every slot is filled: one whose driver has died is trained here."""
        told = False
        while self.others_running and not self._out_of_time():
            if not told:
                plural = "s" if self.others_running > 1 else ""
                self._listener(Warned(f"Waiting for {self.others_running} trial{plural} that other drivers are training."))
                told = True
            time.sleep(POLL_SECONDS)
            pool.drive(self._next, self._handle)

    def _catch_up(self) -> None:
        """Takes note of what other drivers have done, and records what one that has died left running."""
        trials = self._store.trials()
        if swept := self._store.sweep(self._own(), trials):
            numbers = ", ".join(str(trial.number) for trial in swept)
            self._listener(Warned(f"A driver is gone; what it was training is trained again (trial {numbers})."))
            trials = self._store.trials()
        for trial in self._slots.note(trials, self._store.values):
            self._finished.append(trial)
            self._listener(TrialFinished(trial))
            self._listener(PhaseAdvanced("search", self.done))

    def _next(self, worker: Worker) -> ToWorker | None:
        """The next trial for an idle worker; None when there is none, or none yet."""
        if self._out_of_time():
            return None
        if self._store.shared and time.monotonic() < self._looked + POLL_SECONDS:
            return None
        if (trial := self._store.begin(lambda: self._choose(worker))) is None:
            self._looked = time.monotonic() if self._store.shared else self._looked
            return None
        slot, values = self._chosen
        self._slots.began(slot, values, trial.number)
        self._running[worker.name] = _Running(trial, [])
        self._listener(TrialStarted(trial))
        job = Job(trial.recipe, trial.seed, head_seed=derive(self._seed, 0, 1), patience=self._patience)
        return Train(trial.number, job, self._cached_cuts)

    def _choose(self, worker: Worker) -> Proposal | None:
        """What to try next; asked again where the database went away before it was recorded."""
        if self._store.shared:
            self._catch_up()
        slot, values = self._slots.free()
        if slot >= self.total:
            return None
        if values is None:
            if slot not in self._drafts:
                proposed = self._propose(slot)
                if proposed is None:
                    return None
                self._drafts[slot] = proposed
            values = self._drafts[slot]
        self._chosen = slot, values
        return Proposal(values, self._space.recipe(values), self._slots.seed_of(slot), worker.name)

    def _propose(self, slot: int) -> Values | None:
        if slot < len(self._design):
            self._engine.adopt(slot, self._design[slot])
            return self._design[slot]
        proposed = self._engine.propose(slot)
        return None if proposed is None or proposed is WAIT else proposed

    def _out_of_time(self) -> bool:
        if self._deadline is None:
            return False
        return time.monotonic() + self.reserve(self._finished) >= self._deadline

    def _handle(self, worker: Worker, task: ToWorker, message: FromWorker | Died) -> None:
        running = self._running[worker.name]
        if isinstance(message, Measured):
            running.curve.append(message.measurement)
            if not self._is_lost(running):
                self._store.measure(running.trial.number, message.measurement)
                self._listener(TrialMeasured(running.trial.number, message.measurement))
            worker.send(Continue(self._goes_on(running)))
            return
        del self._running[worker.name]
        self._record(running, self._finished_trial(running, message))
        failures = sum(isinstance(t, FailedTrial) and not t.interrupted for t in self._finished)
        if failures >= HOPELESS and not any(isinstance(t, CompleteTrial) for t in self._finished):
            self._give_up()

    def _is_lost(self, running: _Running) -> bool:
        """Whether another driver has taken the trial over."""
        return running.trial.number not in self._slots.running or not self._store.owns(running.trial.number)

    def _goes_on(self, running: _Running) -> bool:
        if self._out_of_time() or self._is_lost(running):
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
        if isinstance(message, Died) and message.with_node and trial.seed not in self._moved:
            self._moved.add(trial.seed)
            self._looked = -math.inf
            return interrupted(trial, message.error)
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
        if not self._store.finish(trial):
            # What became of it is taken note of with the other drivers' trials.
            self._listener(
                Warned(
                    f"Trial {trial.number} was given to another driver, because this one had not been heard of for too long; "
                    "what it did is not recorded."
                )
            )
            return
        self._slots.ended(trial)
        self._finished.append(trial)
        self._listener(TrialFinished(trial))
        self._listener(PhaseAdvanced("search", self.done))

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
