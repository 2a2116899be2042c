"""Rows that lie in several ``.npy`` files, mapped when they are first asked for: images, and activations.

However many there are, a process holds none of them: what it reads are pages that the system may drop again.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

MOST_MAPPED = 512
"""Files of one `Shards` that are mapped at a time. Linux allows 65,530 maps a process; a search opens some 50 `Shards` at most,
a cut and an augmented view each."""


class Shards:
    """An array that is spread over files, ``(rows, *row_shape)``. Small to pickle.

    Args:
        files: Of the shards, in the order of the rows.
        counts: Rows of each shard; may be 0.
        row_shape: Of one row.
        dtype: Of the values.
    """

    def __init__(self, files: Sequence[Path], counts: Sequence[int], row_shape: Sequence[int], dtype: DTypeLike) -> None:
        self.files = tuple(files)
        self.counts = tuple(counts)
        self.row_shape = tuple(row_shape)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._starts = np.concatenate([[0], np.cumsum(self.counts, dtype=np.int64)]).astype(np.int64)
        self._mapped: OrderedDict[int, NDArray[Any]] = OrderedDict()

    def __reduce__(self) -> tuple[Any, ...]:
        """Without the maps, which pickle would read whole."""
        return Shards, (self.files, self.counts, self.row_shape, self.dtype)

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def shape(self) -> tuple[int, ...]:
        """``(rows, *row_shape)``."""
        return len(self), *self.row_shape

    def __getitem__(self, rows: slice | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """See `take`; a slice may be given too."""
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        return self.take(rows)

    def take(self, rows: NDArray[np.integer[Any]]) -> NDArray[Any]:
        """``(len(rows), *row_shape)``: a copy of the rows in the order asked for, read in the order in which they lie on disk.

        Raises:
            IndexError: There is no such row.
            OSError, ValueError: A file is gone or cut short.
        """
        out = np.empty((len(rows), *self.row_shape), self.dtype)
        if not len(rows):
            return out
        if not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows must be from 0 to {len(self) - 1}, got {rows.min()} to {rows.max()}")
        places = np.argsort(rows, kind="stable")
        ordered = rows[places]
        shards = np.searchsorted(self._starts, ordered, side="right") - 1
        edges = [0, *(np.flatnonzero(np.diff(shards)) + 1), len(rows)]
        in_order = bool((places[1:] > places[:-1]).all())
        for first, last in pairwise(edges):
            shard = int(shards[first])
            own = ordered[first:last] - self._starts[shard]
            if in_order:
                # Straight to where they belong; "clip" because "raise" would go through a buffer, and all are in range.
                np.take(self._map(shard), own, axis=0, out=out[first:last], mode="clip")
            else:
                out[places[first:last]] = self._map(shard)[own]
        return out

    def _map(self, shard: int) -> NDArray[Any]:
        if (values := self._mapped.pop(shard, None)) is None:
            values = map_shard(self.files[shard], (self.counts[shard], *self.row_shape), self.dtype)
        self._mapped[shard] = values
        if len(self._mapped) > MOST_MAPPED:
            self._mapped.popitem(last=False)
        return values


def map_shard(path: Path, shape: Sequence[int | None], dtype: DTypeLike, crc: int | None = None) -> NDArray[Any]:
    """A shard's rows, read from disk as they are used.

    Args:
        path: Of the shard.
        shape: That it must have; None for a length that may be any.
        dtype: That it must have.
        crc: `checksum` that its values must have, all of which are read then; None for any.

    Raises:
        OSError: The file is gone or cannot be read.
        ValueError: It is cut short, or holds something else.
    """
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except EOFError as error:
        raise ValueError(f"{path.name} is empty") from error
    fits = len(shape) == values.ndim and all(want in (None, got) for want, got in zip(shape, values.shape, strict=True))
    if not fits or values.dtype != np.dtype(dtype):
        raise ValueError(f"{path.name} must hold {tuple(shape)} {np.dtype(dtype)}, got {values.shape} {values.dtype}")
    if crc is not None and checksum(values) != crc:
        raise ValueError(f"{path.name} has another checksum")
    # Without `np.memmap`'s own indexing, which costs more than the rows of a small batch.
    return np.asarray(values)


def checksum(values: NDArray[Any]) -> int:
    """CRC-32 of the values' bytes."""
    return zlib.crc32(np.ascontiguousarray(values).data)
