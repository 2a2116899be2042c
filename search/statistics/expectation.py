"""What may be expected of each technique before its first trial: what searches of real data sets found.

The gaps of ``fine-tune`` and ``full`` to ``frozen`` on test images are modelled together, as linear in what is known before the
first trial (`predictors`), with an effect of each data set and one of each search (Gelman et al. 2013, chapter 15). Of a new
data set both are unknown: its gaps are distributed as Student's t with `FREEDOM` degrees of freedom, wide where the measured
sets tell little. ``benchmarks/prior.py`` fits the model to ``docs/evidence.json`` and writes the numbers that are read here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...spaces.recipe import Technique
from ..depth_profile import DepthProfile
from ..settings import DataSettings

COMPARED = (Technique.FINE_TUNE, Technique.FULL)
"""With ``frozen``."""

FREEDOM = 4
"""For tails as heavy as those of the gaps that were measured."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """How far the scores of `COMPARED` are from that of ``frozen``: Student's t with `FREEDOM` degrees of freedom.

    Attributes:
        mean: Of the gaps, as shares of 1; positive where ``frozen`` is worse.
        scale: Their scale matrix, row by row.
        sets: Data sets that it was learned from.
    """

    mean: tuple[float, ...]
    scale: tuple[tuple[float, ...], ...]
    sets: int

    @property
    def gaps(self) -> dict[Technique, tuple[float, float]]:
        """Of each of `COMPARED` the gap that is expected, and half of the interval that holds it two times in three."""
        halves = _TWO_THIRDS * np.sqrt(np.diagonal(self.scale))
        return dict(zip(COMPARED, zip(self.mean, halves.tolist(), strict=True), strict=True))


_TWO_THIRDS = 1.1
"""Quantile 5/6 of Student's t with `FREEDOM` degrees of freedom."""


def predictors(images: float, profile: DepthProfile | None) -> NDArray[np.float64]:
    """What the gaps depend on: 1, the size, and how well frozen features tell the classes apart at the network's end.

    Args:
        images: Of the training split, a class.
        profile: Of these images; None where it was not measured, which stands for the middle of the measured sets.
    """
    return np.array([1.0, (math.log2(images) - 5) / 2, (profile.corrected - 0.6) / 0.3 if profile else 0.0])


def expect(data: DataSettings, profile: DepthProfile | None, weights: str) -> Expectation | None:
    """What to expect of a data set; None of weights that the measured sets tell nothing of.

    Args:
        data: The data set.
        profile: Of its training images; None where it was not measured.
        weights: Which the techniques start from, as in `BackboneSpec`.
    """
    if weights in ("starter", "random"):
        return None
    return foretell(shipped(), predictors(data.train / len(data.classes), profile))


def foretell(learned: Mapping[str, Any], known: NDArray[np.float64]) -> Expectation:
    """The expectation at the given predictors, from the model's numbers."""
    design = np.kron(known, np.eye(len(COMPARED)))
    uncertain = design @ np.array(learned["uncertainty"]) @ design.T
    scale = uncertain + np.array(learned["between_sets"]) + np.array(learned["between_searches"])
    mean = design @ np.array(learned["coefficients"])
    return Expectation(tuple(mean.tolist()), tuple(map(tuple, scale.tolist())), learned["sets"])


@cache
def shipped() -> dict[str, Any]:
    """The numbers of the model that all measured data sets were fitted with."""
    return dict(json.loads(files(__package__).joinpath("expectation.json").read_text(encoding="utf-8")))
