"""Which place a name stands for: a folder, or a study in a shared database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .address import Storage
from .base import StudyPlace
from .folder.study import FolderStudy, list_folders
from .shared.studies import SharedStudy, list_shared


def as_place(study: StudyPlace | Path | str) -> StudyPlace:
    """A place as it is, anything else as the path of a folder."""
    return study if isinstance(study, StudyPlace) else FolderStudy(Path(study))


def place_of(name: Path | str, storage: Storage | None, *, folders_first: bool = False) -> StudyPlace:
    """Where the study is that a user names.

    Args:
        name: Of a folder, or of a study in the database.
        storage: The database, if any.
        folders_first: Whether a folder that holds a study goes before the database.
    """
    folder = FolderStudy(Path(name))
    if storage is None or (folders_first and folder.exists()):
        return folder
    return SharedStudy(storage, str(name))


def list_studies(where: Path | Storage) -> Sequence[StudyPlace]:
    """The studies directly in a folder or in a database, the one first that was written to last.

    Raises:
        StudyError: It cannot be read.
    """
    return list_shared(where) if isinstance(where, Storage) else list_folders(where)
