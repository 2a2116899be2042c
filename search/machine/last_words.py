"""What a worker process wrote to its standard streams: where it crashes, the last line often says why."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress

_TAIL = 4096
"""Bytes that are read: a traceback and more."""


class LastWords:
    """A temporary file that one process writes to and the process that started it reads. Pickled as its path.

    Where the platform allows it, the file loses its name as soon as both have it open, so that a kill leaves nothing behind.
    """

    def __init__(self) -> None:
        self._file, self._path = tempfile.mkstemp(prefix="tlsearch-worker-")

    def __getstate__(self) -> str:
        return self._path

    def __setstate__(self, path: str) -> None:
        self._file, self._path = os.open(path, os.O_WRONLY | os.O_APPEND), path
        self._unlink()

    def take_standard_streams(self) -> None:
        """Redirects this process's standard output and error to the file: they would tear the main process's display."""
        os.dup2(self._file, 1)
        os.dup2(self._file, 2)

    def tail(self) -> str:
        """The end of what was written, without blank lines around it; empty where nothing was."""
        os.lseek(self._file, max(0, os.fstat(self._file).st_size - _TAIL), os.SEEK_SET)
        return os.read(self._file, _TAIL).decode(errors="replace").strip()

    def close(self) -> None:
        """Frees the file; the other process's hold on it stays."""
        os.close(self._file)
        self._unlink()

    def _unlink(self) -> None:
        # Gone already, or on Windows still open in the other process.
        with suppress(OSError):
            os.unlink(self._path)
