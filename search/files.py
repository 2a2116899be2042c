"""The files of a study beside its trials, by name: in its folder, or in the database that it is shared through."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from .paths import atomic_write


class StudyFiles(ABC):
    """Files by names such as ``timing.json`` or ``confirm/full-00007-42.npz``, whose parts ``/`` parts.

    What a caller may assume
        No reader ever sees half of a file. A file that is written again is replaced.

    What an implementer must keep
        Errors are the two that each method names, whatever is underneath.
    """

    @abstractmethod
    def read(self, name: str) -> bytes:
        """What a file holds.

        Raises:
            OSError: It is not there, or cannot be read.
            StudyError: The place where the study is kept does not answer.
        """

    @abstractmethod
    def write(self, files: Mapping[str, bytes], *, claim: str = "") -> bool:
        """Writes files, in this order.

        Args:
            files: Name → content.
            claim: A claim that these complete (see `trials`); it ends with them.

        Returns:
            Whether they are written: not where the claim has been given to another driver.

        Raises:
            OSError: The folder cannot be written, or the disk is full.
            StudyError: As for `read`.
        """

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, with the folder's, sorted."""

    @abstractmethod
    def where(self, name: str) -> str:
        """Where a file is, for messages."""

    @abstractmethod
    def total_bytes(self, folder: str) -> int:
        """Bytes of all files in a folder; 0 where there is none."""


class FolderFiles(StudyFiles):
    """Files in a folder of their own.

    Args:
        folder: Of the study.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> bytes:
        """See `StudyFiles`."""
        return (self._folder / name).read_bytes()

    def write(self, files: Mapping[str, bytes], *, claim: str = "") -> bool:
        """See `StudyFiles`. Only one driver searches in a folder: no claim is ever lost."""
        for name, content in files.items():
            path = self._folder / name
            if path.parent != self._folder:
                path.parent.mkdir(exist_ok=True)
            with atomic_write(path) as file:
                file.write(content)
        return True

    def names(self, folder: str) -> list[str]:
        """See `StudyFiles`. What `atomic_write` has not finished begins with a dot and is none."""
        return sorted(f"{folder}/{path.name}" for path in (self._folder / folder).glob("[!.]*") if path.is_file())

    def where(self, name: str) -> str:
        """See `StudyFiles`."""
        return str(self._folder / name)

    def total_bytes(self, folder: str) -> int:
        """See `StudyFiles`."""
        return sum((self._folder / name).stat().st_size for name in self.names(folder))
