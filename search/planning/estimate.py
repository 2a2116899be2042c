"""What a search will take, before it is begun: time by phase and technique, bytes on disk, and what is not cached and why.

Times are a probe's, scaled by the counts of a survey. They are about right: the probe lasts two seconds, early stopping and
pruning are anybody's guess, and other programs may want the machine too.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...spaces.backbone.network import IMAGE
from ...spaces.recipe import LAYERS, Technique
from ...spaces.space import SearchSpace
from ..training.trainer import PATIENCE
from .probe import Costs, Speeds

GO_ON = 0.45
"""Share of trials that train longer than early stopping's patience and one epoch more. Measured with `STAY` and `NOT_PRUNED` in
three searches of 36 trials on cats and dogs and on ants and bees: of 10 epochs 5.2 were trained on average, of 5 epochs 4.3."""

STAY = 0.85
"""Of those, the share that trains yet another epoch, and so on."""

NOT_PRUNED = 0.93
"""Time of trials that may be pruned, of that of trials that may not."""

PREDICT_SHARE = 0.27
"""Time of a prediction, of that of a training step over the same layers: 0.24 to 0.30 at α 0.35 and 1.0, at every cut."""

STORE_SHARE = 1.0
"""Time that extraction takes beyond its forward pass, of that pass: rounding, checksums, writing eight cuts to disk. Measured
at α 0.35 and 160 px; wider networks spend more on the pass."""

PROFILE_SECONDS = 2.0
"""Of the depth profile beside its forward pass: nearest neighbours of 2,000 images at 18 blocks, and resampling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a search is to do.

    Attributes:
        images: To be decoded yet.
        train, val, test: Images of each split.
        trials: Of the whole study.
        confirm: Seeds that each finalist is trained again with.
        workers: That train side by side.
        processes: That decode side by side.
        stops_early: Whether trials may end before their last epoch.
        missing: Images whose activations are to be computed before the search, and before confirmation.
        profile: Images whose features the depth profile is to be measured on.
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
    """What a technique will take.

    Attributes:
        technique: Which.
        trials: That it gets if the engine has no favourite.
        trial_seconds: Of one of them, in its worker.
        seconds: Of all of them and of its confirmation, as its share of the wall time.
    """

    technique: Technique
    trials: int
    trial_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """How long a search will take; wall time in seconds.

    Attributes:
        start: Until its workers are ready; images are decoded meanwhile.
        decode, extract, search, confirm: The phases.
        techniques: In the order of the techniques.
    """

    start: float
    decode: float
    extract: float
    search: float
    confirm: float
    techniques: tuple[TechniqueTime, ...]

    @property
    def total(self) -> float:
        """Of everything."""
        return self.start + self.decode + self.extract + self.search + self.confirm


class Estimator:
    """Estimates times from what was measured.

    Args:
        speeds: Of this machine.
        costs: Of the network's parts.
        space: What may be tried.
        cached: Cuts whose activations will be on disk.
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
        """The time that everything takes."""
        trials = self._trials(counts.trials)
        searching = [self._trial(technique, counts) for technique in _in_turn(trials)]
        confirming = [
            self._trial(technique, counts, final=True)
            for _ in range(counts.confirm)
            for technique in trials
            if trials[technique]
        ]
        search, confirm = (makespan([seconds for _, seconds in runs], counts.workers) for runs in (searching, confirming))
        spent = [*((one, search, searching) for one in searching), *((one, confirm, confirming) for one in confirming)]
        shares = dict.fromkeys(trials, 0.0)
        for (technique, seconds), wall, runs in spent:
            shares[technique] += wall * seconds / sum(s for _, s in runs)
        each = {technique: [s for t, s in searching if t is technique] for technique in trials}
        return Forecast(
            start=self._speeds.start,
            decode=counts.images * self._speeds.decode / counts.processes,
            extract=self._extract(counts),
            search=search,
            confirm=confirm,
            techniques=tuple(
                TechniqueTime(technique, len(own), sum(own) / max(len(own), 1), shares[technique])
                for technique, own in each.items()
            ),
        )

    def training_step(self, layer: int, start: int) -> float:
        """Seconds that an image takes in a training step.

        Args:
            layer: First that trains.
            start: Where the model begins; `IMAGE` for pixels.
        """
        if layer == LAYERS:
            return self._speeds.train[LAYERS] + (self._speeds.forward if start == IMAGE else 0.0)
        return self._seconds(self._work(layer, start))

    def _trials(self, total: int) -> dict[Technique, int]:
        """Trials of each technique: the same number for all, as far as the space has so many recipes."""
        size = self._space.size
        total = total if size is None else min(total, size)
        techniques = self._space.techniques
        return {t: total // len(techniques) + (place < total % len(techniques)) for place, t in enumerate(techniques)}

    def _trial(self, technique: Technique, counts: Counts, *, final: bool = False) -> tuple[Technique, float]:
        """The seconds of a training run, the mean over the cuts that it may have."""
        layers = {Technique.FROZEN: [LAYERS], Technique.FULL: [0]}.get(technique) or [n for n in self._space.cuts if n]
        epochs: float = self._space.epochs[technique]
        if counts.stops_early:
            epochs = expected_epochs(self._space.epochs[technique]) * (1.0 if final else NOT_PRUNED)
        seconds = sum(self._epochs(layer, counts, epochs) for layer in layers) / len(layers)
        if technique is not Technique.FROZEN and self._space.head_epochs:
            seconds += self._epochs(LAYERS, counts, self._space.head_epochs)
        if final:
            seconds += counts.test * self._prediction(layers[0])
        return technique, seconds

    def _epochs(self, layer: int, counts: Counts, epochs: float) -> float:
        start = self._start(layer)
        epoch = counts.train * self.training_step(layer, start) + counts.val * self._prediction(layer)
        # Hardly two trials of a worker have the same cut and head, so each builds a model of its own.
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
        """Values computed for an image in a training step; those of layers that do not train only once, not three times."""
        return self._costs.passed(layer) + PREDICT_SHARE * self._costs.passed(start, layer)

    def _seconds(self, work: float) -> float:
        """Of an image in a training step of so much work: between two that were measured on the line, beyond in proportion."""
        (low, first), (high, last) = self._known[0], self._known[-1]
        if work <= low or low == high:
            return first * work / low
        if work >= high:
            return last * work / high
        above = next(place for place, (known, _) in enumerate(self._known) if known >= work)
        (left, before), (right, after) = self._known[above - 1], self._known[above]
        return before + (after - before) * (work - left) / (right - left)

    def _extract(self, counts: Counts) -> float:
        rows = sum(counts.missing) * (1 + STORE_SHARE) + counts.profile
        return rows * self._speeds.forward / counts.workers + (PROFILE_SECONDS if counts.profile else 0)


def expected_epochs(most: int) -> float:
    """Epochs that a run which may stop early trains of so many, on average."""
    sure = PATIENCE + 1
    return min(most, sure) + sum(GO_ON * STAY**beyond for beyond in range(most - sure))


def makespan(seconds: Sequence[float], workers: int) -> float:
    """Wall time of runs that workers take in this order, each as soon as it is free."""
    free = [0.0] * workers
    for one in seconds:
        heapq.heapreplace(free, free[0] + one)
    return max(free)


def _in_turn(trials: dict[Technique, int]) -> Iterator[Technique]:
    """The techniques of the trials, in turn: as a fair start has them."""
    for turn in range(max(trials.values(), default=0)):
        yield from (technique for technique, count in trials.items() if turn < count)
