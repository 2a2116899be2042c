"""Keeps the cache of activations within its limit: the least recently used entries go first, never one in use.

Who uses entries says so in a file of its own under ``uses/``, and holds a lock beside it for as long. A lock ends with its
process, so what a killed search used is free again.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..machine.paths import atomic_write, folder_bytes
from .cache import ActivationCache, EntryKey, entries

FREE_SHARE = 0.5
"""Of the disk's free space and what the cache takes already: what it may take where no limit is given."""


def default_limit(folder: Path, *, spoken_for: int = 0) -> int:
    """Bytes that the cache in ``folder`` may take where the user gives no limit.

    Args:
        folder: Of the cache.
        spoken_for: Bytes of the disk that something else is about to take.
    """
    probe = next(path for path in (folder, *folder.parents) if path.exists())
    return max(0, int(FREE_SHARE * (shutil.disk_usage(probe).free - spoken_for + folder_bytes(folder))))


@contextmanager
def using(cache: ActivationCache, keys: Sequence[EntryKey]) -> Iterator[None]:
    """Protects the entries of ``keys``, made or yet to be made, from every `make_room` until the block ends.

    Raises:
        OSError: The cache cannot be written.
    """
    from filelock import FileLock

    folder = cache.folder / "uses"
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / f"{os.getpid()}-{secrets.token_hex(4)}.json"
    with FileLock(f"{note}.lock"):
        try:
            with atomic_write(note) as file:
                file.write(json.dumps(sorted({key.name for key in keys})).encode())
            for key in keys:
                cache.touch(key)
            yield
        finally:
            note.unlink(missing_ok=True)
    with suppress(OSError):
        Path(f"{note}.lock").unlink()


def in_use(folder: Path) -> set[str]:
    """Names of the entries that a living process uses. What a dead one has left is removed."""
    from filelock import FileLock, Timeout

    names: set[str] = set()
    for note in (folder / "uses").glob("*.json"):
        lock = FileLock(f"{note}.lock", timeout=0)
        try:
            with lock:
                note.unlink(missing_ok=True)
            with suppress(OSError):
                Path(lock.lock_file).unlink()
        except Timeout:
            with suppress(OSError, ValueError):
                names |= set(json.loads(note.read_bytes()))
    return names


def affordable(sizes: Mapping[int, int], folder: Path, limit: int, replaced: Collection[str] = frozenset()) -> set[int]:
    """The cuts, cheapest first, whose entries fit in ``limit`` beside those that others use.

    Args:
        sizes: Cut → bytes on disk of its entries that are not there yet.
        folder: Of the cache.
        limit: Bytes of the whole cache.
        replaced: Names of those entries: what is there of them already is part of their size.
    """
    room = limit - sum(folder_bytes(folder / name) for name in in_use(folder) - set(replaced))
    fitting = set()
    for cut, size in sorted(sizes.items(), key=lambda item: item[1]):
        room -= size
        if room < 0:
            break
        fitting.add(cut)
    return fitting


def make_room(folder: Path, needed: int, limit: int) -> int:
    """Removes the least recently used entries until ``needed`` bytes more keep the cache within ``limit``.

    To be called by the one who is `ActivationCache.filling`.

    Returns:
        Bytes that were freed.
    """
    kept = in_use(folder)
    sizes = {entry: folder_bytes(entry) for entry in entries(folder)}
    total, freed = sum(sizes.values()), 0
    for entry, size in sizes.items():
        if total - freed + needed <= limit:
            break
        if entry.name not in kept:
            _remove(entry)
            freed += size
    return freed


def clear(folder: Path) -> tuple[int, int]:
    """Removes every entry that is not in use.

    Returns:
        Bytes that were freed, and bytes that are kept because they are in use.
    """
    kept = in_use(folder)
    freed = held = 0
    for entry in entries(folder):
        size = folder_bytes(entry)
        if entry.name in kept:
            held += size
        else:
            _remove(entry)
            freed += size
    return freed, held


def _remove(entry: Path) -> None:
    """Removes an entry; its index goes first, so that nobody takes what is left for the whole."""
    (entry / "entry.json").unlink(missing_ok=True)
    shutil.rmtree(entry, ignore_errors=True)
