"""What the main process and its workers say to each other. Everything here travels by pickle over a private pipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..activations.cache import EntryKey
from ..activations.passes import Pass
from ..context import Context
from ..machine.devices import Device
from ..training.trainer import Job, Outcome
from ..trial import Measurement


@dataclass(frozen=True, slots=True)
class Begin:
    """To a worker, first: what the search trains on, and where the space may cut the network.

    Attributes:
        first_layers: `Recipe.first_trained_layer` of every recipe that may come.
        folded: Whether their BatchNorm is folded.
    """

    context: Context
    first_layers: tuple[int, ...]
    folded: bool


@dataclass(frozen=True, slots=True)
class Extract:
    """To a worker: compute one shard."""

    work: Pass
    shard: int


@dataclass(frozen=True, slots=True)
class ComputeFeatures:
    """To a worker: compute each block's pooled output of some images. ``first`` is their place among all that are wanted."""

    first: int
    rows: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Train:
    """To a worker: train. ``ticket`` names the run in the answers; ``cached_cuts`` are those whose entries are complete."""

    ticket: int
    job: Job
    cached_cuts: frozenset[int]


@dataclass(frozen=True, slots=True)
class Continue:
    """To a worker, after each measurement: whether to train another epoch."""

    go_on: bool


@dataclass(frozen=True, slots=True)
class Ready:
    """From a worker, once: the numbers that one image's activations have at each cut that pays, and what it trains on."""

    values_at: Mapping[int, int]
    device: Device


@dataclass(frozen=True, slots=True)
class Extracted:
    """From a worker: the checksums of the shard, by entry."""

    work: Pass
    shard: int
    checksums: Mapping[EntryKey, int]


@dataclass(frozen=True, slots=True)
class Features:
    """From a worker: each block's pooled output, ``(rows, channels)``, as `blocks.BLOCKS` lists them."""

    first: int
    blocks: list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Measured:
    """From a worker: an epoch is over. It waits for `Continue`."""

    ticket: int
    measurement: Measurement


@dataclass(frozen=True, slots=True)
class Trained:
    """From a worker: the run is over. ``outcome`` is None where `Continue` ended it."""

    ticket: int
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Failed:
    """From a worker: the task came to nothing.

    Attributes:
        error: One line, fit for a report.
        cause: The exception where it is one of ours, to be raised in the main process; None for any other.
        traceback: Of what is no error of ours.
        spent: Whether the process should end with it: memory that has run out once does so again.
    """

    error: str
    cause: Exception | None = None
    traceback: str = ""
    spent: bool = False


Task = Extract | ComputeFeatures | Train
ToWorker = Begin | Task | Continue
FromWorker = Ready | Extracted | Features | Measured | Trained | Failed
