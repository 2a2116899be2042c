"""Holds a study against other processes that would search in it."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....spaces.errors import StudyError
from ...machine.paths import read_json, remove_drafts, write_json

_LOCK, _HOLDER = "study.lock", "study.lock.json"
LOCK_FILES = (_LOCK, _HOLDER)


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Holds the study against other processes that would search in it, and clears what a killed one left half written.

    The lock is the operating system's: it ends with the process that holds it, however that ends.

    Raises:
        StudyError: One does already, and the message names it; or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    holder = path / _HOLDER
    lock = FileLock(path / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StudyError(f"{path} is being searched by {_who(holder)}. Wait for it, or end it, then try again.") from error
    except (OSError, NotImplementedError) as error:
        # NotImplementedError: filelock's word for a file system without locks.
        raise unusable(path, error) from error
    try:
        remove_drafts(path)
        try:
            write_json(holder, {"pid": os.getpid(), "host": socket.gethostname()})
        except OSError as error:
            raise unusable(path, error) from error
        yield
    finally:
        with contextlib.suppress(OSError):
            # It may be gone by now, or be read-only: neither should hide what ended the search.
            holder.unlink(missing_ok=True)
        lock.release()


def unusable(folder: object, error: Exception) -> StudyError:
    """What to tell the user of a folder that cannot be written."""
    reason = getattr(error, "strerror", None) or error
    return StudyError(f"the study's folder must be writable, got {folder} ({reason}). Name another with --study.")


def _who(holder: Path) -> str:
    try:
        by = read_json(holder, dict[str, Any])
        return f"process {by['pid']} on {by['host']}"
    except (OSError, ValueError, KeyError):
        return "another process"
