"""Ends a process with the one that started it, however that ends."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
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
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
