"""Estimates how long a search will take, by phase and by technique.

Each time is one that the probe measured, times a count from the survey. The estimate is rough: the probe lasts two seconds,
and other programs may use the machine. Every run is taken to train all of its epochs, which early stopping and pruning shorten.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...spaces.backbone.network import IMAGE
from ...spaces.recipe import LAYERS, Recipe, Technique
from ...spaces.space import SearchSpace
from ..engines.by_technique import shares_of
from ..engines.fair_start import deal
from ..training.schedule import PATH, passes_a_round
from .probe import Speeds

PREDICT_SHARE = 0.27
"""Time to predict an image, relative to a training step over the same layers: 0.24 to 0.30 at α 0.35 and 1.0, at every cut."""

STORE_SHARE = 1.0
"""Time that extraction adds to its forward pass, relative to that pass: rounding, checksums, writing eight cuts to disk.
Measured at α 0.35 and 160 px; with a wider network the share is smaller."""

PROFILE_SECONDS = 2.0
"""What the depth profile adds to its forward pass: nearest neighbours of 2,000 images at 18 blocks, and resampling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much a search has to do.

    Attributes:
        images: Images that are not decoded yet.
        train, val, test: Images of each split.
        trials: Trials of the whole study, or of each of its folds.
        folds: How many folds; 1 for none.
        confirm: Seeds for confirming each finalist.
        workers: Processes that train in parallel.
        processes: Processes that decode in parallel.
        missing: Images whose activations are not cached yet, of all passes.
        profile: Images that the depth profile is measured on; 0 if it is known.
    """

    images: int
    train: int
    val: int
    test: int
    trials: int
    folds: int
    confirm: int
    workers: int
    processes: int
    missing: int
    profile: int


@dataclass(frozen=True, slots=True)
class TechniqueTime:
    """How long one technique will take.

    Attributes:
        technique: The technique.
        trials: How many trials it gets if the engine prefers no technique.
        trial_seconds: How long one of them takes its worker.
        seconds: Its share of the wall time of search and confirmation.
    """

    technique: Technique
    trials: int
    trial_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """How long a search will take: wall time in seconds.

    Attributes:
        start: Until the workers are ready; images are decoded meanwhile.
        decode, extract, search, confirm: Each phase.
        techniques: Each technique, the cheapest first.
    """

    start: float
    decode: float
    extract: float
    search: float
    confirm: float
    techniques: tuple[TechniqueTime, ...]

    @property
    def total(self) -> float:
        """All phases together."""
        return self.start + self.decode + self.extract + self.search + self.confirm


class Estimator:
    """Estimates times from what the probe has measured.

    Args:
        speeds: How long this machine takes for each kind of work.
        space: What may be tried.
        cached: Cuts whose activations will be in the cache.
    """

    def __init__(self, speeds: Speeds, space: SearchSpace, cached: frozenset[int]) -> None:
        self._speeds = speeds
        self._space = space
        self._cached = cached
        measured = (
            (self._work(layer, speeds.cuts[layer]), seconds) for layer, seconds in speeds.train.items() if layer != LAYERS
        )
        self._known = sorted(measured)

    def forecast(self, counts: Counts) -> Forecast:
        """How long a search with these counts takes."""
        turns = deal(self._space, counts.trials, shares_of(counts.train)) * counts.folds
        dealt = Counter(turns)
        tried = [technique for technique in self._space.techniques if dealt[technique]]
        trial_seconds = {technique: self._run(technique, counts) for technique in tried}
        searching = [(technique, trial_seconds[technique]) for technique in turns]
        confirming = [(technique, self._run(technique, counts, final=True)) for technique in tried] * counts.confirm
        search, confirm = (makespan([seconds for _, seconds in runs], counts.workers) for runs in (searching, confirming))
        shares = dict.fromkeys(self._space.techniques, 0.0)
        for wall, runs in ((search, searching), (confirm, confirming)):
            total = sum(seconds for _, seconds in runs)
            for technique, seconds in runs:
                shares[technique] += wall * seconds / total
        frozen = counts.missing * (1 + STORE_SHARE) + counts.profile
        return Forecast(
            start=self._speeds.start,
            decode=counts.images * self._speeds.decode / counts.processes,
            extract=frozen * self._speeds.forward / counts.workers + (PROFILE_SECONDS if counts.profile else 0),
            search=search,
            confirm=confirm,
            techniques=tuple(
                TechniqueTime(technique, dealt[technique], trial_seconds.get(technique, 0.0), share)
                for technique, share in shares.items()
            ),
        )

    def training_step(self, layer: int, start: int) -> float:
        """Seconds of a training step for one image; ``layer`` is the first that trains, the model begins at cut ``start``."""
        if layer == LAYERS:
            return self._speeds.train[LAYERS] + (self._speeds.forward if start == IMAGE else 0.0)
        return self._seconds(self._work(layer, start))

    def _run(self, technique: Technique, counts: Counts, *, final: bool = False) -> float:
        """Seconds of a trial, or of a ``final`` run that confirms one: the mean over the layers it may train from."""
        layers = {Technique.FROZEN: [LAYERS], Technique.FULL: [0]}.get(technique) or [n for n in self._space.cuts if n]
        recipe = next(recipe for recipe in map(self._space.recipe, self._space.grid(2)) if recipe.technique is technique)
        seconds = sum(self._stage(layer, recipe, counts) for layer in layers) / len(layers)
        if (first := recipe.first_stage) is not None:
            seconds += self._stage(LAYERS, first, counts)
        if final:
            seconds += counts.test * self._prediction(layers[0])
        return seconds

    def _stage(self, layer: int, recipe: Recipe, counts: Counts) -> float:
        """Seconds of a recipe's main stage, trained from ``layer`` on, building the model included."""
        passes = passes_a_round(recipe, counts.train) * (len(PATH) if recipe.trains_path else recipe.epochs)
        epoch = counts.train * self.training_step(layer, self._start(layer)) + counts.val * self._prediction(layer)
        # Few trials of a worker have the same cut and head, so each is taken to build its own model.
        trace = self._speeds.trace
        return passes * epoch + trace[min(trace, key=lambda other: abs(other - layer))]

    def _prediction(self, layer: int) -> float:
        start = self._start(layer)
        if layer == LAYERS:
            return PREDICT_SHARE * self._speeds.train[LAYERS] + (self._speeds.forward if start == IMAGE else 0.0)
        return PREDICT_SHARE * self._seconds(self._speeds.passed(start))

    def _start(self, layer: int) -> int:
        cut = self._speeds.cuts[layer]
        return cut if cut in self._cached else IMAGE

    def _work(self, layer: int, start: int) -> float:
        """Values that a training step computes for one image. Layers that do not train have no backward pass and count less."""
        return self._speeds.passed(layer) + PREDICT_SHARE * self._speeds.passed(start, layer)

    def _seconds(self, work: float) -> float:
        """Seconds of a training step of so much work for one image: interpolated between two measured, else in proportion."""
        (least, first), (most, last) = self._known[0], self._known[-1]
        if work <= least:
            return first * work / least
        if work >= most:
            return last * work / most
        works, seconds = zip(*self._known, strict=True)
        return float(np.interp(work, works, seconds))


def makespan(seconds: Sequence[float], workers: int) -> float:
    """Wall time of runs that the workers take in this order, each as soon as it is free."""
    free = [0.0] * workers
    for one in seconds:
        heapq.heapreplace(free, free[0] + one)
    return max(free)
