"""Reads a CSV file that says of each image which class it belongs to and, if it likes, which split: instead of class folders.

::

    path,label,split
    2024/IMG_1.jpg,cat,train
    2024/IMG_2.jpg,dog,test

The first line names the columns, in any order and any case, each by one of the names that are usual for it (`table.COLUMNS`)
or by the one that is said; others are ignored. `table` says which other forms there are. Paths are relative to the data folder;
backslashes and a missing suffix are understood where there is such a file and no other. A row without a path or a label is
skipped. What holds for split folders holds for the words in ``split``: see `splits`.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path, PurePath
from typing import NoReturn, Unpack

from ...spaces.errors import DataError, OptionError
from ...spaces.files import find_file
from ..settings import LayoutOptions, SkippedFile
from .folder import LEAVES, Candidate, Layout, printable, scan, summary
from .formats import unfit
from .listing import entries, files_below, is_picture
from .spellings import plain
from .splits import Split, split_of
from .table import COLUMNS, Row, fail, read_rows

MISSING_SHARE = 0.1
"""Of the rows, and at least `FEW`: more that name no file are no slip but a wrong folder."""

FEW = 10

_SHOWN = 5


def read_layout(folder: Path | str, labels: Path | str | None = None, **options: Unpack[LayoutOptions]) -> Layout:
    """The layout of a data folder: of its class folders, or of the rows of a CSV file.

    Args:
        folder: That the images are in.
        labels: The CSV file; None for class folders.
        **options: How the folder is to be understood.

    Raises:
        DataError: The folder or the file cannot be used; the message says what is wrong and in which line.
        OptionError: A column is named, but no file.
    """
    if labels is None:
        for kind in COLUMNS:
            if name := options.get(f"{kind}_column"):
                raise OptionError(f"--{kind}-column names a column of --labels, got {name} without such a file. Name it too.")
        return scan(folder, **options)
    path, what = find_file(str(labels))
    if path is None:
        raise DataError(f"--labels must be a CSV file, got {labels} ({what}). Check the path.")
    try:
        root = Path(folder).expanduser()
        if not stat.S_ISDIR(root.stat().st_mode):
            raise DataError(f"DATA must be the folder that the paths in --labels start from, got {folder} (a file).")
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"DATA must be a folder of images, got {folder} ({error}). Check the path.") from error
    try:
        return _Labels(path, root, options).layout()
    except UnicodeDecodeError as error:
        raise DataError(
            f"--labels must be text in UTF-8, got byte 0x{error.object[error.start]:02x} in {path}. "
            'Save it as UTF-8; spreadsheets call that "CSV UTF-8".'
        ) from error
    except OSError as error:
        raise DataError(f"--labels must be a file that can be read, got {path} ({error.strerror or error}).") from error


class _Labels:
    def __init__(self, path: Path, root: Path, options: LayoutOptions) -> None:
        self._path = path
        self._root = root
        self._real_root = os.path.realpath(root)
        self._options = options
        self._inside: dict[str, bool] = {}
        self._stems: dict[str, dict[str, list[str]]] = {}
        self._incomplete: list[SkippedFile] = []

    def layout(self) -> Layout:
        rows = self._unique()
        splits, meaning = meanings({row.split: row.where for row in rows.values()}, partial(fail, self._path))
        candidates: list[Candidate] = []
        skipped = self._incomplete
        missing: list[str] = []
        for path, row in sorted(rows.items()):
            status = self._look(path)
            if isinstance(status, str):
                skipped.append(SkippedFile(printable(path), status))
                if status == "no such file":
                    missing.append(path)
            else:
                label = unicodedata.normalize("NFC", row.label)
                split = meaning[row.split]
                candidates.append(Candidate(path, label, split, status.st_size, status.st_mtime_ns, row.group))
        if len(missing) > max(FEW, MISSING_SHARE * len(rows)):
            raise DataError(
                f"the images in --labels must exist, got {len(missing):,} of {len(rows):,} rows of {self._path} without a file "
                f"in {self._root}, such as {', '.join(missing[:3])}. Name the folder that the paths start from as DATA."
            )
        if not candidates:
            raise DataError(
                f"--labels must name images, got {self._path} with {summary(skipped)}. Paths start from {self._root}; name "
                "another folder as DATA."
            )
        skipped.sort(key=lambda file: file.path)
        remarks = _alike({candidate.label for candidate in candidates})
        return Layout(self._root, splits, tuple(candidates), tuple(skipped), labels=self._path, remarks=remarks)

    def _unique(self) -> dict[str, Row]:
        """The rows by their paths, each path once."""
        rows: dict[str, Row] = {}
        for row in read_rows(self._path, self._options):
            if isinstance(row, SkippedFile):
                self._incomplete.append(row)
                continue
            relative = self._relative(self._as_it_lies(row.path), row.where)
            other = rows.setdefault(relative, row)
            for name in ("label", "split", "group"):
                was, now = getattr(other, name), getattr(row, name)
                if was != now:
                    raise DataError(
                        f"each image in --labels must have one {name}, got {relative} with {was!r} in {other.where} "
                        f"and {now!r} in {row.where} of {self._path}. Take one of them out."
                    )
        if not rows:
            fail(
                self._path,
                "have a row with a path and a label for each image",
                f"none ({summary(self._incomplete) or 'nothing below the names of the columns'})",
            )
        return rows

    def _as_it_lies(self, path: str) -> str:
        """The path of a row, with slashes for backslashes and with its suffix where there is no file as the row has it."""
        if os.path.lexists(os.path.join(self._root, path)):
            return path
        turned = path.replace("\\", "/")
        folder, name = os.path.split(turned)
        if os.path.isabs(folder) or os.pardir in folder.split("/"):
            return turned
        if folder not in self._stems:
            stems: dict[str, list[str]] = {}
            with contextlib.suppress(OSError, ValueError):
                for entry in entries(os.path.join(self._root, folder)):
                    if is_picture(entry):
                        stems.setdefault(os.path.splitext(entry.name)[0], []).append(entry.name)
            self._stems[folder] = stems
        found = self._stems[folder].get(name, [])
        return os.path.join(folder, found[0]) if len(found) == 1 else turned

    def _relative(self, path: str, where: str) -> str:
        """A path as it lies in the data folder, with ``/`` between its parts."""
        base = os.path.abspath(self._root)
        whole = PurePath(os.path.normpath(os.path.join(base, path)))
        for root in (base, self._real_root):
            if whole.is_relative_to(root) and whole != PurePath(root):
                return whole.relative_to(root).as_posix()
        raise DataError(
            f"the paths in --labels must lie inside DATA, got {path} in {where} of {self._path}, which is not in "
            f"{self._root}. Name the folder that holds all of them as DATA."
        )

    def _look(self, relative: str) -> os.stat_result | str:
        """What a file is, or why it is no candidate."""
        path = os.path.join(self._root, relative)
        try:
            linked = stat.S_ISLNK(os.lstat(path).st_mode)
            if not self._options.get("follow_symlinks") and not self._stays(path, linked=linked):
                return LEAVES
            status = os.stat(path)
        except FileNotFoundError:
            return "no such file"
        except (OSError, ValueError) as error:
            return f"cannot be read ({getattr(error, 'strerror', None) or error})"
        if not stat.S_ISREG(status.st_mode):
            return "not a regular file"
        return unfit(path, status.st_size) or status

    def _stays(self, path: str, *, linked: bool) -> bool:
        """Whether a file really lies in the data folder."""
        if linked:
            return Path(os.path.realpath(path)).is_relative_to(self._real_root)
        folder = os.path.dirname(path)
        if folder not in self._inside:
            self._inside[folder] = Path(os.path.realpath(folder)).is_relative_to(self._real_root)
        return self._inside[folder]


def meanings(words: Mapping[str, str], fail: Callable[[str, str], NoReturn]) -> tuple[dict[Split, str], dict[str, Split]]:
    """The word for each split, and the split that each word stands for.

    Args:
        words: In lower case, each with a place where it was found, in words.
        fail: Raises the error of a rule and of what was got.
    """
    if words.keys() == {""}:
        return {"all": "."}, {"": "all"}
    for word, where in words.items():
        if split_of(word) is None:
            got = f"{word!r} in {where}" if word else f"an empty one in {where} beside others"
            fail("hold train, val or test for every image, or no split at all", got)
    meaning = {word: split for word in words if (split := split_of(word)) is not None}
    given = set(meaning.values())
    if "train" not in given:
        fail("have images of split train where it has held-out ones", f"only {', '.join(sorted(words))}")
    if given == {"train"}:
        meaning = dict.fromkeys(meaning, "all")
    elif "test" not in given:
        meaning = {word: "test" if split == "val" else split for word, split in meaning.items()}
    return {split: word for word, split in sorted(meaning.items())}, meaning


def _alike(names: Collection[str]) -> tuple[str, ...]:
    """Which names differ only by case, by space or as ``0`` and ``0.0`` do, in a sentence; none where none do."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(re.sub(r"(?<=\d)\.0+$", "", " ".join(plain(name).split())), []).append(name)
    same = [" and ".join(map(repr, group)) for group in groups.values() if len(group) > 1]
    if not same:
        return ()
    more = f"; and {len(same) - _SHOWN:,} more" if len(same) > _SHOWN else ""
    shown = "; ".join(same[:_SHOWN])
    return (f"Classes of nearly the same name, to be written alike in --labels where they are one: {shown}{more}.",)


def count_unnamed(layout: Layout) -> int:
    """Pictures in the data folder that the file of labels does not name, told by their names; 0 without such a file."""
    if layout.labels is None:
        return 0
    named = {printable(candidate.path) for candidate in layout.candidates} | {file.path for file in layout.skipped}
    pictures = (Path(entry.path) for entry in files_below(layout.root) if is_picture(entry))
    return sum(printable(picture.relative_to(layout.root).as_posix()) not in named for picture in pictures)
