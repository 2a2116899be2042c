import pytest

from tlsearch.search.data.folder import scan
from tlsearch.search.data.levels import find_level
from tlsearch.search.data.listing import SUFFIXES

CLASSES = {"cats": 1, "dogs": 1}


def inside(folder, classes=CLASSES):
    return {f"{folder}/{name}": count for name, count in classes.items()}


@pytest.mark.parametrize(
    ("folders", "files", "level"),
    [
        pytest.param(inside("photos"), [], "photos", id="doubled"),
        pytest.param(inside("photos/photos"), ["photos/README.md"], "photos/photos", id="twice"),
        pytest.param(inside("any name"), ["README.md"], "any name", id="the only folder"),
        pytest.param(inside("images"), ["annotations/1.xml"], "images", id="images beside annotations"),
        pytest.param({**inside("data/train"), **inside("data/test")}, [], "data", id="splits"),
        pytest.param(CLASSES, [], ".", id="class folders"),
        pytest.param(inside("train"), [], ".", id="a split"),
        pytest.param({"images": 2}, ["annotations/1.xml"], ".", id="flat"),
        pytest.param(inside("cats", {"young": 1, "old": 1}), ["dogs/1.txt"], ".", id="a class without images beside it"),
        pytest.param(inside("cats", {"young": 1, "old": 1}), ["dogs/1.heic"], ".", id="a class of unread images beside it"),
        pytest.param({**inside("photos"), ".": 1}, [], ".", id="an image beside it"),
        pytest.param({"photos/cats": 1}, [], ".", id="one class"),
        pytest.param({"photos/cats": 1, "photos/.git": 1}, [], ".", id="a hidden folder"),
        pytest.param({**inside("images"), **inside("masks")}, [], ".", id="two ways"),
    ],
)
def test_levels(make_folder, folders, files, level):
    root = make_folder(folders)
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    assert find_level(root, SUFFIXES | {".heic"}) == root / level


def test_what_was_read_is_said(make_folder):
    root = make_folder(inside("photos"))
    layout = scan(root)
    assert layout.root == root / "photos" and [file.path for file in layout.candidates] == ["cats/0.png", "dogs/0.png"]
    assert layout.remarks == (f"{root}/photos was read: nothing else in {root} holds images.",)


def test_no_link_is_descended_into(make_folder, tmp_path):
    root = make_folder({f"../elsewhere/{name}": 1 for name in CLASSES})
    (root / "photos").symlink_to(tmp_path / "elsewhere")
    assert find_level(root, SUFFIXES) == root


@pytest.mark.parametrize("layout", ["classes", "nested"])
def test_what_is_said_is_read_as_it_is_said(make_folder, layout):
    root = make_folder(inside("photos"))
    assert scan(root, layout=layout).root == root
