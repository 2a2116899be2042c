"""Finds the folder that was meant where the one that was named lies a level or more above it."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from .listing import files_below, is_folder, is_picture, readable_entries
from .splits import FILLERS, split_of


def find_level(root: Path, suffixes: Collection[str]) -> Path:
    """The folder that holds the classes or the splits: below ``root`` where there is only one way, else ``root`` itself.

    Args:
        root: That was named.
        suffixes: Of images, also of those that are not read.
    """
    folder = root
    while (inner := _only_way(folder, suffixes)) is not None:
        folder = inner
    return folder if folder != root and _holds_classes(folder, suffixes) else root


def _only_way(folder: Path, suffixes: Collection[str]) -> Path | None:
    """The only folder in a folder that may hold classes; None where there are others, or images beside it."""
    within = readable_entries(folder)
    folders = [entry for entry in within if is_folder(entry)]
    if any(map(is_picture, within)) or any(split_of(entry.name) for entry in folders):
        return None
    filled = list(_filled(folders, suffixes))
    if len(filled) != 1 or filled[0].is_symlink():
        return None
    # Folders without images may be classes that are still to be filled, unless this one's name says that it is none.
    if len(folders) > 1 and not _is_wrapper(filled[0].name, folder.name):
        return None
    return Path(folder / filled[0].name)


def _filled(folders: list[os.DirEntry[str]], suffixes: Collection[str]) -> Iterator[os.DirEntry[str]]:
    """Up to two of the folders that hold images, however deep."""
    left = 2
    for entry in folders:
        images = (os.path.splitext(file.name)[1].lower() in suffixes for file in files_below(entry.path))
        if entry.is_symlink() or any(images):
            yield entry
            left -= 1
            if not left:
                return


def _holds_classes(folder: Path, suffixes: Collection[str]) -> bool:
    folders = [entry for entry in readable_entries(folder) if is_folder(entry)]
    return any(split_of(entry.name) for entry in folders) or len(list(_filled(folders, suffixes))) > 1


def _is_wrapper(name: str, parent: str) -> bool:
    """Whether a name says that a folder merely holds others: that of its own folder again, or words such as ``images``."""
    words = set(re.findall(r"[a-z]+", name.lower()))
    return name.casefold() == parent.casefold() or (bool(words) and words <= FILLERS)
