"""All images of a folder, decoded once, in parallel, into shards that later runs map.

An entry of the cache is a folder with two files a shard and one more::

    00000.npy     (rows, size, size, 3) uint8: those of the shard's files that could be decoded, in their order
    00000.json    the outcome of each of the shard's files, and the checksum of the pixels
    index.json    rows of each shard; written last, it makes the entry whole

16-bit greyscale images are all scaled by the same factor, so that the largest value which they use has a chance to be white. No
header tells it: where it turns out to need fewer than 16 bits, the shards that hold such images are decoded a second time.

Its name is a hash of the files' paths, sizes and times, so a folder that has changed gets a new entry. Shards are written under
another name, synchronised to disk and renamed, so that decoding that was cut off goes on with the next one.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...spaces.errors import DataError
from ..events import Listener, PhaseAdvanced, PhaseEnded, PhaseStarted
from ..machine.paths import atomic_write, read_json, remove_drafts, write_json
from ..machine.shards import Shards, map_shard
from .decode import VERSION
from .decode_pool import Chunk, choose_processes, chunk_images, decode_chunks
from .folder import Candidate
from .shard_draft import ShardDraft, ShardRecord

SHARD_BYTES = 256 << 20
"""Pixels of a shard at most: some seconds of decoding, which is what a kill costs, and 287 files for a million images of 160
pixels."""

INDEX = "index.json"


@dataclass(frozen=True, slots=True)
class Decoded:
    """The decoded images of a folder.

    Attributes:
        folder: Of their shards; `open_images` gives the pixels, ``(n, size, size, 3)``: of the candidates that could be
            decoded, in their order.
        digests: Of each candidate's bytes; None where it could not be decoded.
        pixels: Digests of each candidate's decoded pixels, likewise.
        reasons: Why each candidate could not be decoded; None where it could.
        remarks: Why one should look at each, though it could be; empty for most.
        depth: Bits that the 16-bit greyscale images use, all of which were scaled by it; 0 where there are none.
    """

    folder: Path
    digests: tuple[str | None, ...]
    pixels: tuple[str | None, ...]
    reasons: tuple[str | None, ...]
    remarks: tuple[str, ...]
    depth: int


def open_images(folder: Path) -> Shards:
    """The pixels of an entry, ``(n, size, size, 3)`` uint8, read from disk as they are used.

    Raises:
        DataError: The entry is gone or damaged.
    """
    index = _read_index(folder)
    files = [pixels_file(folder, shard) for shard in range(len(index.rows))]
    return Shards(files, index.rows, (index.size, index.size, 3), np.uint8)


def depth_of(folder: Path) -> int:
    """The depth that the 16-bit greyscale images of an entry were scaled by; 16 where there are none. Errors as above."""
    return _read_index(folder).depth or 16


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

    entry = _Entry(root, candidates, size, cache)
    if decoded := entry.read():
        return decoded
    # Before the lock is taken: where a process cannot start, it is because it would come here itself, and wait.
    processes = choose_processes(processes, len(candidates))
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{entry.folder}.lock"):
            if (decoded := entry.read()) is None:
                entry.decode_missing(processes, listener)
                decoded = entry.read()
    except OSError as error:
        raise DataError(
            f"decoded images need {len(candidates) * size * size * 3 / 1e6:,.0f} MB in {cache}, but it cannot be written "
            f"({error.strerror or error}). Free some space, or name another folder with --cache-dir. What is decoded is kept."
        ) from error
    if decoded is None:
        raise DataError(f"decoded images must stay in {cache}, but {entry.folder.name} vanished. Is something clearing it?")
    return decoded


def find_decoded(root: Path, candidates: Sequence[Candidate], size: int, cache: Path) -> int:
    """How many of ``candidates`` an earlier run has decoded; arguments as of `decode_all`."""
    entry = _Entry(root, candidates, size, cache)
    return sum(len(files) for shard, files in enumerate(entry.shards) if entry.read_part(shard))


def _read_index(folder: Path) -> Index:
    try:
        return read_json(folder / INDEX, Index)
    except (OSError, ValueError) as error:
        raise DataError(
            f"decoded images must stay in {folder} ({error}). Is something clearing the cache? Try again."
        ) from error


def _depth(parts: Iterable[ShardRecord]) -> int:
    """What holds the values of all 16-bit images."""
    return max((part.bits for part in parts), default=0) or 16


def _scaled_otherwise(parts: Mapping[int, ShardRecord]) -> list[int]:
    """The shards whose 16-bit images were scaled by another depth than those of all, now that these are known."""
    depth = _depth(parts.values())
    return [shard for shard, part in parts.items() if part.bits and part.depth != depth]


def pixels_file(folder: Path, shard: int) -> Path:
    """Where the pixels of an entry's shard are."""
    return folder / f"{shard:05}.npy"


@dataclass(frozen=True, slots=True)
class Index:
    """What makes an entry whole: the side of its images, the rows of each shard, the depth of its 16-bit images."""

    size: int
    rows: list[int]
    depth: int = 0


class _Entry:
    """The folder for the images of some candidates, however many of them are decoded; arguments as of `decode_all`."""

    def __init__(self, root: Path, candidates: Sequence[Candidate], size: int, cache: Path) -> None:
        self._root = root
        self._candidates = candidates
        self._size = size
        digest = hashlib.blake2b(digest_size=16)
        digest.update(json.dumps([os.path.realpath(root), size, VERSION, SHARD_BYTES]).encode())
        for candidate in candidates:
            digest.update(json.dumps([candidate.path, candidate.size, candidate.modified]).encode())
        self.folder = cache / digest.hexdigest()
        self._shard_files = max(1, SHARD_BYTES // (size * size * 3))
        places = range(len(candidates))
        self.shards = [places[first : first + self._shard_files] for first in places[:: self._shard_files]]

    def read(self) -> Decoded | None:
        """What became of all candidates; None where some are not decoded, or the entry is damaged."""
        try:
            index = read_json(self.folder / INDEX, Index)
        except (OSError, ValueError):
            return None
        parts = [part for shard in range(len(self.shards)) if (part := self.read_part(shard))]
        if len(parts) < len(self.shards) or index != self._index(parts):
            return None
        if _scaled_otherwise(dict(enumerate(parts))):
            return None
        digests = tuple(digest for part in parts for digest in part.digests)
        pixels = tuple(digest for part in parts for digest in part.pixels)
        reasons = tuple(reason for part in parts for reason in part.reasons)
        remarks = tuple(remark for part in parts for remark in part.remarks)
        return Decoded(self.folder, digests, pixels, reasons, remarks, index.depth)

    def read_part(self, shard: int, *, unaltered: bool = False) -> ShardRecord | None:
        """What became of the files of a shard; None where it is not decoded, or damaged.

        Args:
            shard: Its number.
            unaltered: Whether to compare the checksum too, which reads all pixels.
        """
        pixels = pixels_file(self.folder, shard)
        try:
            part = read_json(pixels.with_suffix(".json"), ShardRecord)
            map_shard(pixels, (part.rows, self._size, self._size, 3), np.uint8, part.checksum if unaltered else None)
        except (OSError, ValueError):
            return None
        return part if part.is_of(len(self.shards[shard])) else None

    def decode_missing(self, processes: int, listener: Listener) -> None:
        """Decodes every shard that is not there whole. To be called by the one who holds the entry's lock."""
        began = time.monotonic()
        self.folder.mkdir(exist_ok=True)
        (self.folder / INDEX).unlink(missing_ok=True)
        remove_drafts(self.folder)
        found = {shard: self.read_part(shard, unaltered=True) for shard in range(len(self.shards))}
        parts = {shard: part for shard, part in found.items() if part}
        done = sum(len(self.shards[shard]) for shard in parts)
        listener(PhaseStarted("decode", len(self._candidates), done))
        while missing := [shard for shard in found if shard not in parts] or _scaled_otherwise(parts):
            parts |= self._decode_shards(missing, _depth(parts.values()), processes, done, listener)
            done = len(self._candidates)
        write_json(self.folder / INDEX, self._index([parts[shard] for shard in sorted(parts)]))
        listener(PhaseEnded("decode", time.monotonic() - began))

    def _decode_shards(
        self, shards: Sequence[int], depth: int, processes: int, done: int, listener: Listener
    ) -> dict[int, ShardRecord]:
        """Decodes some shards, after ``done`` files."""
        finishing: list[Future[tuple[int, ShardRecord]]] = []
        total = done + sum(len(self.shards[shard]) for shard in shards)
        changed = total if total > len(self._candidates) else None
        # In a thread: decoding goes on while a shard is synchronised to disk.
        with (
            ThreadPoolExecutor(1) as finisher,
            closing(decode_chunks(self._chunks(shards), self._size, processes, depth=depth)) as decoded,
            ExitStack() as unfinished,
        ):
            for first, results in decoded:
                shard = first // self._shard_files
                files = self.shards[shard]
                if first == files.start:
                    file = unfinished.enter_context(atomic_write(pixels_file(self.folder, shard)))
                    draft = ShardDraft(file, self._size, depth)
                draft.write(results)
                if first + len(results) == files.stop:
                    finishing.append(finisher.submit(self._finish, shard, draft, unfinished.pop_all()))
                done += len(results)
                listener(PhaseAdvanced("decode", done, changed))
                if any(future.done() and future.exception() for future in finishing):
                    break
            return dict(future.result() for future in finishing)

    def _index(self, parts: Sequence[ShardRecord]) -> Index:
        return Index(self._size, [part.rows for part in parts], _depth(parts) if any(part.bits for part in parts) else 0)

    def _chunks(self, shards: Sequence[int]) -> Iterator[Chunk]:
        """What is to be decoded; no chunk belongs to two shards."""
        step = chunk_images(self._size)
        for files in (self.shards[shard] for shard in shards):
            for first in files[::step]:
                names = self._candidates[first : min(first + step, files.stop)]
                yield first, [self._root / file.path for file in names]

    def _finish(self, shard: int, draft: ShardDraft, unfinished: ExitStack) -> tuple[int, ShardRecord]:
        """Puts a shard in its place, and then vouches for it."""
        with unfinished:
            part = draft.finish()
        write_json(pixels_file(self.folder, shard).with_suffix(".json"), part)
        return shard, part
