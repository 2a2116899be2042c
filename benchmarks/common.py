"""What the benchmarks share: the command as a user runs it, its report, and how much memory it takes."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

TLSEARCH = [sys.executable, "-m", "tlsearch"]


@dataclass(frozen=True)
class Run:
    """A search that has ended: its wall time, and the most memory that all of its processes took together.

    Anonymous memory is the processes' own; resident memory counts the pages of mapped files too, which the system may take back
    at any time, and libraries once a process.
    """

    seconds: float
    peak_anonymous_mb: int
    peak_resident_mb: int


def parser(description: str | None, *, trials: int, size: int = 160) -> argparse.ArgumentParser:
    """Reads what most benchmarks ask for: images, weights, how large, how many trials."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("data", type=Path)
    made.add_argument("--weights", required=True)
    made.add_argument("--alpha", type=float, default=0.35)
    made.add_argument("--size", type=int, default=size)
    made.add_argument("--trials", type=int, default=trials)
    return made


def search(*arguments: object, cache: Path) -> Run:
    """Runs ``tlsearch run`` with these arguments, quietly, and measures it."""
    began = time.monotonic()
    process = subprocess.Popen(
        [*TLSEARCH, "run", *map(str, arguments), "--quiet"],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TLSEARCH_CACHE_DIR": str(cache)},
    )
    peaks = [0, 0]
    watch = threading.Thread(target=_watch, args=(process, peaks), daemon=True)
    watch.start()
    if code := process.wait():
        raise SystemExit(f"the search ended with exit code {code}")
    seconds = time.monotonic() - began
    watch.join()
    return Run(seconds, peaks[0] // 2**20, peaks[1] // 2**20)


def report(study: Path) -> dict[str, Any]:
    """The study's report by schema 1."""
    done = subprocess.run([*TLSEARCH, "report", str(study), "--format", "json"], check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def best_val_accuracy(found: dict[str, Any]) -> float:
    """Of all trials of a report."""
    return max(entry["best_val_accuracy"] for entry in found["techniques"] if entry["best_val_accuracy"] is not None)


def plainly(script: str, *arguments: object) -> tuple[float, Any]:
    """Runs the plain side of a benchmark in a process of its own: wall seconds, and what its last line says in JSON."""
    began = time.monotonic()
    command = [sys.executable, script, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return time.monotonic() - began, json.loads(done.stdout.splitlines()[-1])


def trial_seconds(rng: np.random.Generator, mean: float) -> float:
    """How long a made-up trial takes: log-normal about ``mean`` with σ = 0.5, the shortest of twenty a sixth of the longest."""
    return float(mean * rng.lognormal(-0.125, 0.5))


def _watch(process: subprocess.Popen[bytes], peaks: list[int]) -> None:
    parent = psutil.Process(process.pid)
    while process.poll() is None:
        anonymous = resident = 0
        for one in [parent, *_children(parent)]:
            try:
                memory = one.memory_info()
                resident += memory.rss
                anonymous += memory.rss - getattr(memory, "shared", 0)
            except psutil.Error:
                continue  # it has ended since it was listed
        peaks[:] = max(peaks[0], anonymous), max(peaks[1], resident)
        time.sleep(0.1)


def _children(parent: psutil.Process) -> list[psutil.Process]:
    try:
        return list(parent.children(recursive=True))
    except psutil.Error:
        return []
