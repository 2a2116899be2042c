"""Engines by name: who decides what is tried next."""

from __future__ import annotations

from types import MappingProxyType

from ...spaces.errors import OptionError
from ...spaces.quiet import quiet_native
from ...spaces.space import SearchSpace
from .base import WAIT, Engine, Wait
from .by_technique import SHARES, ByTechnique, Shares

__all__ = ["ALGORITHMS", "WAIT", "Engine", "Wait", "check_algorithm", "make_engine"]

ALGORITHMS = MappingProxyType(
    {
        "optuna": ("tpe", "random", "qmc", "cmaes", "grid"),
        "keras-tuner": ("bayesian", "hyperband", "random", "grid"),
    }
)
"""The algorithms of each engine, its default first."""


def check_algorithm(engine: str, algorithm: str | None) -> str:
    """The algorithm asked for, or the engine's default.

    Raises:
        OptionError: There is no such engine, or it has no such algorithm.
    """
    if engine not in ALGORITHMS:
        raise OptionError(f"--engine must be one of {', '.join(ALGORITHMS)}, got {engine}.")
    if algorithm is None:
        return ALGORITHMS[engine][0]
    if algorithm not in ALGORITHMS[engine]:
        raise OptionError(f"--algorithm of engine {engine} must be one of {', '.join(ALGORITHMS[engine])}, got {algorithm}.")
    return algorithm


def make_engine(
    engine: str, algorithm: str, space: SearchSpace, *, seed: int, maximize: bool, shares: Shares = SHARES
) -> Engine:
    """A new engine: a key of `ALGORITHMS` with one of its algorithms, whose random choices all derive from ``seed``.

    Args:
        engine: Its name.
        algorithm: Of this engine.
        space: What may be tried.
        seed: Of its random choices.
        maximize: Whether a higher score is better.
        shares: Of the techniques, where there are several.

    Raises:
        OptionError: There is no such engine or algorithm.
    """
    check_algorithm(engine, algorithm)
    if len(space.techniques) > 1:
        return ByTechnique(space, lambda own: make_engine(engine, algorithm, own, seed=seed, maximize=maximize), shares)
    if engine == "keras-tuner":
        with quiet_native():
            from .keras_tuner import KerasTunerEngine

        return KerasTunerEngine(algorithm, space, seed, maximize=maximize)
    if algorithm == "grid":
        from .grid import GridEngine

        return GridEngine(space, seed)
    from .optuna import OptunaEngine

    return OptunaEngine(algorithm, space, seed, maximize=maximize)
