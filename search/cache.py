"""Activations of the frozen prefix, computed once and kept on disk.

An entry holds, for a list of images, the tensors at one cut of one network, flattened to ``(rows, values)``. It is a folder of
shards, each a ``.npy`` file of `SHARD_ROWS` rows written under a temporary name and renamed, and becomes visible to readers
when its ``entry.json``, which holds each shard's checksum, is written last. Its name is a hash of everything that the values
depend on, so a stale entry cannot be read by mistake.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .paths import atomic_write

SHARD_ROWS = 256
"""Rows of a shard: small enough that two workers share a small data set, large enough that 60,000 images are 235 files."""

FREE_SHARE = 0.5
"""Share of the free disk that one study's activations may take."""

_FLOAT16_LIMIT = float(np.finfo(np.float16).max)


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
    """

    images: str
    rows: str
    weights: str
    alpha: float
    cut: int
    folded: bool
    view: int

    @property
    def name(self) -> str:
        """Name of the entry's folder."""
        text = json.dumps([getattr(self, field) for field in self.__dataclass_fields__] + ["float16", SHARD_ROWS])
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
            yield [key for key in missing if not self.has(key)]

    def has(self, key: EntryKey) -> bool:
        """Whether the entry is complete."""
        return (self.folder / key.name / "entry.json").is_file()

    def write_shard(self, key: EntryKey, shard: int, values: NDArray[Any]) -> int:
        """Writes rows ``shard * SHARD_ROWS …`` of an entry as float16 and returns their checksum.

        Values beyond the range of float16, which no trained MobileNetV2 gives, are set to its limit.

        Raises:
            OSError: The disk is full or the folder cannot be written.
        """
        half = np.clip(values, -_FLOAT16_LIMIT, _FLOAT16_LIMIT).astype(np.float16)
        path = self._shard(key, shard)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            np.save(file, half, allow_pickle=False)
        return zlib.crc32(half.tobytes())

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

    def _shard(self, key: EntryKey, shard: int) -> Path:
        return self.folder / key.name / f"{shard:05}.npy"


class DamagedEntryError(Exception):
    """An entry cannot be read. It has been removed; the caller computes it again or trains from pixels."""


@dataclass(frozen=True, slots=True)
class Activations:
    """Rows of an entry, read from disk as they are asked for.

    Attributes:
        shards: Each ``(rows, values)`` float16; all but the last have `SHARD_ROWS` rows.
    """

    shards: tuple[NDArray[np.float16], ...]

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float16]:
        """``(len(rows), values)`` float16, in the order asked for."""
        out = np.empty((len(rows), self.shards[0].shape[1]), np.float16)
        for place, row in enumerate(rows):
            out[place] = self.shards[row // SHARD_ROWS][row % SHARD_ROWS]
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


def affordable(sizes: dict[int, int], folder: Path) -> set[int]:
    """The cuts, cheapest first, whose entries together fit in `FREE_SHARE` of the free disk.

    Args:
        sizes: Cut → bytes on disk.
        folder: Where they would be written.
    """
    probe = next(path for path in (folder, *folder.parents) if path.exists())
    room = shutil.disk_usage(probe).free * FREE_SHARE
    fitting = set()
    for cut, size in sorted(sizes.items(), key=lambda item: item[1]):
        room -= size
        if room < 0:
            break
        fitting.add(cut)
    return fitting
