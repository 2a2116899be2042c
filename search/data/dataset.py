"""A folder of images, ready to search on: classes, splits, and pixels in a memory map."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...spaces.errors import DataError
from ..events import Listener, ignore
from ..paths import cache_root
from ..settings import DataSettings, SkippedFile
from .folder import Candidate, Layout, scan
from .images import Decoded, decode_all
from .split import FLAT_SHARES, VAL_SHARE, TooFewImagesError, split


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Images, labels and splits. Small to pickle: the pixels stay in their file.

    Attributes:
        path: As the user named it, or ``demo:<variant>``.
        classes: In the order of the labels, which is that of their names.
        size: Side of the images, pixels.
        files: Of each row, relative to the folder, with ``/`` between its parts.
        labels: ``(n,)``.
        train, val, test: Rows of each split, rising.
        skipped: Files that are in no split, and why.
        fingerprint: Hash of every image's content, class and split.
        images_digest: Hash of the pixels in the order of the rows; what a cache of activations depends on.
        images_file: ``.npy`` memory map ``(n, size, size, 3)`` uint8.
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
    images_file: Path

    def images(self) -> NDArray[np.uint8]:
        """The pixels ``(n, size, size, 3)``, read from disk as they are used."""
        images: NDArray[np.uint8] = np.load(self.images_file, mmap_mode="r", allow_pickle=False)
        return images

    def settings(self) -> DataSettings:
        """What a study records of it."""
        return DataSettings(
            path=self.path,
            fingerprint=self.fingerprint,
            classes=self.classes,
            train=len(self.train),
            val=len(self.val),
            test=len(self.test),
            train_per_class=self._counts(self.train),
            test_per_class=self._counts(self.test),
            skipped=self.skipped,
        )

    def _counts(self, rows: NDArray[np.int64]) -> tuple[int, ...]:
        return tuple(int(n) for n in np.bincount(self.labels[rows], minlength=len(self.classes)))


def open_folder(
    path: Path | str,
    *,
    size: int = 160,
    seed: int = 0,
    cache_dir: Path | None = None,
    processes: int | None = None,
    listener: Listener = ignore,
    name: str | None = None,
) -> Dataset:
    """Scans, decodes and splits a folder of images. Nothing in it is changed.

    Args:
        path: The folder; `folder` says which layouts are understood.
        size: Side that the images are squashed to, pixels.
        seed: Of the split, where the folder leaves one to be made.
        cache_dir: Folder of the caches; `paths.cache_root` says what else is tried.
        processes: That decode side by side; None for one a core.
        listener: Told how far decoding is.
        name: What reports call the data set, instead of ``path``.

    Raises:
        DataError: The folder cannot be searched on; the message names it and the remedy.
        OptionError: The cache folder cannot be written.
    """
    layout = scan(path)
    _check_labels(layout, layout.candidates, Path(path))
    cache = cache_root(cache_dir) / "images"
    decoded = decode_all(layout.root, layout.candidates, size, cache, processes, listener)
    images, skipped = _readable(layout, decoded)
    kept, dropped = _without_conflicts(images)
    kept_images = [images[row] for row in kept]
    classes = _check_labels(layout, [candidate for candidate, _ in kept_images], Path(path))
    number = {label: index for index, label in enumerate(classes)}
    labels = np.array([number.get(candidate.label, 0) for candidate, _ in images], np.int64)
    digests = [digest for _, digest in images]
    train, val, test = _split(layout, images, kept, labels, seed, classes, Path(path))
    named = zip(("train", "val", "test"), (train, val, test), strict=True)
    return Dataset(
        path=name or str(path),
        classes=classes,
        size=size,
        files=tuple(candidate.path for candidate, _ in images),
        labels=labels,
        train=train,
        val=val,
        test=test,
        skipped=tuple(sorted([*skipped, *dropped], key=lambda file: file.path)),
        fingerprint=_digest(
            sorted(f"{digests[row]} {images[row][0].label} {part}" for part, rows in named for row in rows)
        ),
        images_digest=_digest([str(size), *digests]),
        images_file=decoded.images_file,
    )


def _readable(layout: Layout, decoded: Decoded) -> tuple[list[tuple[Candidate, str]], list[SkippedFile]]:
    """The candidates that could be decoded, in the order of the rows, with their digests; and what was skipped."""
    images, skipped = [], list(layout.skipped)
    for candidate, digest, reason in zip(layout.candidates, decoded.digests, decoded.reasons, strict=True):
        if digest is not None:
            images.append((candidate, digest))
        else:
            skipped.append(SkippedFile(candidate.path, reason or "unreadable"))
    return images, skipped


def _without_conflicts(images: list[tuple[Candidate, str]]) -> tuple[list[int], list[SkippedFile]]:
    """Rows that may be used: a picture in two classes is in none, and one of a held-out split is not trained on."""
    rank = {"test": 0, "val": 1, "train": 2, "all": 2}
    labels: dict[str, set[str]] = {}
    first: dict[str, Candidate] = {}
    for candidate, digest in images:
        labels.setdefault(digest, set()).add(candidate.label)
        if digest not in first or rank[candidate.split] < rank[first[digest].split]:
            first[digest] = candidate
    kept, dropped = [], []
    for row, (candidate, digest) in enumerate(images):
        held = first[digest]
        if len(labels[digest]) > 1:
            others = ", ".join(sorted(labels[digest] - {candidate.label}))
            dropped.append(SkippedFile(candidate.path, f"same bytes as an image of class {others}"))
        elif rank[candidate.split] > rank[held.split]:
            dropped.append(SkippedFile(candidate.path, f"same bytes as {held.path}"))
        else:
            kept.append(row)
    return kept, dropped


def _check_labels(layout: Layout, candidates: Iterable[Candidate], path: Path) -> tuple[str, ...]:
    """The classes, in order.

    Raises:
        DataError: There are fewer than two, or a split lacks one that another split has.
    """
    by_split: dict[str, Counter[str]] = {split: Counter() for split in sorted(layout.splits)}
    for candidate in candidates:
        by_split[candidate.split][candidate.label] += 1
    classes = sorted(set().union(*by_split.values()))
    if len(classes) < 2:
        raise DataError(
            f"DATA must have at least two classes with readable images, got {len(classes)} in {path} "
            f"({', '.join(classes) or 'none'}). Each class is a folder of its own."
        )
    for split, counts in by_split.items():
        if missing := [label for label in classes if not counts[label]]:
            others = next(name for name, other in by_split.items() if other[missing[0]])
            raise DataError(
                f"each class must have images in every split, got class {missing[0]!r} in the {others} split of {path} "
                f"but not in its {split} split. Add some, or take the class away."
            )
    return tuple(classes)


def _split(
    layout: Layout,
    images: list[tuple[Candidate, str]],
    kept: list[int],
    labels: NDArray[np.int64],
    seed: int,
    classes: tuple[str, ...],
    path: Path,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows of training, validation and test."""
    parts = {
        name: np.array([row for row in kept if images[row][0].split == name], np.int64)
        for name in ("train", "val", "test", "all")
    }
    if "all" in layout.splits:
        val, test, train = _cut(parts["all"], images, labels, FLAT_SHARES, seed, classes, path)
        return train, val, test
    if "val" in layout.splits:
        return parts["train"], parts["val"], parts["test"]
    val, train = _cut(parts["train"], images, labels, (VAL_SHARE,), seed, classes, path)
    return train, val, parts["test"]


def _cut(
    rows: NDArray[np.int64],
    images: list[tuple[Candidate, str]],
    labels: NDArray[np.int64],
    shares: tuple[float, ...],
    seed: int,
    classes: tuple[str, ...],
    path: Path,
) -> list[NDArray[np.int64]]:
    try:
        parts = split([images[row][1] for row in rows], labels[rows], shares, seed)
    except TooFewImagesError as error:
        raise DataError(
            f"each class must have at least {error.needed} different images to be split, got {error.found} of class "
            f"{classes[error.label]!r} in {path}. Add some, or take the class away."
        ) from error
    return [rows[part] for part in parts]


def _digest(lines: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for line in lines:
        digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
    return digest.hexdigest()
