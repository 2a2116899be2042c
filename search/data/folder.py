"""Reads how a folder of images is laid out: its splits, its classes, its files. Opens those alone whose names do not tell.

The layouts that are understood; `splits` says how the folders of splits are known by their names:

- class folders directly: ``photos/cats/…``, ``photos/dogs/…``
- ``train`` and one held-out folder, ``test`` or ``val``: the held-out folder is the test split
- all three: used as they are
- ``train`` alone, or beside a held-out folder without classes: its class folders as if they lay directly in the data folder

In place of class folders the names of files may tell the classes: see `file_names`. `spellings` says which names are one class,
`levels` when the data folder is one inside the one that was named.
"""

from __future__ import annotations

import os
import stat
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Unpack

from ...spaces.errors import DataError, OptionError
from ..settings import LayoutOptions, SkippedFile
from .file_names import ReadName, name_reader
from .formats import EMPTY, NO_IMAGE, OTHER_SUFFIXES, SUFFIXES, unfit
from .hints import probably_meant
from .levels import find_level
from .listing import entries, is_folder
from .spellings import Spellings, composed, one_spelling
from .splits import Split, find_splits

_EXAMPLE = "Put the images of each class into a folder of its own: {0}/cats/…, {0}/dogs/…"

LEAVES = "a link that leaves the folder: --follow-symlinks reads it"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be an image.

    Attributes:
        path: Relative to the data folder, with ``/`` between its parts.
        label: Name of its class: that of the class folder, in Unicode's composed form.
        split: The split whose folder it is in; ``all`` where the folder leaves the split to be made.
        size: Bytes.
        modified: Nanoseconds since the epoch.
        group: Of images that never part: a patient, a scene. Empty where the file is one of its own.
    """

    path: str
    label: str
    split: Split
    size: int
    modified: int
    group: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a folder holds.

    Attributes:
        root: The data folder: that which was named, or the one inside it that was meant.
        splits: The folder of each split, relative to ``root``; ``.`` for ``root`` itself.
        candidates: In the order of their paths.
        skipped: Files that are no candidates, and why, in the order of their paths.
        labels: The CSV file that names the candidates, in place of class folders; ``splits`` then holds its words for them.
        unread: Classes all of whose images are of formats that are not read.
        label_from_name: What tells the class by a file's name, in place of class folders.
        spelled: Names of the folders of a class, where it has others than its own.
        remarks: What should be known of how it was understood, in sentences.
    """

    root: Path
    splits: dict[Split, str]
    candidates: tuple[Candidate, ...]
    skipped: tuple[SkippedFile, ...]
    labels: Path | None = None
    unread: frozenset[str] = frozenset()
    label_from_name: str | None = None
    spelled: Mapping[str, Collection[str]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def place(self, split: Split, label: str = "") -> str:
        """Where the images of a class, or of a split, are, or should be, in words."""
        if self.labels is None:
            folder = self.root / self.splits[split]
            if self.label_from_name is not None:
                return str(folder)
            spelled = (folder / name for name in sorted(self.spelled.get(label, ())))
            return str(next((path for path in spelled if path.is_dir()), folder / label))
        return str(self.labels) if split == "all" else f"{self.labels}, split {self.splits[split]}"


def scan(folder: Path | str, **options: Unpack[LayoutOptions]) -> Layout:
    """The layout of ``folder``.

    Links are followed where they stay inside the folder, and no real folder is read twice. Hidden files are left out.
    Nothing but regular files is opened, so that pipes, sockets and devices can do no harm.

    Args:
        folder: To be read.
        **options: How it is to be understood.

    Raises:
        DataError: There is no such folder, it cannot be read, or it holds no images in class folders.
        OptionError: ``label_from_name`` is no regular expression with a group, or no file's name matches it.
    """
    layout, expression = options.get("layout", "auto"), options.get("label_from_name")
    read_name = None if expression is None else name_reader(expression)
    try:
        root = Path(folder).expanduser()
        if not stat.S_ISDIR(root.stat().st_mode):
            raise DataError(f"DATA must be a folder of images, got {folder} (a file). Name the folder that holds it.")
        named, root = root, find_level(root, SUFFIXES | OTHER_SUFFIXES) if layout == "auto" else root
        reading = _Reading(root, read_name, follow_symlinks=options.get("follow_symlinks", False))
        found = find_splits(root, layout, read_name)
        splits = found.folders
        for split, name in splits.items():
            for part in reading.folders_of(name) if found.nested else [name]:
                reading.read_split(split, part)
        if "." not in splits.values():
            reading.list_beside({name.split("/")[0] for name in splits.values()}, found.aside)
        reading.follow_links()
    except FileNotFoundError as error:
        raise DataError(f"DATA must be a folder of images, got {folder} (no such folder). Check the path.") from error
    except OSError as error:
        raise DataError(
            f"DATA must be readable, got {error.filename or folder} ({error.strerror}). Check its permissions."
        ) from error
    except (RuntimeError, ValueError) as error:
        # "~nobody/photos" where there is no such user; a NUL in the name.
        raise DataError(f"DATA must be a folder of images, got {folder} ({error}). Check the path.") from error
    if not reading.candidates:
        got = f"got {folder} with {summary(reading.skipped) or 'nothing in it'}"
        if expression is not None:
            raise OptionError(f"--label-from-name {expression} must find a class in an image's name, {got}. Try it on one.")
        raise DataError(
            f"DATA must hold class folders with images in them (JPEG, PNG, TIFF, WebP and others), {got}. "
            f"{probably_meant(root, named=True) or _EXAMPLE.format(root.name)}"
        )
    images = Counter(candidate.label for candidate in reading.candidates)
    spellings = Spellings() if layout == "classes" else one_spelling(reading.names.values(), images)
    candidates = reading.candidates
    if spellings.classes:
        candidates = [replace(candidate, label=spellings.class_of(candidate.label)) for candidate in candidates]
    return Layout(
        root,
        splits,
        tuple(sorted(candidates, key=lambda candidate: candidate.path)),
        tuple(sorted(reading.skipped, key=lambda file: file.path)),
        unread=frozenset(map(spellings.class_of, reading.foreign)) - frozenset(map(spellings.class_of, images)),
        label_from_name=expression,
        spelled=spellings.folders,
        remarks=((f"{root} was read: nothing else in {named} holds images.",) if root != named else ()) + spellings.remarks,
    )


def printable(name: str) -> str:
    """A file's name without the lone surrogates that stand for bytes which are no UTF-8: no report could write them."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def summary(skipped: Sequence[SkippedFile]) -> str:
    """How many files were skipped and why the first was; empty for none."""
    if not skipped:
        return ""
    first = min(skipped, key=lambda file: file.path)
    return f"{len(skipped)} skipped, such as {first.path}: {first.reason}"


class _Reading:
    """What has been read of a data folder so far.

    Real folders come first and links last, so that a picture is listed where it really lies.
    """

    def __init__(self, root: Path, read_name: ReadName | None, *, follow_symlinks: bool) -> None:
        self.candidates: list[Candidate] = []
        self.skipped: list[SkippedFile] = []
        self.foreign: set[str] = set()
        self.names: dict[str, set[str]] = {}
        self._read_name = read_name
        self._root = root
        self._real_root = os.path.realpath(root)
        self._follow_symlinks = follow_symlinks
        self._seen = {self._real_root}
        self._links: deque[tuple[str, str, Split]] = deque()

    def read_split(self, split: Split, name: str) -> None:
        """Reads the class folders in the folder ``name`` of the root."""
        base = self._root / name
        if not self._may_follow(base):
            return self._skip(name, LEAVES)
        self._seen.add(os.path.realpath(base))
        for entry in entries(base):
            relative = entry.name if name == "." else f"{name}/{entry.name}"
            if self._read_name is None:
                if not is_folder(entry):
                    self._skip(relative, "not in a class folder")
                    continue
                self.names.setdefault(name, set()).add(printable(entry.name))
            before = self._found
            self._read(entry, relative, composed(printable(entry.name)), split)
            if self._found == before:
                self._skip(relative, "an empty folder")

    def folders_of(self, name: str) -> Iterator[str]:
        """The folders in the folder ``name`` of the root, relative to it; what lies beside them is listed."""
        for entry in entries(self._root / name):
            if is_folder(entry):
                yield entry.name
            else:
                self._skip(entry.name, "not in a class folder")

    def list_beside(self, splits: set[str], aside: Mapping[str, str]) -> None:
        """Lists what lies in the root beside the split folders; of some it is known why."""
        for entry in entries(self._root):
            if entry.name not in splits:
                self._skip(entry.name, aside.get(entry.name, "beside the split folders"))

    def follow_links(self) -> None:
        """Reads the folders that links lead to and that have not been read for themselves."""
        while self._links:
            relative, label, split = self._links.popleft()
            self._read_folder(str(self._root / relative), relative, label, split)

    def _read_folder(self, path: str, relative: str, label: str, split: Split) -> None:
        stack = [(path, relative)]
        while stack:
            folder, prefix = stack.pop()
            real = os.path.realpath(folder)
            if real in self._seen:
                self._skip(prefix, "a link to a folder that is read already")
                continue
            self._seen.add(real)
            try:
                within = entries(folder)
            except OSError as error:
                self._skip(prefix, f"a folder that cannot be read ({error.strerror})")
                continue
            for entry in within:
                inner = f"{prefix}/{entry.name}"
                if not entry.is_symlink() and entry.is_dir():
                    stack.append((entry.path, inner))
                else:
                    self._read(entry, inner, label, split)

    def _read(self, entry: os.DirEntry[str], relative: str, label: str, split: Split) -> None:
        linked = entry.is_symlink()
        if self._read_name is not None:
            label = self._read_name(printable(entry.name)) or ""
        if linked and not self._may_follow(entry.path):
            return self._skip(relative, LEAVES)
        try:
            status = entry.stat()
        except OSError:
            # A link to nothing, or to itself.
            return self._skip(relative, "a broken link" if linked else "a file that cannot be read")
        if stat.S_ISDIR(status.st_mode):
            if linked:
                self._links.append((relative, label, split))
            else:
                self._read_folder(entry.path, relative, label, split)
        elif not stat.S_ISREG(status.st_mode):
            self._skip(relative, "not a regular file")
        elif reason := unfit(entry.path, status.st_size):
            self._skip(relative, reason)
            if label and reason not in (NO_IMAGE, EMPTY):
                self.foreign.add(label)
        elif not label:
            self._skip(relative, "a name in which --label-from-name finds no class")
        else:
            if self._read_name is not None:
                self.names.setdefault(split, set()).add(label)
            self.candidates.append(Candidate(relative, label, split, status.st_size, status.st_mtime_ns))

    @property
    def _found(self) -> int:
        return len(self.candidates) + len(self.skipped) + len(self._links)

    def _may_follow(self, path: Path | str) -> bool:
        return self._follow_symlinks or Path(os.path.realpath(path)).is_relative_to(self._real_root)

    def _skip(self, relative: str, reason: str) -> None:
        self.skipped.append(SkippedFile(printable(relative), reason))
