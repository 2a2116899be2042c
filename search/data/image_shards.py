"""One shard of decoded images: how it is written, what is recorded of it, and whether it is still what was written."""

from __future__ import annotations

import json
import zlib
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..machine.paths import atomic_write
from ..machine.shards import checksum, map_shard
from .decode_pool import Pixels


@dataclass(frozen=True, slots=True)
class Part:
    """What became of the files of one shard.

    Attributes:
        digests: Of each file's bytes; None where it could not be decoded.
        reasons: Why each file could not be decoded; None where it could.
        checksum: Of the pixels.
    """

    digests: tuple[str | None, ...]
    reasons: tuple[str | None, ...]
    checksum: int

    @property
    def rows(self) -> int:
        """Files that could be decoded."""
        return sum(digest is not None for digest in self.digests)


def pixels_file(entry: Path, shard: int) -> Path:
    """Where the pixels of a shard are."""
    return entry / f"{shard:05}.npy"


def read_part(entry: Path, shard: int, files: range) -> Part | None:
    """What is recorded of a shard; None where nothing is, or it is damaged."""
    try:
        fields = json.loads(pixels_file(entry, shard).with_suffix(".json").read_bytes())
        part = Part(tuple(fields["digests"]), tuple(fields["reasons"]), int(fields["checksum"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return part if len(part.digests) == len(part.reasons) == len(files) else None


def has_pixels(entry: Path, shard: int, part: Part, size: int, *, unaltered: bool = False) -> bool:
    """Whether a shard's pixels are there; ``unaltered`` reads all of them to be sure."""
    try:
        pixels = map_shard(pixels_file(entry, shard), (part.rows, size, size, 3), np.uint8)
    except (OSError, ValueError, EOFError):
        return False
    return not unaltered or checksum(pixels) == part.checksum


def record_part(entry: Path, shard: int, part: Part) -> None:
    """Vouches for a shard, once its pixels are in their place."""
    fields = {"digests": part.digests, "reasons": part.reasons, "checksum": part.checksum}
    with atomic_write(pixels_file(entry, shard).with_suffix(".json")) as file:
        file.write(json.dumps(fields).encode())


class Draft:
    """A shard that is being written. Written to, not mapped: a full disk is then an error to report, no signal that kills."""

    def __init__(self, path: Path, count: int, size: int) -> None:
        self._block = ExitStack()
        self._file: BinaryIO = self._block.enter_context(atomic_write(path))
        self._size = size
        self._row_bytes = size * size * 3
        self._digests: list[str | None] = [None] * count
        self._reasons: list[str | None] = [None] * count
        self._waiting = count
        self._start = self._write_header(count)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return not self._waiting

    def put(self, first: int, results: list[Pixels | str]) -> None:
        """Writes what came of the files from ``first`` on."""
        for place, result in enumerate(results, first):
            if isinstance(result, str):
                self._reasons[place] = result
            else:
                pixels, self._digests[place] = result
                self._file.seek(self._start + place * self._row_bytes)
                self._file.write(pixels.tobytes())
        self._waiting -= len(results)

    def finish(self) -> Part:
        """Puts the shard in its place."""
        try:
            rows = self._close_gaps()
            self._write_header(rows)
            self._file.seek(self._start)
            crc = 0
            while block := self._file.read(4 << 20):
                crc = zlib.crc32(block, crc)
        except BaseException:
            self.abandon()
            raise
        self._block.close()
        return Part(tuple(self._digests), tuple(self._reasons), crc)

    def abandon(self) -> None:
        """Leaves nothing of it."""
        with suppress(_AbandonedError):
            error = _AbandonedError()
            self._block.__exit__(type(error), error, None)

    def _write_header(self, rows: int) -> int:
        """Writes the ``.npy`` header and gives its length, which NumPy pads so that the number of rows may change later."""
        shape = (rows, self._size, self._size, 3)
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(self._file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        self._file.flush()
        return self._file.tell()

    def _close_gaps(self) -> int:
        """Moves the rows there are, which rise, to the front, and gives their number."""
        places = [place for place, digest in enumerate(self._digests) if digest is not None]
        for row, place in enumerate(places):
            if row != place:
                self._file.seek(self._start + place * self._row_bytes)
                pixels = self._file.read(self._row_bytes)
                self._file.seek(self._start + row * self._row_bytes)
                self._file.write(pixels)
        self._file.truncate(self._start + len(places) * self._row_bytes)
        return len(places)


class _AbandonedError(Exception):
    """Ends the block that would put a draft in its place."""
