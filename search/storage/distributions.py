"""A space's parameters as Optuna distributions, so that Optuna's tools read a study of any engine."""

from __future__ import annotations

from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ...spaces.ranges import Scalar, Values
from ...spaces.readers import ValuesReader
from ...spaces.space import SearchSpace


def distributions(space: SearchSpace, values: Values) -> dict[str, BaseDistribution]:
    """The distribution of each parameter that is active under ``values``."""
    reader = _DistributionReader(values)
    space.sample(reader)
    return {name: reader.distributions[name] for name in reader.read}


class _DistributionReader(ValuesReader):
    def __init__(self, values: Values) -> None:
        super().__init__(values)
        self.distributions: dict[str, BaseDistribution] = {}

    def Choice(self, name: str, values: list[Scalar], **kwargs: Any) -> Any:
        self.distributions[name] = CategoricalDistribution(values)
        return super().Choice(name, values, **kwargs)

    def Int(self, name: str, min_value: int, max_value: int, step: int | None = None, **kwargs: Any) -> Any:
        self.distributions[name] = IntDistribution(min_value, max_value, step=step or 1)
        return super().Int(name, min_value, max_value, step, **kwargs)

    def Float(self, name: str, min_value: float, max_value: float, step: float | None = None, **kwargs: Any) -> Any:
        log = kwargs.get("sampling") == "log"
        self.distributions[name] = FloatDistribution(min_value, max_value, log=log, step=step)
        return super().Float(name, min_value, max_value, step, **kwargs)
