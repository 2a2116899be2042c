"""Optuna's samplers as an engine. The study that they read lives in memory: the search's storage stays free of their notes."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator

import optuna
from optuna.samplers import BaseSampler, CmaEsSampler, QMCSampler, RandomSampler, TPESampler
from optuna.trial import Trial, TrialState

from ...spaces.parameters import Suggest
from ...spaces.ranges import Between, OneOf, Scalar, Values
from ...spaces.space import SearchSpace
from ..seeds import derive
from .base import Engine
from .tried import Tried

_STARTUP_TRIALS = 3
"""Completed trials from which TPE models. Its default of 10 is meant for a start at random, not for a designed one."""

_SAMPLERS: dict[str, Callable[[int, int], BaseSampler]] = {
    # group: parameters that exist under one technique only are modelled from that technique's trials.
    "tpe": lambda search, trial: TPESampler(
        seed=trial, multivariate=True, group=True, constant_liar=True, n_startup_trials=_STARTUP_TRIALS
    ),
    "random": lambda search, trial: RandomSampler(seed=trial),
    "qmc": lambda search, trial: QMCSampler(
        seed=search, scramble=True, independent_sampler=RandomSampler(seed=trial), warn_independent_sampling=False
    ),
    "cmaes": lambda search, trial: CmaEsSampler(seed=trial, warn_independent_sampling=False),
}
"""From the search's and the trial's seed. What a sampler carries from trial to trial is in the trials themselves."""


_SEQUENCES = frozenset({"qmc", "cmaes"})
"""Samplers that count their proposals. On resume the others are not asked: TPE would fit its model for every past trial."""


class OptunaEngine(Engine):
    """Proposes what an Optuna sampler asks for.

    A resumed search cannot restore a sampler's state: each proposal has a seed of its own, derived from the engine's seed and
    the proposal's number.
    """

    def __init__(self, algorithm: str, space: SearchSpace, seed: int, *, maximize: bool) -> None:
        self._algorithm = algorithm
        self._space = space
        self._seed = seed
        self._trials: dict[int, Trial] = {}
        self._tried = Tried(space)
        with _quiet():
            self._study = optuna.create_study(direction="maximize" if maximize else "minimize", sampler=self._sampler(0))

    def propose(self, number: int) -> Values | None:
        if self._tried.exhausted:
            return None
        values = self._ask(number)
        while values in self._tried:
            # A finite space: the sampler's next choice, until it is one that was not tried.
            self._study.tell(self._trials[number], state=TrialState.FAIL)
            values = self._ask(number, self._tried.any_left(derive(self._seed, number)))
        self._tried.add(values)
        return values

    def adopt(self, number: int, values: Values) -> None:
        self._ask(number, values)
        self._tried.add(values)

    def observe(self, number: int, score: float | None) -> None:
        with _quiet():
            if score is None:
                self._study.tell(self._trials.pop(number), state=TrialState.FAIL)
            else:
                self._study.tell(self._trials.pop(number), score)

    def _ask(self, number: int, values: Values | None = None) -> Values:
        with _quiet():
            if values is not None:
                self._study.enqueue_trial(dict(values))
            self._study.sampler = self._sampler(number)
            trial = self._study.ask()
            if values is None or self._algorithm in _SEQUENCES:
                # Sampled whether it is used or not: what is adopted takes a step of the sequence too.
                _ = trial.relative_params
            self._trials[number] = trial
            return self._space.choose(suggestions(trial))

    def _sampler(self, number: int) -> BaseSampler:
        return _SAMPLERS[self._algorithm](derive(self._seed), derive(self._seed, number))


def suggestions(trial: Trial) -> Suggest:
    """Chooses what an Optuna trial suggests."""

    def suggest(name: str, values: OneOf | Between) -> Scalar:
        if isinstance(values, OneOf):
            return trial.suggest_categorical(name, values.values)  # type: ignore[return-value]  # not None, of such options
        if values.whole:
            return trial.suggest_int(name, int(values.low), int(values.high), step=int(values.step or 1))
        return trial.suggest_float(name, values.low, values.high, step=values.step, log=values.log)

    return suggest


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's log lines, which would tear a live display, and its warnings about experimental options."""
    optuna.logging.disable_default_handler()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
