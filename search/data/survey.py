"""How large a data set is and how it would be split, told without opening a single image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np

from ..machine.paths import cache_root
from .checks import check_classes
from .dataset import SIZE, Dataset, Reading, read_as
from .folder import Layout
from .images import find_decoded
from .split import folds_of, split_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A data set as its files' names and sizes tell it: what cannot be read, and copies, are counted as if all were well.

    Attributes:
        layout: Its files.
        stand_in: The data set as far as it is known, for estimates: without pixels, and every label is 0.
        decoded: Images that an earlier run has decoded at this size.
        file_bytes: Of all images.
        pixel_bytes: That the decoded images take on disk.
    """

    layout: Layout
    stand_in: Dataset
    decoded: int
    file_bytes: int
    pixel_bytes: int

    @property
    def images(self) -> int:
        """Of all splits."""
        return len(self.layout.candidates)

    @property
    def to_decode(self) -> int:
        """Images that no earlier run has decoded."""
        return self.images - self.decoded

    @property
    def bytes_to_decode(self) -> int:
        """Bytes on disk that decoding will take."""
        return self.pixel_bytes * self.to_decode // max(self.images, 1)


def survey_folder(
    path: Path | str,
    *,
    cache_dir: Path | None = None,
    name: str | None = None,
    **reading: Unpack[Reading],
) -> Survey:
    """Looks at a data set; arguments as of `open_folder`.

    Raises:
        DataError: It cannot be searched on, as far as names tell.
        OptionError: It cannot be divided into so many folds.
    """
    found, size = read_as(path, reading), reading.get("size", SIZE)
    classes = check_classes(found, found.candidates, found.skipped)
    files = found.candidates
    # As if no two pictures were the same.
    names, rows = [file.group or file.path for file in files], range(len(files))
    divided = folds_of(found, files, names, rows, 0, reading.get("folds", 1))
    train, val, test = (np.arange(len(files)),) * 3 if divided else split_folder(found, files, names, rows, seed=0)
    stand_in = Dataset(
        path=name or str(path),
        classes=classes,
        size=size,
        files=(),
        labels=np.zeros(len(files), np.int64),
        train=train,
        val=val,
        test=test,
        skipped=found.skipped,
        fingerprint="",
        images_digest="",
        images_folder=Path(),
        folds=divided,
    )
    return Survey(
        layout=found,
        stand_in=stand_in,
        decoded=find_decoded(found.root, files, size, cache_root(cache_dir) / "images"),
        file_bytes=sum(file.size for file in files),
        pixel_bytes=len(files) * size * size * 3,
    )
