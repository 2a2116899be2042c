import numpy as np
import pytest
from PIL import Image

from tlsearch.reports.words.inspection import warnings
from tlsearch.search.data.inspection import inspect_folder
from tlsearch.spaces.errors import DataError


@pytest.fixture
def photos(make_folder):
    return make_folder({"train/cats": 8, "train/dogs": 8, "test/cats": 2, "test/dogs": 2})


def copy(folder, source, *targets):
    for target in targets:
        (folder / target).write_bytes((folder / source).read_bytes())


def test_a_sound_folder(photos):
    found = inspect_folder(photos, size=32)
    assert found.problem == "" and found.dataset is not None and found.skipped == found.duplicates == ()
    assert found.given == ("train", "test")
    assert found.found == {"cats": {"train": 8, "test": 2}, "dogs": {"train": 8, "test": 2}}
    assert (found.sizes.width, found.sizes.height, found.sizes.formats) == ((16, 16, 16), (16, 16, 16), (("PNG", 20),))
    assert found.sizes.file_bytes == sum(path.stat().st_size for path in photos.rglob("*.png"))


def test_duplicates_are_told_apart_by_what_is_wrong_with_them(photos):
    copy(photos, "train/cats/0.png", "train/cats/again.png")
    copy(photos, "train/cats/1.png", "test/cats/leak.png")
    copy(photos, "train/cats/2.png", "train/dogs/wrong.png", "test/cats/too.png")
    found = inspect_folder(photos, size=32)
    assert [(group.kind, group.files) for group in found.duplicates] == [
        ("across classes", ("test/cats/too.png", "train/cats/2.png", "train/dogs/wrong.png")),
        ("across splits", ("test/cats/leak.png", "train/cats/1.png")),
        ("within a split", ("train/cats/0.png", "train/cats/again.png")),
    ]
    assert found.duplicates[0].labels == ("cats", "dogs")
    # What a search leaves out is told by the same words as in its report.
    assert {file.path for file in found.skipped} == {*found.duplicates[0].files, "train/cats/1.png"}


def test_what_cannot_be_searched_on_is_looked_at_all_the_same(make_folder):
    folder = make_folder({"cats": 2, "dogs": 9})
    (folder / "cats" / "broken.jpg").write_bytes(b"\xff\xd8 cut off")
    (folder / "cats" / "notes.txt").write_text("x")
    found = inspect_folder(folder, size=32)
    assert found.dataset is None and "at least 3 different images" in found.problem
    assert found.found == {"cats": {"all": 2}, "dogs": {"all": 9}} and found.given == ()
    assert {file.path for file in found.skipped} == {"cats/broken.jpg", "cats/notes.txt"}


def test_sizes_are_those_of_the_files(make_folder):
    folder = make_folder({"cats": 6, "dogs": 6})
    Image.new("RGB", (640, 480)).save(folder / "cats" / "large.jpg")
    sizes = inspect_folder(folder, size=32).sizes
    assert sizes.width == (16, 16, 640) and sizes.height == (16, 16, 480)
    assert sizes.formats == (("PNG", 12), ("JPEG", 1)) and sizes.measured == 13


def test_nothing_in_the_folder_changes(photos):
    before = {path: path.stat() for path in photos.rglob("*")}
    inspect_folder(photos, size=32)
    assert {path: path.stat() for path in photos.rglob("*")} == before


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_no_images_are_an_error(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError):
        inspect_folder(tmp_path / name, size=32)


def test_odd_pictures_are_remarked_on_and_used(make_folder, tmp_path):
    root = make_folder({"cats": 5, "dogs": 5})
    Image.new("RGB", (9, 9)).save(root / "cats/black.png")
    Image.fromarray(np.arange(0, 4096, 64, dtype=np.uint16).reshape(8, 8)).save(root / "dogs/scan.png")
    found = inspect_folder(root, size=8, cache_dir=tmp_path / "cache")

    assert found.remarks == {"cats/black.png": "one colour only"}
    assert (found.depth, found.skipped, found.problem) == (12, (), "")
    assert [sentence for sentence in warnings(found) if "odd" in sentence or "bits" in sentence] == [
        "1 picture used though odd: see below why.",
        "The 16-bit greyscale images use 12 bits at most: 4,095 becomes white in all.",
    ]
