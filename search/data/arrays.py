"""Arrays as a data set, and what arrays of labels, groups and splits say."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import partial
from operator import getitem
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from ...spaces.errors import DataError
from .dataset import Dataset
from .in_memory import ArrayOptions, Picture, Scale, open_pictures
from .table import MISSING


def open_arrays(
    images: Sequence[Any] | NDArray[Any],
    labels: Sequence[Any] | NDArray[Any],
    *,
    classes: Sequence[str] | None = None,
    groups: Sequence[Any] | NDArray[Any] | None = None,
    splits: Sequence[str] | NDArray[Any] | None = None,
    **options: Unpack[ArrayOptions],
) -> Dataset:
    """Makes a data set of arrays. Their pixels are squashed into the cache once; the arrays are not needed afterwards.

    Args:
        images: ``(n, h, w, 3)`` RGB or ``(n, h, w)`` grey, or a list of ``(h, w, 3)`` and ``(h, w)`` of any sizes; uint8, or
            float in [0, 1] or [0, 255]. Floats are in [0, 1] if the first image that is not black has no value above 1.
        labels: ``(n,)`` names or whole numbers, or ``(n, classes)`` one-hot. An image whose label is below 0, NaN, None or one
            of `table.MISSING` is left out.
        classes: Their names, by number; without them numbers are the names. A `Dataset` has them in the order of the names.
        groups: ``(n,)``: what never parts, such as a patient. None, NaN or empty where an image is a group of its own.
        splits: ``(n,)`` words such as ``train``, ``val`` and ``test``, which mean what the names of folders do; None to draw
            the splits.
        **options: See `ArrayOptions`.

    Raises:
        DataError: They cannot be searched on; the message names the first image that is wrong, and the remedy.
        OptionError: The cache folder cannot be written, ``size`` is below 1, or ``folds`` out of bounds.
    """
    reads = [partial(getitem, images, row) for row in range(len(images))]
    return open_pictures(list_pictures(reads, labels, classes, groups, splits), Scale(), options)


def list_pictures(
    reads: Sequence[Callable[[], Any]],
    labels: Sequence[Any] | NDArray[Any],
    classes: Sequence[str] | None,
    groups: Sequence[Any] | NDArray[Any] | None,
    splits: Sequence[str] | NDArray[Any] | None,
    first: int = 0,
) -> list[Picture]:
    """The pictures, none of which is read yet.

    Args:
        reads: What reads each image.
        labels: One for each image.
        classes: Their names by number, or None.
        groups: One for each image, or None.
        splits: One for each image, or None.
        first: Number of the first picture, which its name tells.

    Raises:
        DataError: There are more or fewer labels, groups or splits than images, or some are no such thing.
    """
    count = len(reads)
    for what, values in (("labels", labels), ("groups", groups), ("splits", splits)):
        if values is not None and len(values) != count:
            raise DataError(f"{what} must be one for each image, got {len(values):,} for {count:,} images.")
    names = _names(labels, classes)
    owners = [""] * count if groups is None else [_said(group) for group in groups]
    words = [""] * count if splits is None else [_text(word).strip().lower() for word in splits]
    return [Picture(read, f"array/{first + row:06}", names[row], words[row], owners[row]) for row, read in enumerate(reads)]


def _names(labels: Sequence[Any] | NDArray[Any], classes: Sequence[str] | None) -> list[str]:
    """The class of each label; empty where there is none."""
    try:
        values = np.asarray(labels)
    except ValueError:
        # Lists of different lengths.
        values = np.empty((len(labels), 0))
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2 and np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all():
        values = values.argmax(axis=1)
    if values.ndim != 1:
        raise DataError(
            f"labels must be one class for each image, (n,) or one-hot (n, classes), got the shape {values.shape}: several "
            "labels of an image are not supported."
        )
    return [_name(value, classes, row) for row, value in enumerate(values.tolist())]


def _name(value: Any, classes: Sequence[str] | None, row: int) -> str:
    if isinstance(value, int | float):
        if value != value or value < 0:
            return ""
        if not float(value).is_integer():
            raise DataError(f"labels must be names or whole numbers, got {value:g} for image {row}.")
        if classes is None:
            return str(int(value))
        if value < len(classes):
            return _composed(classes[int(value)])
    elif (name := _said(value)) == "" or classes is None or name in map(_composed, classes):
        return name
    assert classes is not None
    raise DataError(f"labels must be among classes, which has {len(classes):,}, got {value!r} for image {row}.")


def _said(value: Any) -> str:
    """A name, without space around it; empty where it says that there is none."""
    name = _composed(_text(value))
    return "" if name.lower() in MISSING else name


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip())


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
