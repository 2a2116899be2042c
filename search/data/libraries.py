"""Data sets of TensorFlow and Hugging Face as a data set of ours. Neither library is imported: who has a data set has it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from ...spaces.errors import DataError, OptionError
from ..machine.shards import Shards
from .arrays import list_pictures
from .dataset import Dataset
from .images import open_images
from .in_memory import ArrayOptions, Picture, Scale, image_cache, open_pictures, squashed, write_images
from .table import COLUMNS


def open_dataset(
    dataset: Any,
    *,
    image: str | None = None,
    label: str | None = None,
    group: str | None = None,
    classes: Sequence[str] | None = None,
    **options: Unpack[ArrayOptions],
) -> Dataset:
    """Makes a data set of one of TensorFlow's or Hugging Face's, or of one for each split.

    Args:
        dataset: A finite ``tf.data.Dataset`` of pairs of image and label, batched or not, which is read once, in any order; a
            ``datasets.Dataset``; or a mapping of names of splits to either, such as a ``datasets.DatasetDict``. What holds for
            the images and labels of `open_arrays` holds for theirs.
        image: Column of the images of a ``datasets.Dataset``; None for its only one of type ``Image``.
        label: Column of the labels; None for its only one of type ``ClassLabel`` or, without one, by the usual names.
        group: Column of what never parts; None for none.
        classes: As of `open_arrays`; None for those that the data set names, as ``ClassLabel`` and
            ``keras.utils.image_dataset_from_directory`` do.
        **options: See `ArrayOptions`.

    Raises:
        DataError: It cannot be searched on.
        OptionError: It is no such data set, a column is not there or not told, or as of `open_arrays`.
    """
    size, cache = image_cache(options)
    scale = Scale()
    pictures: list[Picture] = []
    # Not only in memory: a data set that is read from disk may be larger.
    with tempfile.TemporaryDirectory(prefix=".spool-", dir=cache, ignore_cleanup_errors=True) as spool:
        for split, part in (dataset if isinstance(dataset, Mapping) else {"": dataset}).items():
            if hasattr(part, "as_numpy_iterator"):
                reads, labels = _spooled(part, scale, size, Path(spool) / str(len(pictures)))
                named, groups = getattr(part, "class_names", None), None
            elif hasattr(part, "features") and hasattr(part, "__len__"):
                rows = part.with_format(None)
                place = _column(rows, "label", label, "ClassLabel", COLUMNS["label"])
                column = _column(rows, "image", image, "Image", ())
                reads = [partial(_cell, rows, column, row) for row in range(len(rows))]
                labels, named = [*rows[place]], getattr(rows.features[place], "names", None)
                groups = None if group is None else [*rows[_column(rows, "group", group, "", ())]]
            else:
                raise OptionError(
                    "open_dataset takes a tf.data.Dataset, a datasets.Dataset, or a mapping of splits to such, got "
                    f"{type(part).__name__}. open_arrays takes arrays."
                )
            named = named if classes is None else classes
            words = [str(split)] * len(reads)
            pictures += list_pictures(reads, labels, named, groups, words, len(pictures))
        return open_pictures(pictures, scale, options)


def _cell(rows: Any, column: str, row: int) -> Any:
    return rows[row][column]


def _row(images: Shards, row: int) -> Any:
    return images[row : row + 1][0]


def _column(rows: Any, what: str, asked: str | None, kind: str, usual: Sequence[str]) -> str:
    """The column that was asked for or, if none was, the only one of a kind or of a usual name."""
    found = [name for name, feature in rows.features.items() if type(feature).__name__ == kind]
    found = found or [name for name in usual if name in rows.features][:1]
    if asked is not None:
        found = [name for name in rows.features if name == asked]
    if len(found) != 1:
        raise OptionError(
            f"{what} must be the name of a column of the data set, got {asked}. It has {', '.join(rows.features)}."
        )
    return found[0]


def _spooled(dataset: Any, scale: Scale, size: int, folder: Path) -> tuple[list[partial[Any]], list[Any]]:
    """Images and labels of a ``tf.data.Dataset``, in the order in which it gave them, which may be another the next time."""
    if dataset.cardinality() == -1:
        raise DataError("a tf.data.Dataset must be finite, got one that repeats for ever. Leave its repeat() out.")
    labels: list[Any] = []

    def images() -> Iterator[NDArray[np.uint8]]:
        for image, label in _pairs(dataset):
            labels.append(label)
            yield squashed(scale.rgb(image, f"element {len(labels) - 1}"), size)

    write_images(folder, images(), size)
    spooled = open_images(folder)
    return [partial(_row, spooled, row) for row in range(len(labels))], labels


def _pairs(dataset: Any) -> Iterator[tuple[Any, Any]]:
    for element in dataset.as_numpy_iterator():
        if not isinstance(element, tuple) or len(element) != 2:
            raise DataError(
                f"a tf.data.Dataset must give pairs (image, label), got {type(element).__name__}. Bring its elements into this "
                "form with map()."
            )
        image, label = element
        # Grey images in batches are told from a single image in colour by its channels.
        if np.ndim(image) == 4 or (np.ndim(image) == 3 and np.shape(image)[-1] not in (1, 3)):
            yield from zip(image, label, strict=True)
        else:
            yield image, label
