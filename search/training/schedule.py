"""How often a run passes over the images, and the penalties that a head is trained with in turn."""

from __future__ import annotations

from ...spaces.recipe import Recipe

PATH = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths C of the L2 penalties that a head is trained with in turn, in scikit-learn's sense: the mean loss has
‖w‖² / (2 · C · images) added to it."""

LEAST_STEPS = 200
"""Of each penalty: a hundred images make four steps a pass, too few for twenty passes to converge."""


REFIT_PENALTIES = 3
"""Of `PATH`, those that a head is trained with whose penalty cannot be chosen, since no image is left to choose by: up to
C = 1e-2, the best one most often."""


def steps_a_pass(recipe: Recipe, images: int) -> int:
    """Steps of a pass over so many images."""
    return -(-images // min(recipe.batch_size, images))


def passes_a_round(recipe: Recipe, images: int) -> int:
    """Passes over so many training images between two measurements: with one penalty, or in one epoch."""
    steps = steps_a_pass(recipe, images)
    if recipe.trains_path:
        return max(recipe.epochs, -(-LEAST_STEPS // steps))
    return max(1, -(-recipe.least_steps // (steps * recipe.epochs)))


def penalties(recipe: Recipe, images: int) -> tuple[float, ...]:
    """The L2 penalties of `PATH` for so many training images, the strongest first.

    Hidden layers take them the other way round: a strong penalty drives all of their weights to 0, from where none returns.
    """
    return tuple(1 / (inverse * images) for inverse in _path(recipe))


def inverse_strength(recipe: Recipe, epoch: int) -> float | None:
    """C of the L2 penalty that a head's `Measurement` of this number was trained with; None where there was no path."""
    return _path(recipe)[epoch - 1] if recipe.trains_path else None


def most_epochs(recipe: Recipe) -> int:
    """Measurements of a run that is not ended early."""
    return len(PATH) if recipe.trains_path else recipe.epochs


def _path(recipe: Recipe) -> tuple[float, ...]:
    return PATH[::-1] if recipe.head_layers else PATH
