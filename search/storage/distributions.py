"""A space's parameters as Optuna distributions, so that Optuna's tools read a study of any engine."""

from __future__ import annotations

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ...spaces.parameters import given, walk
from ...spaces.ranges import Between, Range, Values
from ...spaces.space import SearchSpace


def distributions(space: SearchSpace, values: Values) -> dict[str, BaseDistribution]:
    """The distribution of each parameter that is active under ``values``."""
    active = [parameter for parameter, _ in walk(space.parameters, given(values)) if not parameter.fixed]
    return {parameter.name: _distribution(parameter.values) for parameter in active}


def _distribution(values: Range) -> BaseDistribution:
    if not isinstance(values, Between):
        return CategoricalDistribution(values.options())
    if values.whole:
        return IntDistribution(int(values.low), int(values.high), step=int(values.step or 1))
    return FloatDistribution(values.low, values.high, log=values.log, step=values.step)
