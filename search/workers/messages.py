"""Messages between the main process and its workers. They are pickled and sent through a private pipe."""

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
    """To a worker, first: what the search trains on and where the space may cut the network. It answers `Ready`.

    Attributes:
        first_layers: `Recipe.first_trained_layer` of every recipe that may come.
        folded: Whether their BatchNorm is folded.
    """

    context: Context
    first_layers: tuple[int, ...]
    folded: bool


@dataclass(frozen=True, slots=True)
class Extract:
    """To a worker: compute one shard of the cache entries of ``work``. It answers `Extracted`."""

    work: Pass
    shard: int


@dataclass(frozen=True, slots=True)
class ComputeFeatures:
    """To a worker: compute each block's pooled output for some images. It answers `Features`.

    Attributes:
        first: Position of the first image among all whose features are wanted.
        rows: Of the images, ``(n,)``.
    """

    first: int
    rows: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Train:
    """To a worker: train. It answers `Measured` after each epoch and `Trained` at the end.

    Attributes:
        ticket: Identifies the run in the main process.
        cached_cuts: Cuts whose cache entries are complete.
    """

    ticket: int
    job: Job
    cached_cuts: frozenset[int]


@dataclass(frozen=True, slots=True)
class Continue:
    """To a worker, after each `Measured`: whether to train another epoch."""

    go_on: bool


@dataclass(frozen=True, slots=True)
class Ready:
    """From a worker, once.

    Attributes:
        values_at: How many values one image's activations have, by cut, for each cut that pays.
        device: What it trains on.
    """

    values_at: Mapping[int, int]
    device: Device


@dataclass(frozen=True, slots=True)
class Extracted:
    """From a worker: the checksums of the shard, by entry."""

    checksums: Mapping[EntryKey, int]


@dataclass(frozen=True, slots=True)
class Features:
    """From a worker: each block's pooled output, ``(rows, channels)``, in the order of `blocks.BLOCKS`."""

    blocks: list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Measured:
    """From a worker: an epoch is over. It waits for `Continue`."""

    measurement: Measurement


@dataclass(frozen=True, slots=True)
class Trained:
    """From a worker: the run is over. ``outcome`` is None where `Continue` ended it."""

    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Failed:
    """From a worker: the task failed.

    Attributes:
        error: Why, in one line for reports.
        cause: The exception if it is a `TlsearchError`, to be raised again in the main process.
        details: The traceback of an unexpected exception; empty for an expected one.
        spent: Whether the process must be replaced: once out of memory, it will be again.
    """

    error: str
    cause: Exception | None = None
    details: str = ""
    spent: bool = False


Task = Extract | ComputeFeatures | Train
ToWorker = Begin | Task | Continue
FromWorker = Ready | Extracted | Features | Measured | Trained | Failed
