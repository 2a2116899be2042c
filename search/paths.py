"""Where caches live, and how a file is written so that no reader ever sees half of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..spaces.errors import OptionError

CACHE_VARIABLE = "TLSEARCH_CACHE_DIR"


def cache_root(cache_dir: Path | str | None = None) -> Path:
    """The folder of all caches, made where there is none.

    Args:
        cache_dir: As the user named it; otherwise the environment variable `CACHE_VARIABLE`, otherwise the platform's.

    Raises:
        OptionError: It cannot be made or written.
    """
    import platformdirs

    chosen = cache_dir or os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("tlsearch", appauthor=False)
    root = Path(chosen).expanduser().absolute()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        raise OptionError(
            f"the cache folder must be writable, got {root} ({error.strerror}). "
            f"Name another with --cache-dir or {CACHE_VARIABLE}."
        ) from error
    return root


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A binary file that appears at ``path``, whole, when the block ends; not at all when it raises.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
