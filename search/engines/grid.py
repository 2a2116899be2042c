"""Every recipe of the space once, in an order drawn from the seed: a search that ends early has seen all of the space.

Optuna's own grid does not know conditions.
"""

from __future__ import annotations

import random

from ...spaces.ranges import Values
from ...spaces.space import SearchSpace
from .base import Engine

LEVELS = 4
"""Values that a continuous range is tried at: for a learning rate over two powers of ten, steps of 4.6."""


class GridEngine(Engine):
    """Enumerates the space."""

    exhaustive = True

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space = space
        self._left = list(space.grid(LEVELS))
        random.Random(seed).shuffle(self._left)  # noqa: S311 - an order, not a secret

    def propose(self, number: int) -> Values | None:
        return self._left.pop() if self._left else None

    def adopt(self, number: int, values: Values) -> None:
        recipe = self._space.recipe(values)
        self._left = [other for other in self._left if self._space.recipe(other) != recipe]

    def observe(self, number: int, score: float | None) -> None:
        """See `Engine`."""
