"""The search phase: propose, train, record, with as many trials running as there are workers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...spaces.errors import SearchFailedError
from ...spaces.ranges import Values
from ...spaces.space import SearchSpace
from ..engines import WAIT, make_engine
from ..engines.by_technique import shares_of
from ..engines.fair_start import fair_start
from ..events import PhaseAdvanced, TechniqueClosed, TrialFinished, TrialMeasured, TrialStarted, Warned
from ..seeds import derive
from ..selection import maximized
from ..storage.records import Proposal
from ..storage.store import StudyStore
from ..training.trainer import Job
from ..trial import CompleteTrial, FailedTrial, FinishedTrial, Measurement, PrunedTrial, RunningTrial, Trial
from ..workers.messages import Failed, Train
from ..workers.pool import Died, RunEnd, WorkerPool
from .closing import Closing
from .progress import count_done
from .pruning import falls_behind
from .slots import Slots, was_interrupted
from .training import Conditions, TrainingPhase

HOPELESS = 5
"""Failed trials without a single success after which a search gives up."""


def check_success(trials: Sequence[Trial]) -> None:
    """Checks that not every trial has failed.

    Raises:
        SearchFailedError: Trials have failed and none has succeeded; with the last reason.
    """
    errors = [trial.error for trial in trials if isinstance(trial, FailedTrial) and not trial.interrupted]
    if errors and not any(isinstance(trial, CompleteTrial) for trial in trials):
        raise SearchFailedError(f"none of {len(errors)} trials succeeded; the last one: {errors[-1]}.")


@dataclass(slots=True)
class _Running:
    """A trial that a worker is training."""

    trial: RunningTrial
    curve: list[Measurement]
    pruned: bool = False


class Searcher(TrainingPhase):
    """Fills the slots of a search, from 0 to the study's total, each with one trial that was not interrupted.

    A trial's seed is derived from its slot, and an interrupted trial is trained again in its slot with the same recipe and
    seed, so a search that was cut off ends like one that was not. In a shared study each slot is filled by one driver.

    Args:
        store: Where trials are recorded.
        space: What may be tried.
        total: Slots: `Progress.total`.
        conditions: Of all trials.
        prune: Whether trials may be ended early within their technique.
        reserve: Seconds of the time limit to keep for what follows the search, given the trials that have finished so far.
        suggested_cut: As in `fair_start`.
        care: As of `Closing`.
    """

    def __init__(
        self,
        store: StudyStore,
        space: SearchSpace,
        total: int,
        conditions: Conditions,
        *,
        prune: bool,
        reserve: Callable[[Sequence[FinishedTrial]], float] = lambda finished: 0.0,
        suggested_cut: int | None = None,
        care: float | None = None,
    ) -> None:
        super().__init__(store, conditions)
        self._space = space
        self._prune = prune
        self._reserve = reserve
        settings = store.settings
        self._seed = settings.seed
        self._metric = settings.metric
        self._engine = make_engine(
            settings.engine,
            settings.algorithm,
            space,
            seed=settings.seed,
            maximize=maximized(settings.metric),
            shares=shares_of(settings.data.train),
        )
        self._closing = Closing(store, space.techniques, total, None if self._engine.exhaustive else care)
        self._engine.closed = self._closing.techniques
        warm = [recipe.values for recipe in settings.warm_start.recipes] if settings.warm_start else []
        design = [] if self._engine.exhaustive else fair_start(space, total, settings.seed, suggested_cut, warm)
        self._design, self._designed = iter(design), len(design)
        self._slots = Slots(self._engine, settings.seed)
        self._finished = self._slots.note(store.trials(), store.values)
        self._running: dict[int, _Running] = {}

    @property
    def total(self) -> int:
        """Slots that are to be filled."""
        return self._closing.total

    @property
    def done(self) -> int:
        """Slots that are filled."""
        return count_done(self._finished)

    @property
    def others_running(self) -> int:
        """Trials that other drivers are training, as of the last look."""
        return len(self._slots.running - self._running.keys()) if self._store.recorder.shared else 0

    def run(self, pool: WorkerPool) -> None:
        """Searches until every slot is filled, the time limit is reached or nothing is left to try.

        Raises:
            SearchFailedError: Nothing but failures.
            KeyboardInterrupt: Ctrl-C; running trials are recorded as interrupted.
        """
        try:
            self._train(pool)
        finally:
            for running in self._running.values():
                self._record(running.trial.as_interrupted("stopped before it was finished"))
        check_success(self._finished)

    def goes_on(self, run: Train, measurement: Measurement) -> bool:
        running = self._running[run.ticket]
        running.curve.append(measurement)
        if self._is_lost(running.trial):
            return False
        self._store.measure(running.trial.number, measurement)
        self._listener(TrialMeasured(running.trial.number, measurement))
        if self._out_of_time():
            return False
        recipe = running.trial.recipe
        rivals = [trial for trial in self._finished if trial.recipe.technique is recipe.technique]
        running.pruned = self._prune and falls_behind(recipe, running.curve, rivals, self._metric)
        return not running.pruned

    def ended(self, run: Train, end: RunEnd) -> None:
        trial = self._finished_trial(self._running.pop(run.ticket), end)
        self._record(trial, end.details if isinstance(end, Failed | Died) else "")
        failures = sum(isinstance(t, FailedTrial) and not t.interrupted for t in self._finished)
        if failures >= HOPELESS:
            check_success(self._finished)

    def _begin(self, worker: str) -> Train | None:
        self._close_techniques()
        if (trial := self._store.begin(lambda: self._proposal(worker))) is None:
            return None
        self._slots.began(trial.number)
        self._running[trial.number] = _Running(trial, [])
        self._listener(TrialStarted(trial))
        head_seed, patience = derive(self._seed, 0, 1), self._conditions.patience
        job = Job(trial.recipe, trial.seed, head_seed=head_seed, patience=patience, fold=trial.fold)
        return Train(trial.number, job, self._conditions.cached_cuts)

    def _proposal(self, worker: str) -> Proposal | None:
        """What to try next. Idempotent: the store asks again if the database went away before the trial was recorded."""
        if self._store.recorder.shared:
            self._catch_up()
        slot, values = self._slots.free()
        if slot >= self.total:
            return None
        if values is None:
            if (values := self._values_for(slot)) is None:
                return None
            self._slots.draft(slot, values)
        return Proposal(values, self._space.recipe(values), self._slots.seed_of(slot), worker, self._store.fold)

    def _values_for(self, slot: int) -> Values | None:
        if slot < self._designed:
            # Each is offered once: what was closed or tried by then stays so.
            for values in self._design:
                if values["technique"] not in self._engine.closed and values not in self._slots.values:
                    self._engine.adopt(slot, values)
                    return values
        proposed = self._engine.propose(slot)
        return None if proposed is None or proposed is WAIT else proposed

    def _close_techniques(self) -> None:
        """Closes the techniques that are not worth their trials any more."""
        finished = [trial for trial in self._finished if not was_interrupted(trial)]
        running = [running.trial for running in self._running.values()]
        new = self._closing.look(finished, running, self.done + len(self._slots.running))
        for one in new:
            self._listener(TechniqueClosed(one))
        if new:
            self._engine.closed = self._closing.techniques
            self._listener(PhaseAdvanced("search", self.done, self.total))

    def _catch_up(self) -> None:
        """Reads what other drivers have done, and records the running trials of one that has died as interrupted."""
        own = self._running.keys()
        trials = self._store.trials()
        if swept := self._store.sweep(own, trials):
            numbers = ", ".join(str(trial.number) for trial in swept)
            self._listener(Warned(f"A driver is gone; what it was training is trained again (trial {numbers})."))
            trials = self._store.trials()
        for trial in self._slots.note(trials, self._store.values):
            self._add(trial)

    def _waiting_for(self) -> str:
        count = self.others_running
        return f"{count} trial{'s' if count > 1 else ''} that other drivers are training" if count else ""

    def _out_of_time(self) -> bool:
        return self._limit.exists and self._limit.reached(self._reserve(self._finished))

    def _is_lost(self, trial: RunningTrial) -> bool:
        """Whether another driver has taken the trial over."""
        return trial.number not in self._slots.running or not self._store.recorder.owns(trial.number)

    def _finished_trial(self, running: _Running, end: RunEnd) -> FinishedTrial:
        trial = dataclasses.replace(running.trial, curve=tuple(running.curve))
        if isinstance(end, Failed | Died):
            if self._may_retry(trial.seed, end):
                return trial.as_interrupted(end.error)
            return FailedTrial(**trial.at_end(), error=end.error)
        if (outcome := end.outcome) is not None:
            return CompleteTrial(
                **trial.at_end(outcome.seconds),
                setup_seconds=outcome.setup_seconds,
                best_epoch=outcome.best.epoch,
                score=outcome.best.score,
                val_accuracy=outcome.best.val_accuracy,
                trainable_params=outcome.trainable_params,
                images_per_second=outcome.images_per_second,
                trained_from=outcome.trained_from,
                head_c=outcome.head_c,
            )
        if not running.pruned:
            return trial.as_interrupted("the time limit was reached")
        pick = max if maximized(self._metric) else min
        best = pick((m for m in trial.curve if m.epoch > 0), key=lambda m: m.score)
        return PrunedTrial(**trial.at_end(), score=best.score, val_accuracy=best.val_accuracy)

    def _record(self, trial: FinishedTrial, traceback: str = "") -> None:
        if not self._store.finish(trial):
            # How it ends is read from the study, as with every trial of another driver.
            self._listener(
                Warned(
                    f"Trial {trial.number} was given to another driver, because this one had not been heard of for too long; "
                    "what it did is not recorded."
                )
            )
            return
        if traceback:
            self._store.keep_traceback(trial.number, traceback)
        self._slots.ended(trial)
        self._add(trial, traceback)

    def _add(self, trial: FinishedTrial, traceback: str = "") -> None:
        self._finished.append(trial)
        self._listener(TrialFinished(trial, traceback))
        self._listener(PhaseAdvanced("search", self.done))
