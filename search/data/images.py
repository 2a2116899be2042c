"""All images of a folder, decoded once, in parallel, into a memory map that later runs reuse.

An entry of the cache is a folder with ``images.npy``, ``(n, size, size, 3)`` uint8, and ``index.json``: what became of each
file. Its name is a hash of the files' paths, sizes and times, so a folder that has changed gets a new entry. An entry is
made under another name and renamed when it is whole.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...spaces.errors import DataError
from ..events import Listener, PhaseAdvanced, PhaseEnded, PhaseStarted
from ..parent import end_with_parent
from .decode import VERSION, UnreadableImageError, decode
from .folder import Candidate

CHUNK_BYTES = 4 << 20
"""Pixels that travel back from a process at a time. Two chunks a process are under way, so that memory stays flat."""

CHUNK_IMAGES = 32
"""Most images of a chunk: enough that sending it costs nothing, few enough that no core waits for the last one."""

ONE_PROCESS = 64
"""Up to so many images are decoded in one process: starting more takes longer (0.3 s each)."""

DECODE_SECONDS = 120
"""Time after which a file is given up. The slowest found within `decode.MAX_MEMORY` takes 2 s on a 2020s core."""

Pixels = tuple[NDArray[np.uint8], str]
"""``(size, size, 3)`` and the digest of the file's bytes."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The decoded images of a folder.

    Attributes:
        images_file: ``.npy`` memory map ``(n, size, size, 3)`` uint8: the candidates that could be decoded, in their order.
        digests: Of each candidate's bytes; None where it could not be decoded.
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
        processes: Side by side, apart from this one, so that a file that makes a codec crash or hang ends none but its own;
            None for one a core, 0 to decode in this process.
        listener: Told how far it is; of nothing where an earlier run has done it all.

    Raises:
        DataError: The cache cannot be written, or its disk is full.
    """
    from filelock import FileLock

    entry = cache / _name(root, candidates, size)
    if decoded := _read(entry, len(candidates), size):
        return decoded
    # Before the lock is taken: where a process cannot start, it is because it would come here itself, and wait.
    processes = _usable(processes, len(candidates))
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{entry}.lock"):
            if (decoded := _read(entry, len(candidates), size)) is None:
                _make(entry, [root / c.path for c in candidates], size, processes, listener)
                decoded = _read(entry, len(candidates), size)
    except OSError as error:
        raise DataError(
            f"decoded images need {len(candidates) * size * size * 3 / 1e6:,.0f} MB in {cache}, but it cannot be written "
            f"({error.strerror or error}). Free some space, or name another folder with --cache-dir."
        ) from error
    if decoded is None:
        raise DataError(f"decoded images must stay in {cache}, but {entry.name} vanished. Is something clearing it?")
    return decoded


def _name(root: Path, candidates: Sequence[Candidate], size: int) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([os.path.realpath(root), size, VERSION]).encode())
    for c in candidates:
        digest.update(json.dumps([c.path, c.size, c.modified]).encode())
    return digest.hexdigest()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    if images.dtype != np.uint8:
        return None
    return Decoded(entry / "images.npy", digests, reasons)


def _make(entry: Path, paths: Sequence[Path], size: int, processes: int, listener: Listener) -> None:
    """Makes the entry, in place of a damaged one."""
    began = time.monotonic()
    listener(PhaseStarted("decode", len(paths)))
    draft = entry.with_name(f"{entry.name}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        digests: list[str | None] = [None] * len(paths)
        reasons: list[str | None] = [None] * len(paths)
        done = 0
        with (draft / "images.npy").open("wb+") as file:
            # Written to, not mapped: a full disk is then an error to report and not a signal that kills.
            start, row_bytes = _write_header(file, len(paths), size), size * size * 3
            for first, results in decode_chunks(paths, size, processes):
                for place, result in enumerate(results, first):
                    if isinstance(result, str):
                        reasons[place] = result
                    else:
                        pixels, digests[place] = result
                        file.seek(start + place * row_bytes)
                        file.write(pixels.tobytes())
                done += len(results)
                listener(PhaseAdvanced("decode", done))
            rows = _close_gaps(file, [place for place, digest in enumerate(digests) if digest], start, row_bytes)
            _write_header(file, rows, size)
            os.fsync(file.fileno())
        (draft / "index.json").write_text(json.dumps({"digests": digests, "reasons": reasons}), encoding="utf-8")
        shutil.rmtree(entry, ignore_errors=True)
        draft.rename(entry)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    listener(PhaseEnded("decode", time.monotonic() - began))


def _write_header(file: BinaryIO, rows: int, size: int) -> int:
    """Writes the ``.npy`` header and gives its length, which NumPy pads so that the number of rows may change later."""
    file.seek(0)
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (rows, size, size, 3)})
    file.flush()
    return file.tell()


def _close_gaps(file: BinaryIO, places: Sequence[int], start: int, row_bytes: int) -> int:
    """Moves the rows at ``places``, which rise, to the front, and gives their number."""
    for row, place in enumerate(places):
        if row != place:
            file.seek(start + place * row_bytes)
            pixels = file.read(row_bytes)
            file.seek(start + row * row_bytes)
            file.write(pixels)
    file.truncate(start + len(places) * row_bytes)
    return len(places)


def decode_chunks(paths: Sequence[Path], size: int, processes: int) -> Iterator[tuple[int, list[Pixels | str]]]:
    """Place and results of each chunk of ``paths``, as they are finished.

    A result is the pixels and their digest, or the reason why there are none. A file that kills the process that decodes it
    is given up; the others are decoded all the same.
    """
    step = max(1, min(CHUNK_IMAGES, CHUNK_BYTES // (size * size * 3)))
    chunks = [(first, paths[first : first + step]) for first in range(0, len(paths), step)]
    if processes:
        yield from _side_by_side(chunks, size, min(processes, len(chunks)))
    else:
        for first, chunk in chunks:
            yield first, decode_chunk(chunk, size)


def decode_chunk(paths: Sequence[Path], size: int, seconds: int = 0) -> list[Pixels | str]:
    """For each path its pixels and digest, or the reason why it has none.

    Args:
        paths: The files.
        size: Pixels a side.
        seconds: After which a file that is still being decoded kills this process; 0 for never.
    """
    results: list[Pixels | str] = []
    for path in paths:
        # Its default action, which no codec that loops in C can put off.
        signal.alarm(seconds)
        try:
            results.append(decode(path, size))
        except UnreadableImageError as error:
            results.append(str(error))
        finally:
            signal.alarm(0)
    return results


def _side_by_side(
    chunks: list[tuple[int, Sequence[Path]]], size: int, processes: int
) -> Iterator[tuple[int, list[Pixels | str]]]:
    waiting = chunks[::-1]
    while waiting:
        flying: dict[Future[list[Pixels | str]], tuple[int, Sequence[Path]]] = {}
        pool = _pool(processes)
        try:
            while waiting or flying:
                while waiting and len(flying) < 2 * processes:
                    flying[pool.submit(decode_chunk, waiting[-1][1], size, DECODE_SECONDS)] = waiting[-1]
                    waiting.pop()
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    results = future.result()
                    yield flying.pop(future)[0], results
        except BrokenProcessPool:
            # A file in one of the chunks under way killed its process, and the pool with it.
            for first, paths in flying.values():
                yield from _one_by_one(first, paths, size)
        finally:
            pool.shutdown(cancel_futures=True)


def _one_by_one(first: int, paths: Sequence[Path], size: int) -> Iterator[tuple[int, list[Pixels | str]]]:
    """As `decode_chunk`, in a process that no more than one file is given to at a time, so that a killer is found."""
    pool = _pool(1)
    try:
        for place, path in enumerate(paths, first):
            try:
                yield place, pool.submit(decode_chunk, [path], size, DECODE_SECONDS).result()
            except BrokenProcessPool:
                yield place, ["makes the decoder crash or hang"]
                pool.shutdown()
                pool = _pool(1)
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(processes: int) -> ProcessPoolExecutor:
    """Spawned, not forked: TensorFlow's threads may be running here, and a fork of them can hang."""
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_follow_parent)


def _follow_parent() -> None:
    """Leaves Ctrl-C to the parent process, and ends with it even where it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    end_with_parent()


def _usable(processes: int | None, images: int) -> int:
    """How many processes to decode with, apart from this one.

    None in a script that searches outside ``if __name__ == "__main__"``: a spawned process would run that script again.
    """
    if processes is None:
        processes = 1 if images <= ONE_PROCESS else _cores()
    if processes and _has_main_guard():
        return processes
    return 0


@functools.cache
def _has_main_guard() -> bool:
    """Whether a spawned process starts without running what this one is running."""
    pool = _pool(1)
    try:
        pool.submit(int).result()
    except BrokenProcessPool:
        return False
    finally:
        pool.shutdown()
    return True
