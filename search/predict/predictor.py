"""Predictions with an exported model: of arrays, or of files and folders of images."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...spaces.errors import DataError, OptionError
from ..data.decode_pool import decode_file
from ..data.formats import unfit
from ..data.listing import entries
from ..machine.devices import cores
from .metadata import Metadata, read
from .runtimes import format_of, open_runtime

BATCH = 32
"""Images at a time: as many as fit a processor's cache at the early layers; more are no faster on a CPU."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a model says of one image.

    Attributes:
        path: Of the image, as it was named or found.
        label: The most probable class.
        probability: Of that class.
        probabilities: Of every class, ``(classes,)`` float32, in the order of the classes.
    """

    path: Path
    label: str
    probability: float
    probabilities: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that is no image or could not be read, and why, in a few plain words."""

    path: Path
    reason: str


class Predictor:
    """An exported model, ready to predict. It runs without the study that it came from.

    Args:
        path: A ``.keras``, ``.tflite`` or ``.onnx`` file or the folder of a SavedModel that `export_model` wrote.

    Attributes:
        metadata: What the model says of itself: see the package's `metadata` module.
        classes: Names, in the order of the probabilities.
        size: Side of the images that it takes, pixels.
        resizes: Whether it takes images of any size and squashes them itself.
        runtime: Name and version of what runs it.

    Raises:
        ModelError: The file is no export, is damaged, or holds code.
        OptionError: The format's runtime is not installed.

    Example::

        predictor = Predictor("pets.tflite")
        for prediction in predictor.predict_files(["photos/"]):
            print(prediction)
    """

    def __init__(self, path: Path | str) -> None:
        path = Path(path)
        form = format_of(path)
        if form == "saved-model":
            # A SavedModel is a program: one that does not say that it is an export is not even loaded.
            read(path, form, {})
        self._runtime = open_runtime(path, form)
        self.metadata: Metadata = read(path, form, self._runtime.properties)
        self.classes: tuple[str, ...] = tuple(self.metadata["classes"])
        self.size: int = self.metadata["input"]["size"]
        self.resizes = self.metadata["input"].get("resize") is True
        self._depth: int = self.metadata["input"].get("depth", 16)
        self.runtime = self._runtime.name

    def predict(self, images: NDArray[Any], *, batch_size: int = BATCH) -> NDArray[np.float32]:
        """Probabilities ``(n, classes)``.

        Args:
            images: ``(n, size, size, 3)``, or ``(n, height, width, 3)`` where the model resizes; RGB from 0 to 255, uint8 or
                float.
            batch_size: Images at a time.

        Raises:
            DataError: The images have another shape or type.
        """
        sides = images.shape[1:3]
        fitting = min(sides, default=0) > 0 if self.resizes else sides == (self.size, self.size)
        if images.ndim != 4 or not fitting or images.shape[3] != 3 or images.dtype.kind not in "uif":
            expected = "height, width" if self.resizes else f"{self.size}, {self.size}"
            raise DataError(
                f"images must be an array of numbers of shape (n, {expected}, 3), got {images.dtype} of shape {images.shape}."
            )
        if not len(images):
            return np.zeros((0, len(self.classes)), np.float32)
        parts = [self._runtime.predict(images[at : at + batch_size]) for at in range(0, len(images), batch_size)]
        return np.concatenate(parts)

    def predict_files(self, paths: Iterable[Path | str], *, batch_size: int = BATCH) -> Iterator[Prediction | Unreadable]:
        """A prediction for each image, in the order of ``paths``; folders are gone through with their subfolders.

        A file that is no image, or cannot be read, gives an `Unreadable` in its place. Memory does not grow with the number of
        images.

        Args:
            paths: Files of images, and folders.
            batch_size: Images at a time.

        Raises:
            OptionError: ``batch_size`` is below 1.
        """
        if batch_size < 1:
            raise OptionError(f"--batch-size must be at least 1, got {batch_size}.")
        return self._predict_files(list_images(paths), batch_size)

    def _predict_files(self, found: Iterator[Path | Unreadable], batch_size: int) -> Iterator[Prediction | Unreadable]:
        from concurrent.futures import ThreadPoolExecutor

        # Threads do: Pillow decodes outside of Python's lock.
        with ThreadPoolExecutor(cores()) as pool:
            while batch := list(islice(found, batch_size)):
                decoded = list(pool.map(self._decode, batch))
                images = [pixels for _, pixels in decoded if not isinstance(pixels, str)]
                probabilities = iter(self.predict(np.stack(images)) if images else ())
                for path, pixels in decoded:
                    if isinstance(pixels, str):
                        yield Unreadable(path, pixels)
                    else:
                        yield self._prediction(path, next(probabilities))

    def _decode(self, item: Path | Unreadable) -> tuple[Path, NDArray[np.uint8] | str]:
        """An image's path, and its pixels or why it cannot be read."""
        if isinstance(item, Unreadable):
            return item.path, item.reason
        # Also for a model that resizes: it leaves what is squashed already as it is, and a huge photograph costs no memory.
        result = decode_file(item, self.size, self._depth)
        return item, result if isinstance(result, str) else result.pixels

    def _prediction(self, path: Path, probabilities: NDArray[np.float32]) -> Prediction:
        best = int(probabilities.argmax())
        return Prediction(path, self.classes[best], float(probabilities[best]), probabilities)


def list_images(paths: Iterable[Path | str]) -> Iterator[Path | Unreadable]:
    """Files as they are named, folders as what is in them and in their subfolders, by name.

    Whatever in a folder is no image is an `Unreadable`, but what a search leaves out without a word: hidden files, and the
    thumbnails and bins of network drives.
    """
    for path in map(Path, paths):
        if path.is_dir():
            yield from _files_in(path)
        else:
            yield path if path.exists() else Unreadable(path, "no such file")


def _files_in(path: Path) -> Iterator[Path | Unreadable]:
    empty, folders = True, [path]
    while folders:
        folder = folders.pop()
        inner: list[Path] = []
        try:
            within = entries(folder)
        except OSError as error:
            within, empty = [], False
            yield Unreadable(folder, f"cannot be read ({error.strerror})")
        for entry in within:
            if entry.is_dir(follow_symlinks=False):
                inner.append(folder / entry.name)
            else:
                empty = False
                reason = _unfit(entry)
                yield Unreadable(folder / entry.name, reason) if reason else folder / entry.name
        folders += reversed(inner)
    if empty:
        yield Unreadable(path, "a folder without images")


def _unfit(entry: os.DirEntry[str]) -> str | None:
    """Why what lies in a folder is no image, as far as its name or its first bytes tell."""
    try:
        status = entry.stat()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if stat.S_ISDIR(status.st_mode):
        return "a link to a folder: name the folder itself"
    return unfit(entry.path, status.st_size) if stat.S_ISREG(status.st_mode) else "not a regular file"
