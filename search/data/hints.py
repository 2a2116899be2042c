"""What was probably meant by a folder that holds images but no class folders."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from .file_names import BEFORE_DIGITS, evident_classes
from .listing import is_folder, is_picture, readable_entries

_SHOWN = 3

_TELLS = re.compile(r"label|annot|class|train|meta|target|ground.?truth", re.IGNORECASE)
"""Names of tables that say which class an image belongs to."""

_TELLS_NOT = re.compile(r"submission|test", re.IGNORECASE)

_ANNOTATIONS = re.compile(r"label|annot|meta", re.IGNORECASE)
"""Names of folders of such tables."""


def probably_meant(folder: Path, *, named: bool = False) -> str:
    """What to do about the folder, in a sentence; empty where nothing tells.

    Args:
        folder: That holds images.
        named: Whether it is the one that the user named, not one inside.
    """
    folder = folder if folder.name not in ("", os.pardir) else Path(os.path.abspath(folder))
    beside = [entry for entry in readable_entries(folder.parent) if is_folder(entry) and entry.name != folder.name]
    annotations = [Path(entry.path) for entry in beside if _ANNOTATIONS.search(entry.name) and not _holds_images(entry)]
    if table := _find_table(folder, annotations, named=named):
        return f"If {table} tells the classes, say --labels {shlex.quote(str(table))}."
    if classes := evident_classes(entry.name for entry in readable_entries(folder) if is_picture(entry)):
        return f"If the names of the images tell the classes ({_listed(classes)}), say --label-from-name '{BEFORE_DIGITS}'."
    if annotations:
        return f"If {annotations[0]} tells the classes, write them into a CSV file for --labels."
    if named and (alike := [entry.name for entry in beside if _holds_images(entry)]):
        return f"If {folder.name} is a class like {_listed(alike)} beside it, name {Path(os.path.abspath(folder)).parent}."
    return ""


def _find_table(folder: Path, annotations: list[Path], *, named: bool) -> Path | None:
    """The CSV file that probably tells the classes of the images in a folder."""
    for place in (folder, folder.parent, *annotations):
        tables = [
            place / entry.name
            for entry in readable_entries(place)
            if entry.name.lower().endswith((".csv", ".tsv")) and not is_folder(entry) and not _TELLS_NOT.search(entry.name)
        ]
        # What lies beside the folder that was named need not have to do with it.
        others = tables if place != folder.parent or not named else []
        if found := [*filter(lambda table: _TELLS.search(table.name), tables), *others]:
            return found[0]
    return None


def _holds_images(folder: os.DirEntry[str]) -> bool:
    return any(map(is_picture, readable_entries(folder.path)))


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
