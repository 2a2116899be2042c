"""What the search and confirm phases share: the time limit, retries, and waiting for other drivers."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass, field

from ..events import Listener, Warned, ignore
from ..storage.base import POLL_SECONDS
from ..storage.store import StudyStore
from ..workers.messages import Train
from ..workers.pool import Died, RunEnd, TrainingRuns, WorkerPool
from .time_limit import TimeLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What all training runs of a phase share.

    Attributes:
        patience: As in `Job`.
        cached_cuts: Cuts whose activations are in the cache; recipes with other cuts train from pixels.
        limit: When the phase must end.
        listener: Receives the events.
    """

    patience: int | None
    cached_cuts: frozenset[int] = frozenset()
    limit: TimeLimit = field(default_factory=TimeLimit)
    listener: Listener = ignore


class TrainingPhase(TrainingRuns):
    """Trains until nothing is left to train or the time limit is reached.

    A run that is lost together with its machine is retried once. In a shared study, where other drivers train too, the phase
    ends when their runs have ended as well; the runs of a driver that has died are taken over.
    """

    def __init__(self, store: StudyStore, conditions: Conditions) -> None:
        self._store = store
        self._conditions = conditions
        self._limit = conditions.limit
        self._listener = conditions.listener
        self._next_look = -math.inf
        self._retried: set[Hashable] = set()

    @abstractmethod
    def _begin(self, worker: str) -> Train | None:
        """Begins the next run; None if there is none at the moment."""

    @abstractmethod
    def _out_of_time(self) -> bool:
        """Whether nothing more may begin."""

    @abstractmethod
    def _waiting_for(self) -> str:
        """What other drivers are training, in words; empty if nothing."""

    def next_run(self, worker: str) -> Train | None:
        """See `TrainingRuns`. A shared study is not asked again for `POLL_SECONDS` after it had nothing to train."""
        if self._out_of_time() or self._limit.now() < self._next_look:
            return None
        run = self._begin(worker)
        if run is None and self._store.recorder.shared:
            self._next_look = self._limit.now() + POLL_SECONDS
        return run

    def _train(self, pool: WorkerPool) -> None:
        pool.train(self)
        warned = False
        while (others := self._waiting_for()) and not self._out_of_time():
            if not warned:
                self._listener(Warned(f"Waiting for {others}."))
                warned = True
            self._limit.sleep(POLL_SECONDS)
            pool.train(self)

    def _may_retry(self, run: Hashable, end: RunEnd) -> bool:
        """Whether a run was lost together with its machine, for the first time."""
        if not (isinstance(end, Died) and end.with_node) or run in self._retried:
            return False
        self._retried.add(run)
        self._next_look = -math.inf
        return True
