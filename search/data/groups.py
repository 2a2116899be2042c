"""Which images belong together, so that a split never parts them: the same picture, look-alikes, and what the user says."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...spaces.errors import DataError, OptionError
from .checks import SPLIT_WORDS
from .file_names import EXPRESSION_ERRORS
from .folder import Candidate, Layout
from .split import FLAT_SHARES, Fold, folds_of, split, split_folder

PARTED = (
    "So many pictures of a class look alike that no split can keep them on one side: they are parted. If they show the same, "
    "the test scores prove little."
)
"""What is remarked on where a class has too few groups."""

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


def draw(
    layout: Layout,
    files: Sequence[Candidate],
    keys: Sequence[str],
    usable: Sequence[int],
    seed: int,
    folds: int | Literal["auto"],
) -> tuple[tuple[Fold, ...], tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """The folds, if any, and rows of training, validation and test; arguments and errors as of `folds_of`."""
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
