import pytest

from tlsearch.search.data.dataset import open_folder
from tlsearch.search.data.survey import survey_folder
from tlsearch.spaces.errors import DataError, OptionError


def test_all_missing_classes_are_named_with_what_the_others_have(make_folder):
    root = make_folder(
        {"train/ant": 3, "train/bee": 2, "train/cat": 1, "val/cat": 1, "val/bee": 1, "test/cat": 1, "test/fly": 1}
    )
    with pytest.raises(DataError) as error:
        survey_folder(root)
    assert str(error.value) == (
        f"each class must have images in every split, got no usable image of 2 classes in {root}/test: 'ant' (3 in training), "
        f"'bee' (2 in training, 1 in validation); class 'fly' in {root}/train/fly (1 in test); 2 classes in {root}/val: "
        "'ant' (3 in training), 'fly' (1 in test). Add some, or go on without them: "
        "--skip-class ant --skip-class bee --skip-class fly"
    )


def test_of_many_the_first_are_named(make_folder):
    root = make_folder(
        {**{f"train/class {number:03}": 1 for number in range(300)}, "test/class 000": 1, "train/x": 1, "test/x": 1}
    )
    with pytest.raises(DataError, match=r"299 classes in .*: 'class 001' \(1 in training\), .* and 295 more\.") as error:
        survey_folder(root)
    assert len(str(error.value).replace(str(root), "")) < 400
    assert str(error.value).endswith("--skip-class 'class 004' …")


def test_a_class_of_which_nothing_can_be_read_is_named_with_the_remedy(make_folder):
    root = make_folder({"cats": 4, "dogs": 4, "birds": 0})
    (root / "birds" / "0.nef").write_bytes(b"x")
    with pytest.raises(DataError, match=r"class 'birds' in .*\(1 skipped, such as .*--skip-class birds$"):
        open_folder(root, size=32)


class TestSkipClass:
    def test_its_files_are_listed(self, make_folder):
        root = make_folder({"train/cats": 4, "train/dogs": 4, "train/birds": 1, "test/cats": 1, "test/dogs": 1})
        data = open_folder(root, size=32, skip_class=("birds",))
        assert data.classes == ("cats", "dogs")
        assert [(file.path, file.reason) for file in data.skipped] == [
            ("train/birds/0.png", "of class birds: --skip-class leaves it out")
        ]
        assert data.settings().layout_options == {"skip_class": ("birds",)}

    def test_one_of_which_nothing_can_be_read(self, make_folder):
        root = make_folder({"cats": 4, "dogs": 4, "birds": 0})
        (root / "birds" / "0.nef").write_bytes(b"x")
        assert open_folder(root, size=32, skip_class=("birds",)).classes == ("cats", "dogs")

    def test_one_of_a_file_of_labels(self, make_folder, tmp_path):
        root = make_folder({"a": 9})
        (tmp_path / "labels.csv").write_text("path,label\n" + "".join(f"a/{n}.png,{'xyz'[n % 3]}\n" for n in range(9)))
        assert open_folder(root, size=32, labels=tmp_path / "labels.csv", skip_class=("z",)).classes == ("x", "y")

    def test_a_decomposed_name_is_the_same(self, make_folder):
        data = open_folder(make_folder({"caf\u00e9": 4, "cats": 4, "dogs": 4}), size=32, skip_class=("cafe\u0301",))
        assert data.classes == ("cats", "dogs")

    def test_an_unknown_one_is_an_error_that_lists_those_known(self, make_folder):
        with pytest.raises(OptionError, match=r"must name a class of DATA, got Cats, fish\. Its classes are cats, dogs\.$"):
            open_folder(make_folder({"cats": 4, "dogs": 4}), size=32, skip_class=("fish", "Cats", "dogs"))
