"""What a study learns once and keeps beside its trials, each as a JSON file of its own."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from .devices import Device
from .paths import atomic_write
from .profile import DepthProfile
from .study_folder import unusable

Note = Literal["runs", "similarity", "test_files", "weights"]


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


class StudyNotes:
    """The notes in a study's folder. One that is missing or damaged counts as not taken: it can be learned again.

    Args:
        study: The folder. Where a note cannot be written to it, a `StudyError` says so.
    """

    def __init__(self, study: Path) -> None:
        self._study = study

    def keep_test_files(self, files: Sequence[str]) -> None:
        """Records which files, relative to the data folder, the test split consists of, in its order."""
        self._write("test_files", list(files))

    def test_files(self) -> tuple[str, ...]:
        """The files of the test split in its order, relative to the data folder; empty where they were not recorded."""
        return tuple(self._read("test_files") or ())

    def keep_weights_file(self, name: str, *, downloaded: bool) -> None:
        """Records which file the pretrained weights came from, and whether Keras downloaded it for this study."""
        self._write("weights", {"file": name, "downloaded": downloaded})

    def weights_file(self) -> tuple[str, bool]:
        """What `keep_weights_file` was given; ``("", False)`` for random weights and where it was not recorded."""
        note = self._read("weights") or {}
        return str(note.get("file", "")), bool(note.get("downloaded", False))

    def keep_profile(self, profile: DepthProfile) -> None:
        """Records the depth profile of the training images."""
        self._write("similarity", profile.as_dict())

    def profile(self) -> DepthProfile | None:
        """The depth profile of the training images; None where it was not measured, or cannot be read."""
        try:
            return DepthProfile.from_dict(self._read("similarity"))
        except (ValueError, KeyError, TypeError):
            return None

    def keep_run(self, device: Device, workers: int) -> None:
        """Records that a run begins: what it trains on, which is what its times are of."""
        run = RunNote(datetime.now(UTC).isoformat(timespec="seconds"), workers, device)
        self._write("runs", [dataclasses.asdict(one) for one in (*self.runs(), run)])

    def runs(self) -> tuple[RunNote, ...]:
        """Every run that was recorded, the first one first."""
        try:
            return tuple(RunNote(**{**run, "device": Device(**run["device"])}) for run in self._read("runs") or ())
        except (ValueError, KeyError, TypeError):
            return ()

    def _write(self, name: Note, value: Any) -> None:
        try:
            with atomic_write(self._study / f"{name}.json") as file:
                file.write(json.dumps(value, indent=1).encode())
        except OSError as error:
            raise unusable(self._study, error) from error

    def _read(self, name: Note) -> Any:
        try:
            return json.loads((self._study / f"{name}.json").read_bytes())
        except (OSError, ValueError):
            return None
