"""KerasTuner's oracles as an engine: its own classes, kept from writing to disk and from printing."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import BayesianOptimizationOracle, GridSearchOracle, HyperbandOracle, RandomSearchOracle

from ...spaces.ranges import Values
from ...spaces.space import SearchSpace
from ..seeds import derive
from .base import WAIT, Engine, Wait
from .tried import Tried

_ENDLESS = 10**6
"""In place of a number of trials or failures after which an oracle would stop by itself: the study decides that."""

_INITIAL_POINTS = 3
"""Completed trials from which the Bayesian oracle models. Its default, three a dimension, exceeds 20 trials."""


class KerasTunerEngine(Engine):
    """Proposes what a KerasTuner oracle asks for.

    Hyperband's ``tuner/epochs`` becomes the value ``epochs``; its other ``tuner/`` entries stay inside. A configuration that it
    promotes to more epochs is trained from its start.
    """

    def __init__(self, algorithm: str, space: SearchSpace, seed: int, *, maximize: bool) -> None:
        self.exhaustive = algorithm == "grid"
        self._space = space
        self._seed = seed
        self._tried = Tried(space)
        self._repeats = algorithm == "hyperband"
        self._trials: dict[int, Trial] = {}
        self._oracle = _oracle(algorithm, space, derive(seed), maximize=maximize)

    def propose(self, number: int) -> Values | Wait | None:
        if self._tried.exhausted and not self._repeats:
            return None
        with _silence():
            trial = self._oracle.create_trial(f"tuner{number}")
        if trial.status == TrialStatus.IDLE:
            return WAIT
        if trial.status != TrialStatus.RUNNING:
            return None
        values = self._plain(trial.hyperparameters.values)
        if values in self._tried and not self._repeats:
            # The oracle does not know that what was adopted has been tried.
            values = self._tried.any_left(derive(self._seed, number))
            trial.hyperparameters.values = dict(values)
        self._begin(number, trial, values)
        return values

    def adopt(self, number: int, values: Values) -> None:
        with _silence():
            trial = self._oracle.adopt(f"tuner{number}", self._space.active(values))
        self._begin(number, trial, values)

    def observe(self, number: int, score: float | None) -> None:
        if not self.exhaustive:
            self._end(self._trials.pop(number), score)

    def _begin(self, number: int, trial: Trial, values: Values) -> None:
        self._tried.add(values)
        if self.exhaustive:
            # The grid learns nothing from scores, yet waits for a trial's end before it proposes the next: a technique whose
            # trials are long would lose its turns to the others.
            self._end(trial, 0.0)
        else:
            self._trials[number] = trial

    def _end(self, trial: Trial, score: float | None) -> None:
        with _silence():
            if score is None:
                trial.status = TrialStatus.FAILED
            else:
                self._oracle.update_trial(trial.trial_id, {"score": score})
                trial.status = TrialStatus.COMPLETED
            self._oracle.end_trial(trial)

    def _plain(self, values: dict[str, Any]) -> Values:
        scalars = {key: value.item() if isinstance(value, np.generic) else value for key, value in values.items()}
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
    oracles: dict[str, tuple[type, dict[str, Any]]] = {
        "hyperband": (HyperbandOracle, {"max_epochs": max(space.epochs.values()), "hyperband_iterations": None}),
        "bayesian": (BayesianOptimizationOracle, {"max_trials": _ENDLESS, "num_initial_points": _INITIAL_POINTS}),
        "random": (RandomSearchOracle, {"max_trials": _ENDLESS}),
        "grid": (GridSearchOracle, {"max_trials": _ENDLESS}),
    }
    kind, own = oracles[algorithm]
    return type("InMemory", (_InMemory, kind), {})(**common, **own)


class _InMemory:
    """An oracle that writes and prints nothing, and that can be given values: the study's store is the one record of a search.

    `_save_trial` is private to KerasTuner, which has no public way to keep trials off the disk; `tests/search/engines` holds
    it to what is relied on here.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verbose = 0
        self._adopted: Values | None = None

    def adopt(self, tuner_id: str, values: Values) -> Trial:
        """A new trial with these values. The oracle proposes one nevertheless, so that its random numbers go on as they did."""
        self._adopted = values
        trial = self.create_trial(tuner_id)  # type: ignore[attr-defined]
        self._adopted = None
        own = {key: value for key, value in trial.hyperparameters.values.items() if key.startswith("tuner/")}
        trial.hyperparameters.values = {**values, **own}
        return trial

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """What the oracle proposes; where it has nothing to propose, the adopted values."""
        proposed: dict[str, Any] = super().populate_space(trial_id)  # type: ignore[misc]
        if self._adopted is None or proposed["status"] == TrialStatus.RUNNING:
            return proposed
        return {"status": TrialStatus.RUNNING, "values": self._adopted}

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
