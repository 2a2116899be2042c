"""Keeps the cache of activations within its limit: the least recently used entries go first, never one in use.

A process that uses entries names them, and the bytes that it is about to write to them, in a file of its own below ``uses/``,
and holds a lock beside it for as long. The system releases the lock when the process ends, so a killed search protects nothing.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import msgspec

from ..machine.paths import folder_bytes, write_json
from .cache import ActivationCache, EntryKey, entries

FREE_SHARE = 0.5
"""Share of the free disk and the cache's own size that the cache may take where no limit is given."""


def default_limit(folder: Path, *, spoken_for: int = 0) -> int:
    """Default limit of the cache in ``folder``, in bytes.

    Args:
        folder: Of the cache.
        spoken_for: Bytes of the disk that something else is about to take.
    """
    probe = next(path for path in (folder, *folder.parents) if path.exists())
    return max(0, int(FREE_SHARE * (shutil.disk_usage(probe).free - spoken_for + folder_bytes(folder))))


def using(cache: ActivationCache, keys: Collection[EntryKey]) -> AbstractContextManager[None]:
    """Protects the entries of ``keys``, made or yet to be made, from every `make_room` until the block ends.

    Raises:
        OSError: The cache cannot be written.
    """
    return reserving(cache, dict.fromkeys(keys, 0))


@contextmanager
def reserving(cache: ActivationCache, sizes: Mapping[EntryKey, int]) -> Iterator[None]:
    """As `using`; other processes leave as much room for the entries as their final sizes, in bytes, ask for.

    Raises:
        OSError: The cache cannot be written.
    """
    from filelock import FileLock

    folder = cache.folder / "uses"
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / f"{os.getpid()}-{secrets.token_hex(4)}.json"
    with FileLock(f"{note}.lock"):
        try:
            write_json(note, {key.name: size for key, size in sizes.items()})
            for key in sizes:
                cache.touch(key)
            yield
        finally:
            note.unlink(missing_ok=True)
    with suppress(OSError):
        Path(f"{note}.lock").unlink()


def in_use(folder: Path) -> dict[str, int]:
    """Names of the entries that a living process uses, and the bytes reserved for each. Removes what dead ones have left."""
    from filelock import FileLock, Timeout

    used: dict[str, int] = {}
    for note in (folder / "uses").glob("*.json"):
        lock = FileLock(f"{note}.lock", timeout=0)
        try:
            with lock:
                note.unlink(missing_ok=True)
            with suppress(OSError):
                Path(lock.lock_file).unlink()
        except Timeout:
            with suppress(OSError, msgspec.DecodeError):
                # Version 0.1.0 wrote a list of names, without sizes.
                noted = msgspec.json.decode(note.read_bytes(), type=dict[str, int] | list[str])
                for name, size in (noted if isinstance(noted, dict) else dict.fromkeys(noted, 0)).items():
                    used[name] = max(size, used.get(name, 0))
    return used


@contextmanager
def planning_room(folder: Path) -> Iterator[None]:
    """Lets one process at a time decide what it writes, remove what is in the way, and reserve the room. Held for moments."""
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "room.lock"):
        yield


def affordable(sizes: Mapping[int, int], folder: Path, limit: int, replaced: Collection[str] = frozenset()) -> set[int]:
    """The cuts, cheapest first, whose entries fit in ``limit`` beside those that others use.

    Args:
        sizes: Cut → bytes on disk of its entries that are not there yet.
        folder: Of the cache.
        limit: Bytes of the whole cache.
        replaced: Names of those entries: what is there of them already is part of their size.
    """
    used = in_use(folder)
    room = limit - sum(max(folder_bytes(folder / name), used[name]) for name in used.keys() - set(replaced))
    fitting = set()
    for cut, size in sorted(sizes.items(), key=lambda item: item[1]):
        room -= size
        if room < 0:
            break
        fitting.add(cut)
    return fitting


def make_room(folder: Path, needed: int, limit: int) -> int:
    """Removes the least recently used entries until ``needed`` bytes more keep the cache within ``limit``.

    To be called while `planning_room`.

    Returns:
        Bytes that were freed.
    """
    used = in_use(folder)
    sizes = {entry.name: folder_bytes(entry) for entry in entries(folder)}
    excess = needed - limit + sum(max(sizes.get(name, 0), used.get(name, 0)) for name in sizes.keys() | used.keys())
    freed = 0
    for name, size in sizes.items():
        if freed >= excess:
            break
        if name not in used:
            _remove(folder / name)
            freed += size
    return freed


def clear(folder: Path) -> tuple[int, int]:
    """Removes every entry that is not in use.

    Returns:
        Bytes that were freed, and bytes that are kept because they are in use.
    """
    used = in_use(folder)
    freed = held = 0
    for entry in entries(folder):
        size = folder_bytes(entry)
        if entry.name in used:
            held += size
        else:
            _remove(entry)
            freed += size
    return freed, held


def _remove(entry: Path) -> None:
    """Removes an entry; its index first, so that nobody reads what is left as complete."""
    (entry / "entry.json").unlink(missing_ok=True)
    shutil.rmtree(entry, ignore_errors=True)
