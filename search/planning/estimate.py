"""Estimates how long a search will take, by phase and by technique.

Each time is one that the probe measured, times a count from the survey. The estimate is rough: the probe lasts two seconds,
early stopping and pruning can only be guessed, and other programs may use the machine.
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
from ..engines.by_technique import next_turn
from ..training.schedule import PATH, passes_a_round
from ..training.trainer import PATIENCE
from .probe import Costs, Speeds

GO_ON = 0.45
"""Share of trials that early stopping lets train for more than its patience plus one epoch. Measured, like `STAY` and
`NOT_PRUNED`, in three searches of 36 trials on cats and dogs and on ants and bees: trials of at most 10 epochs trained 5.2 on
average, those of at most 5 trained 4.3."""

STAY = 0.85
"""Share of these that train one epoch more, and so on for each further epoch."""

NOT_PRUNED = 0.93
"""Time of a trial that may be pruned, relative to one that may not."""

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
        trials: Trials of the whole study.
        confirm: Seeds for confirming each finalist.
        workers: Processes that train in parallel.
        processes: Processes that decode in parallel.
        stops_early: Whether a trial may end before its last epoch.
        missing: Images whose activations are not cached yet: before the search, and before confirmation.
        profile: Images that the depth profile is measured on; 0 if it is known.
    """

    images: int
    train: int
    val: int
    test: int
    trials: int
    confirm: int
    workers: int
    processes: int
    stops_early: bool
    missing: tuple[int, int]
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
        costs: The sizes of the network's parts.
        space: What may be tried.
        cached: Cuts whose activations will be in the cache.
    """

    def __init__(self, speeds: Speeds, costs: Costs, space: SearchSpace, cached: frozenset[int]) -> None:
        self._speeds = speeds
        self._costs = costs
        self._space = space
        self._cached = cached
        measured = (
            (self._work(layer, costs.cuts[layer]), seconds) for layer, seconds in speeds.train.items() if layer != LAYERS
        )
        self._known = sorted(measured)

    def forecast(self, counts: Counts) -> Forecast:
        """How long a search with these counts takes."""
        turns = self._turns(counts.trials)
        trials = {technique: turns.count(technique) for technique in self._space.techniques}
        tried = [technique for technique, count in trials.items() if count]
        trial_seconds = {technique: self._run(technique, counts) for technique in tried}
        searching = [(technique, trial_seconds[technique]) for technique in turns]
        confirming = [(technique, self._run(technique, counts, final=True)) for technique in tried] * counts.confirm
        search, confirm = (makespan([seconds for _, seconds in runs], counts.workers) for runs in (searching, confirming))
        shares = dict.fromkeys(trials, 0.0)
        for wall, runs in ((search, searching), (confirm, confirming)):
            total = sum(seconds for _, seconds in runs)
            for technique, seconds in runs:
                shares[technique] += wall * seconds / total
        return Forecast(
            start=self._speeds.start,
            decode=counts.images * self._speeds.decode / counts.processes,
            extract=self._extract(counts),
            search=search,
            confirm=confirm,
            techniques=tuple(
                TechniqueTime(technique, count, trial_seconds.get(technique, 0.0), shares[technique])
                for technique, count in trials.items()
            ),
        )

    def training_step(self, layer: int, start: int) -> float:
        """Seconds of a training step for one image; ``layer`` is the first that trains, the model begins at cut ``start``."""
        if layer == LAYERS:
            return self._speeds.train[LAYERS] + (self._speeds.forward if start == IMAGE else 0.0)
        return self._seconds(self._work(layer, start))

    def _turns(self, total: int) -> list[Technique]:
        """The technique of each trial, no more in all than the space has recipes."""
        size, counts, turns = self._space.size, Counter[Technique](), list[Technique]()
        for _ in range(total if size is None else min(total, size)):
            turns.append(next_turn(counts, self._space.techniques))
            counts[turns[-1]] += 1
        return turns

    def _run(self, technique: Technique, counts: Counts, *, final: bool = False) -> float:
        """Seconds of a trial, or of a ``final`` run that confirms one: the mean over the layers it may train from."""
        layers = {Technique.FROZEN: [LAYERS], Technique.FULL: [0]}.get(technique) or [n for n in self._space.cuts if n]
        recipe = next(recipe for recipe in map(self._space.recipe, self._space.grid(2)) if recipe.technique is technique)
        passes = self._passes(recipe, counts, final=final)
        seconds = sum(self._epochs(layer, counts, passes) for layer in layers) / len(layers)
        if (first := recipe.first_stage) is not None:
            seconds += self._epochs(LAYERS, counts, self._passes(first, counts, final=True))
        if final:
            seconds += counts.test * self._prediction(layers[0])
        return seconds

    def _passes(self, recipe: Recipe, counts: Counts, *, final: bool) -> float:
        """Mean passes over the training images in the main stage of a run."""
        passes = passes_a_round(recipe, counts.train)
        if recipe.trains_path:
            return passes * len(PATH)
        epochs = expected_epochs(recipe.epochs) if counts.stops_early and recipe.schedule == "constant" else recipe.epochs
        prunes = not final and (counts.stops_early or recipe.schedule == "cosine")
        return passes * epochs * (NOT_PRUNED if prunes else 1.0)

    def _epochs(self, layer: int, counts: Counts, epochs: float) -> float:
        """Seconds of so many epochs, building the model included."""
        start = self._start(layer)
        epoch = counts.train * self.training_step(layer, start) + counts.val * self._prediction(layer)
        # Few trials of a worker have the same cut and head, so each is taken to build its own model.
        return epochs * epoch + self._trace(layer)

    def _prediction(self, layer: int) -> float:
        start = self._start(layer)
        if layer == LAYERS:
            return PREDICT_SHARE * self._speeds.train[LAYERS] + (self._speeds.forward if start == IMAGE else 0.0)
        return PREDICT_SHARE * self._seconds(self._costs.passed(start))

    def _start(self, layer: int) -> int:
        cut = self._costs.cuts[layer]
        return cut if cut in self._cached else IMAGE

    def _trace(self, layer: int) -> float:
        known = self._speeds.trace
        return known[min(known, key=lambda other: abs(other - layer))]

    def _work(self, layer: int, start: int) -> float:
        """Values that a training step computes for one image. Layers that do not train have no backward pass and count less."""
        return self._costs.passed(layer) + PREDICT_SHARE * self._costs.passed(start, layer)

    def _seconds(self, work: float) -> float:
        """Seconds of a training step of so much work for one image: interpolated between two measured, else in proportion."""
        (least, first), (most, last) = self._known[0], self._known[-1]
        if work <= least:
            return first * work / least
        if work >= most:
            return last * work / most
        works, seconds = zip(*self._known, strict=True)
        return float(np.interp(work, works, seconds))

    def _extract(self, counts: Counts) -> float:
        rows = sum(counts.missing) * (1 + STORE_SHARE) + counts.profile
        return rows * self._speeds.forward / counts.workers + (PROFILE_SECONDS if counts.profile else 0)


def expected_epochs(most: int) -> float:
    """Mean number of epochs of a run that may stop early and has ``most`` at the most."""
    sure = PATIENCE + 1
    return min(most, sure) + sum(GO_ON * STAY**beyond for beyond in range(most - sure))


def makespan(seconds: Sequence[float], workers: int) -> float:
    """Wall time of runs that the workers take in this order, each as soon as it is free."""
    free = [0.0] * workers
    for one in seconds:
        heapq.heapreplace(free, free[0] + one)
    return max(free)
