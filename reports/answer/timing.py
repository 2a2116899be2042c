"""Where a study's time went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds of wall time, over all runs of the study.

    Attributes:
        wall: In all, from the opened data set on; a run that is still going has not recorded it yet.
        decode: Decoding images, before ``wall`` begins; None where it was not recorded.
        extract: Computing what is frozen.
        train: Searching: the trials.
        confirm: Training the finalists again.
    """

    wall: float
    decode: float | None
    extract: float
    train: float
    confirm: float

    @classmethod
    def of(cls, stored: Mapping[str, float]) -> Timing:
        """From the seconds by phase that a study has stored."""
        return cls(
            wall=stored.get("wall", 0.0),
            decode=stored.get("decode"),
            extract=stored.get("extract", 0.0),
            train=stored.get("search", 0.0),
            confirm=stored.get("confirm", 0.0),
        )

    @property
    def total(self) -> float:
        """The wall time, or of a run that is still going the phases that it has ended."""
        return max(self.wall, self.extract + self.train + self.confirm)

    @property
    def overhead(self) -> float:
        """What is none of the phases: starting and stopping workers."""
        return max(0.0, self.wall - self.extract - self.train - self.confirm)
