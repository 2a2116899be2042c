"""The time limit of a run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """When a run must end.

    Attributes:
        deadline: On the clock; infinite where there is no limit.
        now: The clock, in seconds.
        sleep: Waits so many seconds of it.
    """

    deadline: float = math.inf
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def after(cls, seconds: float | None) -> TimeLimit:
        """A limit of so many seconds from now; None for no limit."""
        return cls() if seconds is None else cls(time.monotonic() + seconds)

    @property
    def exists(self) -> bool:
        """Whether there is a limit at all."""
        return math.isfinite(self.deadline)

    @property
    def left(self) -> float:
        """Seconds until the deadline; negative behind it, infinite without a limit."""
        return self.deadline - self.now()

    def share(self, parts: int) -> TimeLimit:
        """The limit of the first of so many parts that are to have equal times."""
        return replace(self, deadline=self.now() + max(0.0, self.left) / parts) if self.exists else self

    def reached(self, reserve: float = 0.0) -> bool:
        """Whether no more than ``reserve`` seconds are left."""
        return self.left <= reserve
