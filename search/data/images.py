"""All images of a folder, decoded once, in parallel, into shards that later runs map.

An entry of the cache is a folder with two files a shard and one more::

    00000.npy     (rows, size, size, 3) uint8: those of the shard's files that could be decoded, in their order
    00000.json    the outcome of each of the shard's files, and the checksum of the pixels
    index.json    rows of each shard; written last, it makes the entry whole

Its name is a hash of the files' paths, sizes and times, so a folder that has changed gets a new entry. Shards are written under
another name, synchronised to disk and renamed, so that decoding that was cut off goes on with the next one.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...spaces.errors import DataError
from ..events import Listener, PhaseAdvanced, PhaseEnded, PhaseStarted
from ..machine.paths import atomic_write, remove_drafts
from ..machine.shards import Shards
from .decode import VERSION
from .decode_pool import Chunk, Pixels, choose_processes, chunk_images, decode_chunks
from .folder import Candidate
from .image_shards import Draft, has_pixels, pixels_file, read_part, record_part

SHARD_BYTES = 256 << 20
"""Pixels of a shard at most: some seconds of decoding, which is what a kill costs, and 287 files for a million images of 160
pixels."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The decoded images of a folder.

    Attributes:
        folder: Of their shards; `open_images` gives the pixels, ``(n, size, size, 3)``: of the candidates that could be
            decoded, in their order.
        digests: Of each candidate's bytes; None where it could not be decoded.
        reasons: Why each candidate could not be decoded; None where it could.
    """

    folder: Path
    digests: tuple[str | None, ...]
    reasons: tuple[str | None, ...]


def open_images(folder: Path) -> Shards:
    """The pixels of an entry, ``(n, size, size, 3)`` uint8, read from disk as they are used.

    Raises:
        DataError: The entry is gone or damaged.
    """
    try:
        index = json.loads((folder / "index.json").read_bytes())
        rows, size = [int(count) for count in index["rows"]], int(index["size"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"decoded images must stay in {folder} ({error}). Is something clearing the cache? Try again."
        ) from error
    return Shards([pixels_file(folder, shard) for shard in range(len(rows))], rows, (size, size, 3), np.uint8)


def decode_all(
    root: Path, candidates: Sequence[Candidate], size: int, cache: Path, processes: int | None, listener: Listener
) -> Decoded:
    """Decodes ``candidates``, or finds them decoded.

    Args:
        root: Folder that their paths are relative to.
        candidates: What to decode, in the order of the rows.
        size: Pixels a side.
        cache: Folder of the entries.
        processes: Side by side, apart from this one, so that a file that makes a codec crash or hang ends none but its own;
            None for one a core, 0 to decode in this process.
        listener: Receives progress events; none where an earlier run has decoded everything.

    Raises:
        DataError: The cache cannot be written, or its disk is full.
    """
    from filelock import FileLock

    entry = cache / _name(root, candidates, size)
    if decoded := _read(entry, len(candidates), size):
        return decoded
    # Before the lock is taken: where a process cannot start, it is because it would come here itself, and wait.
    processes = choose_processes(processes, len(candidates))
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{entry}.lock"):
            if (decoded := _read(entry, len(candidates), size)) is None:
                _Decoding(entry, root, candidates, size).run(processes, listener)
                decoded = _read(entry, len(candidates), size)
    except OSError as error:
        raise DataError(
            f"decoded images need {len(candidates) * size * size * 3 / 1e6:,.0f} MB in {cache}, but it cannot be written "
            f"({error.strerror or error}). Free some space, or name another folder with --cache-dir. What is decoded is kept."
        ) from error
    if decoded is None:
        raise DataError(f"decoded images must stay in {cache}, but {entry.name} vanished. Is something clearing it?")
    return decoded


def find_decoded(root: Path, candidates: Sequence[Candidate], size: int, cache: Path) -> int:
    """How many of ``candidates`` an earlier run has decoded; arguments as of `decode_all`."""
    entry = cache / _name(root, candidates, size)
    if _read(entry, len(candidates), size):
        return len(candidates)
    if not entry.is_dir():
        return 0
    return sum(len(files) for number, files in enumerate(_shards(len(candidates), size)) if read_part(entry, number, files))


def _name(root: Path, candidates: Sequence[Candidate], size: int) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([os.path.realpath(root), size, VERSION, SHARD_BYTES]).encode())
    for c in candidates:
        digest.update(json.dumps([c.path, c.size, c.modified]).encode())
    return digest.hexdigest()


def _shards(count: int, size: int) -> list[range]:
    """The files of each shard, as places among all."""
    step = _shard_files(size)
    return [range(first, min(first + step, count)) for first in range(0, count, step)]


def _shard_files(size: int) -> int:
    return max(1, SHARD_BYTES // (size * size * 3))


def _read(entry: Path, count: int, size: int) -> Decoded | None:
    """The entry; None where there is none or it is damaged."""
    try:
        index = json.loads((entry / "index.json").read_bytes())
        rows, side = index["rows"], index["size"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    parts = []
    for shard, files in enumerate(_shards(count, size)):
        if (part := read_part(entry, shard, files)) is None or not has_pixels(entry, shard, part, size):
            return None
        parts.append(part)
    if side != size or rows != [part.rows for part in parts]:
        return None
    return Decoded(
        entry,
        tuple(digest for part in parts for digest in part.digests),
        tuple(reason for part in parts for reason in part.reasons),
    )


class _Decoding:
    """Makes an entry, or what it lacks. To be used by the one who holds its lock."""

    def __init__(self, entry: Path, root: Path, candidates: Sequence[Candidate], size: int) -> None:
        self._entry = entry
        self._root = root
        self._candidates = candidates
        self._size = size
        self._shards = _shards(len(candidates), size)
        self._rows: dict[int, int] = {}
        self._drafts: dict[int, Draft] = {}

    def run(self, processes: int, listener: Listener) -> None:
        """Decodes every shard that is not there whole."""
        began = time.monotonic()
        self._entry.mkdir(exist_ok=True)
        (self._entry / "index.json").unlink(missing_ok=True)
        remove_drafts(self._entry)
        for shard, files in enumerate(self._shards):
            part = read_part(self._entry, shard, files)
            if part and has_pixels(self._entry, shard, part, self._size, unaltered=True):
                self._rows[shard] = part.rows
        done = sum(len(self._shards[shard]) for shard in self._rows)
        listener(PhaseStarted("decode", len(self._candidates), done))
        # In a thread: decoding goes on while a shard's checksum is computed and its bytes are written.
        finishing: list[Future[None]] = []
        with ThreadPoolExecutor(1) as finisher:
            try:
                for first, results in decode_chunks(self._chunks(), self._size, processes):
                    if whole := self._put(first, results):
                        finishing.append(finisher.submit(self._finish, *whole))
                    done += len(results)
                    listener(PhaseAdvanced("decode", done))
                    if any(future.done() and future.exception() for future in finishing):
                        break
                for future in finishing:
                    future.result()
            finally:
                for draft in self._drafts.values():
                    draft.abandon()
        index = {"size": self._size, "rows": [self._rows[shard] for shard in range(len(self._shards))]}
        with atomic_write(self._entry / "index.json") as file:
            file.write(json.dumps(index).encode())
        listener(PhaseEnded("decode", time.monotonic() - began))

    def _chunks(self) -> Iterator[Chunk]:
        """What is to be decoded; no chunk belongs to two shards."""
        step = chunk_images(self._size)
        for shard, files in enumerate(self._shards):
            if shard not in self._rows:
                for first in range(files.start, files.stop, step):
                    names = self._candidates[first : min(first + step, files.stop)]
                    yield first, [self._root / file.path for file in names]

    def _put(self, first: int, results: list[Pixels | str]) -> tuple[int, Draft] | None:
        """Writes what came of a chunk to its shard; gives the shard's number and its draft where that was its last one."""
        shard = first // _shard_files(self._size)
        if shard not in self._drafts:
            self._drafts[shard] = Draft(pixels_file(self._entry, shard), len(self._shards[shard]), self._size)
        draft = self._drafts[shard]
        draft.put(first - self._shards[shard].start, results)
        return (shard, self._drafts.pop(shard)) if draft.is_whole else None

    def _finish(self, shard: int, draft: Draft) -> None:
        part = draft.finish()
        record_part(self._entry, shard, part)
        self._rows[shard] = part.rows
