"""Which folders are splits and which are classes, told by their names and by what is in them.

People call splits ``train``, ``Training Data``, ``test_set``, ``test1``, ``dev``, ``hold-out`` or ``seg_train``. A folder
with such a name is one where it holds class folders; among class folders it may be a class itself: of pictures of trains. Where
names alone cannot tell, an error says what was seen, and ``--layout`` decides.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ...spaces.errors import DataError
from ..settings import LayoutName
from .file_names import ReadName, tells_classes
from .hints import probably_meant
from .listing import entries, is_folder, is_picture, readable_entries
from .spellings import plain

Split = Literal["train", "val", "test", "all"]

SPLIT_NAMES: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "eval", "evaluation"), "val"),
    **dict.fromkeys(("test", "testing", "holdout", "heldout"), "test"),
}
"""What one word says of a split."""

FILLERS = frozenset(
    {"set", "data", "dataset", "images", "image", "imgs", "img", "pictures", "pics", "photos", "samples", "split", "folder"}
)
"""Words beside it that say nothing more."""

_SHOWN = 4


def split_of(name: str) -> Split | None:
    """The split that a name says: by its words, in any case, whatever stands between them and whatever number follows."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    told = "".join(word for word in words if word not in FILLERS)
    for filler in ("", *sorted(FILLERS)):
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


def find_splits(root: Path, layout: LayoutName = "auto", read_name: ReadName | None = None) -> Splits:
    """How the folder ``root`` is to be read.

    Args:
        root: The data folder.
        layout: How it was said to be read.
        read_name: Tells the class by the name of a file; None where class folders do.

    Raises:
        DataError: Its names and folders do not tell.
        OSError: It cannot be read.
    """
    if layout != "auto":
        return Splits({"all": "."}, nested=layout == "nested")
    names = [entry.name for entry in entries(root) if is_folder(entry)]
    shared = _shared_words(names)
    folders = [_Folder.of(root, name, split_of(name) or split_of(name.removeprefix(shared))) for name in names]
    named = [folder for folder in folders if folder.split is not None]
    if not named:
        if read_name is None:
            _check_level(root, folders)
        return Splits({"all": "."})
    if read_name is None:
        divided = [folder for folder in named if folder.inner]
        unlabelled = "a split without class folders: nothing says what is on its pictures"
    else:
        divided = [folder for folder in named if tells_classes(root / folder.path, read_name)]
        unlabelled = "a split without a file whose name tells a class"
    others = [folder for folder in folders if folder.split is None]
    if not divided:
        # Among class folders, a "train" without folders inside holds pictures of trains.
        if others or read_name is not None:
            return Splits({"all": "."})
        shown = " and ".join(folder.name for folder in named[:_SHOWN])
        hint = probably_meant(root / max(named, key=lambda folder: folder.split == "train").path)
        raise DataError(
            f"the images of each class must be in a folder of their own, got {shown} in {root} without folders in them. "
            f"{hint or 'If a CSV file tells the classes, name it with --labels.'} "
            "If these folders are the classes, say --layout classes."
        )
    beside = 0 if read_name is not None else sum(folder.pictures for folder in others)
    if [folder.split for folder in divided] == ["train"] and beside > 1:
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
        found[folder.split] = folder.path
    if "train" not in found:
        raise DataError(
            f"DATA must have a train folder where it has a held-out one, got only {', '.join(found.values())} in {root}. "
            "Call the folder with the training images train; if these folders are the classes, say --layout classes."
        )
    aside = {folder.name: unlabelled for folder in named if folder not in divided}
    if len(found) == 1:
        return Splits({"all": found["train"]}, aside)
    if "test" not in found:
        found["test"] = found.pop("val")
    return Splits(found, aside)


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder of the root.

    Attributes:
        name: Its own.
        path: Of what is read for it: of a split, the only folder in it where that is the same split again, as zip programs make
            it: ``train/train``.
        split: That its name says.
        inner: The folders in what is read.
        pictures: Whether pictures lie beside those.
    """

    name: str
    path: str
    split: Split | None
    inner: frozenset[str]
    pictures: bool

    @classmethod
    def of(cls, root: Path, name: str, split: Split | None) -> _Folder:
        within = readable_entries(root / name)
        folders = [one for one in within if is_folder(one)]
        pictures = any(map(is_picture, within))
        if split is not None and len(folders) == 1 and not pictures and not folders[0].is_symlink():
            again = folders[0].name
            if again == name or split_of(again) == split:
                inside = cls.of(root / name, again, split)
                return replace(inside, name=name, path=f"{name}/{inside.path}")
        return cls(name, name, split, frozenset(plain(one.name) for one in folders), pictures)


def _shared_words(names: Sequence[str]) -> str:
    """What the names of folders begin with before they say their splits: ``seg_`` of ``seg_train`` and ``seg_test``."""
    letters = os.path.commonprefix(names)  # noqa: RUF071 - of characters, not of folders
    shared = re.sub(r"[a-zA-Z]+$", "", letters)
    said = {split_of(name.removeprefix(shared)) for name in names} - {None}
    return shared if "train" in said and len(said) > 1 else ""


def _check_level(root: Path, folders: Sequence[_Folder]) -> None:
    """Checks that folders without the names of splits are the classes.

    They are not where they are folds, years or sites with the same classes in each, or where one is a copy of all others.

    Raises:
        DataError: They look like it.
    """
    names = {plain(folder.name) for folder in folders}
    for folder in folders:
        if 2 < len(names) <= len(folder.inner) + 1 and names - {plain(folder.name)} <= folder.inner:
            raise DataError(
                f"DATA must hold each class once, got {root} with {folder.name} beside its classes, which holds folders of the "
                f"same names. Name {root / folder.name}, or take it away; if it is a class, say --layout classes."
            )
    alike = len(folders) > 1 and len({folder.inner for folder in folders}) == 1 and len(folders[0].inner) > 1
    if alike and not any(folder.pictures for folder in folders):
        shown = ", ".join(folder.name for folder in folders[:_SHOWN]) + (", …" if len(folders) > _SHOWN else "")
        inner = ", ".join(sorted(folders[0].inner)[:_SHOWN]) + (", …" if len(folders[0].inner) > _SHOWN else "")
        raise DataError(
            f"DATA must be a folder of classes, got {root} whose folders ({shown}) all hold the same folders ({inner}). "
            f"If those inside are the classes, say --layout nested, or name one of these folders, such as "
            f"{root / folders[0].name}; if {shown} are, say --layout classes."
        )
