"""Where a study's time went, in seconds of wall time by phase."""

from __future__ import annotations

import json

from .base import StudyFiles
from .decoding import RecordError, decode


class PhaseTimes:
    """The seconds that each phase has taken, in a file for each driver, so that none overwrites another's.

    Args:
        files: Of the study.
        driver: Name of the driver that adds; empty where there is only one.
    """

    def __init__(self, files: StudyFiles, driver: str = "") -> None:
        self._files = files
        self._own = f"timing/{driver.replace('/', '-')}.json" if driver else "timing.json"

    def add(self, phase: str, seconds: float) -> None:
        """Adds to a phase.

        Raises:
            OSError: The file cannot be written.
        """
        timing = self._read(self._own)
        timing[phase] = timing.get(phase, 0.0) + seconds
        self._files.write({self._own: json.dumps(timing).encode()})

    def total(self) -> dict[str, float]:
        """Seconds by phase, over all runs; of several drivers the sum."""
        total: dict[str, float] = {}
        for name in ("timing.json", *self._files.names("timing")):
            for phase, seconds in self._read(name).items():
                total[phase] = total.get(phase, 0.0) + seconds
        return total

    def _read(self, name: str) -> dict[str, float]:
        try:
            return decode(self._files.read(name), dict[str, float])
        except (OSError, RecordError):
            return {}
