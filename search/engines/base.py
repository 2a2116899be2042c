"""The contract of an engine, which decides what to try next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from enum import Enum

from ...spaces.ranges import Values
from ...spaces.recipe import Technique


class Wait(Enum):
    """The one answer of an engine that cannot propose before a running trial has ended."""

    WAIT = "wait"


WAIT = Wait.WAIT


class Engine(ABC):
    """Proposes values and observes their scores.

    What a caller may assume
        Values are Python scalars, hold exactly the parameters that are active, and make a recipe of the space. The same seed
        and the same calls give the same proposals, in any process: a search is resumed by making a new engine and calling
        `adopt` and `observe` for what was done before, in the order in which it happened. Nothing is printed and nothing
        stays on the disk.

    What a caller must keep
        Trials are numbered from 0, each number is proposed or adopted once, in rising order, and observed once afterwards.
        Trials may be observed in any order, and several may be running.
    """

    exhaustive = False
    """Whether it enumerates the whole space, so that a fair start would only repeat a part of it."""

    closed: Collection[Technique] = ()
    """Techniques that it no longer proposes."""

    @abstractmethod
    def propose(self, number: int) -> Values | Wait | None:
        """Values for trial ``number``; `WAIT` while a running trial must end first; None when nothing is left to try."""

    @abstractmethod
    def adopt(self, number: int, values: Values) -> None:
        """Takes note that trial ``number`` runs with values that were decided elsewhere."""

    @abstractmethod
    def observe(self, number: int, score: float | None) -> None:
        """Takes note of a trial's end: its score, or None where it failed."""
