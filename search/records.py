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

from ..spaces.ranges import Values
from ..spaces.recipe import Recipe, Technique
from ..spaces.space import SearchSpace
from .distributions import distributions
from .settings import DataSettings, SkippedFile, StudySettings, WarmRecipe, WarmStart
from .trial import (
    CompleteTrial,
    Confirmation,
    FailedTrial,
    FinishedTrial,
    Measurement,
    PrunedTrial,
    RunningTrial,
    Trial,
)

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


def settings_of(fields: Mapping[str, Any]) -> StudySettings:
    """The settings of a mapping that ``dataclasses.asdict`` made and JSON has carried."""
    data = dict(fields["data"])
    data["skipped"] = tuple(SkippedFile(**file) for file in data["skipped"])
    for name in ("classes", "train_per_class", "test_per_class"):
        data[name] = tuple(data[name])
    warm = fields.get("warm_start")
    return StudySettings(**{**fields, "data": DataSettings(**data), "warm_start": None if warm is None else _warm_start(warm)})


def _warm_start(fields: Mapping[str, Any]) -> WarmStart:
    recipes = (
        WarmRecipe(**{**one, "technique": Technique(one["technique"]), "changes": tuple(one["changes"])})
        for one in fields["recipes"]
    )
    return WarmStart(tuple(fields["studies"]), tuple(recipes))


def confirmation_of(fields: Mapping[str, Any]) -> Confirmation:
    """The confirmation of a mapping that JSON has carried."""
    return Confirmation(**{**fields, "recipe": Recipe.from_dict(fields["recipe"])})


def differences(stored: StudySettings, wanted: StudySettings) -> list[str]:
    """What keeps a study from being resumed under other settings, in plain words; empty where nothing does.

    Where no warm start is wanted, the one that the study had goes on.
    """
    found = [
        f"{name} was {getattr(stored, field)}, now {getattr(wanted, field)}"
        for field, name in (
            ("engine", "the engine"),
            ("algorithm", "the algorithm"),
            ("seed", "the seed"),
            ("metric", "the metric"),
            ("alpha", "alpha"),
            ("size", "the image size"),
        )
        if getattr(stored, field) != getattr(wanted, field)
    ]
    if stored.weights_fingerprint != wanted.weights_fingerprint:
        found.append(f"the weights were {stored.weights}, now {wanted.weights} with other values")
    if stored.data.classes != wanted.data.classes:
        found.append(f"the classes were {', '.join(stored.data.classes)}, now {', '.join(wanted.data.classes)}")
    elif stored.data.fingerprint != wanted.data.fingerprint:
        was, now = (f"{d.train} + {d.val} + {d.test} images" for d in (stored.data, wanted.data))
        found.append(f"the images or their split have changed ({was}, now {now})")
    if wanted.warm_start is not None and stored.warm_start != wanted.warm_start:
        was = ", ".join(stored.warm_start.studies) if stored.warm_start else "no other study"
        now = ", ".join(wanted.warm_start.studies)
        found.append(f"it was started from {was}{', now from ' + now if now != was else ', whose best recipes were others'}")
    for name in sorted(set(stored.space) | set(wanted.space)):
        before, after = stored.space.get(name), wanted.space.get(name)
        if before != after:
            found.append(f"the space's {name} was {before}, now {after}")
    return found


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: Any) -> Any:
    return math.nan if value is None else value


def _utc(moment: datetime | None) -> datetime:
    """Optuna stores local time without saying so."""
    return datetime.now(UTC) if moment is None else moment.astimezone(UTC)
