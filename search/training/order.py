"""The order of an epoch's images: a permutation where they fit in memory, else one that a disk can keep up with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..machine.devices import machine_memory

MEMORY_SHARE = 0.5
"""Share of the machine's memory: inputs that take no more stay in the page cache from one epoch to the next."""

BLOCK_BYTES = 4 << 20
"""Of consecutive rows that are read together. Measured with ``benchmarks/order.py``: a window of such blocks is read as fast as
if it lay in a row, with a fifth more than was asked for; with blocks of 1 MB it takes 2.5 times as long."""

WINDOW_BYTES = 1 << 30
"""Of the rows that are shuffled among each other at most: 256 blocks from all over the disk."""

_WINDOW_SHARE = 1 / 16
"""Of the memory: so many workers, each in a window of its own, do not drive each other's out."""


def epoch_order(
    rows: NDArray[np.int64], rng: np.random.Generator, *, row_bytes: int, memory: int | None = None
) -> NDArray[np.int64]:
    """The rows of one epoch, each once, in the order in which they are trained on.

    Rows that fit in memory are permuted. For others a permutation would cost a disk seek a row. Instead, blocks of consecutive
    rows are grouped into windows, and rows are shuffled within their window. A window takes one block from each of as many
    equal stretches of the disk as it has blocks. Files of one class lie side by side, so each window has every class in its
    proportion, and is read in one sweep.

    Args:
        rows: Ascending.
        rng: Draws the order; the same state gives the same order.
        row_bytes: Bytes of one row on disk.
        memory: Bytes of the machine; None for `machine_memory`. Not its free memory: results must not depend on that.
    """
    memory = machine_memory() if memory is None else memory
    if len(rows) * row_bytes <= MEMORY_SHARE * memory:
        return rng.permutation(rows)
    block = max(1, BLOCK_BYTES // row_bytes)
    window = max(1, int(min(WINDOW_BYTES, _WINDOW_SHARE * memory)) // (block * row_bytes))
    return rows[windowed(len(rows), rng, block=block, window=window)]


def windowed(count: int, rng: np.random.Generator, *, block: int, window: int) -> NDArray[np.int64]:
    """The numbers below ``count``, each once, in windows of ``window`` blocks of ``block`` numbers: see `epoch_order`."""
    blocks = -(-count // block)
    windows = -(-blocks // window)
    # A row for each stretch of the disk, a column for each window; the last stretch may be cut short.
    stretches = rng.permuted(np.arange(-(-blocks // windows) * windows).reshape(-1, windows), axis=1)
    parts = []
    for column in range(windows):
        numbers = (stretches[:, column, None] * block + np.arange(block)).ravel()
        parts.append(rng.permutation(numbers[numbers < count]))
    return np.concatenate(parts)
