from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tlsearch.search.data import folder as folder_module
from tlsearch.search.data.folder import printable, scan
from tlsearch.spaces.errors import DataError

from ...platforms import needs


def reasons(root: Path) -> dict[str, str]:
    return {file.path: file.reason for file in scan(root).skipped}


def placed(root: Path) -> dict[str, tuple[str, str]]:
    """Split and class of each candidate."""
    return {candidate.path: (candidate.split, candidate.label) for candidate in scan(root).candidates}


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        pytest.param(["cats", "dogs"], {"all": "."}, id="flat"),
        pytest.param(["train/cats", "test/cats"], {"train": "train", "test": "test"}, id="test"),
        pytest.param(["Train/cats", "VALID/cats"], {"train": "Train", "test": "VALID"}, id="val is the test split"),
        pytest.param(["training_set/cats", "test_set/cats"], {"train": "training_set", "test": "test_set"}, id="sets"),
        pytest.param(
            ["training/cats", "validation/cats", "testing/cats"],
            {"train": "training", "val": "validation", "test": "testing"},
            id="all three",
        ),
        pytest.param(["train/cats", "train/dogs"], {"all": "train"}, id="train alone"),
        pytest.param(["train", "car"], {"all": "."}, id="train is a class"),
        pytest.param(["test", "car"], {"all": "."}, id="test is a class"),
    ],
)
def test_layouts(make_folder, folders, splits):
    layout = scan(make_folder(dict.fromkeys(folders, 1)))

    assert layout.splits == splits
    assert len(layout.candidates) == len(folders)
    assert not layout.skipped


def test_a_candidate_knows_where_it_lies(make_folder):
    root = make_folder({"train/cats/indoors/old": 1, "test/cats": 1})

    assert placed(root) == {"train/cats/indoors/old/0.png": ("train", "cats"), "test/cats/0.png": ("test", "cats")}


def test_candidates_and_skipped_come_in_the_order_of_their_paths(make_folder):
    root = make_folder({"b": 11, "a/nested": 2, "a": 3})
    for name in ("z.txt", "a/y.txt", "b/x.txt"):
        (root / name).write_text("no image")
    layout = scan(root)

    for files in (layout.candidates, layout.skipped):
        assert [file.path for file in files] == sorted(file.path for file in files)


@pytest.mark.parametrize(
    "name",
    [
        "0.JPG",
        "0.jpeg",
        "0.jfif",
        "0.bmp",
        "0.GIF",
        "0.webp",
        "0.TIF",
        "0.pgm",
        "0",
        "0.nef",
        "0.bak",
        "猫 ё́ 🐈.png",
        "a\nb.png",
    ],
)
def test_names_of_images(make_folder, name):
    root = make_folder({"cats": 1})
    (root / "cats" / "0.png").rename(root / "cats" / name)

    assert list(placed(root)) == [f"cats/{name}"]


@pytest.mark.parametrize("name", [".hidden.png", "._0.png", ".git/0.png", "Thumbs.db", "desktop.ini", "__MACOSX/0.png"])
def test_hidden_and_system_files_are_not_even_listed(make_folder, name):
    root = make_folder({"cats": 1})
    (root / "cats" / name).parent.mkdir(exist_ok=True)
    (root / "cats" / name).write_bytes(b"x")

    assert list(placed(root)) == ["cats/0.png"]
    assert reasons(root) == {}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cats/notes.txt", "not an image file"),
        ("cats/no-suffix", "not an image file"),
        ("cats/a.mp4", "not an image file"),
        ("cats/photo.nef", "NEF images are not read: convert them to JPEG or PNG"),
        ("loose.png", "not in a class folder"),
    ],
)
def test_other_files_are_listed_with_the_reason(make_folder, name, reason):
    root = make_folder({"cats": 1})
    (root / name).write_bytes(b"x")

    assert reasons(root) == {name: reason}


def test_an_empty_file_and_an_empty_folder_are_listed(make_folder):
    root = make_folder({"cats": 1, "dogs": 0})
    (root / "cats" / "blank.jpg").touch()

    assert reasons(root) == {"cats/blank.jpg": "an empty file", "dogs": "an empty folder"}


@pytest.mark.parametrize("folders", [["train/cats", "test/cats"], ["train/cats"]])
def test_what_lies_beside_split_folders_is_listed(make_folder, folders):
    root = make_folder({**dict.fromkeys(folders, 1), "extra/cats": 1})
    (root / "labels.csv").write_text("x")

    assert reasons(root) == dict.fromkeys(("extra", "labels.csv"), "beside the split folders")


def test_a_class_name_is_composed_unicode(make_folder):
    root = make_folder({"train/cafe\u0301": 1, "test/caf\u00e9": 1})

    assert {label for _, label in placed(root).values()} == {"caf\u00e9"}


def test_a_name_that_is_no_utf8_can_be_printed(make_folder):
    root = make_folder({"cats": 1})
    name = os.fsdecode(b"\xff.txt")
    (root / "cats" / name).write_text("x")

    assert list(reasons(root)) == [r"cats/\xff.txt"]
    printable(name).encode("utf-8")


class TestLinks:
    def test_loops_are_survived(self, make_folder):
        root = make_folder({"cats": 1, "dogs": 1})
        (root / "cats" / "up").symlink_to(root)
        (root / "cats" / "self").symlink_to("self")
        (root / "dogs" / "here").symlink_to(".")

        assert list(placed(root)) == ["cats/0.png", "dogs/0.png"]
        assert reasons(root) == {
            "cats/self": "a broken link",
            "cats/up": "a link to a folder that is read already",
            "dogs/here": "a link to a folder that is read already",
        }

    def test_a_picture_is_listed_where_it_really_lies(self, make_folder):
        root = make_folder({"cats": 1, "dogs": 1})
        (root / "cats" / "dogs-too").symlink_to("../dogs")
        (root / "birds").symlink_to("dogs")

        assert placed(root) == {"cats/0.png": ("all", "cats"), "dogs/0.png": ("all", "dogs")}

    def test_those_inside_the_folder_are_followed(self, make_folder):
        root = make_folder({".store/dogs": 2, "cats": 1})
        (root / "dogs").symlink_to(".store/dogs")
        (root / "cats" / "9.png").symlink_to("../.store/dogs/0.png")

        assert placed(root) == {
            "cats/0.png": ("all", "cats"),
            "cats/9.png": ("all", "cats"),
            "dogs/0.png": ("all", "dogs"),
            "dogs/1.png": ("all", "dogs"),
        }

    @pytest.mark.parametrize("name", ["dogs", "cats/1.png", "cats/more"])
    def test_those_that_leave_the_folder_are_not(self, make_folder, tmp_path, name):
        root = make_folder({"cats": 1, "../elsewhere": 1})
        target = tmp_path / "elsewhere"
        (root / name).symlink_to(target / "0.png" if name.endswith(".png") else target)

        assert list(placed(root)) == ["cats/0.png"]
        assert reasons(root) == {name: "a link that leaves the folder: --follow-symlinks reads it"}

    def test_a_split_folder_that_leaves_the_folder_is_not(self, make_folder, tmp_path):
        root = make_folder({"train/cats": 1, "../elsewhere/cats": 1})
        (root / "test").symlink_to(tmp_path / "elsewhere")

        assert list(placed(root)) == ["train/cats/0.png"]
        assert reasons(root) == {"test": "a link that leaves the folder: --follow-symlinks reads it"}

    def test_the_data_folder_itself_may_be_one(self, make_folder, tmp_path):
        make_folder({"cats": 1})
        (tmp_path / "link").symlink_to("photos")

        assert list(placed(tmp_path / "link")) == ["cats/0.png"]


@needs("os.mkfifo", "socket.AF_UNIX")
def test_pipes_and_sockets_are_never_opened(make_folder, monkeypatch):
    root = make_folder({"cats": 1})
    os.mkfifo(root / "cats" / "pipe.jpg")
    monkeypatch.chdir(root / "cats")  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")

        assert reasons(root) == dict.fromkeys(("cats/pipe.jpg", "cats/socket.jpg"), "not a regular file")


def test_a_folder_that_cannot_be_read_costs_itself_alone(make_folder, monkeypatch):
    root = make_folder({"cats": 1, "cats/private": 1})
    monkeypatch.setattr(folder_module, "entries", _denying("private", folder_module.entries))

    assert list(placed(root)) == ["cats/0.png"]
    assert reasons(root) == {"cats/private": "a folder that cannot be read (Permission denied)"}


def test_a_data_folder_that_cannot_be_read_is_an_error(make_folder, monkeypatch):
    root = make_folder({"cats": 1})
    monkeypatch.setattr(folder_module, "entries", _denying("photos", folder_module.entries))

    with pytest.raises(DataError, match=r"must be readable, got .*photos \(Permission denied\)"):
        scan(root)


def _denying(name, entries):
    def deny(folder):
        if Path(folder).name == name:
            raise PermissionError(13, "Permission denied", str(folder))
        return entries(folder)

    return deny


class TestErrors:
    def test_no_such_folder(self, tmp_path):
        with pytest.raises(DataError, match=r"got .*nowhere \(no such folder\)"):
            scan(tmp_path / "nowhere")

    def test_a_file(self, make_folder):
        with pytest.raises(DataError, match=r"got .*0\.png \(a file\)"):
            scan(make_folder({"cats": 1}) / "cats" / "0.png")

    def test_nothing_in_it(self, tmp_path):
        with pytest.raises(DataError, match=f"got {tmp_path} with nothing in it"):
            scan(tmp_path)

    def test_pictures_without_class_folders(self, make_folder):
        with pytest.raises(DataError, match=r"with 3 skipped, such as 0\.png: not in a class folder"):
            scan(make_folder({".": 3}))

    def test_two_folders_for_one_split(self, make_folder):
        with pytest.raises(DataError, match="one test split folder, got test and testing"):
            scan(make_folder({"train/cats": 1, "test/cats": 1, "testing/cats": 1}))

    @pytest.mark.parametrize("beside", ["val/cats", "images/cats"])
    def test_a_held_out_folder_without_a_train_folder(self, make_folder, beside):
        with pytest.raises(DataError, match="must have a train folder"):
            scan(make_folder({"test/cats": 1, beside: 1}))
