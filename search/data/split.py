"""Cuts a data set into training, validation and test images: stratified, seeded, and never one picture on two sides.

Pictures with the same bytes count as one: they always go to the same side. Which side depends on the seed and on the pictures'
contents alone, not on their names or the order in which they are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FLAT_SHARES = (0.15, 0.15)
"""Shares of validation and test where nothing is held out."""

VAL_SHARE = 0.2
"""Share of the training folder that becomes validation where only a test split is given."""


class TooFewImagesError(Exception):
    """A class has too few different images to split.

    Attributes:
        label: Number of the class.
        found: Different images that it has.
        needed: The least that it needs.
    """

    def __init__(self, label: int, found: int, needed: int) -> None:
        super().__init__(f"class {label} has {found} different images, at least {needed} are needed")
        self.label, self.found, self.needed = label, found, needed


def split(
    digests: Sequence[str], labels: NDArray[np.int64], shares: Sequence[float], seed: int
) -> list[NDArray[np.int64]]:
    """Rows of each held-out part, in the order of ``shares``, and last the rows of what remains.

    Args:
        digests: Of each image's bytes, ``n`` of them.
        labels: ``(n,)``.
        shares: Of each class that each held-out part gets, rounded to whole images, at least one.
        seed: Of the draw.

    Raises:
        TooFewImagesError: A class cannot give every part one image.
    """
    parts: list[list[int]] = [[] for _ in range(len(shares) + 1)]
    for label in np.unique(labels):
        groups = _groups(digests, np.flatnonzero(labels == label))
        if len(groups) < len(parts):
            raise TooFewImagesError(int(label), len(groups), len(parts))
        order = sorted(groups, key=lambda digest: hashlib.blake2b(f"{seed} {digest}".encode()).digest())
        images = sum(len(rows) for rows in groups.values())
        for part, share in enumerate(shares):
            wanted = max(1, round(share * images))
            taken = 0
            # Each later part, the remainder among them, keeps at least one picture.
            while taken < wanted and len(order) > len(shares) - part:
                rows = groups[order.pop(0)]
                parts[part].extend(rows)
                taken += len(rows)
        for digest in order:
            parts[-1].extend(groups[digest])
    return [np.array(sorted(part), np.int64) for part in parts]


def _groups(digests: Sequence[str], rows: NDArray[np.int64]) -> dict[str, list[int]]:
    """Rows by the bytes of their pictures."""
    groups: dict[str, list[int]] = {}
    for row in rows:
        groups.setdefault(digests[row], []).append(int(row))
    return groups
