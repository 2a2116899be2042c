import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.search.data.folder import scan
from tlsearch.search.data.spellings import one_spelling

NFD, NFC = "cafe\u0301", "caf\u00e9"


def read(root, **options):
    """Split and class of each image, as often as there are some, and whether a remark was made."""
    layout = scan(root, **options)
    return {(file.split, file.label) for file in layout.candidates}, bool(layout.remarks)


@pytest.mark.parametrize(
    ("folders", "classes", "remarked"),
    [
        pytest.param({"train/Cat": 2, "test/cat": 1}, {("train", "Cat"), ("test", "Cat")}, True, id="case, across splits"),
        pytest.param({"train/dog ": 2, "test/dog": 1}, {("train", "dog"), ("test", "dog")}, True, id="space, across splits"),
        pytest.param({f"train/{NFD}": 1, f"test/{NFC}": 1}, {("train", NFC), ("test", NFC)}, False, id="form, across splits"),
        pytest.param({"train/A": 2, "test/a": 1}, {("train", "A"), ("test", "A")}, True, id="a character, across splits"),
        pytest.param({"Cat": 1, "cat": 2, "dog": 1}, {("all", "cat"), ("all", "dog")}, True, id="case, side by side"),
        pytest.param({NFD: 1, NFC: 1}, {("all", NFC)}, True, id="form, side by side"),
        pytest.param({"A": 1, "a": 1, "É": 1, "é": 1}, {("all", x) for x in "AaÉé"}, False, id="characters"),
        pytest.param(
            {"train/A": 1, "train/a": 1, "test/A": 1, "test/a": 1},
            {(split, label) for split in ("train", "test") for label in "Aa"},
            False,
            id="characters in splits",
        ),
        pytest.param({"a": 1, "a ": 1}, {("all", "a")}, True, id="a character and a space"),
        pytest.param({"Cat": 1, "cat": 1, "dog ": 1}, {("all", "Cat"), ("all", "dog ")}, True, id="a space alone stays"),
    ],
)
def test_classes(make_folder, folders, classes, remarked):
    assert read(make_folder(folders)) == (classes, remarked)


def test_the_remark_names_both():
    assert one_spelling([{"Cat", "x"}, {"cat", "x"}, {"dog", "dog "}], {}).remarks == (
        "Classes whose names differ only by case, spaces or Unicode form are one: Cat = cat; dog = 'dog '.",
    )


def test_of_many_the_first_are_named():
    names = [f"class {number}" for number in range(30)]
    (remark,) = one_spelling([names, [name.upper() for name in names]], {}).remarks
    assert "and 25 more" in remark and len(remark) < 250


def test_the_option_keeps_them_apart(make_folder):
    assert read(make_folder({"Cat": 1, "cat": 1}), layout="classes") == ({("all", "Cat"), ("all", "cat")}, False)


def test_unread_images_of_another_spelling_are_those_of_the_class(make_folder):
    root = make_folder({"train/cat": 1, "train/dog": 1, "test/cat": 1, "test/Dog": 0})
    (root / "test" / "Dog" / "0.heic").write_bytes(b"x")
    layout = scan(root)
    assert layout.unread == frozenset()
    # An error about the class names the folder that is there.
    assert layout.place("test", "dog").endswith("photos/test/Dog") and layout.place("train", "dog").endswith("train/dog")


names = st.text(st.sampled_from("aAbB \u00e9\u00c9e\u0301"), min_size=1, max_size=3)


@given(st.lists(st.sets(names, max_size=5), max_size=3))
def test_no_name_is_of_another_class_than_one_that_it_differs_from_by_more(parents):
    spellings = one_spelling(parents, {})
    for name in set().union(*parents):
        form = unicodedata.normalize("NFC", name)
        label = spellings.class_of(form)
        assert label.strip().casefold() == form.strip().casefold()
        # What a name stands for stands for itself.
        assert spellings.class_of(label) == label
