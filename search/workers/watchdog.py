"""Detects workers that hang, as opposed to those that are slow, stopped or swapped out."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

IDLE_SECONDS = 300.0
"""Without a word and without processor time: a worker that waits for nothing that will come. Reading from a slow disk takes
some processor time every few seconds, and so does training on a GPU."""

BUSY_SECONDS = 3600.0
"""Without a word, at the least, until a worker that does use its processor is taken for one in an endless loop."""

PACE = 20
"""Times the longest that any worker has been silent before it went on: the larger of this and `BUSY_SECONDS` counts."""

TICK = 5.0
"""Seconds between two looks. More than two ticks between looks mean that the whole machine or program was stopped."""

_SIGN_OF_LIFE = 0.01
"""Seconds of processor time: the resolution that Linux counts it in."""


def processor_seconds(pid: int) -> float:
    """Processor time that a process of this machine has used; 0 if it is gone."""
    import psutil

    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        # It has ended; the pool notices by its closed pipe.
        return 0.0
    return float(times.user + times.system)


@dataclass(slots=True)
class _Watched:
    process: Hashable
    processor: float
    silent: float = 0.0
    idle: float = 0.0


class Watchdog:
    """Tracks how long each busy worker has been silent, and how long idle.

    Args:
        clock: A monotonic clock, in seconds.
        processor: Seconds of processor time that a process has used so far; must not raise if the process is gone. The default
            takes process ids of this machine.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, processor: Callable[[Any], float] = processor_seconds
    ) -> None:
        self._clock = clock
        self._processor = processor
        self._watched: dict[str, _Watched] = {}
        self._looked = clock()
        self._longest = 0.0

    def heard(self, name: str) -> None:
        """Notes that a worker has sent a message or was given a task."""
        if watched := self._watched.pop(name, None):
            self._longest = max(self._longest, watched.silent)

    def look(self, busy: Mapping[str, Hashable]) -> list[tuple[str, str]]:
        """The workers that hang, each with the reason; none if the last look was less than a `TICK` ago.

        Args:
            busy: The processes of the workers that should be busy, by the worker's name.
        """
        now = self._clock()
        if (passed := now - self._looked) < TICK:
            return []
        self._looked = now
        passed = min(passed, 2 * TICK)
        hanging = []
        self._watched = {name: one for name, one in self._watched.items() if busy.get(name) == one.process}
        for name, process in busy.items():
            processor = self._processor(process)
            watched = self._watched.setdefault(name, _Watched(process, processor))
            watched.silent += passed
            if processor - watched.processor >= _SIGN_OF_LIFE:
                watched.processor, watched.idle = processor, 0.0
            else:
                watched.idle += passed
            if watched.idle >= IDLE_SECONDS:
                hanging.append((name, f"hung: no measurement and no processor time for {watched.idle:.0f} s"))
            elif watched.silent >= max(BUSY_SECONDS, PACE * self._longest):
                hanging.append((name, f"hung: no measurement for {watched.silent:.0f} s, in an endless loop"))
        return hanging
