"""Trials as Optuna's storage holds them, and back."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from ...spaces.errors import DamagedStudyError
from ...spaces.parameters import given, walk
from ...spaces.ranges import Between, Range, Values
from ...spaces.recipe import Recipe
from ...spaces.space import SearchSpace
from ..trial import CompleteTrial, FailedTrial, FinishedTrial, PrunedTrial, RunningTrial, Trial
from .decoding import RecordError, check_schema, convert, finite, number

_STORED_APART = frozenset({"number", "recipe", "seed", "started", "worker", "fold", "ended", "score"})
"""Fields that Optuna has a place of its own for, or that were written when the trial began."""

_KINDS = {TrialState.COMPLETE: CompleteTrial, TrialState.PRUNED: PrunedTrial, TrialState.FAIL: FailedTrial}


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is to be tried next.

    Attributes:
        values: As the engine gave them.
        recipe: That they make.
        seed: Of the trial.
        worker: That will train it.
        fold: Of the trial.
    """

    values: Values
    recipe: Recipe
    seed: int
    worker: str = ""
    fold: int = 0


def begun_trial(proposal: Proposal, space: SearchSpace) -> FrozenTrial:
    """A trial that begins, as it is stored."""
    return create_trial(
        state=TrialState.RUNNING,
        params={name: value for name, value in proposal.values.items() if name != "epochs"},
        distributions=distributions(space, proposal.values),
        user_attrs={
            "technique": str(proposal.recipe.technique),
            "recipe": proposal.recipe.as_dict(),
            "values": proposal.values,
            "seed": proposal.seed,
            "worker": proposal.worker,
            "fold": proposal.fold,
            "owner": {"host": socket.gethostname(), "pid": os.getpid()},
        },
    )


def distributions(space: SearchSpace, values: Values) -> dict[str, BaseDistribution]:
    """Optuna's distribution of each parameter that is active under ``values``: its tools need them, whatever the engine."""
    active = [parameter for parameter, _ in walk(space.parameters, given(values)) if not parameter.fixed]
    return {parameter.name: _distribution(parameter.values) for parameter in active}


def end_of(trial: FinishedTrial) -> tuple[dict[str, Any], TrialState, list[float] | None]:
    """A finished trial's results as they are stored: its user attributes, its state, and its score if it has one."""
    state = next(state for state, kind in _KINDS.items() if isinstance(trial, kind))
    score = [trial.score] if isinstance(trial, CompleteTrial | PrunedTrial) else None
    fields = {field.name: getattr(trial, field.name) for field in dataclasses.fields(trial) if field.name not in _STORED_APART}
    curve = [{name: finite(value) for name, value in dataclasses.asdict(m).items()} for m in trial.curve]
    # None stands for a number that is not finite; what has no value is left out.
    return {**{name: finite(value) for name, value in fields.items() if value is not None}, "curve": curve}, state, score


@contextlib.contextmanager
def reading_trials(study: object, damage: str) -> Iterator[None]:
    """While Optuna reads stored trials, makes a `DamagedStudyError` of a trial that it cannot parse.

    Args:
        study: Where the study is, for the error.
        damage: What is wrong, for the error.
    """
    verbosity = optuna.logging.get_verbosity()
    # It would warn of what is raised here.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    except (ValueError, LookupError, TypeError) as error:
        raise DamagedStudyError(study, damage) from error
    finally:
        optuna.logging.set_verbosity(verbosity)


def record_of(frozen: FrozenTrial) -> Trial:
    """The record of a stored trial.

    Raises:
        StudyError: A later version of tlsearch wrote it.
        RecordError: It is damaged.
    """
    check_schema(frozen.user_attrs, f"trial {frozen.number}")
    fields = {name: number(value) for name, value in frozen.user_attrs.items()}
    fields |= {"number": frozen.number, "started": _utc(frozen.datetime_start), "ended": _utc(frozen.datetime_complete)}
    curve = fields.get("curve", ())
    if not (isinstance(curve, list | tuple) and all(isinstance(one, dict) for one in curve)):
        raise RecordError("its curve is no list of measurements")
    fields["curve"] = [{name: number(value) for name, value in one.items()} for one in curve]
    if frozen.state is TrialState.FAIL:
        # Another program that ends a trial says neither.
        fields = {"error": "unknown", "seconds": 0.0, **fields}
    elif frozen.state in _KINDS:
        fields["score"] = frozen.value
    kind: type[Trial] = _KINDS.get(frozen.state, RunningTrial)
    return convert(fields, kind)


def _distribution(values: Range) -> BaseDistribution:
    if not isinstance(values, Between):
        return CategoricalDistribution(values.options())
    if values.whole:
        return IntDistribution(int(values.low), int(values.high), step=int(values.step or 1))
    return FloatDistribution(values.low, values.high, log=values.log, step=values.step)


def _utc(moment: datetime | None) -> datetime:
    """Optuna stores local time without saying so."""
    return datetime.now(UTC) if moment is None else moment.astimezone(UTC)
