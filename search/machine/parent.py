"""Ends a process with the one that started it, however that ends."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing.connection import wait

_PR_SET_PDEATHSIG = 1
"""From Linux's ``sys/prctl.h``."""


def end_with_parent() -> None:
    """Ends this process as soon as the one that started it is gone, even by SIGKILL, even within a training step.

    Twice over: by a thread, which works everywhere, and by the kernel, which also reaches a process that hangs in native code
    and lets no thread of Python's run.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    _kill_with_parent(True)

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


@contextlib.contextmanager
def killed_with_parent() -> Iterator[None]:
    """This process is killed where the one that started it ends meanwhile; on Linux."""
    _kill_with_parent(True)
    yield
    _kill_with_parent(False)


def _kill_with_parent(asked: bool) -> None:
    """Asks the kernel to kill this process where its parent ends, or no longer to."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL if asked else 0, 0, 0, 0)
