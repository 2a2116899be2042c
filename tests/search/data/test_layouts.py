"""Every row of the table in docs/folders.md, in its order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tlsearch.search.data.dataset import open_folder
from tlsearch.search.data.file_names import BEFORE_DIGITS
from tlsearch.spaces.errors import DataError

PAGE = Path(__file__).parents[3] / "docs" / "folders.md"

BY_NAME = {"label_from_name": BEFORE_DIGITS}


def folders(*names):
    return [f"{name}/{number}.png" for name in names for number in range(5)]


def of_both(*names):
    return folders(*(f"{name}/{label}" for name in names for label in ("cats", "dogs")))


def files(*folders):
    return [f"{folder}{label}.{number}.png" for folder in folders for label in ("cat", "dog") for number in range(5)]


BOTH = ("cats", "dogs")
CASES = [
    (of_both("."), {}, (BOTH, "drawn")),
    (of_both("train", "test"), {}, (BOTH, "given")),
    (of_both("train", "val", "test"), {}, (BOTH, "given")),
    (of_both("Training Data", "hold-out"), {}, (BOTH, "given")),
    (of_both("seg_train", "seg_test"), {}, (BOTH, "given")),
    ([*of_both("train"), *folders("test1")], {}, (BOTH, "drawn")),
    (of_both("train/train", "test/test"), {}, (BOTH, "given")),
    (folders("train", "boat"), {}, (("boat", "train"), "drawn")),
    (folders("train", "test"), {}, "name it with --labels.*--layout classes"),
    (of_both("fold1", "fold2"), {}, "--layout nested.*--layout classes"),
    (of_both("photos"), {}, (BOTH, "drawn", "photos/photos was read")),
    ([*of_both("images"), "annotations/1.xml"], {}, (BOTH, "drawn", "photos/images was read")),
    (of_both(".", "photos"), {}, "Name .*/photos/photos, or take it away"),
    ([*folders("."), *folders("../dogs")], {}, "If photos is a class like dogs beside it, name "),
    ([*folders("."), "labels.csv"], {}, "say --labels .*photos/labels.csv"),
    ([*folders("images"), "annotations/list.csv"], {}, "say --labels .*photos/annotations/list.csv"),
    (files(""), {}, r"\(cat, dog\), say --label-from-name '" + re.escape(BEFORE_DIGITS)),
    ([*files(""), "notes.png"], BY_NAME, (("cat", "dog"), "drawn")),
    ([*files("train/"), *folders("test1")], BY_NAME, (("cat", "dog"), "drawn")),
    (folders("train/Cat", "train/dog", "test/cat", "test/dog"), {}, (("Cat", "dog"), "given", "one: Cat = cat")),
    (folders("Cat", "cat", "dog"), {}, (("Cat", "dog"), "drawn", "one: Cat = cat")),
    (folders("A", "a"), {}, (("A", "a"), "drawn")),
    ([*of_both("train", "test"), *folders("train/birds")], {}, r"'birds' .*\(5 in training\).*--skip-class birds"),
]


def rows():
    return [line.split("|")[1].strip() for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]


def test_each_row_has_a_case():
    assert len(rows()) == len(CASES)


@pytest.mark.parametrize(
    ("paths", "options", "outcome"), [pytest.param(*case, id=row) for row, case in zip(rows(), CASES, strict=False)]
)
def test_rows(tmp_path, pictures, paths, options, outcome):
    root = tmp_path / "photos"
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith(".png"):
            next(pictures).save(root / path)
        else:
            (root / path).write_text("x")
    if isinstance(outcome, str):
        with pytest.raises(DataError, match=outcome):
            open_folder(root, size=32, **options)
        return
    classes, splits, *remarks = outcome
    data = open_folder(root, size=32, **options)
    assert data.classes == classes and ("drawn" if data.drawn else "given") == splits
    assert len(data.remarks) == len(remarks) and all(part in said for part, said in zip(remarks, data.remarks, strict=True))
