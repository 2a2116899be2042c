"""What a search tells those who watch it. A listener is any callable that takes one `Event`; the default ignores them.

Events come from the main process, one at a time, in the order in which things happen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..spaces.recipe import Technique
from .trial import ClosedTechnique, Confirmation, FinishedTrial, Measurement, RunningTrial

Phase = Literal["draw", "decode", "compare", "extract", "profile", "search", "confirm"]


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A phase begins. ``total`` counts images (all before the search), trials (search) or training runs (confirm).

    ``done`` of them were finished by an earlier run of the same command.
    """

    phase: Phase
    total: int
    done: int = 0


@dataclass(frozen=True, slots=True)
class FoldStarted:
    """The search and confirmation of fold ``number``, from 0, begin; there are ``total``."""

    number: int
    total: int


@dataclass(frozen=True, slots=True)
class PhaseAdvanced:
    """``done`` of the phase's ``total`` are finished; ``total`` is given where it has changed."""

    phase: Phase
    done: int
    total: int | None = None


@dataclass(frozen=True, slots=True)
class PhaseEnded:
    """The phase took ``seconds`` of wall time."""

    phase: Phase
    seconds: float


@dataclass(frozen=True, slots=True)
class TrialStarted:
    """A worker takes a trial."""

    trial: RunningTrial


@dataclass(frozen=True, slots=True)
class TrialMeasured:
    """An epoch of a running trial is measured."""

    number: int
    measurement: Measurement


@dataclass(frozen=True, slots=True)
class TrialFinished:
    """A trial ended: complete, pruned or failed.

    ``traceback`` is that of an unexpected error, or the last output of a process that died; empty otherwise.
    """

    trial: FinishedTrial
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class TechniqueClosed:
    """A technique gets no more trials, since these could hardly change what is recommended."""

    closed: ClosedTechnique


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would be recommended if confirmation stopped here, and what taking it would cost, in the metric's unit."""

    technique: Technique
    regret: float


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A finalist was trained again and met the test split."""

    confirmation: Confirmation


@dataclass(frozen=True, slots=True)
class Warned:
    """Something the user should know and the search goes on without, in one sentence.

    ``traceback`` is that of the training run that the warning is about, as in `TrialFinished`; empty for other warnings.
    """

    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node of a cluster, and the workers on it."""

    name: str
    address: str
    workers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodesChanged:
    """Where the workers of a search on a cluster are now."""

    nodes: tuple[NodeState, ...]


Event = (
    FoldStarted
    | PhaseStarted
    | PhaseAdvanced
    | PhaseEnded
    | TrialStarted
    | TrialMeasured
    | TrialFinished
    | TechniqueClosed
    | Foreseen
    | Confirmed
    | Warned
    | NodesChanged
)
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener that watches nothing."""
