"""The folder of a study: what it may hold, how one is made, opened and deleted, and which folders are studies."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from ....spaces.errors import DamagedStudyError, StudyError
from ...machine.paths import is_draft
from ...selection import maximized
from ...settings import StudySettings
from ..base import OpenedStudy, StudyPlace, StudyTrials
from ..salvage import Salvage
from ..settings_file import DATABASE, SETTINGS, parse_settings, write_settings
from .database import SIDE_FILES, Database
from .files import FolderFiles
from .lock import LOCK_FILES, hold, unusable

_LEFT_BY_A_KILL = (DATABASE, *(DATABASE + suffix for suffix in SIDE_FILES), *LOCK_FILES)
"""What a folder may hold that is to become a study, besides drafts of `atomic_write`."""


@dataclass(frozen=True, slots=True)
class FolderStudy(StudyPlace):
    """See `StudyPlace`.

    Attributes:
        path: Of the folder.
    """

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        return Path(os.path.abspath(self.path)).name

    @property
    def address(self) -> str:
        return str(self.path.expanduser().absolute())

    def exists(self) -> bool:
        return (self.path / SETTINGS).is_file()

    def check(self, *, fresh: bool = False) -> None:
        path = self.path
        if "\0" in str(path):
            raise StudyError(f"--study must be the name of a folder, got {path} (with a NUL in it). Name another.")
        try:
            if self.exists() or not path.exists():
                return
            if not path.is_dir():
                raise StudyError(f"--study must be a folder, got {path} (a file). Name another.")
            foreign = sorted(name for name in os.listdir(path) if name not in _LEFT_BY_A_KILL and not is_draft(name))
        except OSError as error:
            raise unusable(path, error) from error
        if foreign and fresh:
            raise StudyError(f"--fresh deletes a study, got {path}, which holds none. Nothing was changed.")
        if foreign:
            raise StudyError(
                f"--study must be a new folder or one that holds a study, got {path}, which holds {foreign[0]}"
                f"{' and more' if len(foreign) > 1 else ''}. Nothing was changed. Name another folder."
            )

    def settings(self) -> StudySettings:
        try:
            if not self.exists():
                what = "no such folder" if not self.path.exists() else "no study in it"
                raise StudyError(f"STUDY must be a folder that `tlsearch run` made, got {self} ({what}).")
            return parse_settings((self.path / SETTINGS).read_bytes(), self)
        except OSError as error:
            raise StudyError(f"STUDY must be readable, got {self} ({error.strerror or error}).") from error

    def create(self, settings: StudySettings) -> OpenedStudy:
        self.check()
        files = FolderFiles(self.path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with hold(self.path):
                if self.exists():
                    return self.open()
                database = Database.create(self.path / DATABASE, settings.name, maximize=maximized(settings.metric))
                # Last: a database without settings is what a kill leaves between the two.
                write_settings(files, settings)
        except OSError as error:
            raise unusable(self, error) from error
        return OpenedStudy(settings, database, files)

    def open(self, *, salvage: bool = False) -> OpenedStudy:
        settings, database = self.settings(), self.path / DATABASE
        trials: StudyTrials | Salvage
        try:
            if not database.is_file():
                raise DamagedStudyError(self, f"{DATABASE} is missing")
            trials = Database.open(database, settings.name)
        except DamagedStudyError as error:
            if not salvage:
                raise
            trials = self.salvage(error)
        return OpenedStudy(settings, trials, FolderFiles(self.path))

    def salvage(self, error: DamagedStudyError) -> Salvage:
        salvage = Salvage(self.path / DATABASE, error.what)
        if not salvage.trials():
            raise DamagedStudyError(self, salvage.damage) from error
        return salvage

    def delete(self) -> None:
        self.check(fresh=True)
        if not self.path.exists():
            return
        # The study itself may be damaged: only its lock is asked.
        with hold(self.path):
            # study.json last: where a kill comes first, the folder still holds a study that can be deleted.
            for entry in sorted(self.path.iterdir(), key=lambda entry: entry.name == SETTINGS):
                if entry.name not in LOCK_FILES:
                    shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def list_folders(runs: Path) -> list[FolderStudy]:
    """The studies directly in a folder, the one first that was written to last.

    Raises:
        StudyError: The folder cannot be read.
    """
    try:
        found = [path.parent for path in runs.glob(f"*/{SETTINGS}")] if runs.is_dir() else []
    except OSError as error:
        raise StudyError(f"RUNS must be a folder that can be read, got {runs} ({error.strerror or error}).") from error
    return [FolderStudy(path) for path in sorted(found, key=_changed, reverse=True)]


def _changed(study: Path) -> float:
    """When a study was last written to; what is deleted or replaced in the meantime does not count."""
    times = [0.0]
    for path in study.glob("study.[dj]*"):
        with contextlib.suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times)
