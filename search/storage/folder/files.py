"""The files of a study beside its trials, in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ....spaces.errors import StudyError
from ...machine.paths import atomic_write
from ..base import StudyFiles


class FolderFiles(StudyFiles):
    """Files in a folder of their own.

    Args:
        folder: Of the study.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    def write(self, files: Mapping[str, bytes], *, claim: str = "") -> bool:
        """See `StudyFiles`. Only one driver searches in a folder: no claim is ever lost."""
        try:
            for name, content in files.items():
                path = self._folder / name
                if path.parent != self._folder:
                    path.parent.mkdir(exist_ok=True)
                with atomic_write(path) as file:
                    file.write(content)
        except OSError as error:
            what = "deleted or moved" if isinstance(error, FileNotFoundError) else error.strerror or error
            raise StudyError(
                f"the study's folder must stay and be writable, got {self._folder} ({what}). Mend that, then give the same "
                "command again: what was finished is kept."
            ) from error
        return True

    def names(self, folder: str) -> list[str]:
        """See `StudyFiles`. What `atomic_write` has not finished begins with a dot and is none."""
        return sorted(f"{folder}/{path.name}" for path in (self._folder / folder).glob("[!.]*") if path.is_file())

    def where(self, name: str) -> str:
        return str(self._folder / name)

    def total_bytes(self, folder: str) -> int:
        return sum((self._folder / name).stat().st_size for name in self.names(folder))
