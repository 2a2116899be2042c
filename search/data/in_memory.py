"""Images in memory as a data set: squashed, checked, split and cached like those of a folder, by what is in them.

The rows are in the order of the images' digests, so that the same images in another order are the same data set.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NoReturn, TypedDict

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...spaces.errors import DataError, OptionError
from ..events import Listener, ignore
from ..machine.paths import atomic_write, cache_root, write_json
from ..machine.shards import map_shard
from ..settings import SkippedFile
from .checks import check_classes
from .colours import resizable, to_rgb
from .dataset import SIZE, Dataset, assemble
from .folder import Candidate, Layout
from .images import INDEX, SHARD_BYTES, Decoded, Index, open_images, pixels_file
from .labels import meanings
from .split import count_folds

NAME = "arrays"
"""What reports call the data set."""

VERSION = 1
"""Raised whenever other pixels come out for the same arrays: caches made before are then made anew."""

ROUNDING = 1e-3
"""How far floats may lie outside of their range: what resizing and half precision bring about."""


class ArrayOptions(TypedDict, total=False):
    """How images in memory are made a data set.

    Attributes:
        size: Side that the images are squashed to, pixels; 160 by default.
        seed: Of the split, where none is given; 0 by default.
        folds: As of `open_folder`.
        cache_dir: Folder of the caches, as of `open_folder`.
        name: What reports call the data set, instead of ``arrays``.
        listener: Receives the progress of looking for look-alikes.
    """

    size: int
    seed: int
    folds: int | Literal["auto"]
    cache_dir: Path | None
    name: str
    listener: Listener


@dataclass(frozen=True, slots=True)
class Picture:
    """An image: what reads it, its name, and what is said of it; an empty label, split or group says nothing."""

    read: Callable[[], Any]
    name: str
    label: str
    split: str
    group: str


class Scale:
    """Makes RGB uint8 of images, of all floats by the same scale."""

    def __init__(self) -> None:
        self._factor = 0.0

    def rgb(self, image: Any, name: str) -> NDArray[np.uint8]:
        """``(h, w, 3)``.

        Args:
            image: An array as `open_arrays` takes it, what NumPy makes one of, or an image of Pillow's.
            name: For errors.

        Raises:
            DataError: It is no such image.
        """
        values = np.asarray(_opaque(image) if isinstance(image, Image.Image) else image)
        if values.ndim == 2:
            values = values[..., None]
        if values.ndim != 3 or values.shape[2] not in (1, 3) or not values.size:
            raise DataError(
                f"images must have the shape (height, width, 3) or (height, width), got {np.shape(image)} for {name}. Put the "
                "channels last, and leave out all but red, green and blue."
            )
        if values.dtype.kind == "f":
            values = self._from_floats(values, name)
        elif values.dtype != np.uint8:
            raise DataError(
                f"images must be uint8 or float, got {values.dtype} for {name}. Where they hold 0 to 255, "
                'images.astype("uint8") does it.'
            )
        return np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:2], 3)))

    def _from_floats(self, values: NDArray[Any], name: str) -> NDArray[np.uint8]:
        low, high = float(values.min()), float(values.max())
        # Of NaN nothing is true.
        if not (low >= -ROUNDING and high <= 255 + ROUNDING):
            raise DataError(
                f"float images must be in [0, 1] or in [0, 255], got {low:g} to {high:g} for {name}. Undo what was done to "
                "them, such as a normalisation: it is part of the network."
            )
        if high > 0 and not self._factor:
            self._factor = 255.0 if high <= 1 + ROUNDING else 1.0
        if self._factor == 255 and high > 1 + ROUNDING:
            raise DataError(
                f"float images must be all in [0, 1] or all in [0, 255], got values up to 1 at first and {high:g} for {name}. "
                "Scale them alike, or make them uint8."
            )
        return np.clip(np.rint(values * self._factor), 0, 255).astype(np.uint8)


def squashed(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """``(size, size, 3)`` of ``(h, w, 3)``, by the filter that `decode` uses for files."""
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0))


def image_cache(options: ArrayOptions) -> tuple[int, Path]:
    """The size of the images and the folder where they are kept, made where there is none.

    Raises:
        OptionError: The size is below 1, or the folder cannot be written.
    """
    size = options.get("size", SIZE)
    if size < 1:
        raise OptionError(f"size must be at least 1, got {size}.")
    cache = cache_root(options.get("cache_dir")) / "images"
    cache.mkdir(exist_ok=True)
    return size, cache


def write_images(folder: Path, images: Iterator[NDArray[np.uint8]], size: int) -> None:
    """Writes an entry of the cache as `images` does; no more than a shard of it is in memory.

    Args:
        folder: Of the entry, made here.
        images: ``(size, size, 3)`` each.
        size: Pixels a side.

    Raises:
        DataError: The folder cannot be written, or its disk is full.
    """
    rows: list[int] = []
    count = max(1, SHARD_BYTES // (size * size * 3))
    try:
        folder.mkdir()
        while len(shard := np.fromiter(islice(images, count), np.dtype((np.uint8, (size, size, 3))))):
            with atomic_write(pixels_file(folder, len(rows))) as file:
                np.save(file, shard)
            rows.append(len(shard))
        write_json(folder / INDEX, Index(size, rows))
    except OSError as error:
        raise DataError(
            f"squashed images must be kept in {folder.parent}, but it cannot be written ({error.strerror or error}). Free some "
            "space, or name another folder with cache_dir."
        ) from error


def open_pictures(pictures: Sequence[Picture], scale: Scale, options: ArrayOptions) -> Dataset:
    """Makes a data set of pictures, each of which is read once, and again where the cache lacks them.

    Raises:
        DataError, OptionError: As of `arrays.open_arrays`.
    """
    began = time.monotonic()
    size, cache = image_cache(options)
    digests = {one.name: _digest(scale.rgb(one.read(), one.name)) for one in pictures if one.label}
    ordered = sorted(
        (one for one in pictures if one.label), key=lambda one: (digests[one.name], one.label, one.split, one.group, one.name)
    )
    own = tuple(digests[one.name] for one in ordered)
    splits, meaning = meanings({one.split: one.name for one in ordered} or {"": ""}, _fail)
    name = options.get("name") or NAME
    place = Path(name)
    layout = Layout(
        place,
        splits,
        tuple(Candidate(one.name, one.label, meaning[one.split], 0, 0, one.group) for one in ordered),
        tuple(SkippedFile(one.name, "no label") for one in pictures if not one.label),
        labels=place,
    )
    expected = check_classes(layout, layout.candidates, layout.skipped)
    count_folds(layout, len(ordered), options.get("folds", 1))
    folder = cache / hashlib.blake2b(json.dumps([NAME, VERSION, size, *own]).encode(), digest_size=16).hexdigest()
    if not _is_whole(folder, len(own), size):
        _write(folder, (squashed(scale.rgb(one.read(), one.name), size) for one in ordered), size)
    dataset = assemble(
        layout,
        Decoded(folder, own, own, (None,) * len(own), ("",) * len(own), 0),
        name,
        seed=options.get("seed", 0),
        expected=expected,
        decode_seconds=time.monotonic() - began,
        reading={"size": size, "folds": options.get("folds", 1)},
        listener=options.get("listener", ignore),
    )
    return dataclasses.replace(dataset, in_memory=True)


def _write(folder: Path, images: Iterator[NDArray[np.uint8]], size: int) -> None:
    """Writes an entry, which appears whole; another process may write the same one."""
    draft = folder.with_name(f".{folder.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        write_images(draft, images, size)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _is_whole(folder: Path, rows: int, size: int) -> bool:
    """Whether an entry has all of its pixels."""
    try:
        images = open_images(folder)
        for file, count in zip(images.files, images.counts, strict=True):
            map_shard(file, (count, size, size, 3), np.uint8)
    except (DataError, OSError, ValueError):
        return False
    return len(images) == rows


def _digest(pixels: NDArray[np.uint8]) -> str:
    return hashlib.blake2b(repr(pixels.shape).encode() + pixels.tobytes(), digest_size=16).hexdigest()


def _opaque(image: Image.Image) -> Image.Image:
    """In RGB, transparent parts white; as it is where its values are no bytes."""
    return image if image.mode.startswith(("I", "F")) else to_rgb(resizable(image), 16)


def _fail(rule: str, got: str) -> NoReturn:
    raise DataError(f"splits must {rule}, got {got}.")
