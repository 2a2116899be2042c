from pathlib import Path

import pytest

from tlsearch.search.data.folder import scan
from tlsearch.search.data.splits import find_splits, split_of
from tlsearch.spaces.errors import DataError

NAMES = {
    "train": (
        "train",
        "Train",
        "TRAINING",
        "train_data",
        "Training Data",
        "training-set",
        "train_images",
        "trainset",
        "TrainData",
        "train2017",
        "training_set",
    ),
    "val": ("val", "valid", "Validation", "validation_set", "dev", "eval", "val2017", "Evaluation Data", "valset"),
    "test": (
        "test",
        "test1",
        "Testing Data",
        "test_data",
        "test-set",
        "testset",
        "holdout",
        "hold-out",
        "Held Out",
        "test images",
    ),
    None: (
        "cats",
        "trains",
        "traindriver",
        "contest",
        "latest",
        "images",
        "data",
        "set",
        "2017",
        "",
        "train station",
        "test pilot",
        "värld",
    ),
}


@pytest.mark.parametrize(("split", "name"), [(split, name) for split, names in NAMES.items() for name in names])
def test_names(split, name):
    assert split_of(name) == split


def found(root: Path, layout="auto"):
    """Split and class of each image, as often as there are some."""
    return {(file.split, file.label) for file in scan(root, layout=layout).candidates}


CLASSES = {("all", "cats"), ("all", "dogs")}


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        pytest.param(
            ["train_data/cats", "train_data/dogs", "test_data/cats"],
            {("train", "cats"), ("train", "dogs"), ("test", "cats")},
            id="train_data and test_data",
        ),
        pytest.param(["Training Data/cats", "Testing Data/cats"], {("train", "cats"), ("test", "cats")}, id="words"),
        pytest.param(
            ["train/cats", "dev/cats", "holdout/cats"],
            {("train", "cats"), ("val", "cats"), ("test", "cats")},
            id="dev and holdout",
        ),
        pytest.param(["train/cats", "train/dogs", "test1"], CLASSES, id="an unlabelled test folder"),
        pytest.param(
            ["training_set/training_set/cats", "test_set/test_set/cats", "test_set/test_set/dogs"],
            {("train", "cats"), ("test", "cats"), ("test", "dogs")},
            id="splits doubled inside themselves",
        ),
        pytest.param(["train/train/cats", "train/train/dogs", "test1/test1"], CLASSES, id="doubled, and unlabelled"),
        pytest.param(
            ["train", "train/train/cats", "test/train"], {("train", "train"), ("test", "train")}, id="beside pictures"
        ),
        pytest.param(["train/train station"], {("all", "train station")}, id="a class called like its split"),
        pytest.param(
            ["seg_train/seg_train/cats", "seg_test/seg_test/cats", "seg_pred/seg_pred"],
            {("train", "cats"), ("test", "cats")},
            id="names that begin alike",
        ),
        pytest.param(
            ["steam_train/2019", "steam_boat/2019"],
            {("all", "steam_train"), ("all", "steam_boat")},
            id="classes that begin alike",
        ),
        pytest.param(
            ["train/steam", "train/diesel", "boat", "car"],
            {("all", "train"), ("all", "boat"), ("all", "car")},
            id="a class called train, with folders in it",
        ),
        pytest.param(
            ["test/cats", "cats", "dogs", "train/cats"], {("train", "cats"), ("test", "cats")}, id="splits beside stray folders"
        ),
        pytest.param(
            ["species a/male", "species a/female", "species b/male"],
            {("all", "species a"), ("all", "species b")},
            id="classes with other folders in them",
        ),
        pytest.param(
            ["@eaDir/cats", "#recycle/cats", "$RECYCLE.BIN/cats", "lost+found/cats", "cats", "dogs"],
            CLASSES,
            id="what drives leave",
        ),
    ],
)
def test_layouts(make_folder, folders, expected):
    assert found(make_folder(dict.fromkeys(folders, 1))) == expected


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        pytest.param(
            ["train", "test1"], r"got test1 and train in .*photos without folders in them.* --labels", id="as contests give it"
        ),
        pytest.param(
            ["fold0/cats", "fold0/dogs", "fold1/cats", "fold1/dogs"],
            r"\(fold0, fold1\) all hold the same folders \(cats, dogs\)",
            id="folds",
        ),
        pytest.param(
            [f"{year}/{label}" for year in range(2019, 2025) for label in ("cats", "dogs")],
            r"\(2019, 2020, 2021, 2022, …\)",
            id="years",
        ),
        pytest.param(["test/cats", "test/dogs"], "must have a train folder", id="a test folder alone"),
        pytest.param(
            ["cats", "dogs", "photos/Cats", "photos/dogs"],
            r"got .*photos with photos beside its classes.* Name .*photos/photos",
            id="a copy of all beside the classes",
        ),
    ],
)
def test_what_cannot_be_told_is_asked(make_folder, folders, message):
    with pytest.raises(DataError, match=message):
        scan(make_folder(dict.fromkeys(folders, 1)))


def test_the_option_decides(make_folder):
    root = make_folder({f"fold{fold}/{label}": 1 for fold in (0, 1) for label in ("cats", "dogs")})
    assert found(root, "nested") == CLASSES
    assert found(root, "classes") == {("all", "fold0"), ("all", "fold1")}


def test_folders_with_the_names_of_splits_may_be_the_classes(make_folder):
    root = make_folder({"train": 1, "test": 1})
    assert found(root, "classes") == {("all", "train"), ("all", "test")}


def test_what_lies_beside_nested_classes_is_listed(make_folder):
    root = make_folder({"a/cats": 1, "b/dogs": 1})
    (root / "notes.txt").write_text("x")
    assert {file.path: file.reason for file in scan(root, layout="nested").skipped} == {"notes.txt": "not in a class folder"}


def test_a_folder_that_cannot_be_looked_into_is_no_split(make_folder, monkeypatch):
    from tlsearch.search.data import listing

    entries = listing.entries

    def deny(folder):
        if Path(folder).name == "train":
            raise PermissionError(13, "Permission denied", str(folder))
        return entries(folder)

    monkeypatch.setattr(listing, "entries", deny)
    assert find_splits(make_folder({"train/cats": 1, "boat": 1})).folders == {"all": "."}


def test_a_link_is_no_split_doubled_inside_itself(make_folder):
    root = make_folder({"train": 0, "test/cats": 1})
    (root / "train" / "train").symlink_to(".")
    assert find_splits(root).folders == {"train": "train", "test": "test"}
