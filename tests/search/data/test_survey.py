from __future__ import annotations

import pytest

from tlsearch.search.data import open_folder
from tlsearch.search.data.survey import survey_folder
from tlsearch.spaces.errors import DataError


def images_of(dataset):
    return len(dataset.train), len(dataset.val), len(dataset.test)


@pytest.mark.parametrize(
    "counts",
    [
        {"cats": 20, "dogs": 7},
        {"train/cats": 11, "train/dogs": 6, "test/cats": 3, "test/dogs": 4},
        {"train/cats": 5, "train/dogs": 6, "val/cats": 2, "val/dogs": 3, "test/cats": 3, "test/dogs": 4},
        {"train/cats": 11, "train/dogs": 6},
    ],
    ids=["flat", "one held out", "all three", "train alone"],
)
def test_says_what_opening_the_folder_gives(make_folder, counts):
    root = make_folder(counts)
    found = survey_folder(root, size=8)
    dataset = open_folder(root, size=8)

    assert images_of(found.stand_in) == images_of(dataset)
    assert found.stand_in.classes == dataset.classes
    assert found.images == sum(counts.values())
    assert found.pixel_bytes == found.images * 8 * 8 * 3
    assert found.file_bytes == sum(path.stat().st_size for path in root.rglob("*.png"))


def test_opens_no_image(make_folder):
    root = make_folder({"cats": 4, "dogs": 4})
    for path in root.rglob("*.png"):
        path.write_bytes(b"no image")
        path.chmod(0)
    assert survey_folder(root, size=8).images == 8


def test_knows_what_is_decoded_already(make_folder):
    root = make_folder({"cats": 4, "dogs": 4})
    assert survey_folder(root, size=8).decoded == 0
    open_folder(root, size=8)
    assert survey_folder(root, size=8).decoded == 8
    assert survey_folder(root, size=9).decoded == 0


def test_reads_labels(make_folder, tmp_path):
    root = make_folder({"pictures": 10})
    file = tmp_path / "labels.csv"
    file.write_text("path,label\n" + "".join(f"pictures/{number}.png,{'ab'[number % 2]}\n" for number in range(10)))
    found = survey_folder(root, size=8, labels=file)
    assert found.stand_in.classes == ("a", "b") and images_of(found.stand_in) == (6, 2, 2)


@pytest.mark.parametrize(
    ("counts", "message"),
    [({"cats": 4}, "at least two classes"), ({"cats": 2, "dogs": 9}, "at least 3 different images .* got 2 of class 'cats'")],
)
def test_refuses_what_a_search_refuses(make_folder, counts, message):
    with pytest.raises(DataError, match=message):
        survey_folder(make_folder(counts), size=8)
    with pytest.raises(DataError, match=message):
        open_folder(make_folder({}), size=8)
