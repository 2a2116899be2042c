"""Which folders are splits and which are classes, told by their names and by what is in them.

People call splits ``train``, ``Training Data``, ``test_set``, ``test1``, ``dev`` or ``hold-out``. A folder with such a name is
one where it holds class folders; among class folders it may be a class itself: of pictures of trains. Where names alone cannot
tell, an error says what was seen, and ``--layout`` decides.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ...spaces.errors import DataError
from ..settings import LayoutName
from .listing import entries, is_folder, is_picture

Split = Literal["train", "val", "test", "all"]

SPLIT_NAMES: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "eval", "evaluation"), "val"),
    **dict.fromkeys(("test", "testing", "holdout", "heldout"), "test"),
}
"""What one word says of a split."""

_FILLERS = frozenset(
    {"set", "data", "dataset", "images", "image", "imgs", "img", "pictures", "pics", "photos", "samples", "split", "folder"}
)
"""Words beside it that say nothing more."""

_SHOWN = 4


def split_of(name: str) -> Split | None:
    """The split that a name says: by its words, in any case, whatever stands between them and whatever number follows."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    told = "".join(word for word in words if word not in _FILLERS)
    for filler in ("", *sorted(_FILLERS)):
        # "trainset", "testdata"
        if told.endswith(filler) and (split := SPLIT_NAMES.get(told.removesuffix(filler))) is not None:
            return split
    return None


@dataclass(frozen=True, slots=True)
class Splits:
    """How a data folder is to be read.

    Attributes:
        folders: The folder of each split, relative to the root; ``.`` for the root itself.
        aside: Folders of the root that are not read, and why.
        nested: Whether the classes lie in the folders of the root, not in the root.
    """

    folders: dict[Split, str]
    aside: dict[str, str] = field(default_factory=dict)
    nested: bool = False


def find_splits(root: Path, layout: LayoutName = "auto") -> Splits:
    """How the folder ``root`` is to be read.

    Raises:
        DataError: Its names and folders do not tell.
        OSError: It cannot be read.
    """
    if layout != "auto":
        return Splits({"all": "."}, nested=layout == "nested")
    folders = [_Folder.of(entry) for entry in entries(root) if is_folder(entry)]
    named = [folder for folder in folders if folder.split is not None]
    if not named:
        _check_level(root, folders)
        return Splits({"all": "."})
    divided = [folder for folder in named if folder.inner]
    others = [folder for folder in folders if folder.split is None]
    if not divided:
        # Among class folders, a "train" without folders inside holds pictures of trains.
        if others:
            return Splits({"all": "."})
        names = " and ".join(folder.name for folder in named[:_SHOWN])
        raise DataError(
            f"the images of each class must be in a folder of their own, got {names} in {root} without folders in them. "
            "If a CSV file tells the classes, name it with --labels; if these folders are the classes, say --layout classes."
        )
    if [folder.split for folder in divided] == ["train"] and sum(folder.pictures for folder in others) > 1:
        # One folder among several with pictures in them: a class that is divided further.
        return Splits({"all": "."})
    found: dict[Split, str] = {}
    for folder in divided:
        assert folder.split is not None
        if folder.split in found:
            raise DataError(
                f"DATA must have one {folder.split} split folder, got {found[folder.split]} and {folder.name} in {root}. "
                "Rename one of them."
            )
        found[folder.split] = folder.name
    if "train" not in found:
        raise DataError(
            f"DATA must have a train folder where it has a held-out one, got only {', '.join(found.values())} in {root}. "
            "Call the folder with the training images train; if these folders are the classes, say --layout classes."
        )
    aside = {folder.name: "a split without class folders: nothing says what is on its pictures" for folder in named}
    aside = {name: reason for name, reason in aside.items() if name not in found.values()}
    if len(found) == 1:
        return Splits({"all": found["train"]}, aside)
    if "test" not in found:
        found["test"] = found.pop("val")
    return Splits(found, aside)


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder of the root: its name, the split that it says, the folders in it, and whether pictures lie beside them."""

    name: str
    split: Split | None
    inner: frozenset[str]
    pictures: bool

    @classmethod
    def of(cls, entry: os.DirEntry[str]) -> _Folder:
        try:
            within = entries(entry.path)
        except OSError:
            within = []
        inner = frozenset(unicodedata.normalize("NFC", one.name).casefold() for one in within if is_folder(one))
        return cls(entry.name, split_of(entry.name), inner, any(map(is_picture, within)))


def _check_level(root: Path, folders: Sequence[_Folder]) -> None:
    """Checks that folders without the names of splits are not folds, years or sites with the same classes in each.

    Raises:
        DataError: They look like it.
    """
    alike = len(folders) > 1 and len({folder.inner for folder in folders}) == 1 and len(folders[0].inner) > 1
    if alike and not any(folder.pictures for folder in folders):
        shown = ", ".join(folder.name for folder in folders[:_SHOWN]) + (", …" if len(folders) > _SHOWN else "")
        inner = ", ".join(sorted(folders[0].inner)[:_SHOWN]) + (", …" if len(folders[0].inner) > _SHOWN else "")
        raise DataError(
            f"DATA must be a folder of classes, got {root} whose folders ({shown}) all hold the same folders ({inner}). "
            f"If those inside are the classes, say --layout nested; if {shown} are, --layout classes."
        )
