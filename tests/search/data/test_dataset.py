from __future__ import annotations

import pickle
import shutil
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tlsearch.search import open_folder as public_open_folder
from tlsearch.search.data import Dataset, open_folder
from tlsearch.search.data.survey import survey_folder
from tlsearch.search.events import PhaseEnded, PhaseStarted
from tlsearch.search.settings import SkippedFile
from tlsearch.spaces.errors import DataError, OptionError

SPLITS = ("train", "val", "test")


def counts(dataset: Dataset) -> tuple[Counter[str], ...]:
    """Images of each class in training, validation and test."""
    return tuple(Counter(dataset.classes[label] for label in dataset.labels[getattr(dataset, part)]) for part in SPLITS)


def contents(root: Path, dataset: Dataset, part: str) -> set[bytes]:
    return {(root / dataset.files[row]).read_bytes() for row in getattr(dataset, part)}


@pytest.fixture
def root(make_folder) -> Path:
    """A folder without splits."""
    return make_folder({"dogs": 20, "cats": 10})


class TestLayouts:
    @pytest.mark.parametrize(
        ("folders", "expected"),
        [
            pytest.param({"cats": 20, "dogs": 40}, ((14, 28), (3, 6), (3, 6)), id="flat: 70/15/15"),
            pytest.param(
                {"train/cats": 10, "train/dogs": 20, "test/cats": 2, "test/dogs": 3},
                ((8, 16), (2, 4), (2, 3)),
                id="test: validation is a fifth of train",
            ),
            pytest.param(
                {"Train/cats": 10, "Train/dogs": 20, "val/cats": 2, "val/dogs": 3},
                ((8, 16), (2, 4), (2, 3)),
                id="val alone is the test split",
            ),
            pytest.param(
                {f"{part}/{label}": 2 + len(part + label) for part in ("train", "valid", "test") for label in ("cats", "dog")},
                ((11, 10), (11, 10), (10, 9)),
                id="all three as they are",
            ),
            pytest.param({"train/cats": 20, "train/dogs": 20}, ((14, 14), (3, 3), (3, 3)), id="train alone: 70/15/15"),
            pytest.param({"cats": 3, "dogs": 3}, ((1, 1), (1, 1), (1, 1)), id="the smallest there can be"),
        ],
    )
    def test_splits(self, make_folder, folders, expected):
        dataset = open_folder(make_folder(folders), size=8)
        first, second = dataset.classes

        assert tuple((count[first], count[second]) for count in counts(dataset)) == expected
        assert dataset.skipped == ()

    def test_given_splits_are_kept(self, make_folder):
        dataset = open_folder(make_folder({f"{part}/{label}": 3 for part in SPLITS for label in ("cats", "dogs")}), size=8)

        for part in SPLITS:
            assert all(dataset.files[row].startswith(f"{part}/") for row in getattr(dataset, part))


def test_rows_belong_together(root):
    dataset = open_folder(root, size=16)

    assert dataset.classes == ("cats", "dogs")
    assert [dataset.classes[label] for label in dataset.labels] == [file.split("/")[0] for file in dataset.files]
    assert dataset.images().shape == (30, 16, 16, 3)
    assert sorted(np.concatenate([dataset.train, dataset.val, dataset.test])) == list(range(30))
    assert all(np.all(np.diff(getattr(dataset, part)) > 0) for part in SPLITS)


def test_settings_are_what_a_study_records(root):
    dataset = open_folder(root, size=8, name="demo:small-similar")
    settings = dataset.settings()

    assert settings.path == "demo:small-similar"
    assert (settings.fingerprint, settings.classes) == (dataset.fingerprint, ("cats", "dogs"))
    assert (settings.train, settings.val, settings.test) == (20, 5, 5)
    assert (settings.train_per_class, settings.test_per_class) == ((6, 14), (2, 3))


def test_the_path_is_as_the_user_named_it(root, monkeypatch):
    monkeypatch.chdir(root.parent)

    assert open_folder("photos", size=8).path == "photos"


def test_it_travels_to_workers_without_its_pixels(root):
    dataset = open_folder(root, size=64)
    dataset.images()[:1]
    copy = pickle.loads(pickle.dumps(dataset))

    assert len(pickle.dumps(dataset)) < 10_000
    assert np.array_equal(copy.images()[:], dataset.images()[:])


def test_workers_need_no_names(root):
    dataset = open_folder(root, size=8)
    bare = dataset.without_names()

    assert (bare.files, bare.skipped) == ((), ())
    assert len(pickle.dumps(bare)) < len(pickle.dumps(dataset)) - 200
    assert np.array_equal(bare.images()[:], dataset.images()[:]) and np.array_equal(bare.train, dataset.train)


def test_nothing_of_the_user_s_is_changed(root):
    def state() -> dict[Path, tuple[int, int, bytes]]:
        files = (path for path in root.rglob("*") if path.is_file())
        return {path: (path.stat().st_mtime_ns, path.stat().st_mode, path.read_bytes()) for path in files}

    before = state()
    open_folder(root, size=8)

    assert state() == before


def test_the_cache_is_where_it_is_asked_for(root, tmp_path, own_cache):
    dataset = open_folder(root, size=8, cache_dir=tmp_path / "mine")

    assert dataset.images_folder.is_relative_to(tmp_path / "mine" / "images")
    assert not list(own_cache.iterdir())


def test_what_is_found_out_once_is_told_of_once(root):
    events: list[object] = []
    for _ in range(2):
        open_folder(root, size=8, listener=events.append)

    told = [(event.phase, type(event)) for event in events if isinstance(event, PhaseStarted | PhaseEnded)]
    assert told == [(phase, event) for phase in ("decode", "compare") for event in (PhaseStarted, PhaseEnded)]


class TestSameSplit:
    """The same pictures in the same classes are the same data set, whatever they are called and wherever they lie."""

    def assert_same(self, root: Path, dataset: Dataset, other_root: Path, other: Dataset) -> None:
        assert dataset.fingerprint == other.fingerprint
        for part in SPLITS:
            assert contents(root, dataset, part) == contents(other_root, other, part)

    def test_in_another_folder(self, root, tmp_path):
        copy = shutil.copytree(root, tmp_path / "another" / "place")

        self.assert_same(root, open_folder(root, size=8), copy, open_folder(copy, size=8))

    def test_under_other_names(self, root, tmp_path):
        copy = tmp_path / "copy"
        for place, path in enumerate(sorted(root.rglob("*.png"), key=lambda path: path.read_bytes())):
            target = copy / path.parent.name / f"{path.parent.name} {place % 3}" / f"{place}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)

        self.assert_same(root, open_folder(root, size=8), copy, open_folder(copy, size=8))

    def test_with_other_times(self, root):
        before = open_folder(root, size=8)
        for path in root.rglob("*.png"):
            path.touch()

        self.assert_same(root, before, root, open_folder(root, size=8))

    def test_at_another_size(self, root):
        small, large = open_folder(root, size=8), open_folder(root, size=16)

        self.assert_same(root, small, root, large)
        assert small.images_digest != large.images_digest


class TestFingerprint:
    @pytest.fixture
    def before(self, root) -> Dataset:
        return open_folder(root, size=8)

    def test_another_seed(self, root, before):
        other = open_folder(root, size=8, seed=1)

        # The same split by chance: 1 in C(10, 2) · C(20, 3) = 51,300 for the test split alone, and the seeds are fixed.
        assert other.fingerprint != before.fingerprint
        assert other.images_digest == before.images_digest

    @pytest.mark.parametrize("change", ["class", "content", "one less"])
    def test_another_data_set(self, root, before, change):
        picture = root / "dogs" / "0.png"
        match change:
            case "class":
                picture.rename(root / "cats" / "new.png")
            case "content":
                picture.write_bytes(picture.read_bytes() + b"\0")
            case "one less":
                picture.unlink()

        assert open_folder(root, size=8).fingerprint != before.fingerprint

    def test_another_split_of_the_same_pictures(self, make_folder, tmp_path):
        root = make_folder({f"{part}/{label}": 3 for part in SPLITS for label in ("cats", "dogs")})
        before = open_folder(root, size=8)
        (root / "test/cats").rename(tmp_path / "aside")
        (root / "val/cats").rename(root / "test/cats")
        (tmp_path / "aside").rename(root / "val/cats")

        assert open_folder(root, size=8).fingerprint != before.fingerprint


class TestDuplicates:
    def test_are_never_on_two_sides_of_a_split_that_is_made(self, make_folder):
        root = make_folder({"cats": 12, "dogs": 12})
        for label in ("cats", "dogs"):
            for number in range(6):
                for copy in range(3):
                    shutil.copyfile(root / label / f"{number}.png", root / label / f"copy {copy} of {number}.png")
        dataset = open_folder(root, size=8)
        sides = [contents(root, dataset, part) for part in SPLITS]

        assert sum(map(len, sides)) == len(set.union(*sides)) == 24
        assert dataset.skipped == ()

    def test_of_held_out_images_are_not_trained_on(self, make_folder):
        root = make_folder({f"{part}/{label}": 4 for part in SPLITS for label in ("cats", "dogs")})
        shutil.copyfile(root / "test/cats/0.png", root / "train/cats/a.png")
        shutil.copyfile(root / "test/cats/1.png", root / "val/cats/b.png")
        shutil.copyfile(root / "val/cats/2.png", root / "train/cats/c.png")
        shutil.copyfile(root / "test/cats/3.png", root / "test/cats/d.png")
        dataset = open_folder(root, size=8)

        assert {file.path: file.reason for file in dataset.skipped} == {
            "train/cats/a.png": "the same picture as test image test/cats/0.png",
            "val/cats/b.png": "the same picture as test image test/cats/1.png",
            "train/cats/c.png": "the same picture as validation image val/cats/2.png",
        }
        assert [sum(count.values()) for count in counts(dataset)] == [8, 8, 9]

    @pytest.mark.parametrize("parts", [("", ""), ("train/", "test/"), ("test/", "test/")])
    def test_with_two_labels_are_left_out(self, make_folder, parts):
        layout = {
            f"{part}{label}": 4 for part in {*parts, *(("train/", "test/") if parts[0] else ())} for label in ("cats", "dogs")
        }
        root = make_folder(layout)
        shutil.copyfile(root / f"{parts[0]}cats/0.png", root / f"{parts[1]}dogs/same.png")
        dataset = open_folder(root, size=8)

        assert {file.path: file.reason for file in dataset.skipped} == {
            f"{parts[0]}cats/0.png": "the same picture as an image of class dogs",
            f"{parts[1]}dogs/same.png": "the same picture as an image of class cats",
        }
        used = {dataset.files[row] for part in SPLITS for row in getattr(dataset, part)}
        assert not used & {file.path for file in dataset.skipped}


class TestSkipped:
    def test_unreadable_files_are_listed_with_the_rest(self, root):
        (root / "dogs" / "broken.jpg").write_bytes(b"no image")
        (root / "cats" / "notes.txt").write_text("x")
        (root / "dogs" / "0.png").write_bytes((root / "dogs" / "0.png").read_bytes()[:50])
        dataset = open_folder(root, size=8)

        assert [file.path for file in dataset.skipped] == ["cats/notes.txt", "dogs/0.png", "dogs/broken.jpg"]
        assert len(dataset.files) == 29

    def test_a_class_must_not_vanish(self, root):
        for path in (root / "cats").iterdir():
            path.write_bytes(b"no image")

        message = r"no usable image of class 'cats' in .*photos/cats \(10 skipped, such as cats/0\.png: not an image"
        with pytest.raises(DataError, match=message):
            open_folder(root, size=8)

    def test_a_class_that_is_a_copy_of_another_is_no_class(self, make_folder):
        root = make_folder({"cats": 4, "dogs": 4})
        shutil.copytree(root / "cats", root / "felines")

        with pytest.raises(DataError, match=r"'cats' .* the same picture as an image of class felines"):
            open_folder(root, size=8)

    def test_images_that_are_all_held_out_too_leave_nothing_to_train_on(self, make_folder):
        root = make_folder({"train/cats": 4, "train/dogs": 4, "test/dogs": 4})
        shutil.copytree(root / "train/cats", root / "test/cats")

        with pytest.raises(
            DataError, match=r"no usable image of class 'cats' in .*train/cats .*the same picture as test image"
        ):
            open_folder(root, size=8)


class TestErrors:
    def test_one_class(self, make_folder):
        with pytest.raises(DataError, match=r"at least two classes with images in them, got 1 in .*photos \(cats\)"):
            open_folder(make_folder({"cats": 5}), size=8)

    @pytest.mark.parametrize(("there", "missing"), [("train", "test"), ("test", "train")])
    def test_a_class_in_one_split_alone(self, make_folder, there, missing):
        root = make_folder({"train/cats": 5, "train/dogs": 5, "test/cats": 5, "test/dogs": 5, f"{there}/birds": 5})

        with pytest.raises(DataError, match=f"no usable image of class 'birds' in .*photos/{missing}/birds"):
            open_folder(root, size=8)

    @pytest.mark.parametrize("name", ["nef", "DNG"])
    def test_a_class_whose_images_are_all_of_a_format_that_is_not_read(self, make_folder, name):
        root = make_folder({"cats": 5, "dogs": 5, "birds": 1})
        (root / "birds" / "0.png").rename(root / "birds" / f"0.{name}")
        (root / "birds" / f"0.{name}").write_bytes(b"II*\0")
        with pytest.raises(
            DataError, match=f"no usable image of class 'birds' in .*such as birds/0.{name}: {name.upper()} images are"
        ):
            open_folder(root, size=8)
        (root / "dogs" / f"1.{name}").write_bytes(b"x")
        shutil.rmtree(root / "birds")
        assert open_folder(root, size=8).classes == ("cats", "dogs")

    def test_a_held_out_folder_without_classes_is_set_aside(self, make_folder):
        dataset = open_folder(make_folder({"train/cats": 5, "train/dogs": 5, "test": 5}), size=8)
        assert len(dataset.files) == 10 and dataset.settings().drawn
        assert dataset.skipped == (SkippedFile("test", "a split without class folders: nothing says what is on its pictures"),)

    def test_how_the_folders_are_read_is_kept(self, make_folder):
        root = make_folder({f"site {site}/{label}": 3 for site in "ab" for label in ("cats", "dogs")})
        nested = open_folder(root, size=8, layout="nested")
        assert nested.classes == ("cats", "dogs") and nested.settings().layout_options == {"layout": "nested"}
        assert open_folder(root, size=8, layout="classes").classes == ("site a", "site b")

    @pytest.mark.parametrize(
        ("folders", "message"),
        [
            ({"cats": 5, "dogs": 2}, r"at least 3 different images to be split, got 2 of class 'dogs' in .*photos/dogs\."),
            (
                {"train/cats": 1, "train/dogs": 5, "test/cats": 1, "test/dogs": 1},
                r"at least 2 different images to be split, got 1 of class 'cats' in .*photos/train/cats\.",
            ),
        ],
    )
    def test_a_class_too_small_to_split(self, make_folder, folders, message):
        with pytest.raises(DataError, match=message):
            open_folder(make_folder(folders), size=8)

    @pytest.mark.parametrize("options", [{"size": 0}, {"size": -1}, {"processes": -1}])
    def test_options(self, root, options):
        with pytest.raises(OptionError, match=f"must be at least [01], got {next(iter(options.values()))}"):
            open_folder(root, **options)

    def test_errors_of_scanning_come_through(self, tmp_path):
        with pytest.raises(DataError, match="no such folder"):
            open_folder(tmp_path / "nowhere")


def test_unicode_class_names_match_across_splits(make_folder):
    label = "chiens d'été 犬"
    names = {"train": unicodedata.normalize("NFD", label), "test": unicodedata.normalize("NFC", label)}
    dataset = open_folder(make_folder({f"{part}/{name}": 4 for part, own in names.items() for name in (own, "cats")}), size=8)

    assert dataset.classes == ("cats", unicodedata.normalize("NFC", label))
    assert all((Path(dataset.path) / file).is_file() for file in dataset.files)


def test_the_public_name_is_the_same():
    assert public_open_folder is open_folder


def test_real_photographs(real_data):
    dataset = open_folder(real_data / "data" / "ants_bees", size=96)

    assert dataset.classes == ("ants", "bees")
    # The held-out folder is called val: it is the test split, and a fifth of the training images becomes validation.
    assert {dataset.files[row].split("/")[0] for row in dataset.test} == {"val"}
    assert len(dataset.val) == pytest.approx(0.2 * (len(dataset.train) + len(dataset.val)), abs=1)
    assert len(dataset.files) > 390
    # Photographs, neither blank nor black.
    assert 60 < dataset.images()[:].mean() < 190
    assert dataset.images()[:].std() > 40


class TestFolds:
    @pytest.fixture
    def divided(self, root) -> Dataset:
        return open_folder(root, size=8, folds=5)

    def test_every_image_is_tested_once_by_models_that_have_not_seen_it(self, divided):
        assert sorted(np.concatenate([fold.test for fold in divided.folds])) == list(range(30))
        for number in range(5):
            fold = divided.fold(number)
            assert not fold.folds
            assert sorted(np.concatenate([fold.train, fold.val, fold.test])) == list(range(30))
            assert [Counter(fold.labels[part].tolist()) for part in (fold.train, fold.val, fold.test)] == [
                {0: 7, 1: 13},
                {0: 1, 1: 3},
                {0: 2, 1: 4},
            ]

    def test_what_is_trained_when_all_is_tested_sees_all_images(self, divided):
        assert list(divided.train) == list(divided.test) == list(range(30))
        assert Counter(divided.labels[divided.val].tolist()) == {0: 2, 1: 3}

    def test_a_study_records_them(self, divided, root):
        settings = divided.settings()
        assert (settings.folds, settings.train, settings.val, settings.test) == (5, 20, 4, 30)
        assert settings.images == 30 == open_folder(root, size=8).settings().images
        assert settings.test_per_class == (10, 20)
        others = [open_folder(root, size=8, folds=3), open_folder(root, size=8), open_folder(root, size=8, folds=5, seed=1)]
        assert len({divided.fingerprint, *(other.fingerprint for other in others)}) == 4

    def test_without_folds_a_fold_is_the_whole(self, root):
        dataset = open_folder(root, size=8)
        assert dataset.fold(0) is dataset and dataset.settings().folds == 1 and dataset.settings().drawn

    def test_a_survey_tells_them_too(self, root):
        known = survey_folder(root, size=8, folds=5).stand_in
        assert [len(fold.test) for fold in known.folds] == [6] * 5

    @pytest.mark.parametrize(
        ("folders", "folds"),
        [
            pytest.param({"cats": 10, "dogs": 20}, 5, id="few test images"),
            pytest.param({"cats": 4, "dogs": 20}, 0, id="a class with fewer pictures than folds"),
            pytest.param({"train/cats": 10, "train/dogs": 10, "test/cats": 2, "test/dogs": 2}, 0, id="splits of its own"),
        ],
    )
    def test_auto(self, make_folder, folders, folds):
        assert len(open_folder(make_folder(folders), size=8, folds="auto").folds) == folds

    def test_auto_leaves_large_sets_alone(self, root, monkeypatch):
        monkeypatch.setattr("tlsearch.search.data.split.ENOUGH_TO_TEST", 4)
        assert not open_folder(root, size=8, folds="auto").folds

    @pytest.mark.parametrize("folds", [0, 2, 21, -1])
    def test_out_of_bounds(self, root, folds):
        with pytest.raises(OptionError, match=f"--folds must be auto, 1 for none, or a number from 3 to 20, got {folds}"):
            open_folder(root, size=8, folds=folds)

    def test_of_data_with_splits(self, make_folder):
        root = make_folder({"train/cats": 10, "train/dogs": 10, "test/cats": 5, "test/dogs": 5})
        with pytest.raises(OptionError, match=r"--folds divides images that have no splits, got .* \(test, train\)"):
            open_folder(root, size=8, folds=3)
        assert not open_folder(root, size=8).settings().drawn

    def test_of_a_class_that_is_too_small(self, make_folder):
        with pytest.raises(DataError, match=r"at least 5 different images .* got 4 of class 'cats'.* smaller number than"):
            open_folder(make_folder({"cats": 4, "dogs": 20}), size=8, folds=5)
