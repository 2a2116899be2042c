"""What an export is worth: how near to the trained model, how right, how large, how fast. Measured, not assumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from timeit import repeat
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps

from ..data.readers import open_image
from ..machine.devices import cores
from ..machine.paths import folder_bytes
from ..predict.formats import Quantize
from ..predict.predictor import BATCH, Predictor

IMAGES = 2_000
"""Most test images that an export is held against the trained model on; of more, so many evenly spaced ones."""

LARGEST_FLOAT32 = 1e-4
"""Largest difference in probability that sums in another order explain; 1e-5 was seen on 2,000 photographs."""

MEAN_FLOAT16 = 5e-3
"""The same for the mean difference under float16: 9e-4 was seen. Its largest is no measure: of an image between two classes the
probability moves by 0.07 when weights keep 11 bits, and by 0.01 when nothing but random noise of that size is added to them."""

LEAST_AGREEMENT: MappingProxyType[Quantize, float] = MappingProxyType({"none": 0.999, "float16": 0.99, "int8": 0.97})
"""Share of test images that should get the same class as before; 1.0, 0.999 and 0.981 were seen."""

ORIGINALS = 40
"""Most test images at their original size that a model with the resize is tried on."""

LEAST_ORIGINAL_AGREEMENT = 0.9
"""Share of these that should get the same class: decoders differ (a large JPEG is decoded at half its size), which moves images
that lie between two classes. Without antialiasing 0.94 to 0.96 was seen."""

MOST_PIXELS = 24_000_000
"""Of an original image: what it takes as floats is eight times as large, half a gigabyte."""

_WARM_UP, _RUNS = 5, 31


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginalParity:
    """A model with the resize on test images at their original size, against the trained model on what the study made of them.

    Attributes:
        images: How many.
        largest_difference: In any image's probability of any class.
        agreement: Share of images that both give the same class.
    """

    images: int
    largest_difference: float
    agreement: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """An export against the model as it was trained, on images of the test split.

    Attributes:
        images: How many.
        largest_difference: In any image's probability of any class.
        mean_difference: The mean over images and classes.
        agreement: Share of images that both give the same class.
        accuracy: Of the export, on these images.
        trained_accuracy: Of the trained model, on the same.
        megabytes: Size on disk, 10⁶ bytes.
        milliseconds: Median time for one image in its runtime on this machine, over 31 runs.
        runtime: What ran it.
        threads: Cores that it had.
        original: Of a model that resizes, unless the images' files cannot be read.
    """

    images: int
    largest_difference: float
    mean_difference: float
    agreement: float
    accuracy: float
    trained_accuracy: float
    megabytes: float
    milliseconds: float
    runtime: str
    threads: int
    original: OriginalParity | None = None

    def concern(self, quantize: Quantize) -> str:
        """What should make one look twice before using the export; empty where all is as it should be."""
        if self.agreement < LEAST_AGREEMENT[quantize]:
            return (
                f"{1 - self.agreement:.1%} of the test images get another class than the trained model gives, more than "
                f"{1 - LEAST_AGREEMENT[quantize]:.1%}."
            )
        if quantize == "none" and self.largest_difference > LARGEST_FLOAT32:
            return (
                f"a probability differs by {self.largest_difference:.2g} from the trained model's, more than rounding explains "
                f"({LARGEST_FLOAT32:g})."
            )
        if quantize == "float16" and self.mean_difference > MEAN_FLOAT16:
            return (
                f"probabilities differ by {self.mean_difference:.2g} from the trained model's in the mean, more than 11 bits "
                f"explain ({MEAN_FLOAT16:g})."
            )
        if self.original and self.original.agreement < LEAST_ORIGINAL_AGREEMENT:
            return (
                f"{1 - self.original.agreement:.1%} of the test images get another class at their original size than the "
                f"trained model gives, more than {1 - LEAST_ORIGINAL_AGREEMENT:.0%}."
            )
        return ""


def measure(
    path: Path,
    predictor: Predictor,
    trained: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> Parity:
    """Compares the export at ``path``, loaded by ``predictor``, with the trained model.

    ``trained`` gives the trained model's probabilities ``(n, classes)`` of images ``(n, size, size, 3)``. The images and their
    labels ``(n,)`` are those of the test split.
    """
    exported = predictor.predict(images)
    reference = np.concatenate([trained(images[at : at + BATCH]) for at in range(0, len(images), BATCH)])
    classes, before = exported.argmax(axis=1), reference.argmax(axis=1)
    differences = np.abs(exported - reference)
    seconds = repeat(lambda: predictor.predict(images[:1]), number=1, repeat=_WARM_UP + _RUNS)[_WARM_UP:]
    return Parity(
        images=len(images),
        largest_difference=float(differences.max()),
        mean_difference=float(differences.mean()),
        agreement=float((classes == before).mean()),
        accuracy=float((classes == labels).mean()),
        trained_accuracy=float((before == labels).mean()),
        megabytes=(folder_bytes(path) if path.is_dir() else path.stat().st_size) / 1e6,
        milliseconds=1e3 * float(np.median(seconds)),
        runtime=predictor.runtime,
        threads=cores(),
    )


def measure_originals(predictor: Predictor, files: Sequence[Path], expected: NDArray[np.float32]) -> OriginalParity | None:
    """Compares a model that resizes, given images as a plain reader decodes them, with the trained model.

    Args:
        predictor: The model.
        files: The images; those that are gone or larger than `MOST_PIXELS` are left out.
        expected: The trained model's probabilities of what the study made of them, ``(n, classes)``.

    Returns:
        None where no image is left.
    """
    found = [(row, pixels) for row, file in enumerate(files) if file.is_file() and (pixels := _pixels(file)) is not None]
    if not found:
        return None
    rows = [row for row, _ in found]
    exported = np.concatenate([predictor.predict(pixels[None]) for _, pixels in found])
    return OriginalParity(
        images=len(rows),
        largest_difference=float(np.abs(exported - expected[rows]).max()),
        agreement=float((exported.argmax(axis=1) == expected[rows].argmax(axis=1)).mean()),
    )


def _pixels(file: Path) -> NDArray[np.uint8] | None:
    """An image at its own size, read as the model card says; None of one that is too large."""
    with file.open("rb") as opened, open_image(opened) as image:
        if image.width * image.height > MOST_PIXELS:
            return None
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def held_out(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """``rows``, or so many of them evenly spaced: a split lists class after class, so each keeps its share."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
