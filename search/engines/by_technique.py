"""Searches for each technique as if it were alone: an engine for each, which take turns.

One engine over all techniques would favour the one that happens to lead, and leave the others half searched: they would then be
compared at different completeness, not at their best.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from ...spaces.ranges import Values
from ...spaces.recipe import Technique
from ...spaces.space import SearchSpace
from .base import WAIT, Engine, Wait

SHARES = MappingProxyType({Technique.FROZEN: 2, Technique.FINE_TUNE: 4, Technique.FULL: 3})
"""Of the trials. ``fine-tune`` has the most to choose: where to cut beside the rate. Heads hardly differ."""


SHARES_WHERE_DEAR = MappingProxyType({Technique.FROZEN: 2, Technique.FINE_TUNE: 4, Technique.FULL: 1})
"""Of the trials after the fair start where there are more than `DEAR` training images."""

DEAR = 1000
"""Training images above which a trial of ``full`` takes longer than what it may still bring is worth. See
``docs/techniques.md``."""

Shares = Mapping[Technique, int]


def shares_of(images: int) -> Shares:
    """The shares of the trials after the fair start, on so many training images."""
    return SHARES_WHERE_DEAR if images > DEAR else SHARES


def next_turn(counts: Counter[Technique], techniques: Collection[Technique], shares: Shares = SHARES) -> Technique:
    """Whose turn it is after so many trials of each: each once, the cheapest first, then by shares (Webster's method)."""
    return max(techniques, key=lambda technique: shares[technique] / (2 * counts[technique] + 1) if counts[technique] else 3)


class ByTechnique(Engine):
    """An engine for each technique of a space.

    Args:
        space: What may be tried.
        make: Gives the engine of a space.
        shares: Of the trials that these propose.
    """

    def __init__(self, space: SearchSpace, make: Callable[[SearchSpace], Engine], shares: Shares = SHARES) -> None:
        self._engines = {technique: make(space.replace(techniques=(technique,))) for technique in space.techniques}
        self.exhaustive = all(engine.exhaustive for engine in self._engines.values())
        self._shares = shares
        self._counts: Counter[Technique] = Counter()
        self._technique: dict[int, Technique] = {}

    def propose(self, number: int) -> Values | Wait | None:
        open_ones = [technique for technique in self._engines if technique not in self.closed]
        waiting = False
        while open_ones:
            technique = next_turn(self._counts, open_ones, self._shares)
            values = self._engines[technique].propose(number)
            if values is not None and values is not WAIT:
                self._note(number, technique)
                return values
            waiting = waiting or values is WAIT
            open_ones.remove(technique)
        return WAIT if waiting else None

    def adopt(self, number: int, values: Values) -> None:
        technique = Technique(str(values["technique"]))
        self._engines[technique].adopt(number, values)
        self._note(number, technique)

    def observe(self, number: int, score: float | None) -> None:
        self._engines[self._technique.pop(number)].observe(number, score)

    def _note(self, number: int, technique: Technique) -> None:
        self._technique[number] = technique
        self._counts[technique] += 1
