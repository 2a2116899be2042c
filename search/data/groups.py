"""Which images belong together, so that a split never parts them: the same picture, look-alikes, and what the user says."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...spaces.errors import DataError, OptionError
from ..events import Listener
from ..settings import LayoutOptions
from .checks import SPLIT_WORDS
from .file_names import EXPRESSION_ERRORS
from .folder import Candidate, Layout
from .lookalikes import lookalikes_of
from .split import FLAT_SHARES, Fold, TooFewOfClassError, folds_of, split, split_folder

PARTED = (
    "look alike that no split can keep them on one side: they are parted. If they show the same, the test scores prove little."
)
"""How it is remarked on that a class has too few groups."""

_SHOWN = 3


def grouped(layout: Layout, group_by: str) -> Layout:
    """The layout with the group of each file as ``--group-by`` says: by its ``folder``, or by a regular expression.

    Args:
        layout: As it was read; a file that it gives a group keeps that one.
        group_by: ``folder`` for the folder that is neither the split's nor the class's; empty and ``none`` for no groups;
            anything else is searched for in the path of each file, and what its first group matches, or all of it, is the
            file's group.

    Raises:
        OptionError: The expression is none.
        DataError: No file is in a group.
    """
    if group_by in ("", "none"):
        return layout
    try:
        expression = re.compile(group_by)
    except EXPRESSION_ERRORS as error:
        raise OptionError(
            f"--group-by must be folder, none or a regular expression, got {group_by!r} ({error}). Put it in quotes."
        ) from error
    named = []
    for file in layout.candidates:
        group = file.group or (_folder_of(file, layout) if group_by == "folder" else _match(expression, file.path))
        named.append(dataclasses.replace(file, group=group))
    if not any(file.group for file in named):
        got = f"such as {named[0].path}" if named else "none"
        rule = "have a folder beside that of the class" if group_by == "folder" else f"match {group_by!r}"
        raise DataError(
            f"the path of an image must {rule} for --group-by, got {len(named):,} that do not, {got}. Leave it out, or name "
            "what tells patients, scenes or cameras apart."
        )
    return dataclasses.replace(layout, candidates=tuple(named))


def _folder_of(file: Candidate, layout: Layout) -> str:
    """The first folder of a file's path that is neither its split's nor its class's; empty where there is none."""
    *folders, _ = PurePosixPath(file.path).parts
    split = layout.splits.get(file.split, ".")
    if layout.labels is None and folders[:1] == [split]:
        folders = folders[1:]
    others = [folder for folder in folders if folder.strip().casefold() != file.label.strip().casefold()]
    return others[0] if others else ""


def _match(expression: re.Pattern[str], path: str) -> str:
    found = expression.search(path)
    return "" if found is None else found[1 if expression.groups else 0] or ""


def likely_pairs(folder: Path, files: Sequence[Candidate], options: LayoutOptions, listener: Listener) -> list[tuple[int, int]]:
    """Pairs of rows that look alike, the smaller first, in order; none where ``--group-by none`` parts them.

    Args:
        folder: Of the decoded images.
        files: The file of each row.
        options: How the folder was read.
        listener: Receives progress events.
    """
    if options.get("group_by") == "none":
        return []
    return lookalikes_of(folder, [file.label for file in files], listener)


def group_rows(rows: int, pairs: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """The number of each row's group, ``(rows,)``, where those of a pair, and of a chain of pairs, are in one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    linked = np.array([*pairs], np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(linked), np.int8), (linked[:, 0], linked[:, 1])), shape=(rows, rows))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def alike(values: Sequence[str]) -> Iterator[tuple[int, int]]:
    """A pair for each row whose value an earlier one has; empty values are nobody's."""
    first: dict[str, int] = {}
    for row, value in enumerate(values):
        if value and first.setdefault(value, row) != row:
            yield first[value], row


def keys_of(groups: NDArray[np.int64], digests: Sequence[str]) -> list[str]:
    """A key for each row that tells its group from the contents of its images: the first of their digests."""
    keys: dict[int, str] = {}
    for group, digest in zip(groups.tolist(), digests, strict=True):
        keys[group] = min(digest, keys.get(group, digest))
    return [keys[group] for group in groups.tolist()]


class Drawn(NamedTuple):
    """What was drawn of a folder's images.

    Attributes:
        folds: If any.
        parts: Rows of training, validation and test; of folds those of the model of all.
        groups: Number of each row's group.
        remarks: On look-alikes that could not be kept together.
    """

    folds: tuple[Fold, ...]
    parts: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
    groups: NDArray[np.int64]
    remarks: tuple[str, ...]


def draw(
    layout: Layout,
    files: Sequence[Candidate],
    digests: Sequence[str],
    ties: tuple[Iterable[tuple[int, int]], Iterable[tuple[int, int]]],
    usable: Sequence[int],
    *,
    seed: int,
    folds: int | Literal["auto"],
) -> Drawn:
    """Draws folds or splits that part no group, but the look-alikes of a class that is nothing else.

    Args:
        layout: Of the folder.
        files: Of each row.
        digests: Of each row's content.
        ties: Pairs of rows that belong together for certain, and those that only look alike.
        usable: Rows that may be used.
        seed: Of the draw.
        folds: As of `folds_of`; so are the errors.
    """
    known, likely = map(list, ties)
    parted: list[str] = []
    while True:
        groups = group_rows(len(files), known + likely)
        try:
            found, parts = _draw(layout, files, keys_of(groups, digests), usable, seed, folds)
        except TooFewOfClassError as error:
            apart = [pair for pair in likely if all(files[row].label != error.label for row in pair)]
            if len(apart) == len(likely):
                raise
            likely = apart
            parted.append(error.label)
        else:
            names = f"So many pictures of {' and '.join(map(repr, sorted(parted)))} {PARTED}"
            return Drawn(found, parts, groups, (names,) if parted else ())


def _draw(
    layout: Layout,
    files: Sequence[Candidate],
    keys: Sequence[str],
    usable: Sequence[int],
    seed: int,
    folds: int | Literal["auto"],
) -> tuple[tuple[Fold, ...], tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    found = folds_of(layout, files, keys, usable, seed, folds)
    if not found:
        return (), split_folder(layout, files, keys, usable, seed)
    rows = np.array(usable, np.int64)
    labels = np.unique([files[row].label for row in usable], return_inverse=True)[1]
    return found, (rows, rows[split([keys[row] for row in usable], labels, FLAT_SHARES[:1], seed)[0]], rows)


def check_parted(layout: Layout, files: Sequence[Candidate]) -> None:
    """Checks that a group that was asked for is in one of the splits that the folder gives.

    Raises:
        DataError: One is in several.
    """
    splits: dict[str, set[str]] = {}
    for file in files:
        if file.group:
            splits.setdefault(file.group, set()).add(SPLIT_WORDS[file.split])
    parted = {group: found for group, found in sorted(splits.items()) if len(found) > 1}
    if parted:
        shown = "; ".join(f"{group!r} in {' and '.join(sorted(found))}" for group, found in [*parted.items()][:_SHOWN])
        raise DataError(
            f"a group must lie in one split, got {len(parted):,} of {len(splits):,} in several of {layout.root} ({shown}). "
            "Move their images together, or leave the split to tlsearch: one folder a class, without split folders."
        )
