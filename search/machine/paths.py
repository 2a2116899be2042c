"""Where caches live, and how their files are written so that no reader ever sees half of one."""

from __future__ import annotations

import glob
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from ...spaces.errors import OptionError

T = TypeVar("T")

CACHE_VARIABLE = "TLSEARCH_CACHE_DIR"

_DRAFT = re.compile(r"\..+\.(?P<pid>\d+)-[0-9a-f]{8}\.tmp", re.DOTALL)


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
        with draft.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise


def write_json(path: Path, value: Any) -> None:
    """Writes a value, a dataclass or what JSON knows, as `atomic_write` does."""
    with atomic_write(path) as file:
        file.write(msgspec.json.encode(value))


def read_json(path: Path, kind: type[T]) -> T:
    """The value of a JSON file.

    Raises:
        OSError: The file is gone or cannot be read.
        ValueError: It holds something else.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error


def remove_drafts(folder: Path) -> None:
    """Removes what a kill left of `atomic_write` anywhere below a folder; to be called by the one who may write there."""
    for path in [*folder.rglob(".*.tmp")]:
        if is_draft(path.name):
            with suppress(OSError):
                path.unlink()


def is_draft(name: str) -> bool:
    """Whether a file of this name is what a kill left of `atomic_write`."""
    return _DRAFT.fullmatch(name) is not None


def write_output(path: Path, data: bytes) -> None:
    """Writes a file that the user named: whole or not at all, except where it is a device, a pipe or a link.

    Raises:
        OSError: It cannot be written, or the disk is full.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        # To be written through, not replaced: /dev/stdout is a link too.
        path.write_bytes(data)
        return
    remove_dead_drafts(path)
    with atomic_write(path) as file:
        file.write(data)


def remove_dead_drafts(path: Path) -> None:
    """Removes what killed processes left of their attempts to write this one file."""
    import psutil

    for draft in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        if (match := _DRAFT.fullmatch(draft.name)) and not psutil.pid_exists(int(match["pid"])):
            draft.unlink(missing_ok=True)


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
