"""Activations of the frozen prefix, computed once and kept on disk.

An entry holds, for a list of images, the tensors at one cut of one network, flattened to ``(rows, values)``. It is a folder of
shards, each a ``.npy`` file of `SHARD_ROWS` rows whose name holds its number and its checksum, written under a temporary name,
synchronised to disk and renamed. It becomes visible to readers when its ``entry.json``, which lists the checksums, is written
last; until then it is unfinished, and whoever fills it next goes on with the shards that are whole. Its name is a hash of
everything that the values depend on, so a stale entry cannot be read by mistake. An entry is written by one process at a time,
the one that is `filling` it and holds its lock, a file below ``locks/``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..machine.paths import atomic_write, read_json, remove_drafts, write_json
from ..machine.shards import Shards, checksum, map_shard
from ..settings import CacheType

SHARD_ROWS = 256
"""Rows of a shard: small enough that two workers share a small data set, large enough that 60,000 images are 235 files."""

_SHARD = re.compile(r"(?P<shard>\d{5,})-(?P<checksum>[0-9a-f]{8})\.npy")

_VERSION = 3
"""Of the values and of the files that hold them: raised when the same key comes to mean others."""


@dataclass(frozen=True, slots=True)
class EntryKey:
    """What the values of an entry depend on.

    Attributes:
        images: Digest of the pixels of the whole data set, `Dataset.images_digest`.
        rows: Digest of the rows that are held, in order.
        weights: Fingerprint of the backbone's weights.
        alpha: Width multiplier.
        cut: Where the network is cut.
        folded: Whether BatchNorm was folded: a cut inside a convolution and its BatchNorm differs.
        view: Augmented view; 0 is the image itself.
        dtype: Of the values on disk.
    """

    images: str
    rows: str
    weights: str
    alpha: float
    cut: int
    folded: bool
    view: int
    dtype: CacheType = "float16"

    @property
    def name(self) -> str:
        """Name of the entry's folder."""
        text = json.dumps([*astuple(self), _VERSION, SHARD_ROWS])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class ActivationCache:
    """The entries under one folder. Safe to use from several processes at once.

    Args:
        folder: ``<cache>/activations``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def filling(self, keys: Sequence[EntryKey], *, on_wait: Callable[[], None] = lambda: None) -> Iterator[list[EntryKey]]:
        """Locks those of ``keys`` that are missing, and gives those that still are once all locks are held.

        Args:
            keys: The entries that are to be there.
            on_wait: Called once, before waiting for another process that is filling one of them.
        """
        from filelock import FileLock, Timeout

        missing = [key for key in keys if not self.has(key)]
        waited = False
        with ExitStack() as locks:
            # Always in the order of the names: two processes that lock several entries can never wait for each other.
            for name in sorted({key.name for key in missing}):
                path = self.folder / "locks" / f"{name}.lock"
                path.parent.mkdir(parents=True, exist_ok=True)
                lock = FileLock(path)
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    if not waited:
                        on_wait()
                    waited = True
                    lock.acquire()
                locks.callback(lock.release)
            missing = [key for key in missing if not self.has(key)]
            for key in missing:
                remove_drafts(self.folder / key.name)
            yield missing

    def has(self, key: EntryKey) -> bool:
        """Whether the entry is complete."""
        return (self.folder / key.name / "entry.json").is_file()

    def write_shard(self, key: EntryKey, shard: int, values: NDArray[Any]) -> int:
        """Writes rows ``shard * SHARD_ROWS …`` of an entry and returns their checksum.

        Values beyond the range of float16, which no trained MobileNetV2 gives, are set to its limit.

        Raises:
            OSError: The disk is full or the folder cannot be written.
        """
        limit = np.finfo(key.dtype).max
        kept = np.clip(values, -limit, limit).astype(key.dtype)
        crc = checksum(kept)
        path = self._shard(key, shard, crc)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            np.save(file, kept, allow_pickle=False)
        return crc

    def finished(self, key: EntryKey, rows: int) -> dict[int, int]:
        """The whole shards of an unfinished entry of ``rows`` rows, and their checksums. Reads all of them.

        Damaged files are removed, so only the process that is `filling` the entry may call this.
        """
        found: dict[int, int] = {}
        for path in sorted((self.folder / key.name).glob("*.npy")):
            if (match := _SHARD.fullmatch(path.name)) is None:
                continue
            shard, crc = int(match["shard"]), int(match["checksum"], 16)
            with suppress(OSError, ValueError):
                self._load(key, shard, crc, rows)
                if found.setdefault(shard, crc) == crc:
                    continue
            path.unlink(missing_ok=True)
        return found

    def drop(self, key: EntryKey, shard: int, crc: int) -> None:
        """Removes a shard of an unfinished entry."""
        self._shard(key, shard, crc).unlink(missing_ok=True)

    def complete(self, key: EntryKey, rows: int, checksums: Sequence[int]) -> None:
        """Makes the entry visible, once all of its shards are written."""
        write_json(self.folder / key.name / "entry.json", _Index(rows, list(checksums)))

    def discard(self, key: EntryKey) -> None:
        """Removes an entry, complete or not."""
        shutil.rmtree(self.folder / key.name, ignore_errors=True)

    def open(self, key: EntryKey) -> Shards:
        """The entry's rows, ``(rows, values)``. Reads all of them to verify their checksums.

        Raises:
            DamagedEntryError: It is missing, cut short or altered. It counts as unfinished then.
        """
        self.touch(key)
        index = self.folder / key.name / "entry.json"
        try:
            entry = read_json(index, _Index)
            if entry.rows < 1 or len(entry.checksums) != len(shards_of(entry.rows)):
                raise ValueError(f"{len(entry.checksums)} shards cannot hold {entry.rows} rows")
            shards = [self._load(key, shard, crc, entry.rows) for shard, crc in enumerate(entry.checksums)]
        except (OSError, ValueError) as error:
            with suppress(OSError):
                index.unlink()
            raise DamagedEntryError(f"cached activations at cut {key.cut} were damaged ({error})") from error
        files = [self._shard(key, shard, crc) for shard, crc in enumerate(entry.checksums)]
        return Shards(files, [len(values) for values in shards], shards[0].shape[1:], key.dtype)

    def touch(self, key: EntryKey) -> None:
        """Makes the entry the last used one."""
        with suppress(OSError):
            os.utime(self.folder / key.name / "entry.json")

    def _shard(self, key: EntryKey, shard: int, crc: int) -> Path:
        return self.folder / key.name / f"{shard:05}-{crc:08x}.npy"

    def _load(self, key: EntryKey, shard: int, crc: int, rows: int) -> NDArray[Any]:
        """Maps a shard of an entry of ``rows`` rows, once its checksum is verified; raises as `map_shard` does."""
        held = shard_rows(shard, rows)
        return map_shard(self._shard(key, shard, crc), (held.stop - held.start, None), key.dtype, crc)


@dataclass(frozen=True, slots=True)
class _Index:
    """What an ``entry.json`` holds."""

    rows: int
    checksums: list[int]


class DamagedEntryError(Exception):
    """An entry is missing or does not hold what was written. Its caller computes the damaged shards again."""


def shards_of(rows: int) -> range:
    """Numbers of the shards that hold so many rows."""
    return range(-(-rows // SHARD_ROWS))


def shard_rows(shard: int, rows: int) -> slice:
    """Rows of one shard of an entry of ``rows`` rows."""
    return slice(shard * SHARD_ROWS, min((shard + 1) * SHARD_ROWS, rows))


def digest_of_rows(rows: NDArray[np.int64]) -> str:
    """Digest that tells one list of rows from another."""
    return hashlib.blake2b(rows.astype("<i8").tobytes(), digest_size=16).hexdigest()


def entries(folder: Path) -> list[Path]:
    """The entries under a cache's folder, finished or not, the least recently used first."""
    found = []
    for entry in folder.iterdir() if folder.is_dir() else ():
        # Only what has the name of an entry is ever removed.
        if re.fullmatch("[0-9a-f]{32}", entry.name):
            with suppress(OSError):
                index = entry / "entry.json"
                found.append(((index if index.exists() else entry).stat().st_mtime_ns, entry))
    return [entry for _, entry in sorted(found)]
