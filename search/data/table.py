"""Reads a table of labels: which of its columns say what, and what each of its rows says of an image.

CSV with commas, semicolons or tabs, and Parquet where pyarrow is installed. Cells are read as text, without the space around
them. A row without a path or a label is given as a `SkippedFile`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from ...spaces.errors import DataError
from ..settings import LayoutOptions, SkippedFile
from .folder import printable

COLUMNS: dict[str, tuple[str, ...]] = {
    "path": (
        *("path", "filepath", "file_path", "image_path", "img_path", "filename", "file_name", "file", "image", "image_name"),
        *("image_id", "imageid", "img", "img_id", "id", "name"),
    ),
    "label": ("label", "labels", "class", "class_name", "classname", "category", "target", "breed", "species"),
    "split": ("split", "subset", "partition", "set"),
    "group": (),
}
"""Usual names of each column; where a file has several of them, the first counts. What never parts has to be said."""

MISSING = frozenset({"", "nan", "na", "n/a", "<na>", "none", "null", "?"})
"""What stands where there is no label, in lower case: what spreadsheets and pandas write, and what people do."""

ODD_SHARE = 0.1
"""Of the rows of a one-hot table: more of them without exactly one 1 are no slips but images of several classes, or of none."""

_BITS = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}
"""Of one-hot columns; pandas' ``get_dummies`` writes the words."""

_SPREADSHEETS = frozenset({".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers"})

_SHOWN = 200
"""Characters of the names of columns in an error."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a row says of an image.

    Attributes:
        where: The row, in words: ``line 3``.
        path: As the row has it.
        label: Of its class, never missing.
        split: In lower case; empty where there is none.
        group: Empty where there is none.
    """

    where: str
    path: str
    label: str
    split: str
    group: str


def read_rows(path: Path, options: LayoutOptions) -> Iterator[Row | SkippedFile]:
    """The rows of a table that are not blank.

    Without a column of labels, two or more columns that hold nothing but 0 and 1 are the classes, one-hot.

    Args:
        path: The file.
        options: That name columns.

    Raises:
        DataError: It is no such table.
        UnicodeDecodeError: It is not text in UTF-8.
        OSError: It cannot be read.
    """
    table = _open(path, options)
    path_at, label_at, split_at, group_at = _places(table, path, options)
    one_hot = [] if label_at is not None else _one_hot(table, {path_at, split_at, group_at})
    if path_at is None or (label_at is None and len(one_hot) < 2):
        fail(
            path,
            "name the columns path and label (and split, if there is one) in its first line, or be told which they are with "
            "--path-column and --label-column",
            _listed(table.names),
        )
    count, odd = 0, []
    for where, cells in table.rows():
        count += 1
        name, split = _cell(cells, path_at), _cell(cells, split_at).lower()
        group = _cell(cells, group_at)
        label, lacks = _cell(cells, label_at), f"no label in {where}"
        if one_hot:
            hot = [place for place in one_hot if _BITS[_cell(cells, place).lower()]]
            if len(hot) == 1:
                label = table.names[hot[0]]
            else:
                odd.append(where)
                lacks = f"{len(hot)} of its class columns hold a 1 in {where}"
        elif label and label.lower() in MISSING:
            lacks = f"no label in {where}, which has {label}"
            label = ""
        if name and label:
            yield Row(where, name, label, split, "" if group.lower() in MISSING else group)
        else:
            yield SkippedFile(printable(name or where), lacks if name else f"no path in {where}")
    if len(odd) > ODD_SHARE * count:
        fail(
            path,
            "have one class for each image, several are not supported: one 1 a row in its class columns "
            f"({_listed([table.names[place] for place in one_hot])})",
            f"{len(odd):,} of {count:,} rows with none or several, such as {odd[0]},",
        )


def fail(path: Path, rule: str, got: str) -> NoReturn:
    """Raises the `DataError` of a file of labels."""
    raise DataError(f"--labels must {rule}, got {got} in {path}.")


@dataclass(frozen=True, slots=True)
class _Table:
    """The names of the columns, and what gives the rows that are not blank, each with its place, as often as called."""

    names: list[str]
    rows: Callable[[], Iterator[tuple[str, Sequence[str]]]]


def _open(path: Path, options: LayoutOptions) -> _Table:
    suffix = path.suffix.lower()
    if suffix in _SPREADSHEETS:
        raise DataError(f"--labels must be a CSV, TSV or Parquet file, got the spreadsheet {path}. Save it as CSV.")
    if suffix == ".parquet":
        return _parquet(path)
    asked = options.get("path_column")
    return _csv(path, [asked.strip().lower()] if asked else COLUMNS["path"])


def _csv(path: Path, known: Collection[str]) -> _Table:
    """A CSV file; what separates is what gives a column a ``known`` name or, failing that, what gives the most columns."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()

    def names(separator: str) -> list[str]:
        rows = csv.reader([header], delimiter=separator, skipinitialspace=True)
        return [name.strip() for row in rows for name in row]

    def fitness(separator: str) -> tuple[bool, int]:
        found = names(separator)
        return any(name.lower() in known for name in found), len(found)

    def rows() -> Iterator[tuple[str, Sequence[str]]]:
        with path.open(encoding="utf-8-sig", newline="") as file:
            file.readline()
            reader = csv.reader(file, delimiter=separator, skipinitialspace=True, strict=True)
            try:
                yield from ((f"line {reader.line_num + 1}", row) for row in reader if any(row))
            except csv.Error as error:
                fail(path, "be a sound CSV file", f"{error} in line {reader.line_num + 1}")

    with _sound(path, "CSV", csv.Error):
        separator = max(",;\t", key=fitness)
        return _Table(names(separator), rows)


def _parquet(path: Path) -> _Table:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise DataError(
            f"--labels reads Parquet files with pyarrow, which is not installed, got {path}. Install pyarrow, or save the file "
            "as CSV."
        ) from error

    def rows() -> Iterator[tuple[str, Sequence[str]]]:
        number = 0
        with _sound(path, "Parquet", ArrowException), ParquetFile(path) as file:
            for batch in file.iter_batches():
                for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    number += 1
                    yield f"row {number}", ["" if cell is None else str(cell) for cell in cells]

    with _sound(path, "Parquet", ArrowException), ParquetFile(path) as file:
        return _Table([name.strip() for name in file.schema_arrow.names], rows)


@contextmanager
def _sound(path: Path, kind: str, error: type[Exception]) -> Iterator[None]:
    try:
        yield
    except error as problem:
        fail(path, f"be a sound {kind} file", str(problem).partition("\n")[0])


def _places(table: _Table, path: Path, options: LayoutOptions) -> Iterator[int | None]:
    """Where the column of each kind is."""
    names = [name.lower() for name in table.names]
    for kind, usual in COLUMNS.items():
        asked = options.get(f"{kind}_column")
        wanted = [str(asked).strip().lower()] if asked else usual
        name = next((name for name in wanted if name in names), None)
        if asked and name is None:
            raise DataError(f"--{kind}-column must be a column of --labels, got {asked}. {path} has {_listed(table.names)}.")
        if name is not None and names.count(name) > 1:
            fail(path, f"have one column {name}", f"{names.count(name)}")
        yield None if name is None else names.index(name)


def _one_hot(table: _Table, others: Collection[int | None]) -> list[int]:
    """The columns with a name that hold nothing but 0 and 1 in all rows."""
    found = [place for place, name in enumerate(table.names) if name and place not in others]
    for _, cells in table.rows():
        found = [place for place in found if _cell(cells, place).lower() in _BITS]
        if not found:
            break
    return found


def _listed(names: Sequence[str]) -> str:
    return printable(", ".join(name for name in names if name) or "an empty line")[:_SHOWN]


def _cell(cells: Sequence[str], place: int | None) -> str:
    return cells[place].strip() if place is not None and place < len(cells) else ""
