"""Activations of the frozen prefix, computed once and kept on disk.

An entry holds, for a list of images, the tensors at one cut of one network, flattened to ``(rows, values)``. It is a folder of
shards, each a ``.npy`` file of `SHARD_ROWS` rows written under a temporary name and renamed, and becomes visible to readers
when its ``entry.json``, which holds each shard's checksum, is written last. Its name is a hash of everything that the values
depend on, so a stale entry cannot be read by mistake. Entries are written by one process at a time, the one that is `filling`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .paths import atomic_write
from .settings import CacheType

SHARD_ROWS = 256
"""Rows of a shard: small enough that two workers share a small data set, large enough that 60,000 images are 235 files."""


_VERSION = 2
"""Of the values: raised when the same key comes to mean others."""


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
        text = json.dumps([getattr(self, field) for field in self.__dataclass_fields__] + [_VERSION, SHARD_ROWS])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class ActivationCache:
    """The entries under one folder. Safe to use from several processes at once.

    Args:
        folder: ``<cache>/activations``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def filling(self, keys: Sequence[EntryKey]) -> Iterator[list[EntryKey]]:
        """Holds the right to write ``keys`` and gives those that are still missing; waits while another process has it."""
        from filelock import FileLock

        if not (missing := [key for key in keys if not self.has(key)]):
            yield []
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / "filling.lock"):
            self._remove_unfinished()
            yield [key for key in missing if not self.has(key)]

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
        path = self._shard(key, shard)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            np.save(file, kept, allow_pickle=False)
        return zlib.crc32(kept.data)

    def complete(self, key: EntryKey, rows: int, checksums: Sequence[int]) -> None:
        """Makes the entry visible, once all of its shards are written."""
        with atomic_write(self.folder / key.name / "entry.json") as file:
            file.write(json.dumps({"rows": rows, "checksums": list(checksums)}).encode())

    def discard(self, key: EntryKey) -> None:
        """Removes an entry, complete or not."""
        shutil.rmtree(self.folder / key.name, ignore_errors=True)

    def open(self, key: EntryKey) -> Activations:
        """The entry's rows.

        Raises:
            DamagedEntryError: It is missing, cut short or altered. It is removed.
        """
        self.touch(key)
        try:
            entry = json.loads((self.folder / key.name / "entry.json").read_bytes())
            shards = []
            for shard, checksum in enumerate(entry["checksums"]):
                values = np.load(self._shard(key, shard), mmap_mode="r", allow_pickle=False)
                if zlib.crc32(np.ascontiguousarray(values).data) != checksum:
                    raise ValueError(f"shard {shard} has another checksum")
                shards.append(values)
            if sum(len(values) for values in shards) != entry["rows"]:
                raise ValueError("rows are missing")
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            self.discard(key)
            raise DamagedEntryError(f"cached activations at cut {key.cut} were damaged ({error})") from error
        return Activations(tuple(shards))

    def touch(self, key: EntryKey) -> None:
        """Makes the entry the last used one."""
        with suppress(OSError):
            os.utime(self.folder / key.name / "entry.json")

    def _shard(self, key: EntryKey, shard: int) -> Path:
        return self.folder / key.name / f"{shard:05}.npy"

    def _remove_unfinished(self) -> None:
        """Removes what a kill has left of entries that were being written. To be called by the one who is filling."""
        for entry in self.folder.iterdir():
            if is_entry(entry) and not (entry / "entry.json").is_file():
                shutil.rmtree(entry, ignore_errors=True)


class DamagedEntryError(Exception):
    """An entry cannot be read. It has been removed; the caller computes it again or trains from pixels."""


@dataclass(frozen=True, slots=True)
class Activations:
    """Rows of an entry, read from disk as they are asked for.

    Attributes:
        shards: Each ``(rows, values)`` float16 or float32; all but the last have `SHARD_ROWS` rows.
    """

    shards: tuple[NDArray[Any], ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values."""
        return self.shards[0].dtype

    def take(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """``(len(rows), values)``, in the order asked for."""
        out = np.empty((len(rows), self.shards[0].shape[1]), self.dtype)
        numbers = rows // SHARD_ROWS
        for number in np.unique(numbers):
            here = numbers == number
            out[here] = self.shards[number][rows[here] % SHARD_ROWS]
        return out


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
    """The complete entries under a cache's folder, the least recently used first."""
    found = []
    for entry in folder.iterdir() if folder.is_dir() else ():
        with suppress(OSError):
            if not is_entry(entry):
                continue
            found.append(((entry / "entry.json").stat().st_mtime_ns, entry))
    return [entry for _, entry in sorted(found)]


def is_entry(path: Path) -> bool:
    """Whether a name is that of an entry: only such folders are ever removed."""
    return re.fullmatch("[0-9a-f]{32}", path.name) is not None
