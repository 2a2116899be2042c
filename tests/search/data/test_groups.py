import pytest

from tlsearch.search.data.dataset import open_folder
from tlsearch.search.data.folder import scan
from tlsearch.search.data.groups import grouped
from tlsearch.spaces.errors import DataError, OptionError


def groups(folder, group_by, **options):
    return {file.path: file.group for file in grouped(scan(folder, **options), group_by).candidates}


@pytest.mark.parametrize(
    ("folders", "layout", "found"),
    [
        (["cats/anna", "cats/ben", "dogs/anna"], "auto", ["anna", "ben", "anna"]),
        (["site1/cats", "site1/dogs", "site2/cats"], "nested", ["site1", "site1", "site2"]),
        (["train/cats/anna/monday", "train/dogs", "test/cats/ben", "test/dogs"], "auto", ["ben", "", "anna", ""]),
    ],
)
def test_the_folder_that_is_neither_the_splits_nor_the_classs_is_the_group(make_folder, folders, layout, found):
    assert [*groups(make_folder(dict.fromkeys(folders, 1)), "folder", layout=layout).values()] == found


def test_an_expression_is_searched_for_in_the_path(make_folder):
    folder = make_folder({"cats/p1": 1, "cats/p22": 1, "dogs/other": 1})
    assert [*groups(folder, r"p(\d+)").values()] == ["1", "22", ""]
    assert [*groups(folder, r"p\d+|other").values()] == ["p1", "p22", "other"]
    assert set(groups(folder, "none").values()) == {""}


@pytest.mark.parametrize(
    ("group_by", "error", "message"),
    [
        ("(", OptionError, "--group-by must be folder, none or a regular expression, got '\\('"),
        ("folder", DataError, "must have a folder beside that of the class .* got 2 that do not, such as cats/0.png"),
        ("patient", DataError, "must match 'patient' for --group-by, got 2 that do not"),
    ],
)
def test_what_groups_nothing_is_an_error(make_folder, group_by, error, message):
    with pytest.raises(error, match=message):
        groups(make_folder({"cats": 1, "dogs": 1}), group_by)


@pytest.mark.parametrize("folds", [1, 3])
def test_no_split_parts_a_patient_of_both_classes(make_folder, folds):
    folder = make_folder({f"{label}/p{number}": 2 for label in ("cats", "dogs") for number in range(12)})
    data = open_folder(folder, size=32, group_by="folder", layout="classes", folds=folds)
    for number in range(folds):
        fold = data.fold(number)
        patients = [{data.files[row].split("/")[1] for row in part} for part in (fold.train, fold.val, fold.test)]
        assert sum(map(len, patients)) == len(set.union(*patients)) == 12
        assert len(fold.tied_images().numbers) == len(fold.test) and fold.tied_images().seen == ()
    assert data.settings().layout_options == {"group_by": "folder", "layout": "classes"}


def test_a_given_split_that_parts_a_patient_is_refused(make_folder):
    folder = make_folder({f"{part}/{label}/p1": 4 for part in ("train", "test") for label in ("cats", "dogs")})
    with pytest.raises(DataError, match=r"a group must lie in one split, got 1 of 1 .*'p1' in test and training"):
        open_folder(folder, size=32, group_by="folder")
    assert open_folder(folder, size=32).tied_images() is None
