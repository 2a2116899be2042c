"""All images of a folder, decoded once, in parallel, into a memory map that later runs reuse.

An entry of the cache is a folder with ``images.npy``, ``(n, size, size, 3)`` uint8, and ``index.json``, which is written last: what
became of each file. Its name is a hash of the files' paths, sizes and times, so a folder that has changed gets a new entry.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from ...spaces.errors import DataError
from ..events import Listener, PhaseAdvanced, PhaseEnded, PhaseStarted
from ..paths import atomic_write
from .decode import VERSION, UnreadableImageError, decode
from .folder import Candidate

CHUNK = 32
"""Images that a process decodes at a time: at 224 px 5 MB travel back."""

IN_PROCESS = 64
"""Up to so many images are decoded here: starting processes would take longer."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The decoded images of a folder.

    Attributes:
        images_file: ``.npy`` memory map ``(n, size, size, 3)`` uint8.
        digests: Of each candidate's bytes; None where it could not be decoded. The rows of the map are those that could.
        reasons: Why each candidate could not be decoded; None where it could.
    """

    images_file: Path
    digests: tuple[str | None, ...]
    reasons: tuple[str | None, ...]


def decode_all(
    root: Path, candidates: Sequence[Candidate], size: int, cache: Path, processes: int | None, listener: Listener
) -> Decoded:
    """Decodes ``candidates``, or finds them decoded.

    Args:
        root: Folder that their paths are relative to.
        candidates: What to decode, in the order of the rows.
        size: Pixels a side.
        cache: Folder of the entries.
        processes: Side by side; None for one a core.
        listener: Told how far it is.

    Raises:
        DataError: The cache's disk is full or cannot be written.
    """
    from filelock import FileLock

    entry = cache / _name(root, candidates, size)
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{entry}.lock"):
        if (decoded := _read(entry, len(candidates), size)) is None:
            shutil.rmtree(entry, ignore_errors=True)
            try:
                _write(entry, root, candidates, size, processes, listener)
            except OSError as error:
                shutil.rmtree(entry, ignore_errors=True)
                raise DataError(
                    f"decoded images need {len(candidates) * size * size * 3 / 1e6:,.0f} MB in {cache}, but it cannot be "
                    f"written ({error.strerror or error}). Free some space, or name another folder with --cache-dir."
                ) from error
            decoded = _read(entry, len(candidates), size)
            assert decoded is not None
    return decoded


def _name(root: Path, candidates: Sequence[Candidate], size: int) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([str(root.resolve()), size, VERSION]).encode())
    for c in candidates:
        digest.update(json.dumps([c.path, c.size, c.modified]).encode())
    return digest.hexdigest()


def _read(entry: Path, count: int, size: int) -> Decoded | None:
    """The entry; None where there is none or it is damaged."""
    try:
        index = json.loads((entry / "index.json").read_bytes())
        digests, reasons = tuple(index["digests"]), tuple(index["reasons"])
        images = np.load(entry / "images.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None
    rows = sum(digest is not None for digest in digests)
    if len(digests) != count or len(reasons) != count or images.shape != (rows, size, size, 3):
        return None
    return Decoded(entry / "images.npy", digests, reasons)


def _write(
    entry: Path, root: Path, candidates: Sequence[Candidate], size: int, processes: int | None, listener: Listener
) -> None:
    began = time.monotonic()
    listener(PhaseStarted("decode", len(candidates)))
    entry.mkdir(parents=True)
    paths = [root / candidate.path for candidate in candidates]
    digests: list[str | None] = [None] * len(paths)
    reasons: list[str | None] = [None] * len(paths)
    done = 0
    raw = entry / ".pixels.tmp"
    places: list[int] = []
    with raw.open("wb") as file:
        for first, results in _decode_chunks(paths, size, processes):
            for offset, result in enumerate(results):
                if isinstance(result, str):
                    reasons[first + offset] = result
                else:
                    pixels, digests[first + offset] = result
                    file.write(pixels.tobytes())
                    places.append(first + offset)
            done += len(results)
            listener(PhaseAdvanced("decode", done))
    _to_map(raw, entry / "images.npy", places, size)
    with atomic_write(entry / "index.json") as file:
        file.write(json.dumps({"digests": digests, "reasons": reasons}).encode())
    listener(PhaseEnded("decode", time.monotonic() - began))


def _to_map(raw: Path, target: Path, places: Sequence[int], size: int) -> None:
    """Turns pixels in the order in which they came into a memory map in the order of their places."""
    shape = (len(places), size, size, 3)
    if not places:
        np.save(target, np.empty(shape, np.uint8), allow_pickle=False)
    else:
        came = np.memmap(raw, np.uint8, "r", shape=shape)
        images = np.lib.format.open_memmap(target, "w+", np.uint8, shape)
        order = np.argsort(places)
        for at in range(0, len(order), CHUNK):
            images[at : at + CHUNK] = came[order[at : at + CHUNK]]
        images.flush()
        del came, images
    raw.unlink()


def _decode_chunks(paths: Sequence[Path], size: int, processes: int | None) -> Iterator[tuple[int, list[Any]]]:
    """Position and results of each chunk, as they are finished; a result is a reason, or the pixels and their digest."""
    chunks = [(first, paths[first : first + CHUNK]) for first in range(0, len(paths), CHUNK)]
    if len(paths) <= IN_PROCESS or processes == 1:
        for first, chunk in chunks:
            yield first, decode_chunk(chunk, size)
        return
    yield from _in_processes(chunks, size, processes or os.cpu_count() or 1)


def _in_processes(chunks: list[tuple[int, Sequence[Path]]], size: int, processes: int) -> Iterator[tuple[int, list[Any]]]:
    """Keeps two chunks a process in flight, so that memory stays flat. A file that kills its process is given up alone."""
    waiting = list(reversed(chunks))
    while waiting:
        flying: dict[Future[list[Any]], tuple[int, Sequence[Path]]] = {}
        try:
            with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
                while waiting or flying:
                    while waiting and len(flying) < 2 * processes:
                        chunk = waiting.pop()
                        flying[pool.submit(decode_chunk, chunk[1], size)] = chunk
                    done, _ = wait(flying, return_when=FIRST_COMPLETED)
                    for future in done:
                        first, _ = flying[future]
                        result = future.result()
                        del flying[future]
                        yield first, result
        except BrokenProcessPool:
            # One of the chunks in flight killed its process: each goes on alone until the culprit is found.
            for first, paths in flying.values():
                yield first, [_decode_alone(path, size) for path in paths]


def decode_chunk(paths: Sequence[Path], size: int) -> list[Any]:
    """For each path its pixels and digest, or the reason why it has none."""
    results: list[Any] = []
    for path in paths:
        try:
            results.append(decode(path, size))
        except UnreadableImageError as error:
            results.append(str(error))
    return results


def _decode_alone(path: Path, size: int) -> Any:
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(decode_chunk, [path], size).result()[0]
    except BrokenProcessPool:
        return "crashes the decoder"
