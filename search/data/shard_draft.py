"""A shard of decoded images while it is written, and what is recorded of it then."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from .decode import DecodedFile


@dataclass(slots=True)
class ShardRecord:
    """What became of the files of one shard: each list has an entry for each file.

    Attributes:
        digests: Of the bytes; None where a file could not be decoded.
        pixels: Digests of the pixels, likewise.
        reasons: Why it could not; None where it could.
        remarks: Why one should look at it though it could; empty for most.
        depth: Bits by which the 16-bit images were scaled.
        bits: That the 16-bit images among them use; 0 where there are none.
        checksum: Of all pixels.
    """

    digests: list[str | None] = field(default_factory=list)
    pixels: list[str | None] = field(default_factory=list)
    reasons: list[str | None] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    depth: int = 16
    bits: int = 0
    checksum: int = 0

    @property
    def rows(self) -> int:
        """Files that could be decoded."""
        return len(self.digests) - self.digests.count(None)

    def is_of(self, files: int) -> bool:
        """Whether it tells of so many files."""
        return {len(self.digests), len(self.pixels), len(self.reasons), len(self.remarks)} == {files}


class ShardDraft:
    """A shard that is being written. Written to, not mapped: a full disk is then an error to report, no signal that kills.

    Args:
        file: Where to.
        size: Pixels a side.
        depth: Bits by which its 16-bit images are scaled.
    """

    def __init__(self, file: BinaryIO, size: int, depth: int) -> None:
        self._file = file
        self._size = size
        self._record = ShardRecord(depth=depth)
        self._write_header(0)

    def write(self, results: Sequence[DecodedFile | str]) -> None:
        """Adds what became of the next files."""
        record = self._record
        for result in results:
            if isinstance(result, str):
                self._note(None, None, result, "")
            else:
                pixels = result.pixels.tobytes()
                self._file.write(pixels)
                record.checksum = zlib.crc32(pixels, record.checksum)
                record.bits = max(record.bits, result.bits)
                self._note(result.digest, result.pixels_digest, None, result.remark)

    def _note(self, digest: str | None, pixels: str | None, reason: str | None, remark: str) -> None:
        record = self._record
        record.digests.append(digest)
        record.pixels.append(pixels)
        record.reasons.append(reason)
        record.remarks.append(remark)

    def finish(self) -> ShardRecord:
        """Completes the file, once all of the shard's files are written."""
        self._file.seek(0)
        self._write_header(self._record.rows)
        return self._record

    def _write_header(self, rows: int) -> None:
        """Writes the ``.npy`` header, whose length NumPy pads so that the number of rows may grow."""
        shape = (rows, self._size, self._size, 3)
        np.lib.format.write_array_header_1_0(self._file, {"descr": "|u1", "fortran_order": False, "shape": shape})
