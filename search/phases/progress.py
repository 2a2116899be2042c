"""How far a search is: what was asked for, what is done and what is not waited for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from ...spaces.space import SearchSpace
from ..options import Budget
from ..storage.store import StudyStore
from ..trial import FinishedTrial, Trial
from .slots import was_interrupted


def count_done(trials: Sequence[Trial]) -> int:
    """Trials that count towards a study's total: those that have ended and were not interrupted."""
    return sum(isinstance(trial, FinishedTrial) and not was_interrupted(trial) for trial in trials)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search is.

    Attributes:
        total: Trials that were asked for, or as many as a finite space has.
        done: Trials of these that have ended.
        spared: Trials of these that closed techniques would have got, which are not waited for.
    """

    total: int
    done: int
    spared: int = 0

    @classmethod
    def of(cls, trials: Sequence[Trial], space: SearchSpace, asked: int) -> Progress:
        """The progress of a search over ``space`` that is to have ``asked`` trials."""
        done = count_done(trials)
        return cls(asked if space.size is None else min(asked, max(space.size, done)), done)

    @classmethod
    def in_study(cls, store: StudyStore, space: SearchSpace, budget: Budget) -> Progress:
        """The progress of what a budget asks for."""
        progress = cls.of(store.trials(), space, budget.trials)
        closed = store.notes.closed_for(progress.total, budget.care) if budget.close_arms else ()
        return dataclasses.replace(progress, spared=sum(one.left for one in closed))

    @property
    def due(self) -> int:
        """Trials that are done, and those that are to follow."""
        return max(self.done, self.total - self.spared)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to search."""
        return self.done >= self.due
