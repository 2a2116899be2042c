"""What an export is worth: how near to the trained model, how right, how large, how fast. Measured, not assumed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..paths import folder_bytes
from .formats import Quantize
from .predictor import Predictor
from .runtimes import cores

IMAGES = 2_000
"""Most test images that an export is held against the trained model on; of more, so many evenly spaced ones."""

BATCH = 32

LARGEST: MappingProxyType[Quantize, float] = MappingProxyType({"none": 1e-4, "float16": 5e-3})
"""Largest difference in probability that is rounding: in float32 sums in another order (2e-5 seen), in float16 weights of 11
bits. int8 is judged by its classes instead."""

LEAST_AGREEMENT = 0.97
"""Of int8: share of test images that should get the same class as before."""

_WARM_UP, _RUNS = 5, 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """An export against the model as it was trained, on images of the test split.

    Attributes:
        images: How many.
        largest_difference: In any image's probability of any class.
        agreement: Share of images that both give the same class.
        accuracy: Of the export, on these images.
        trained_accuracy: Of the trained model, on the same.
        megabytes: Size on disk, 10⁶ bytes.
        milliseconds: Median time for one image in its runtime on this machine, over 31 runs.
        runtime: What ran it.
        threads: Cores that it had.
    """

    images: int
    largest_difference: float
    agreement: float
    accuracy: float
    trained_accuracy: float
    megabytes: float
    milliseconds: float
    runtime: str
    threads: int

    def concern(self, quantize: Quantize) -> str:
        """What should make one look twice before using the export; empty where all is as it should be."""
        if quantize == "int8":
            if self.agreement >= LEAST_AGREEMENT:
                return ""
            return (
                f"int8 changes the class of {1 - self.agreement:.1%} of the test images, more than "
                f"{1 - LEAST_AGREEMENT:.0%}. float16 is nearer to the trained model."
            )
        if self.largest_difference <= LARGEST[quantize]:
            return ""
        return (
            f"a probability differs by {self.largest_difference:.2g} from the trained model's, more than rounding explains "
            f"({LARGEST[quantize]:g})."
        )


def measure(
    path: Path,
    predictor: Predictor,
    trained: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> Parity:
    """Holds an export against the trained model.

    Args:
        path: Of the export.
        predictor: That has loaded it.
        trained: Gives the trained model's probabilities ``(n, classes)``.
        images: ``(n, size, size, 3)``, of the test split.
        labels: ``(n,)``.
    """
    theirs, ours = [], []
    for at in range(0, len(images), BATCH):
        batch = images[at : at + BATCH]
        theirs.append(predictor.predict(batch))
        ours.append(trained(batch))
    exported, reference = np.concatenate(theirs), np.concatenate(ours)
    classes, before = exported.argmax(axis=1), reference.argmax(axis=1)
    return Parity(
        images=len(images),
        largest_difference=float(np.abs(exported - reference).max()),
        agreement=float((classes == before).mean()),
        accuracy=float((classes == labels).mean()),
        trained_accuracy=float((before == labels).mean()),
        megabytes=(folder_bytes(path) if path.is_dir() else path.stat().st_size) / 1e6,
        milliseconds=1e3 * _median_seconds(predictor, images[:1]),
        runtime=predictor.runtime,
        threads=cores(),
    )


def held_out(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """``rows``, or so many of them evenly spaced: a split lists class after class, so each keeps its share."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _median_seconds(predictor: Predictor, image: NDArray[np.uint8]) -> float:
    taken = []
    for _ in range(_WARM_UP + _RUNS):
        began = time.perf_counter()
        predictor.predict(image)
        taken.append(time.perf_counter() - began)
    return float(np.median(taken[_WARM_UP:]))
