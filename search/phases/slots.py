"""The slots of a search: which are filled, being trained or free."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from ...spaces.ranges import Values
from ..engines import Engine
from ..seeds import derive
from ..trial import CompleteTrial, FailedTrial, FinishedTrial, PrunedTrial, Trial


class Slots:
    """Slots, numbered from 0, each filled by one trial that was not interrupted. A trial's seed identifies its slot.

    Args:
        engine: Adopts the values of other drivers' and earlier trials, and observes every result, in the order of events.
        seed: Of the study.
    """

    def __init__(self, engine: Engine, seed: int) -> None:
        self._engine = engine
        self._seed = seed
        self._slot_of: dict[int, int] = {}
        self._values: dict[int, Values] = {}
        self._drafts: dict[int, Values] = {}
        self._running: dict[int, int] = {}
        self._seen: set[int] = set()
        self._filled: set[int] = set()

    @property
    def running(self) -> frozenset[int]:
        """Numbers of the trials that are being trained, as far as is known."""
        return frozenset(self._running)

    @property
    def values(self) -> Collection[Values]:
        """What was proposed for the slots that have been taken."""
        return self._values.values()

    def seed_of(self, slot: int) -> int:
        """The seed of a slot's trial."""
        return derive(self._seed, slot)

    def free(self) -> tuple[int, Values | None]:
        """The lowest slot that needs a trial, and its values if they were drafted or a trial of it was cut off."""
        taken = self._filled.union(self._running.values())
        slot = next((slot for slot in range(len(self._values)) if slot not in taken), len(self._values))
        return slot, self._values.get(slot, self._drafts.get(slot))

    def draft(self, slot: int, values: Values) -> None:
        """Keeps the values proposed for a free slot until a trial with them is recorded."""
        self._drafts[slot] = values

    def began(self, number: int) -> None:
        """Notes that this driver has begun a trial of the free slot."""
        slot, values = self.free()
        assert values is not None
        self._values[slot] = values
        self._running[number] = slot
        self._seen.add(number)

    def ended(self, trial: FinishedTrial) -> None:
        """Notes that a running trial has ended."""
        slot = self._running.pop(trial.number)
        if not was_interrupted(trial):
            self._filled.add(slot)
            self._engine.observe(slot, trial.score if isinstance(trial, CompleteTrial | PrunedTrial) else None)

    def note(self, trials: Sequence[Trial], values: Callable[[], Mapping[int, Values]]) -> list[FinishedTrial]:
        """Notes what the study has recorded of trials of earlier runs and other drivers.

        Args:
            trials: All of the study's.
            values: Returns what was proposed, by trial number.

        Returns:
            The finished trials that were not known to have ended.
        """
        fresh = [trial for trial in trials if trial.number not in self._seen or trial.number in self._running]
        if not fresh:
            return []
        # Slots are taken in order, and each that was taken has a trial.
        for slot in range(len(self._slot_of), len(trials)):
            self._slot_of[self.seed_of(slot)] = slot
        proposed = values() if any(trial.number not in self._seen for trial in fresh) else {}
        ends: list[tuple[datetime, int, FinishedTrial]] = []
        for trial in sorted(fresh, key=lambda trial: trial.number):
            if trial.number not in self._seen:
                while ends and ends[0][0] <= trial.started:
                    self.ended(ends.pop(0)[2])
                self._note_start(trial, self._slot_of[trial.seed], proposed[trial.number])
            if isinstance(trial, FinishedTrial):
                ends = sorted([*ends, (trial.ended, self._running[trial.number], trial)], key=lambda end: end[:2])
        for _, _, trial in ends:
            self.ended(trial)
        return [trial for trial in fresh if isinstance(trial, FinishedTrial)]

    def _note_start(self, trial: Trial, slot: int, values: Values) -> None:
        if slot not in self._values:
            self._values[slot] = values
            self._engine.adopt(slot, values)
        self._running[trial.number] = slot
        self._seen.add(trial.number)


def was_interrupted(trial: Trial) -> bool:
    """Whether a trial was cut off through no fault of its own. It does not count, and its slot is trained again."""
    return isinstance(trial, FailedTrial) and trial.interrupted
