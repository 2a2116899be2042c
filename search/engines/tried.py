"""What has been proposed, so that a finite space is not searched twice."""

from __future__ import annotations

from ...spaces.ranges import Values
from ...spaces.recipe import Recipe
from ...spaces.space import SearchSpace


class Tried:
    """The recipes that were proposed so far. In a continuous space nothing is ever exhausted, and nothing is kept."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._size = space.size
        self._recipes: set[Recipe] = set()

    def add(self, values: Values) -> None:
        """Takes note of a proposal."""
        if self._size is not None:
            self._recipes.add(self._space.recipe(values))

    def __contains__(self, values: Values) -> bool:
        return self._size is not None and self._space.recipe(values) in self._recipes

    @property
    def exhausted(self) -> bool:
        """Whether every recipe of the space has been proposed."""
        return self._size is not None and len(self._recipes) >= self._size

    def any_left(self, seed: int) -> Values:
        """Values that were not proposed yet, drawn by ``seed``; a continuous space must not be asked."""
        left = [values for values in self._space.grid(None) if values not in self]
        return left[seed % len(left)]
