import pytest

from tlsearch.search.data.dataset import open_folder
from tlsearch.spaces.errors import DataError

CATS_AND_DOGS = [f"{label}.{number}.png" for label in ("cat", "dog") for number in range(2)]
NAMED = "--label-from-name '^"


@pytest.mark.parametrize(
    ("named", "images", "files", "hint"),
    [
        pytest.param(".", ["1.png"], ["labels.csv"], "say --labels {}/labels.csv", id="labels.csv inside"),
        pytest.param(".", ["1.png"], ["sample_submission.csv", "train.csv"], "say --labels {}/train.csv", id="of a contest"),
        pytest.param(".", ["1.png"], ["pets.csv"], "say --labels {}/pets.csv", id="any CSV inside"),
        pytest.param("images", ["images/1.png"], ["labels.csv"], "say --labels {}/labels.csv", id="labels.csv beside"),
        pytest.param("images", ["images/1.png"], ["taxes.csv"], "Put the images of each class", id="another CSV beside"),
        pytest.param(".", ["images/1.png"], ["pets.csv"], "say --labels {}/pets.csv", id="above the images"),
        pytest.param(".", ["images/1.png"], ["annotations/list.csv"], "say --labels {}/annotations/list.csv", id="annotations"),
        pytest.param(".", ["images/1.png"], ["annotations/1.xml"], "If {}/annotations tells the classes", id="no CSV"),
        pytest.param(".", ["train/1.png", "test/1.png"], ["train.csv"], "say --labels {}/train.csv", id="flat splits"),
        pytest.param(".", CATS_AND_DOGS, [], NAMED, id="names"),
        pytest.param(
            ".", [f"train/all/{name}" for name in CATS_AND_DOGS] + ["test/all/1.png"], [], NAMED, id="a folder in each split"
        ),
        pytest.param(".", [f"all/{name}" for name in CATS_AND_DOGS], [], NAMED, id="names in a folder"),
        pytest.param(".", [f"train/{name}" for name in CATS_AND_DOGS] + ["test1/1.png"], [], NAMED, id="names in a split"),
        pytest.param(
            "cats", ["cats/1.png", "dogs/1.png"], [], "If cats is a class like dogs beside it, name {}.", id="too deep"
        ),
        pytest.param("wood", ["wood/1.png", "metal/1.png"], [], "a class like metal beside it", id="beside metal"),
        pytest.param(".", ["1.png"], [], "Put the images of each class", id="nothing tells"),
    ],
)
def test_hints(make_folder, named, images, files, hint):
    root = make_folder({".": len(images)})
    for name, picture in zip(images, sorted(root.iterdir()), strict=True):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        picture.rename(root / name)
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    with pytest.raises(DataError) as error:
        open_folder(root / named, size=32)
    assert hint.format(root) in str(error.value)


@pytest.mark.parametrize("name", [".", "../cats"])
def test_the_parent_of_a_relative_folder_is_named_in_full(make_folder, monkeypatch, name):
    root = make_folder({"cats": 1, "dogs": 1})
    monkeypatch.chdir(root / "cats")
    with pytest.raises(DataError, match=f"If cats is a class like dogs beside it, name {root}\\."):
        open_folder(name, size=32)
