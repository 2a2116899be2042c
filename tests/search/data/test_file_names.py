import pytest

from tlsearch.search.data.dataset import open_folder
from tlsearch.search.data.file_names import BEFORE_DIGITS, evident_classes, name_reader
from tlsearch.search.data.folder import scan
from tlsearch.spaces.errors import OptionError

KAGGLE = r"^(\w+?)\.\d"


def named(root, *paths):
    """Renames the pictures of a folder, in their order."""
    for path, picture in zip(paths, sorted(root.rglob("*.png")), strict=True):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        picture.rename(root / path)
    return root


@pytest.mark.parametrize(
    ("expression", "name", "label"),
    [
        (BEFORE_DIGITS, "cat.12.jpg", "cat"),
        (BEFORE_DIGITS, "dog_0001.png", "dog"),
        (BEFORE_DIGITS, "american_bulldog_191.jpg", "american_bulldog"),
        (BEFORE_DIGITS, "golden-retriever-7.jpg", "golden-retriever"),
        (BEFORE_DIGITS, "cat (3).jpg", "cat"),
        (BEFORE_DIGITS, "0001.jpg", None),
        (BEFORE_DIGITS, "cat.jpg", None),
        (r"_(dog|cat)\.", "0001_dog.png", "dog"),
        (r"(\d+)_(?P<label>[a-z]+)", "0001_dog.png", "dog"),
        (r"^(x)?cat", "cat.png", None),
        (r"^( ?)", " .png", None),
        (r"^(\w+)\.", "cafe\u0301.1.png", "caf\u00e9"),
    ],
)
def test_names(expression, name, label):
    assert name_reader(expression)(name) == label


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("(", r"must be a regular expression, got \( \("),
        ("[a-z]+", r"must have a group in parentheses that holds the class, got \[a-z\]\+"),
        ("(bird)", r"\(bird\) must find a class in an image's name, got .*with 2 skipped, such as cat\.1\.png"),
    ],
)
def test_errors(make_folder, expression, message):
    root = named(make_folder({".": 2}), "cat.1.png", "dog.1.png")
    with pytest.raises(OptionError, match=message):
        scan(root, label_from_name=expression)


@pytest.mark.parametrize(
    ("paths", "expected", "skipped"),
    [
        pytest.param(["cat.1.png", "dog.1.png"], {("all", "cat"), ("all", "dog")}, {}, id="flat"),
        pytest.param(
            ["cat.1.png", "notes.png"],
            {("all", "cat")},
            {"notes.png": "a name in which --label-from-name finds no class"},
            id="a name without a class",
        ),
        pytest.param(["images/cat.1.png", "images/2/dog.1.png"], {("all", "cat"), ("all", "dog")}, {}, id="in folders"),
        pytest.param(
            ["train/cat.1.png", "train/dog.1.png", "test1/1.png"],
            {("all", "cat"), ("all", "dog")},
            {"test1": "a split without a file whose name tells a class"},
            id="an unlabelled test folder",
        ),
        pytest.param(
            ["train/cat.1.png", "val/cat.2.png", "test/Cat.3.png", "more/cat.4.png"],
            {("train", "cat"), ("val", "cat"), ("test", "cat")},
            {"more": "beside the split folders"},
            id="splits",
        ),
        pytest.param(["cat.1.png", "Dog.1.png", "dog.2.png"], {("all", "cat"), ("all", "Dog")}, {}, id="two spellings"),
    ],
)
def test_layouts(make_folder, paths, expected, skipped):
    root = named(make_folder({".": len(paths)}), *paths)
    layout = scan(root, label_from_name=KAGGLE)
    assert {(file.split, file.label) for file in layout.candidates} == expected
    assert {file.path: file.reason for file in layout.skipped} == skipped


def test_an_image_that_is_not_read_counts_for_its_class(make_folder):
    root = named(make_folder({".": 1}), "cat.1.png")
    for name in ("dog.1.nef", "nameless.nef"):
        (root / name).write_bytes(b"x")
    assert scan(root, label_from_name=KAGGLE).unread == {"dog"}


def test_the_data_set_remembers_the_expression(make_folder):
    root = named(make_folder({".": 8}), *(f"{label}.{number}.png" for label in ("cat", "dog") for number in range(4)))
    data = open_folder(root, size=32, label_from_name=KAGGLE)
    assert data.classes == ("cat", "dog") and data.settings().layout_options == {"label_from_name": KAGGLE}


def test_a_file_of_labels_is_not_read_besides(make_folder, tmp_path):
    with pytest.raises(OptionError, match="got --labels too"):
        open_folder(make_folder({"cats": 1}), labels=tmp_path / "labels.csv", label_from_name=KAGGLE)


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["cat.1", "cat.2", "dog.1", "dog.2"], ["cat", "dog"]),
        (["Persian_1", "Persian_2", "pug_1", "pug_2", "pug_3"], ["Persian", "pug"]),
        (["IMG_1", "IMG_2", "DSC_1", "DSC_2"], []),
        (["cat.1", "cat.2", "1", "2"], []),
        (["cat.1", "cat.2"], []),
        (["ab1", "cd2", "ef3"], []),
        ([], []),
    ],
)
def test_what_is_evident(names, classes):
    assert evident_classes(f"{name}.jpg" for name in names) == classes
