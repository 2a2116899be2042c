"""The fuzzer of image files: what a decoder does with files that are damaged on purpose."""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tlsearch.search.data.decode import decode
from tlsearch.search.data.readers import UnreadableImageError

from .mutate import mutants, seeds

SIZE = 32


@dataclass
class Tally:
    """What became of the files of one format."""

    format: str
    files: int = 0
    decoded: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)
    """Anything but an image or a reason."""
    crashes: int = 0
    slowest: float = 0.0
    """Seconds."""
    peak: int = 0
    """Bytes that the decoding process had resident at most, beyond what it had after start."""
    reasons: Counter[str] = field(default_factory=Counter)


def fuzz(form: str, files: int, folder: Path, *, seed: int = 0, seconds: float | None = None) -> Tally:
    """Decodes mutated files of one format in processes of their own, which a crash or a hang of a minute ends and is told of.

    Args:
        form: A key of `seeds`.
        files: How many.
        folder: Where they are written, one after the other.
        seed: Of the mutations.
        seconds: After which it stops with fewer; None for never.
    """
    tally = Tally(form)
    deadline = None if seconds is None else time.monotonic() + seconds
    spawn = multiprocessing.get_context("spawn")
    while tally.files < files and (deadline is None or time.monotonic() < deadline):
        ours, theirs = spawn.Pipe()
        arguments = (theirs, form, tally.files, files, folder, seed, deadline)
        process = spawn.Process(target=_decode_files, args=arguments, daemon=True)
        process.start()
        theirs.close()
        while True:
            try:
                told = ours.recv() if ours.poll(60) else None
            except EOFError:
                told = None
            if told is None:
                process.kill()
                process.join()
                # The file that it died of is still there.
                if process.exitcode or tally.files < files:
                    _count_crash(tally, folder, deadline)
                break
            if told == "done":
                process.join()
                return tally
            _add(tally, *told)
    return tally


def _count_crash(tally: Tally, folder: Path, deadline: float | None) -> None:
    if deadline is not None and time.monotonic() >= deadline:
        return
    tally.files += 1
    tally.crashes += 1
    (folder / tally.format).replace(folder / f"{tally.format}-crash-{tally.crashes}")


def _add(tally: Tally, outcome: str, detail: str, seconds: float, peak: int) -> None:
    tally.files += 1
    tally.slowest = max(tally.slowest, seconds)
    tally.peak = max(tally.peak, peak)
    if outcome == "decoded":
        tally.decoded += 1
    elif outcome == "refused":
        tally.refused += 1
        tally.reasons[detail.split("(")[0].strip()] += 1
    else:
        tally.wrong.append(detail)


def _decode_files(
    connection: object, form: str, first: int, files: int, folder: Path, seed: int, deadline: float | None
) -> None:
    path = folder / form
    before = _resident()
    for data in itertools.islice(_from(form, seed), first, files):
        if deadline is not None and time.monotonic() >= deadline:
            break
        path.write_bytes(data)
        began = time.perf_counter()
        try:
            pixels, digest, *_ = decode(path, SIZE)
            sound = pixels.shape == (SIZE, SIZE, 3) and pixels.dtype == "uint8" and len(digest) == 32
            outcome, detail = ("decoded", "") if sound else ("wrong", f"pixels {pixels.shape} {pixels.dtype}")
        except UnreadableImageError as error:
            outcome, detail = ("refused", str(error)) if str(error) else ("wrong", "no reason")
        except BaseException as error:
            outcome, detail = "wrong", f"{type(error).__name__}: {error}"
        connection.send((outcome, detail, time.perf_counter() - began, _peak() - before))  # type: ignore[attr-defined]
    connection.send("done")  # type: ignore[attr-defined]


def _from(form: str, seed: int) -> Iterator[bytes]:
    return mutants(seeds()[form], seed)


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) << 10
    return 0


def _resident() -> int:
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def main() -> None:
    """Prints the table of the long version."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=5000, help="of each format")
    parser.add_argument("--seconds", type=float, default=600, help="for each format, at most")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print("format     files  decoded  refused  crashes  wrong  slowest  most memory")
    for form in seeds():
        with tempfile.TemporaryDirectory() as folder:
            tally = fuzz(form, arguments.files, Path(folder), seed=arguments.seed, seconds=arguments.seconds)
        print(
            f"{form:8} {tally.files:7,} {tally.decoded:8,} {tally.refused:8,} {tally.crashes:8} {len(tally.wrong):6} "
            f"{tally.slowest:6.2f} s {tally.peak / 1e6:8.0f} MB",
            *tally.wrong[:5],
            flush=True,
        )


if __name__ == "__main__":
    main()
