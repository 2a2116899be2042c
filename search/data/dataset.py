"""A folder of images, ready to search on: classes, splits, and pixels in a memory map."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Unpack, cast

import numpy as np
from numpy.typing import NDArray

from ...spaces.errors import OptionError
from ..events import Listener, ignore
from ..machine.paths import cache_root
from ..machine.shards import Shards
from ..settings import DataSettings, LayoutOptions, SkippedFile, TiedImages
from .checks import check_classes, excluded_rows, without_classes
from .decode import VERSION
from .folder import Candidate, Layout, printable
from .groups import alike, check_parted, draw, grouped, likely_pairs
from .images import Decoded, decode_all, open_images
from .labels import read_layout
from .split import Fold, count_folds

SIZE = 160
"""Side of the images, pixels, unless another one is asked for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Images, labels and splits. Small to pickle: the pixels stay in their file.

    Where it is divided into folds, `fold` gives the splits of each. Its own are those of a model that is trained when all is
    tested: every image is in ``train`` and in ``test``, and some of them are in ``val`` too.

    Attributes:
        path: As the user named it, ``demo:<variant>``, or ``arrays`` for images in memory.
        classes: In the order of the labels, which is that of their names.
        size: Side of the images, pixels.
        files: Of each row, relative to the folder, with ``/`` between its parts. A row may be in no split: see ``skipped``.
        labels: ``(n,)``.
        train, val, test: Rows of each split, rising.
        skipped: Files that are in no split, and why, in the order of their paths.
        fingerprint: Hash of every image's content, class and split.
        images_digest: Hash of the pixels in the order of the rows; what a cache of activations depends on.
        images_folder: Of the decoded images; see `images.open_images`.
        decode_seconds: Wall time of decoding, or of finding that it was done before.
        labels_file: The CSV file that named the images, as the user named it; empty where class folders did.
        folds: Each image is in the ``test`` of one of them; none where there is one split.
        drawn: Whether the splits were drawn, not given.
        groups: Number of each row's group, ``(n,)``: those of one group show the same, or were said to belong together.
        layout_options: How its files were said to be understood.
        remarks: What should be known of how they were understood, in sentences.
        in_memory: Whether it was made of arrays: ``files`` are then their names, and ``path`` leads nowhere.
    """

    path: str
    classes: tuple[str, ...]
    size: int
    files: tuple[str, ...]
    labels: NDArray[np.int64]
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]
    skipped: tuple[SkippedFile, ...]
    fingerprint: str
    images_digest: str
    images_folder: Path
    decode_seconds: float = 0.0
    labels_file: str = ""
    folds: tuple[Fold, ...] = ()
    drawn: bool = False
    groups: NDArray[np.int64] | None = None
    layout_options: LayoutOptions = dataclasses.field(default_factory=LayoutOptions)
    remarks: tuple[str, ...] = ()
    in_memory: bool = False

    def fold(self, number: int) -> Dataset:
        """The data set with the splits of one fold, from 0; itself where it has none."""
        if not self.folds:
            return self
        own = self.folds[number]
        return dataclasses.replace(self, train=own.train, val=own.val, test=own.test, folds=())

    def images(self) -> Shards:
        """The pixels ``(n, size, size, 3)`` uint8, read from disk as they are used."""
        return self._images

    @cached_property
    def _images(self) -> Shards:
        return open_images(self.images_folder)

    def without_names(self) -> Dataset:
        """The same without what training does without, such as names of files: a hundred bytes an image, in every worker."""
        return dataclasses.replace(self, files=(), skipped=(), groups=None)

    def tied_images(self) -> TiedImages | None:
        """Which test images belong together, and which have a look-alike in training; None where each is by itself."""
        if self.groups is None:
            return None
        trained = set() if self.folds else {*self.groups[self.train].tolist(), *self.groups[self.val].tolist()}
        numbers = self.groups[self.test].tolist()
        seen = tuple(place for place, number in enumerate(numbers) if number in trained)
        return TiedImages(tuple(numbers), seen) if seen or len(set(numbers)) < len(numbers) else None

    def settings(self) -> DataSettings:
        """What a study records of it: of folds, the first one's training and validation images."""
        first = self.fold(0)
        return DataSettings(
            path=self.path,
            labels=self.labels_file,
            fingerprint=self.fingerprint,
            classes=self.classes,
            train=len(first.train),
            val=len(first.val),
            test=len(self.test),
            train_per_class=self._counts(first.train),
            test_per_class=self._counts(self.test),
            skipped=self.skipped,
            folds=len(self.folds) or 1,
            drawn=self.drawn,
            layout_options=self.layout_options,
            lookalikes=self.layout_options.get("group_by") != "none",
            remarks=self.remarks,
            in_memory=self.in_memory,
        )

    def _counts(self, rows: NDArray[np.int64]) -> tuple[int, ...]:
        return tuple(int(n) for n in np.bincount(self.labels[rows], minlength=len(self.classes)))


class Reading(LayoutOptions, total=False):
    """How a folder is read.

    Attributes:
        size: Side that the images are squashed to, pixels; 160 by default.
        labels: CSV file that names the images, their classes and, optionally, their splits: see `labels`. None, the default,
            for class folders.
        folds: Into how many folds images that have no splits are divided, each of which is searched and tested by itself;
            1, the default, for one split, ``auto`` for `split.FOLDS` where its test images would be few.
    """

    size: int
    labels: Path | str | None
    folds: int | Literal["auto"]


def read_as(path: Path | str, reading: Reading) -> Layout:
    """The layout of a folder that is read as ``reading`` says.

    Raises:
        DataError, OptionError: As of `read_layout`, `grouped` and `without_classes`.
    """
    if reading.get("labels") and reading.get("label_from_name"):
        raise OptionError("--label-from-name reads classes off files' names, got --labels too. Leave one of them out.")
    found = grouped(read_layout(path, reading.get("labels"), **_layout_options(reading)), reading.get("group_by", ""))
    return without_classes(found, reading.get("skip_class", ()))


def _layout_options(reading: Reading) -> LayoutOptions:
    """Those that say something."""
    said = {name: reading.get(name) for name in LayoutOptions.__annotations__}
    return cast(LayoutOptions, {name: value for name, value in said.items() if value and value != "auto"})


def open_folder(
    path: Path | str,
    *,
    seed: int = 0,
    cache_dir: Path | None = None,
    processes: int | None = None,
    listener: Listener = ignore,
    name: str | None = None,
    **reading: Unpack[Reading],
) -> Dataset:
    """Scans, decodes and splits a folder of images. Nothing in it is changed.

    Args:
        path: The folder; `folder` says which layouts are understood.
        seed: Of the split, where the folder leaves one to be made.
        cache_dir: Folder of the caches; `paths.cache_root` says what else is tried.
        processes: That decode in parallel; None for one a core, 0 to decode in this process.
        listener: Receives the progress of decoding.
        name: What reports call the data set, instead of ``path``.
        **reading: See `Reading` and `LayoutOptions`.

    Raises:
        DataError: The folder cannot be searched on; the message names it and the remedy.
        OptionError: The cache folder cannot be written, ``size`` is below 1, ``processes`` below 0, or ``folds`` out of bounds
            or of a folder that has splits.
    """
    size = reading.get("size", SIZE)
    for option, value, least in (("--size", size, 1), ("processes", processes, 0)):
        if value is not None and value < least:
            raise OptionError(f"{option} must be at least {least}, got {value}.")
    layout = read_as(path, reading)
    expected = check_classes(layout, layout.candidates, layout.skipped)
    count_folds(layout, len(layout.candidates), reading.get("folds", 1))
    cache = cache_root(cache_dir) / "images"
    began = time.monotonic()
    decoded = decode_all(layout.root, layout.candidates, size, cache, processes, listener)
    seconds = time.monotonic() - began
    what = name or str(path)
    return assemble(
        layout, decoded, what, seed=seed, expected=expected, decode_seconds=seconds, reading=reading, listener=listener
    )


def assemble(
    layout: Layout,
    decoded: Decoded,
    path: str,
    *,
    seed: int,
    expected: Collection[str],
    decode_seconds: float,
    reading: Reading,
    listener: Listener = ignore,
) -> Dataset:
    """The data set of decoded images, checked and split.

    Args:
        layout: That named them.
        decoded: Its candidates.
        path: What reports call the data set.
        seed: Of the split.
        expected: Classes that must still be there.
        decode_seconds: Wall time of decoding.
        reading: How they were read.
        listener: Receives the progress of looking for look-alikes.

    Raises:
        DataError, OptionError: As of `open_folder`.
    """
    labels = reading.get("labels")
    fates = list(zip(layout.candidates, decoded.digests, decoded.reasons, strict=True))
    skipped = [*layout.skipped, *(_skip(file, reason) for file, _, reason in fates if reason is not None)]
    files = [file for file, digest, _ in fates if digest is not None]
    digests = [digest for _, digest, _ in fates if digest is not None]
    pixels = [digest for digest in decoded.pixels if digest is not None]
    reasons = excluded_rows(files, pixels)
    skipped += (_skip(files[row], reason) for row, reason in reasons.items())
    skipped.sort(key=lambda file: file.path)
    usable = [row for row in range(len(files)) if row not in reasons]
    classes = check_classes(layout, [files[row] for row in usable], skipped, expected)

    number = {label: place for place, label in enumerate(classes)}
    labels_of = np.array([number[file.label] for file in files], np.int64)
    options = _layout_options(reading)
    check_parted(layout, [files[row] for row in usable])
    known = [*alike(pixels), *alike([file.group for file in files])]
    ties = known, likely_pairs(decoded.folder, files, options, listener)
    folds, (train, val, test), groups, remarks = draw(
        layout, files, digests, ties, usable, seed=seed, folds=reading.get("folds", 1)
    )
    parts = {f"fold {place}": fold.test for place, fold in enumerate(folds)} or {"train": train, "val": val, "test": test}
    return Dataset(
        path=path,
        classes=classes,
        size=reading.get("size", SIZE),
        files=tuple(file.path for file in files),
        labels=labels_of,
        train=train,
        val=val,
        test=test,
        skipped=tuple(skipped),
        fingerprint=_digest(sorted([digests[row], files[row].label, part] for part, rows in parts.items() for row in rows)),
        images_digest=_digest([VERSION, reading.get("size", SIZE), *digests]),
        images_folder=decoded.folder,
        decode_seconds=decode_seconds,
        labels_file="" if labels is None else str(labels),
        folds=folds,
        drawn="all" in layout.splits,
        groups=groups,
        layout_options=options,
        remarks=(*layout.remarks, *remarks),
    )


def _skip(file: Candidate, reason: str) -> SkippedFile:
    return SkippedFile(printable(file.path), reason)


def _digest(values: Iterable[object]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for value in values:
        digest.update(json.dumps(value).encode() + b"\n")
    return digest.hexdigest()
