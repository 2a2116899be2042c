"""What a folder must hold to be searched on, and which of its images may not be used though they can be read."""

from __future__ import annotations

import dataclasses
import shlex
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from ...spaces.errors import DataError, OptionError
from ..settings import SkippedFile
from .folder import Candidate, Layout, printable, summary
from .hints import probably_meant
from .spellings import composed
from .splits import Split

_SHOWN, _LISTED = 4, 30
"""Classes that an error names: of those that something is wrong with, and of those that there are."""

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
        DataError: There are fewer than two classes, or a split has no image of some of them.
    """
    classes = sorted({file.label for file in files} | set(expected) | layout.unread)
    if len(classes) < 2:
        if layout.labels:
            remedy = "The labels name the class of each image."
        elif layout.label_from_name is not None:
            remedy = f"--label-from-name {layout.label_from_name} finds the class of each image in its name."
        else:
            source: Split = "train" if "train" in layout.splits else "all"
            hint = probably_meant(Path(layout.place(source, classes[0]))) if classes else ""
            remedy = hint or "Each class is a folder of its own; name the folder that holds them."
        raise DataError(
            f"DATA must have at least two classes with images in them, got {len(classes)} in {layout.labels or layout.root} "
            f"({', '.join(classes)}){_why(skipped)}. {remedy}"
        )
    images = Counter((file.label, file.split) for file in files)
    lacking: dict[Split, list[str]] = {}
    for split in layout.splits:
        if missing := [label for label in classes if not images[label, split]]:
            lacking[split] = missing
    if lacking:
        got = "; ".join(_lacking(layout, split, missing, images, skipped) for split, missing in lacking.items())
        without = [*dict.fromkeys(label for missing in lacking.values() for label in missing)]
        options = [f"--skip-class {shlex.quote(label)}" for label in without[:_SHOWN]]
        raise DataError(
            f"each class must have images in every split, got no usable image of {got}. Add some, or go on without "
            f"{'it' if len(without) == 1 else 'them'}: {' '.join(options)}{' …' if len(without) > _SHOWN else ''}"
        )
    return tuple(classes)


def without_classes(layout: Layout, names: Collection[str]) -> Layout:
    """The layout without some of its classes, whose files are listed as skipped.

    Raises:
        OptionError: It has no such class.
    """
    if not names:
        return layout
    known = sorted({file.label for file in layout.candidates} | layout.unread)
    unwanted = {composed(name) for name in names}
    if unknown := sorted(unwanted.difference(known)):
        more = f" and {len(known) - _LISTED:,} more" if len(known) > _LISTED else ""
        raise OptionError(
            f"--skip-class must name a class of DATA, got {', '.join(unknown)}. "
            f"Its classes are {', '.join(known[:_LISTED])}{more}."
        )
    left_out = [
        SkippedFile(printable(file.path), f"of class {file.label}: --skip-class leaves it out")
        for file in layout.candidates
        if file.label in unwanted
    ]
    return dataclasses.replace(
        layout,
        candidates=tuple(file for file in layout.candidates if file.label not in unwanted),
        skipped=tuple(sorted([*layout.skipped, *left_out], key=lambda file: file.path)),
        unread=layout.unread - unwanted,
    )


def _lacking(
    layout: Layout,
    split: Split,
    labels: Sequence[str],
    images: Counter[tuple[str, Split]],
    skipped: Sequence[SkippedFile],
) -> str:
    """Which classes a split has no image of, how many the other splits have, and why, in words."""
    named = []
    for label in labels[:_SHOWN]:
        folder = layout.place(split, label)
        inside = [file for file in skipped if layout.labels or (layout.root / file.path).is_relative_to(folder)]
        known = [f"{images[label, other]:,} in {SPLIT_WORDS[other]}" for other in layout.splits if images[label, other]]
        told = "; ".join(filter(None, [", ".join(known), summary(inside)]))
        named.append((f"{label!r}", f" ({told})" if told else ""))
    if len(labels) == 1:
        return f"class {named[0][0]} in {layout.place(split, labels[0])}{named[0][1]}"
    more = f" and {len(labels) - _SHOWN:,} more" if len(labels) > _SHOWN else ""
    return f"{len(labels):,} classes in {layout.place(split)}: {', '.join(name + told for name, told in named)}{more}"


def _why(skipped: Sequence[SkippedFile]) -> str:
    return f" ({summary(skipped)})" if skipped else ""
