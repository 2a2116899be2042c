"""Reads how a folder of images is laid out: its splits, its classes, its files. Opens none of them.

The layouts that are understood, names of the split folders in any case:

- class folders directly: ``photos/cats/…``, ``photos/dogs/…``
- ``train`` (or ``training``, ``training_set``) and one held-out folder, ``test`` (``test_set``, ``testing``) or ``val``
  (``validation``, ``valid``): the held-out folder is the test split
- all three: used as they are
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...spaces.errors import DataError
from ..settings import SkippedFile

Split = Literal["train", "val", "test", "all"]

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".gif", ".webp"})
"""Of the files that are opened; any other is listed as skipped."""

_SPLIT_NAMES: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "training_set"), "train"),
    **dict.fromkeys(("val", "validation", "valid", "validation_set"), "val"),
    **dict.fromkeys(("test", "testing", "test_set"), "test"),
}
_CLUTTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be an image.

    Attributes:
        path: Relative to the data folder, with ``/`` between its parts.
        label: Name of its class.
        split: The split whose folder it is in; ``all`` where class folders lie directly in the data folder.
        size: Bytes.
        modified: Nanoseconds.
    """

    path: str
    label: str
    split: Split
    size: int
    modified: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What a folder holds.

    Attributes:
        root: The data folder.
        candidates: In the order of their paths.
        skipped: Files that are no candidates, and why.
    """

    root: Path
    candidates: tuple[Candidate, ...]
    skipped: tuple[SkippedFile, ...]

    @property
    def splits(self) -> frozenset[Split]:
        """The splits that have a folder of their own."""
        return frozenset(candidate.split for candidate in self.candidates)


def scan(folder: Path | str) -> Layout:
    """The layout of ``folder``.

    Raises:
        DataError: There is no such folder, or it holds no images in class folders.
    """
    root = Path(folder).expanduser()
    if not root.exists():
        raise DataError(f"DATA must be a folder of images, got {folder} (no such folder). Check the path.")
    if not root.is_dir():
        raise DataError(f"DATA must be a folder of images, got {folder} (a file). Name the folder that holds it.")
    candidates: list[Candidate] = []
    skipped: list[SkippedFile] = []
    try:
        splits = _split_folders(root)
        for split, base in splits:
            _scan_split(root, base, split, candidates, skipped)
        if "all" not in dict(splits):
            inside = {base.name for _, base in splits}
            for entry in _entries(root):
                if entry.name not in inside:
                    reason = "beside the split folders" if entry.is_dir() else "not in a class folder"
                    skipped.append(SkippedFile(entry.name, reason))
    except PermissionError as error:
        raise DataError(f"DATA must be readable, got {error.filename} (permission denied).") from error
    if not candidates:
        found = f"{len(skipped)} other files" if skipped else "nothing"
        raise DataError(
            f"DATA must hold class folders with images in them ({', '.join(sorted(SUFFIXES))}), got {folder} with {found}. "
            f"Put the images of each class into a folder of its own: {Path(folder).name}/cats/…, {Path(folder).name}/dogs/…"
        )
    key = _by_path
    return Layout(root, tuple(sorted(candidates, key=key)), tuple(sorted(skipped, key=key)))


def _by_path(item: Candidate | SkippedFile) -> str:
    return item.path


def _split_folders(root: Path) -> list[tuple[Split, Path]]:
    found: dict[Split, Path] = {}
    for entry in _entries(root):
        split = _SPLIT_NAMES.get(entry.name.lower())
        if split is None or not entry.is_dir():
            continue
        if split in found:
            raise DataError(
                f"DATA must have one {split} folder, got {found[split].name} and {entry.name} in {root}. Rename one of them."
            )
        found[split] = Path(entry.path)
    if "train" not in found:
        # Without a train folder, one called "test" or "val" is a class like any other.
        return [("all", root)]
    if len(found) == 1:
        return [("all", found["train"])]
    if "test" not in found:
        found["test"] = found.pop("val")
    return list(found.items())


def _scan_split(
    root: Path, base: Path, split: Split, candidates: list[Candidate], skipped: list[SkippedFile]
) -> None:
    prefix = base.relative_to(root).as_posix()
    prefix = "" if prefix == "." else f"{prefix}/"
    for entry in _entries(base):
        if not entry.is_dir():
            skipped.append(SkippedFile(prefix + entry.name, "not in a class folder"))
            continue
        for relative, status in _walk(root, Path(entry.path), f"{prefix}{entry.name}", skipped):
            if Path(relative).suffix.lower() not in SUFFIXES:
                skipped.append(SkippedFile(relative, "not an image file"))
            elif status.st_size == 0:
                skipped.append(SkippedFile(relative, "empty file"))
            else:
                candidates.append(Candidate(relative, entry.name, split, status.st_size, status.st_mtime_ns))


def _walk(root: Path, top: Path, name: str, skipped: list[SkippedFile]) -> Iterator[tuple[str, os.stat_result]]:
    """Regular files below ``top``. Links are followed within ``root`` only, each real folder once."""
    inside = root.resolve()
    seen = {os.path.realpath(top)}
    stack = [(top, name)]
    while stack:
        folder, prefix = stack.pop()
        for entry in _entries(folder):
            relative = f"{prefix}/{entry.name}"
            if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(inside):
                skipped.append(SkippedFile(relative, "a link that leaves the folder"))
                continue
            try:
                status = entry.stat()
            except OSError:
                skipped.append(SkippedFile(relative, "a broken link"))
                continue
            if stat.S_ISDIR(status.st_mode):
                real = os.path.realpath(entry.path)
                if real not in seen:
                    seen.add(real)
                    stack.append((Path(entry.path), relative))
            elif stat.S_ISREG(status.st_mode):
                yield relative, status
            else:
                skipped.append(SkippedFile(relative, "not a regular file"))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, hidden and system files left out, in the order of names."""
    with os.scandir(folder) as entries:
        shown = [e for e in entries if not e.name.startswith(".") and e.name.lower() not in _CLUTTER]
    return sorted(shown, key=lambda entry: entry.name)
