"""The places where a study can be: a folder, or a shared database."""

from __future__ import annotations

from pathlib import Path

from ..settings import StudySettings
from .address import SharedStudy, Storage, StudyPlace
from .folder.study import holds_study, read_folder_settings


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


def read_settings(path: StudyPlace) -> StudySettings:
    """What a study was made for.

    Raises:
        StudyError: There is none, or a later version of tlsearch made it.
        DamagedStudyError: It cannot be read.
    """
    if isinstance(path, SharedStudy):
        from .shared.studies import open_shared

        return open_shared(path).settings
    return read_folder_settings(path)
