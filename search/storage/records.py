"""The study's records as they are stored, and back."""

from __future__ import annotations

import dataclasses
import math
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from optuna.trial import FrozenTrial, TrialState, create_trial

from ...spaces.ranges import Values
from ...spaces.recipe import Recipe
from ...spaces.space import SearchSpace
from ..trial import CompleteTrial, Confirmation, FailedTrial, FinishedTrial, Measurement, PrunedTrial, RunningTrial, Trial
from .distributions import distributions

_STORED_APART = frozenset({"number", "recipe", "seed", "started", "worker", "ended", "score"})
"""Fields that the storage has a place of its own for, or that were written when the trial began."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is to be tried next.

    Attributes:
        values: As the engine gave them.
        recipe: That they make.
        seed: Of the trial.
        worker: That will train it.
    """

    values: Values
    recipe: Recipe
    seed: int
    worker: str = ""


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
            "owner": {"host": socket.gethostname(), "pid": os.getpid()},
        },
    )


def result_of(trial: FinishedTrial) -> dict[str, Any]:
    """A finished trial's results as user attributes: valid JSON, so NaN becomes None."""
    fields = {field.name: getattr(trial, field.name) for field in dataclasses.fields(trial) if field.name not in _STORED_APART}
    curve = [{name: _finite(value) for name, value in dataclasses.asdict(m).items()} for m in trial.curve]
    return {name: _finite(value) for name, value in fields.items() if name != "curve"} | {"curve": curve}


def record_of(frozen: FrozenTrial) -> Trial:
    """The record of a stored trial.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: It is not what `result_of` gave.
    """
    attributes = frozen.user_attrs
    common: dict[str, Any] = {
        "number": frozen.number,
        "recipe": Recipe.from_dict(attributes["recipe"]),
        "seed": attributes["seed"],
        "started": _utc(frozen.datetime_start),
        "worker": attributes.get("worker", ""),
        "curve": tuple(Measurement(**{k: _number(v) for k, v in m.items()}) for m in attributes.get("curve", ())),
    }
    if frozen.state not in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL):
        return RunningTrial(**common)
    ended: dict[str, Any] = {
        **common,
        "ended": _utc(frozen.datetime_complete),
        "seconds": attributes.get("seconds", 0.0),
        "setup_seconds": attributes.get("setup_seconds", 0.0),
    }
    if frozen.state is TrialState.FAIL:
        error = attributes.get("error", "unknown")
        return FailedTrial(**ended, error=error, interrupted=attributes.get("interrupted", False))
    kind: type[CompleteTrial] | type[PrunedTrial] = CompleteTrial if frozen.state is TrialState.COMPLETE else PrunedTrial
    own = {field.name for field in dataclasses.fields(kind)} - set(ended) - {"score"}
    if frozen.value is None:
        raise ValueError(f"trial {frozen.number} has no score")
    return kind(**ended, score=frozen.value, **{name: attributes[name] for name in own})


def confirmation_of(fields: Mapping[str, Any]) -> Confirmation:
    """The confirmation of a mapping that JSON has carried."""
    return Confirmation(**{**fields, "recipe": Recipe.from_dict(fields["recipe"])})


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: Any) -> Any:
    return math.nan if value is None else value


def _utc(moment: datetime | None) -> datetime:
    """Optuna stores local time without saying so."""
    return datetime.now(UTC) if moment is None else moment.astimezone(UTC)
