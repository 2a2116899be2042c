"""Decodes many files in parallel. A file that makes a codec crash or hang costs itself alone."""

from __future__ import annotations

import functools
import signal
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue

from ..machine.devices import cores
from ..machine.parent import end_with_parent
from .decode import DecodedFile, decode
from .readers import UnreadableImageError

CHUNK_BYTES = 4 << 20
"""Pixels of a chunk at most."""

CHUNKS_A_PROCESS = 4
"""Under way at a time, so that memory stays flat, and the other processes have work while a slow chunk is waited for."""

CHUNK_IMAGES = 32
"""Most images of a chunk: few enough that no core waits for the last one."""

ONE_PROCESS = 64
"""Up to so many images are decoded in one process: starting more takes longer (0.3 s each)."""

DECODE_SECONDS = 120.0
"""Time after which a file is given up, and a chunk decoded one file at a time. The slowest file found within
`decode.MAX_MEMORY` takes 2 s on a 2020s core."""

KILLER = "makes the decoder crash or hang"
"""Why a file that killed its process, or took longer than `DECODE_SECONDS`, has no pixels."""

Chunk = tuple[int, Sequence[Path]]
"""Some files, and the place of the first of them among all."""

_SPAWN = get_context("spawn")
"""Not forked: TensorFlow's threads may be running here, and a fork of them can hang."""


def chunk_images(size: int) -> int:
    """Images of a chunk at a side of ``size`` pixels."""
    return max(1, min(CHUNK_IMAGES, CHUNK_BYTES // (size * size * 3)))


def decode_file(path: Path, size: int, depth: int = 16) -> DecodedFile | str:
    """The pixels of a file and digests, or the reason why there are none."""
    try:
        return decode(path, size, depth)
    except UnreadableImageError as error:
        return str(error)


def decode_chunks(
    chunks: Iterable[Chunk], size: int, processes: int, *, depth: int = 16, seconds: float = DECODE_SECONDS
) -> Generator[tuple[int, list[DecodedFile | str]], None, None]:
    """Place and results of each chunk, in the order of the chunks.

    A result is the pixels with digests, or the reason why there are none.

    Args:
        chunks: Taken as they are needed.
        size: Pixels a side.
        processes: That decode in parallel; 0 to decode in this one, where nothing guards against a crash or a hang.
        depth: Bits that the values of 16-bit greyscale images use.
        seconds: After which a file is given up.
    """
    if not processes:
        for first, paths in chunks:
            yield first, [decode_file(path, size, depth) for path in paths]
        return
    idle: SimpleQueue[_Decoder] = SimpleQueue()
    decoders = [_Decoder(size, depth, seconds) for _ in range(processes)]
    for decoder in decoders:
        idle.put(decoder)

    def decode_chunk(paths: Sequence[Path]) -> list[DecodedFile | str]:
        decoder = idle.get()
        try:
            return decoder.decode(paths)
        finally:
            idle.put(decoder)

    under_way: deque[tuple[int, Future[list[DecodedFile | str]]]] = deque()
    # A thread waits for each process, so that results come in while the caller stores earlier ones.
    threads = ThreadPoolExecutor(processes, "tlsearch-decode")
    try:
        for first, paths in chunks:
            under_way.append((first, threads.submit(decode_chunk, paths)))
            if len(under_way) == CHUNKS_A_PROCESS * processes:
                first, future = under_way.popleft()
                yield first, future.result()
        for first, future in under_way:
            yield first, future.result()
    finally:
        for decoder in decoders:
            decoder.stop()
        threads.shutdown(cancel_futures=True)
        for decoder in decoders:
            decoder.close()


class _Decoder:
    """Decodes in a process that is replaced by another one where a file kills it or takes too long.

    The process that waits applies the time limit: that works on every platform, and a codec that loops in C cannot delay it.

    Args:
        size: Pixels a side.
        depth: Bits that the values of 16-bit greyscale images use.
        seconds: After which a file is given up.
    """

    def __init__(self, size: int, depth: int, seconds: float) -> None:
        self._size = size
        self._depth = depth
        self._seconds = seconds
        self._stopped = False
        self._start()

    def decode(self, paths: Sequence[Path]) -> list[DecodedFile | str]:
        """What becomes of each file; nothing to rely on once it was stopped."""
        results = self._try(paths)
        if results is None and not self._stopped:
            # One at a time, so that the file is found; the system may also have ended the process for want of memory.
            results = [result for path in paths for result in self._try([path]) or [KILLER]]
        return results or []

    def stop(self) -> None:
        """Ends `decode` in another thread."""
        self._stopped = True
        self._process.kill()

    def close(self) -> None:
        """Ends the process and frees what it holds; to be called where no thread decodes."""
        self._process.kill()
        self._process.join()
        self._connection.close()

    def _start(self) -> None:
        self._connection, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_serve, args=(theirs, self._size, self._depth), name="tlsearch decoder", daemon=True)
        process.start()
        self._process = process
        theirs.close()

    def _try(self, paths: Sequence[Path]) -> list[DecodedFile | str] | None:
        """What becomes of each file; None where that takes too long or the process dies."""
        results: list[DecodedFile | str] | None = None
        if not self._stopped:
            with suppress(EOFError, OSError):
                self._connection.send(paths)
                results = self._connection.recv() if self._connection.poll(self._seconds) else None
        if results is None and not self._stopped:
            self.close()
            self._start()
        return results


def _serve(connection: Connection, size: int, depth: int) -> None:
    """Decodes what it is sent until the pipe closes. Runs as the main function of a process of its own."""
    # Ctrl-C is left to the parent process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            connection.send([decode_file(path, size, depth) for path in connection.recv()])


def choose_processes(asked: int | None, images: int) -> int:
    """How many processes decode, apart from this one.

    None in a script that searches outside ``if __name__ == "__main__"``: a spawned process would run that script again.

    Args:
        asked: None for one a core, or a single one for few images.
        images: To be decoded.
    """
    if asked is None:
        asked = 1 if images <= ONE_PROCESS else cores()
    return asked if asked and has_main_guard() else 0


@functools.cache
def has_main_guard() -> bool:
    """Whether a spawned process starts without running what this one is running."""
    with ProcessPoolExecutor(1, mp_context=_SPAWN) as pool:
        try:
            pool.submit(int).result()
        except BrokenProcessPool:
            return False
    return True
