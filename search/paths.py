"""Where caches live, and how a file is written so that no reader ever sees half of it."""

from __future__ import annotations

import os
import secrets
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
    try:
        root = Path(chosen).expanduser().absolute()
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass
    except (OSError, RuntimeError) as error:
        # RuntimeError: "~" in a container whose user has no home.
        reason = error.strerror if isinstance(error, OSError) else error
        raise OptionError(
            f"the cache folder must be writable, got {chosen} ({reason}). Name another with --cache-dir or {CACHE_VARIABLE}."
        ) from error
    return root


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A binary file that appears at ``path``, whole, when the block ends; not at all when it raises.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    # Not `tempfile`'s: its files are for their owner's eyes only, and stay so when renamed.
    draft = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
