"""What a study learns and keeps beside its trials, each as a JSON file of its own."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..depth_profile import DepthProfile
from ..machine.devices import Device
from .base import StudyFiles, StudyPlace, unusable
from .decoding import RecordError, T, decode

_PROFILE, _TEST_FILES, _WEIGHTS = "similarity.json", "test_files.json", "weights.json"


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
class _WeightsNote:
    file: str = ""
    downloaded: bool = False


class StudyNotes:
    """The notes of a study. One that is missing or damaged counts as not taken: it can be learned again.

    Args:
        study: Where the study is. Where a note cannot be written to it, a `StudyError` says so.
        files: Of the study.
        driver: Name of the driver that takes notes; empty where there is only one.
    """

    def __init__(self, study: StudyPlace, files: StudyFiles, driver: str = "") -> None:
        self._study = study
        self._files = files
        # A file for each driver: none overwrites another's.
        self._runs = f"runs/{driver.replace('/', '-')}.json" if driver else "runs.json"

    def keep_test_files(self, files: Sequence[str]) -> None:
        """Records which files, relative to the data folder, the test split consists of, in its order."""
        self._write(_TEST_FILES, list(files))

    def test_files(self) -> tuple[str, ...]:
        """The files of the test split in its order, relative to the data folder; empty where they were not recorded."""
        return self._read(_TEST_FILES, tuple[str, ...]) or ()

    def keep_weights_file(self, name: str, *, downloaded: bool) -> None:
        """Records which file the pretrained weights came from, and whether Keras downloaded it for this study."""
        self._write(_WEIGHTS, dataclasses.asdict(_WeightsNote(name, downloaded)))

    def weights_file(self) -> tuple[str, bool]:
        """What `keep_weights_file` was given; ``("", False)`` for random weights and where it was not recorded."""
        note = self._read(_WEIGHTS, _WeightsNote) or _WeightsNote()
        return note.file, note.downloaded

    def keep_profile(self, profile: DepthProfile) -> None:
        """Records the depth profile of the training images."""
        self._write(_PROFILE, profile.as_dict())

    def profile(self) -> DepthProfile | None:
        """The depth profile of the training images; None where it was not measured, or cannot be read."""
        return self._read(_PROFILE, DepthProfile)

    def keep_run(self, device: Device, workers: int) -> None:
        """Records that a run begins: what it trains on, which is what its times are of."""
        run = RunNote(datetime.now(UTC).isoformat(timespec="seconds"), workers, device)
        self._write(self._runs, [dataclasses.asdict(one) for one in (*self._runs_in(self._runs), run)])

    def runs(self) -> tuple[RunNote, ...]:
        """Every run of every driver that was recorded, the first one first."""
        found = [run for name in ("runs.json", *self._files.names("runs")) for run in self._runs_in(name)]
        return tuple(sorted(found, key=lambda run: run.started))

    def _runs_in(self, name: str) -> tuple[RunNote, ...]:
        return self._read(name, tuple[RunNote, ...]) or ()

    def _write(self, name: str, value: Any) -> None:
        try:
            self._files.write({name: json.dumps(value, indent=1).encode()})
        except OSError as error:
            # From a folder: a database has errors of its own.
            raise unusable(self._study, error) from error

    def _read(self, name: str, kind: type[T]) -> T | None:
        try:
            return decode(self._files.read(name), kind)
        except (OSError, RecordError):
            return None
