"""KerasTuner's oracles as an engine: its own classes, kept from writing to disk and from printing."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import (
    BayesianOptimizationOracle,
    GridSearchOracle,
    HyperbandOracle,
    RandomSearchOracle,
)

from ...spaces.ranges import Values
from ...spaces.space import SearchSpace
from ..seeds import derive
from .base import WAIT, Engine, Wait
from .tried import Tried

_ENDLESS = 10**6
"""In place of a number of trials or failures after which an oracle would stop by itself: the study decides that."""

_INITIAL_POINTS = 6
"""Completed trials from which the Bayesian oracle models. Its default, three a dimension, exceeds 20 trials."""


class KerasTunerEngine(Engine):
    """Proposes what a KerasTuner oracle asks for.

    Hyperband's ``tuner/epochs`` becomes the value ``epochs``; its other ``tuner/`` entries stay inside. A configuration that it
    promotes to more epochs is trained from its start.

    Args:
        algorithm: ``bayesian``, ``hyperband``, ``random`` or ``grid``.
        space: What may be tried.
        seed: Of the oracle.
        maximize: Whether a higher score is better.
    """

    def __init__(self, algorithm: str, space: SearchSpace, seed: int, *, maximize: bool) -> None:
        self.exhaustive = algorithm == "grid"
        self._space = space
        self._tried = Tried(space)
        self._repeats = algorithm == "hyperband"
        self._trials: dict[int, Trial] = {}
        self._oracle = _oracle(algorithm, space, derive(seed), maximize=maximize)

    def propose(self, number: int) -> Values | Wait | None:
        """See `Engine`."""
        if self._tried.exhausted and not self._repeats:
            return None
        with _silence():
            trial = self._oracle.create_trial(f"tuner{number}")
        if trial.status == TrialStatus.IDLE:
            return WAIT
        if trial.status != TrialStatus.RUNNING:
            return None
        self._trials[number] = trial
        values = self._plain(trial.hyperparameters.values)
        self._tried.add(values)
        return values

    def adopt(self, number: int, values: Values) -> None:
        """See `Engine`."""
        with _silence():
            trial = self._oracle.create_trial(f"tuner{number}")
            if trial.status != TrialStatus.RUNNING:
                hyperparameters = self._oracle.hyperparameters.copy()
                trial = Trial(hyperparameters, trial_id=f"adopted{number}", status=TrialStatus.RUNNING)
                self._oracle.trials[trial.trial_id] = trial
                self._oracle.ongoing_trials[f"tuner{number}"] = trial
                self._oracle.start_order.append(trial.trial_id)
        own = {key: value for key, value in trial.hyperparameters.values.items() if key.startswith("tuner/")}
        trial.hyperparameters.values = {**self._space.active(values), **own}
        self._trials[number] = trial
        self._tried.add(values)

    def observe(self, number: int, score: float | None) -> None:
        """See `Engine`."""
        trial = self._trials.pop(number)
        with _silence():
            if score is None:
                trial.status = TrialStatus.FAILED
            else:
                self._oracle.update_trial(trial.trial_id, {"score": score})
                trial.status = TrialStatus.COMPLETED
            self._oracle.end_trial(trial)

    def _plain(self, values: dict[str, Any]) -> Values:
        scalars = {key: getattr(value, "item", lambda value=value: value)() for key, value in values.items()}
        plain = self._space.active(scalars)
        if "tuner/epochs" in scalars:
            plain["epochs"] = int(scalars["tuner/epochs"])
        return plain


def _oracle(algorithm: str, space: SearchSpace, seed: int, *, maximize: bool) -> Any:
    hyperparameters = keras_tuner.HyperParameters()
    space.sample(hyperparameters)
    common: dict[str, Any] = {
        "objective": keras_tuner.Objective("score", "max" if maximize else "min"),
        "hyperparameters": hyperparameters,
        "seed": seed,
        "max_consecutive_failed_trials": _ENDLESS,
    }
    kind: type
    if algorithm == "hyperband":
        kind, own = HyperbandOracle, {"max_epochs": max(space.epochs.values()), "hyperband_iterations": None}
    elif algorithm == "bayesian":
        kind, own = BayesianOptimizationOracle, {"max_trials": _ENDLESS, "num_initial_points": _INITIAL_POINTS}
    else:
        kind = {"random": RandomSearchOracle, "grid": GridSearchOracle}[algorithm]
        own = {"max_trials": _ENDLESS}
    oracle = type("InMemory", (_InMemory, kind), {})(**common, **own)
    oracle.verbose = 0
    return oracle


class _InMemory:
    """Keeps an oracle from writing its state: the study's store is the one record of a search."""

    def save(self) -> None:
        """Writes nothing."""

    def _save_trial(self, trial: Trial) -> None:
        """Writes nothing."""


@contextlib.contextmanager
def _silence() -> Any:
    """KerasTuner prints from within its oracles, and scikit-learn warns when a length scale reaches its bound."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
