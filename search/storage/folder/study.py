"""The folder of a study: what it may hold, what it was made for, and which folders are studies."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ....spaces.errors import DamagedStudyError, StudyError
from ...machine.paths import is_draft
from ...selection import maximized
from ...settings import StudySettings
from ..base import OpenedStudy, StudyTrials, unusable
from ..salvage import Salvage
from ..settings_file import DATABASE, SETTINGS, parse_settings, write_settings
from .database import Database
from .files import FolderFiles
from .lock import LOCK_FILES, hold

_LEFT_BY_A_KILL = (DATABASE, *(DATABASE + suffix for suffix in ("-journal", "-wal", "-shm")), *LOCK_FILES)
"""What a folder may hold that is to become a study, besides drafts of `atomic_write`."""


def holds_study(path: Path) -> bool:
    """Whether there is a study in the folder."""
    return (path / SETTINGS).is_file()


def check_folder(path: Path, *, fresh: bool = False) -> None:
    """Checks that a study is in the folder, or may be made there; changes nothing.

    Args:
        path: The folder, or where it is to be.
        fresh: Whether a study that is there is to be deleted.

    Raises:
        StudyError: The folder holds something else, or cannot be read.
    """
    if "\0" in str(path):
        raise StudyError(f"--study must be the name of a folder, got {path} (with a NUL in it). Name another.")
    try:
        if holds_study(path) or not path.exists():
            return
        if not path.is_dir():
            raise StudyError(f"--study must be a folder, got {path} (a file). Name another.")
        foreign = sorted(entry.name for entry in path.iterdir() if not _is_left_by_a_kill(entry.name))
    except OSError as error:
        raise unusable(path, error) from error
    if foreign and fresh:
        raise StudyError(f"--fresh deletes a study, got {path}, which holds none. Nothing was changed.")
    if foreign:
        raise StudyError(
            f"--study must be a new folder or one that holds a study, got {path}, which holds {foreign[0]}"
            f"{' and more' if len(foreign) > 1 else ''}. Nothing was changed. Name another folder."
        )


def read_folder_settings(path: Path) -> StudySettings:
    """What the study in a folder was made for.

    Raises:
        StudyError: There is none, or a later version of tlsearch made it.
        DamagedStudyError: It cannot be read.
    """
    try:
        if not holds_study(path):
            what = "no such folder" if not path.exists() else "no study in it"
            raise StudyError(f"STUDY must be a folder that `tlsearch run` made, got {path} ({what}).")
        return parse_settings((path / SETTINGS).read_bytes(), path)
    except OSError as error:
        raise StudyError(f"STUDY must be readable, got {path} ({error.strerror or error}).") from error


def list_studies(runs: Path) -> list[Path]:
    """The studies directly in a folder, the newest first.

    Raises:
        StudyError: The folder cannot be read.
    """
    try:
        found = [path.parent for path in runs.glob(f"*/{SETTINGS}")] if runs.is_dir() else []
    except OSError as error:
        raise StudyError(f"RUNS must be a folder that can be read, got {runs} ({error.strerror or error}).") from error
    return sorted(found, key=_changed, reverse=True)


def _changed(study: Path) -> float:
    """When a study was last written to; what is deleted or replaced in the meantime does not count."""
    times = [0.0]
    for path in study.glob("study.[dj]*"):
        with contextlib.suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times)


def _is_left_by_a_kill(name: str) -> bool:
    return name in _LEFT_BY_A_KILL or is_draft(name)


def create_in_folder(path: Path, settings: StudySettings) -> OpenedStudy:
    """A new study in a new or empty folder; the one that is there where another process has just made it.

    Raises:
        StudyError: The folder holds something else, or cannot be written.
    """
    check_folder(path)
    files = FolderFiles(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with hold(path):
            if holds_study(path):
                return open_in_folder(path)
            database = Database.create(path / DATABASE, settings.name, maximize=maximized(settings.metric))
            # Last: a database without settings is what a kill leaves between the two.
            write_settings(files, settings)
    except OSError as error:
        raise unusable(path, error) from error
    return OpenedStudy(settings, database, files)


def open_in_folder(path: Path, *, salvage: bool = False) -> OpenedStudy:
    """The study in a folder.

    Args:
        path: The folder.
        salvage: Whether what is sound of a damaged database will do.

    Raises:
        StudyError: There is none, or another version of tlsearch made it.
        DamagedStudyError: It is damaged; with ``salvage``, beyond what can be read.
    """
    settings, database = read_folder_settings(path), path / DATABASE
    trials: StudyTrials | Salvage
    try:
        if not database.is_file():
            raise DamagedStudyError(path, f"{DATABASE} is missing")
        trials = Database.open(database, settings.name)
    except DamagedStudyError as error:
        if not salvage:
            raise
        trials = salvaged(path, error)
    return OpenedStudy(settings, trials, FolderFiles(path))


def salvaged(path: Path, error: DamagedStudyError) -> Salvage:
    """What is sound of the damaged database in a folder.

    Raises:
        DamagedStudyError: Nothing is.
    """
    salvage = Salvage(path / DATABASE, error.what)
    if not salvage.trials():
        raise DamagedStudyError(path, salvage.damage) from error
    return salvage
