"""Decodes many files, in processes of which any may die: a file that makes a codec crash or hang costs itself alone."""

from __future__ import annotations

import functools
import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..machine.devices import cores
from ..machine.parent import end_with_parent
from .decode import UnreadableImageError, decode

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

Chunk = tuple[int, Sequence[Path]]
"""Some files, and the place of the first of them among all."""


def chunk_images(size: int) -> int:
    """Images of a chunk at a side of ``size`` pixels."""
    return max(1, min(CHUNK_IMAGES, CHUNK_BYTES // (size * size * 3)))


def decode_chunks(chunks: Iterable[Chunk], size: int, processes: int) -> Iterator[tuple[int, list[Pixels | str]]]:
    """Place and results of each chunk, as they are finished.

    A result is the pixels and their digest, or the reason why there are none. A file that kills the process that decodes it
    is given up; the others are decoded all the same.

    Args:
        chunks: Taken as they are needed.
        size: Pixels a side.
        processes: That decode side by side; 0 for none but this one.
    """
    if processes:
        yield from _side_by_side(iter(chunks), size, processes)
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


def _side_by_side(chunks: Iterator[Chunk], size: int, processes: int) -> Iterator[tuple[int, list[Pixels | str]]]:
    waiting = next(chunks, None)
    while waiting:
        flying: dict[Future[list[Pixels | str]], Chunk] = {}
        pool = _pool(processes)
        try:
            while waiting or flying:
                while waiting and len(flying) < 2 * processes:
                    flying[pool.submit(decode_chunk, waiting[1], size, DECODE_SECONDS)] = waiting
                    waiting = next(chunks, None)
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


def usable(processes: int | None, images: int) -> int:
    """How many processes to decode with, apart from this one.

    None in a script that searches outside ``if __name__ == "__main__"``: a spawned process would run that script again.
    """
    if processes is None:
        processes = 1 if images <= ONE_PROCESS else cores()
    if processes and has_main_guard():
        return processes
    return 0


@functools.cache
def has_main_guard() -> bool:
    """Whether a spawned process starts without running what this one is running."""
    pool = _pool(1)
    try:
        pool.submit(int).result()
    except BrokenProcessPool:
        return False
    finally:
        pool.shutdown()
    return True
