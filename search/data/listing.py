"""What is in a folder, without what people did not put there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from .formats import SUFFIXES

CLUTTER = frozenset(
    {"thumbs.db", "desktop.ini", "__macosx", "@eadir", "#recycle", "$recycle.bin", "lost+found", "system volume information"}
)
"""Names, in lower case, of what systems, network drives and photo managers leave: thumbnails, bins, settings."""


def entries(folder: Path | str) -> list[os.DirEntry[str]]:
    """What is in a folder, hidden and system files left out, in the order of names."""
    with os.scandir(folder) as found:
        shown = [entry for entry in found if not entry.name.startswith(".") and entry.name.lower() not in CLUTTER]
    return sorted(shown, key=lambda entry: entry.name)


def readable_entries(folder: Path | str) -> list[os.DirEntry[str]]:
    """As `entries`; nothing where the folder cannot be read."""
    try:
        return entries(folder)
    except OSError:
        return []


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:
        # A link to itself.
        return False


def is_picture(entry: os.DirEntry[str]) -> bool:
    """Whether an entry has the name of an image, and is no folder."""
    return os.path.splitext(entry.name)[1].lower() in SUFFIXES and not is_folder(entry)


def files_below(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    """The files in a folder and in those inside it; links to folders are not followed, and what cannot be read is left out."""
    waiting: list[Path | str] = [folder]
    while waiting:
        for entry in readable_entries(waiting.pop()):
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            else:
                yield entry
