"""Reads a CSV file that says of each image which class it belongs to and, if it likes, which split: instead of class folders.

::

    path,label,split
    2024/IMG_1.jpg,cat,train
    2024/IMG_2.jpg,dog,test

The first line names the columns, in any order and any case, each by one of the names that are usual for it (`COLUMNS`); others
are ignored. Commas, semicolons and tabs separate. Paths are relative to the data folder; backslashes and a missing suffix are
understood where there is such a file and no other. A row without a path or a label is skipped. What holds for split folders
holds for the words in ``split``: see `splits`.
"""

from __future__ import annotations

import contextlib
import csv
import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import NoReturn, Unpack

from ...spaces.errors import DataError
from ...spaces.files import find_file
from ..settings import LayoutOptions, SkippedFile
from .folder import LEAVES, Candidate, Layout, printable, scan, summary
from .formats import unfit
from .listing import entries, is_picture
from .splits import Split, split_of

MISSING_SHARE = 0.1
"""Of the rows, and at least `FEW`: more that name no file are no slip but a wrong folder."""

FEW = 10

COLUMNS = {
    "path": (
        *("path", "filepath", "file_path", "image_path", "img_path", "filename", "file_name", "file", "image", "image_name"),
        *("image_id", "imageid", "img", "img_id", "id", "name"),
    ),
    "label": ("label", "labels", "class", "class_name", "classname", "category", "target", "breed", "species"),
    "split": ("split", "subset", "partition", "set"),
}
"""Names of each column; where a file has several of them, the first counts."""


def read_layout(folder: Path | str, labels: Path | str | None = None, **options: Unpack[LayoutOptions]) -> Layout:
    """The layout of a data folder: of its class folders, or of the rows of a CSV file.

    Args:
        folder: That the images are in.
        labels: The CSV file; None for class folders.
        **options: How the folder is to be understood.

    Raises:
        DataError: The folder or the file cannot be used; the message says what is wrong and in which line.
    """
    if labels is None:
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


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    label: str
    split: str


class _Labels:
    def __init__(self, path: Path, root: Path, options: LayoutOptions) -> None:
        self._path = path
        self._root = root
        self._real_root = os.path.realpath(root)
        self._follow_symlinks = options.get("follow_symlinks", False)
        self._inside: dict[str, bool] = {}
        self._stems: dict[str, dict[str, list[str]]] = {}
        self._incomplete: list[SkippedFile] = []

    def layout(self) -> Layout:
        rows = self._unique()
        splits, meaning = self._splits(rows)
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
                candidates.append(Candidate(path, label, split, status.st_size, status.st_mtime_ns))
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
        return Layout(self._root, splits, tuple(candidates), tuple(skipped), labels=self._path)

    def _unique(self) -> dict[str, _Row]:
        """The rows by their paths, each path once."""
        rows: dict[str, _Row] = {}
        for path, row in self._read():
            relative = self._relative(path, row.line)
            other = rows.setdefault(relative, row)
            for name, was, now in (("label", other.label, row.label), ("split", other.split, row.split)):
                if was != now:
                    raise DataError(
                        f"each image in --labels must have one {name}, got {relative} with {was!r} in line {other.line} "
                        f"and {now!r} in line {row.line} of {self._path}. Take one of them out."
                    )
        if not rows:
            self._fail("have a row for each image", "none below the names of the columns")
        return rows

    def _read(self) -> Iterator[tuple[str, _Row]]:
        """The path of each row that is not blank, and what else is in it."""
        with self._path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            separator, columns = _columns(header)
            named = [next((name for name in names if name in columns), None) for names in COLUMNS.values()]
            for name in named:
                if name is not None and columns.count(name) > 1:
                    self._fail(f"have one column {name}", f"{columns.count(name)}")
            if None in named[:2]:
                got = ", ".join(column for column in columns if column) or "an empty line"
                self._fail(
                    "name the columns path and label (and split, if there is one) in its first line", printable(got)[:200]
                )
            places = [None if name is None else columns.index(name) for name in named]
            reader = csv.reader(file, delimiter=separator, skipinitialspace=True, strict=True)
            try:
                for row in reader:
                    if any(row):
                        line = reader.line_num + 1
                        path, label, split = (_cell(row, place) for place in places)
                        if path and label:
                            yield self._as_it_lies(path), _Row(line, label, split.lower())
                        else:
                            lacking = "label" if path else "path"
                            self._incomplete.append(
                                SkippedFile(printable(path or f"line {line}"), f"no {lacking} in line {line}")
                            )
            except csv.Error as error:
                self._fail("be a sound CSV file", f"{error} in line {reader.line_num + 1}")

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

    def _relative(self, path: str, line: int) -> str:
        """A path as it lies in the data folder, with ``/`` between its parts."""
        base = os.path.abspath(self._root)
        whole = PurePath(os.path.normpath(os.path.join(base, path)))
        for root in (base, self._real_root):
            if whole.is_relative_to(root) and whole != PurePath(root):
                return whole.relative_to(root).as_posix()
        raise DataError(
            f"the paths in --labels must lie inside DATA, got {path} in line {line} of {self._path}, which is not in "
            f"{self._root}. Name the folder that holds all of them as DATA."
        )

    def _splits(self, rows: dict[str, _Row]) -> tuple[dict[Split, str], dict[str, Split]]:
        """The word for each split, and the split that each word stands for."""
        words = {row.split for row in rows.values()}
        if words == {""}:
            return {"all": "."}, {"": "all"}
        for row in rows.values():
            if split_of(row.split) is None:
                got = f"{row.split!r} in line {row.line}" if row.split else f"an empty one in line {row.line} beside others"
                self._fail("hold train, val or test in every row of its column split, or have no such column", got)
        meaning = {word: split for word in words if (split := split_of(word)) is not None}
        given = set(meaning.values())
        if "train" not in given:
            self._fail("have rows with split train where it has a held-out one", f"only {', '.join(sorted(words))}")
        if given == {"train"}:
            meaning = dict.fromkeys(meaning, "all")
        elif "test" not in given:
            meaning = {word: "test" if split == "val" else split for word, split in meaning.items()}
        return {split: word for word, split in sorted(meaning.items())}, meaning

    def _look(self, relative: str) -> os.stat_result | str:
        """What a file is, or why it is no candidate."""
        path = os.path.join(self._root, relative)
        try:
            linked = stat.S_ISLNK(os.lstat(path).st_mode)
            if not self._follow_symlinks and not self._stays(path, linked=linked):
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

    def _fail(self, rule: str, got: str) -> NoReturn:
        raise DataError(f"--labels must {rule}, got {got} in {self._path}.")


def _columns(header: str) -> tuple[str, list[str]]:
    """What separates the columns, and their names in lower case."""

    def names(separator: str) -> list[str]:
        rows = csv.reader([header], delimiter=separator, skipinitialspace=True)
        return [name.strip().lower() for row in rows for name in row]

    separator = next((one for one in (",", ";", "\t") if set(COLUMNS["path"]) & set(names(one))), ",")
    return separator, names(separator)


def _cell(row: Sequence[str], place: int | None) -> str:
    return row[place].strip() if place is not None and place < len(row) else ""
