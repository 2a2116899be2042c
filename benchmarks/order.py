"""What the disk reads in the first part of an epoch, from a cold page cache: in any order, in blocks, and in a row.

    python benchmarks/order.py --gigabytes 2

writes activations of 6 KB an image (the cut at layer 98, α = 0.35, 160 px) into shards, drops them from memory and takes the
first eighth of an epoch in batches as training does. Prints one JSON line: for each order the megabytes that were asked for and
read, and the requests that the disk saw. What is read beyond what was asked for serves later batches only where it stays in
memory. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from tlsearch.search.activations.cache import SHARD_ROWS
from tlsearch.search.machine.shards import Shards
from tlsearch.search.training.order import BLOCK_BYTES, windowed
from tlsearch.search.training.trainer import CHUNK_BYTES

ROW_BYTES = 6144
WINDOWS = 8
"""Of an epoch: as for eight times the memory that one may take. The part that is read is the first one."""


def main() -> None:
    """Reads in each order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="on the disk to be measured")
    asked = parser.parse_args()
    rows = int(asked.gigabytes * 1e9) // ROW_BYTES
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        shards = write(Path(folder), rows)
        block = BLOCK_BYTES // ROW_BYTES
        orders = {
            "any order": np.random.default_rng(0).permutation(rows),
            "blocks": windowed(rows, np.random.default_rng(0), block=block, window=-(-rows // block // WINDOWS)),
            "in a row": np.arange(rows),
        }
        found = {name: read(Path(folder), shards, order[: rows // WINDOWS]) for name, order in orders.items()}
    print(json.dumps({"benchmark": "order", "megabytes": round(rows * ROW_BYTES / 1e6), "orders": found}))


def write(folder: Path, rows: int) -> Shards:
    """The shards, on the disk."""
    files, counts = [], []
    for first in range(0, rows, SHARD_ROWS):
        counts.append(min(SHARD_ROWS, rows - first))
        files.append(folder / f"{first:09}.npy")
        np.save(files[-1], np.random.default_rng(first).integers(0, 256, (counts[-1], ROW_BYTES), np.uint8))
    os.sync()
    return Shards(files, counts, (ROW_BYTES,), np.uint8)


def read(folder: Path, shards: Shards, rows: np.ndarray) -> dict[str, float]:
    """Takes the rows a call at a time, and counts."""
    for path in shards.files:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    requests, sectors = counters(folder)
    began = time.monotonic()
    a_call = CHUNK_BYTES // ROW_BYTES
    for first in range(0, len(rows), a_call):
        shards.take(rows[first : first + a_call])
    seconds = time.monotonic() - began
    after = counters(folder)
    return {
        "asked_mb": round(len(rows) * ROW_BYTES / 1e6),
        "read_mb": round((after[1] - sectors) * 512 / 1e6),
        "requests": after[0] - requests,
        "seconds": round(seconds, 2),
    }


def counters(folder: Path) -> tuple[int, int]:
    """Requests that the folder's disk has answered, and sectors of 512 bytes that it has read."""
    device = os.stat(folder).st_dev
    for line in Path("/proc/diskstats").read_text().splitlines():
        fields = line.split()
        if (int(fields[0]), int(fields[1])) == (os.major(device), os.minor(device)):
            return int(fields[3]), int(fields[5])
    raise SystemExit(f"{folder} is on no disk that /proc/diskstats lists")


if __name__ == "__main__":
    main()
