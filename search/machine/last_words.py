"""What a worker process wrote to its standard streams: where it crashes, the last line often says why."""

from __future__ import annotations

import os
import tempfile
from multiprocessing.reduction import DupFd
from typing import Any

_TAIL = 4096
"""Bytes that are read: a traceback and more."""


class LastWords:
    """A file without a name, which a kill cannot leave behind. Travels to a process that is being started."""

    def __init__(self) -> None:
        if hasattr(os, "memfd_create"):
            self._file = os.memfd_create("tlsearch-worker")
        else:
            with tempfile.TemporaryFile() as file:
                self._file = os.dup(file.fileno())

    def __getstate__(self) -> Any:
        return DupFd(self._file)

    def __setstate__(self, state: Any) -> None:
        self._file = state.detach()

    def take_standard_streams(self) -> None:
        """Lets what this process writes to its standard streams go here: it would tear the main process's display."""
        os.dup2(self._file, 1)
        os.dup2(self._file, 2)

    def tail(self) -> str:
        """The end of what was written, without blank lines around it; empty where nothing was."""
        size = os.fstat(self._file).st_size
        return os.pread(self._file, _TAIL, max(0, size - _TAIL)).decode(errors="replace").strip()

    def close(self) -> None:
        """Frees the file; the other process's hold on it stays."""
        os.close(self._file)
