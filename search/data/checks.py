"""What a folder must hold to be searched on, and which of its images may not be used though they can be read."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ...spaces.errors import DataError
from ..settings import SkippedFile
from .folder import Candidate, Layout, summary
from .splits import Split

_RANK: dict[Split, int] = {"test": 0, "val": 1, "train": 2, "all": 2}
"""Where a picture is in several splits, it stays in the first of these."""

SPLIT_WORDS: dict[Split, str] = {"test": "test", "val": "validation", "train": "training", "all": "training"}


def excluded_rows(files: Sequence[Candidate], digests: Sequence[str]) -> dict[int, str]:
    """Rows that may not be used, and why.

    A picture in two classes is taken from both, since one of the labels is wrong. A picture in two given splits stays in the
    test split or, where it is not there, in validation: what is trained on must not be what is measured on.

    Args:
        files: Of each row.
        digests: Of each row's pixels.
    """
    labels: dict[str, set[str]] = {}
    home: dict[str, Candidate] = {}
    for file, digest in zip(files, digests, strict=True):
        labels.setdefault(digest, set()).add(file.label)
        if digest not in home or _RANK[file.split] < _RANK[home[digest].split]:
            home[digest] = file
    reasons: dict[int, str] = {}
    for row, (file, digest) in enumerate(zip(files, digests, strict=True)):
        others, kept = sorted(labels[digest] - {file.label}), home[digest]
        if others:
            reasons[row] = f"the same picture as an image of class {', '.join(others)}"
        elif _RANK[file.split] > _RANK[kept.split]:
            reasons[row] = f"the same picture as {SPLIT_WORDS[kept.split]} image {kept.path}"
    return reasons


def check_classes(
    layout: Layout, files: Sequence[Candidate], skipped: Sequence[SkippedFile], expected: Collection[str] = ()
) -> tuple[str, ...]:
    """The classes, in order.

    Args:
        layout: Of the folder.
        files: That can be used.
        skipped: That cannot, to tell why a class is missing.
        expected: Classes that must still be there, beside those that the folder has none but unread images of.

    Raises:
        DataError: There are fewer than two classes, or a split has no image of one of them.
    """
    classes = sorted({file.label for file in files} | set(expected) | layout.unread)
    if len(classes) < 2:
        remedy = "Each class is a folder of its own; name the folder that holds them."
        if layout.labels:
            remedy = "The column label names the class of each image."
        raise DataError(
            f"DATA must have at least two classes with images in them, got {len(classes)} in {layout.labels or layout.root} "
            f"({', '.join(classes)}){_why(skipped)}. {remedy}"
        )
    present = {(file.split, file.label) for file in files}
    for split in layout.splits:
        for label in classes:
            if (split, label) not in present:
                folder = layout.place(split, label)
                inside = [file for file in skipped if layout.labels or (layout.root / file.path).is_relative_to(folder)]
                raise DataError(
                    f"each class must have images in every split, got no usable image of class {label!r} in {folder}"
                    f"{_why(inside)}. Add some, or take the class away from all splits."
                )
    return tuple(classes)


def _why(skipped: Sequence[SkippedFile]) -> str:
    return f" ({summary(skipped)})" if skipped else ""
