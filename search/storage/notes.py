"""What a study learns and keeps beside its trials, each in a JSON file of its own."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..depth_profile import DepthProfile
from ..machine.devices import Device
from ..settings import TiedImages
from ..trial import ClosedTechnique
from .base import StudyFiles
from .decoding import RecordError, T, convert, load

_PROFILE, _TEST_FILES, _TIED, _WEIGHTS = "similarity.json", "test_files.json", "tied_images.json", "weights.json"
_CLOSED = "closed.json"


@dataclass(frozen=True, slots=True)
class RunNote:
    """One run of a study's search.

    Attributes:
        started: ISO 8601, in UTC: when its first worker was ready.
        workers: That trained side by side.
        device: What they trained on.
    """

    started: str
    workers: int
    device: Device


@dataclass(frozen=True, slots=True)
class _ClosedNote:
    asked: int
    care: float
    closed: tuple[ClosedTechnique, ...]


@dataclass(frozen=True, slots=True)
class _WeightsNote:
    file: str = ""
    downloaded: bool = False


class StudyNotes:
    """The notes of a study. One that is missing or damaged counts as not taken: it can be learned again.

    Args:
        files: Of the study.
        driver: Name of the driver that takes notes; empty where there is only one.
    """

    def __init__(self, files: StudyFiles, driver: str = "") -> None:
        self._files = files
        self._fold = ""
        # A file for each driver: none overwrites another's.
        own = f"/{driver.replace('/', '-')}.json" if driver else ".json"
        self._runs, self._timing = f"runs{own}", f"timing{own}"

    def of_fold(self, number: int) -> StudyNotes:
        """The same, but for the test files, the profile and the closed techniques, of which each fold has its own."""
        own = copy.copy(self)
        own._fold = f"folds/{number}-" if number else ""
        return own

    def keep_test_files(self, files: Sequence[str]) -> None:
        """Records which files, relative to the data folder, the test split consists of, in its order."""
        self._write(self._fold + _TEST_FILES, list(files))

    def test_files(self) -> tuple[str, ...]:
        """The files of the test split in its order, relative to the data folder; empty where they were not recorded."""
        return self._read(self._fold + _TEST_FILES, tuple[str, ...]) or ()

    def keep_tied_images(self, tied: TiedImages) -> None:
        """Records which images of the test split belong together."""
        self._write(self._fold + _TIED, dataclasses.asdict(tied))

    def tied_images(self) -> TiedImages | None:
        """Which images of the test split belong together; None where each is by itself, or it was not recorded."""
        return self._read(self._fold + _TIED, TiedImages)

    def keep_weights_file(self, name: str, *, downloaded: bool) -> None:
        """Records which file the pretrained weights came from, and whether Keras downloaded it for this study."""
        self._write(_WEIGHTS, dataclasses.asdict(_WeightsNote(name, downloaded)))

    def weights_file(self) -> tuple[str, bool]:
        """What `keep_weights_file` was given; ``("", False)`` for random weights and where it was not recorded."""
        note = self._read(_WEIGHTS, _WeightsNote) or _WeightsNote()
        return note.file, note.downloaded

    def keep_profile(self, profile: DepthProfile) -> None:
        """Records the depth profile of the training images."""
        self._write(self._fold + _PROFILE, dataclasses.asdict(profile))

    def profile(self) -> DepthProfile | None:
        """The depth profile of the training images; None where it was not measured, or cannot be read."""
        return self._read(self._fold + _PROFILE, DepthProfile)

    def keep_closed(self, asked: int, care: float, closed: Sequence[ClosedTechnique]) -> None:
        """Records which techniques a search of ``asked`` trials has closed by the difference that matters."""
        self._write(self._fold + _CLOSED, dataclasses.asdict(_ClosedNote(asked, care, tuple(closed))))

    def closed(self) -> tuple[ClosedTechnique, ...]:
        """The closed techniques."""
        note = self._read(self._fold + _CLOSED, _ClosedNote)
        return note.closed if note else ()

    def closed_for(self, asked: int, care: float) -> tuple[ClosedTechnique, ...]:
        """The closed techniques, where a search of as many trials closed them by no larger a difference that matters."""
        note = self._read(self._fold + _CLOSED, _ClosedNote)
        return note.closed if note and note.asked == asked and note.care <= care else ()

    def keep_run(self, device: Device, workers: int) -> None:
        """Records that a run begins: what it trains on, which is what its times are of."""
        run = RunNote(datetime.now(UTC).isoformat(timespec="seconds"), workers, device)
        self._write(self._runs, [dataclasses.asdict(one) for one in (*self._runs_in(self._runs), run)])

    def runs(self) -> tuple[RunNote, ...]:
        """Every run of every driver that was recorded, the first one first."""
        found = [run for name in self._of_all_drivers("runs") for run in self._runs_in(name)]
        return tuple(sorted(found, key=lambda run: run.started))

    def add_timing(self, phase: str, seconds: float) -> None:
        """Adds to the seconds of wall time that a phase has taken."""
        timing = self._read(self._timing, dict[str, float]) or {}
        self._write(self._timing, {**timing, phase: timing.get(phase, 0.0) + seconds})

    def timing(self) -> dict[str, float]:
        """Seconds of wall time by phase, over all runs and drivers."""
        total: dict[str, float] = {}
        for name in self._of_all_drivers("timing"):
            for phase, seconds in (self._read(name, dict[str, float]) or {}).items():
                total[phase] = total.get(phase, 0.0) + seconds
        return total

    def _of_all_drivers(self, note: str) -> tuple[str, ...]:
        return (f"{note}.json", *self._files.names(note))

    def _runs_in(self, name: str) -> tuple[RunNote, ...]:
        return self._read(name, tuple[RunNote, ...]) or ()

    def _write(self, name: str, value: Any) -> None:
        self._files.write({name: json.dumps(value, indent=1).encode()})

    def _read(self, name: str, kind: type[T]) -> T | None:
        try:
            return convert(load(self._files.read(name)), kind)
        except (OSError, RecordError):
            return None
