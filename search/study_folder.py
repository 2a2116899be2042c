"""The folder of a study: what it may hold, what it was made for, and which folders are studies."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path

from ..spaces.errors import DamagedStudyError, StudyError
from ..spaces.space import SearchSpace
from .files import StudyFiles
from .lock import LOCK_FILES
from .paths import is_draft
from .records import settings_of
from .settings import StudySettings
from .shared.address import SharedStudy, Storage

StudyPlace = Path | SharedStudy
"""Where a study is: in a folder, or by a name in a database. Its text is fit for messages."""

SCHEMA = 1
"""Of the study's folder. A study of a later one is refused."""

SETTINGS, DATABASE = "study.json", "study.db"

_LEFT_BY_A_KILL = (DATABASE, *(DATABASE + suffix for suffix in ("-journal", "-wal", "-shm")), *LOCK_FILES)
"""What a folder may hold that is to become a study, besides drafts of `atomic_write`."""

MALFORMED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What JSON raises, and what is made of it, where it is not what was written."""


def holds_study(path: Path) -> bool:
    """Whether there is a study in the folder."""
    return (path / SETTINGS).is_file()


def place_of(name: Path | str, storage: Storage | None) -> StudyPlace:
    """Where the study is that a user names: in a folder, or, where a database is named too and no folder holds it, in that."""
    if storage is None or holds_study(Path(name)):
        return Path(name)
    return SharedStudy(storage, str(name))


def is_there(place: StudyPlace) -> bool:
    """Whether there is a study, in a folder or a database.

    Raises:
        StorageError: The database cannot be read.
        StudyError: Another program made a study of this name in it.
    """
    if isinstance(place, SharedStudy):
        from .shared.studies import shared_is_there

        return shared_is_there(place)
    return holds_study(place)


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


def write_settings(files: StudyFiles, settings: StudySettings) -> None:
    """Makes a study of the place that the files are in.

    Raises:
        OSError: It cannot be written.
    """
    fields = {"schema": SCHEMA, **dataclasses.asdict(settings)}
    files.write({SETTINGS: json.dumps(fields, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass")})


def read_settings(path: StudyPlace) -> StudySettings:
    """What a study was made for.

    Raises:
        StudyError: There is none, or a later version of tlsearch made it.
        DamagedStudyError: It cannot be read.
    """
    if isinstance(path, SharedStudy):
        from .shared.studies import open_shared

        return open_shared(path).settings
    try:
        if not holds_study(path):
            what = "no such folder" if not path.exists() else "no study in it"
            raise StudyError(f"STUDY must be a folder that `tlsearch run` made, got {path} ({what}).")
        return parse_settings((path / SETTINGS).read_bytes(), path)
    except OSError as error:
        raise StudyError(f"STUDY must be readable, got {path} ({error.strerror or error}).") from error


def parse_settings(content: bytes, path: StudyPlace) -> StudySettings:
    """What a study was made for, from what `write_settings` wrote.

    Raises:
        StudyError: A later version of tlsearch made it.
        DamagedStudyError: It cannot be read.
    """
    try:
        fields = json.loads(content.decode("utf-8", "surrogatepass"))
    except MALFORMED as error:
        raise DamagedStudyError(path, f"{SETTINGS} cannot be read") from error
    try:
        schema = fields.pop("schema")
        if type(schema) is not int or schema < 1:
            raise ValueError(f"schema {schema!r}")
        if schema > SCHEMA:
            raise StudyError(
                f"{path} was made by a later version of tlsearch (schema {schema}, this one writes {SCHEMA}). Nothing was "
                "changed. Update tlsearch, or name another folder."
            )
        settings = settings_of(fields)
        SearchSpace.from_dict(settings.space)
        return settings
    except MALFORMED as error:
        # A SpaceError is a ValueError.
        raise DamagedStudyError(path, f"{SETTINGS} cannot be read: it is not what this version of tlsearch writes") from error


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


def unusable(path: StudyPlace, error: OSError) -> StudyError:
    """That a study's folder cannot be made or written."""
    return StudyError(
        f"the study's folder must be writable, got {path} ({error.strerror or error}). Name another with --study."
    )
