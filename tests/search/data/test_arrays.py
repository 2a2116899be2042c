from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tlsearch.reports.answer.summary import summarize
from tlsearch.reports.html.pictures import album
from tlsearch.search import open_arrays, open_dataset, open_folder
from tlsearch.search.data import in_memory
from tlsearch.search.data.arrays import list_pictures
from tlsearch.search.data.in_memory import Scale
from tlsearch.search.export.choice import study_data
from tlsearch.search.settings import DataSettings, SkippedFile
from tlsearch.search.study import Study
from tlsearch.spaces.backbone.spec import BackboneSpec
from tlsearch.spaces.errors import DataError, OptionError, StudyError

COUNT = 24

PARTS = ("train", "val", "test", "labels")


@pytest.fixture(scope="module")
def images():
    """``(24, 12, 10, 3)``, each another."""
    return np.random.default_rng(0).integers(0, 256, (COUNT, 12, 10, 3), np.uint8)


@pytest.fixture(scope="module")
def labels():
    return np.arange(COUNT) % 2


def same(one, other) -> bool:
    """Whether two data sets have the same rows, splits and pixels."""
    return (
        (one.fingerprint, one.images_digest, one.images_folder) == (other.fingerprint, other.images_digest, other.images_folder)
        and all(np.array_equal(getattr(one, part), getattr(other, part)) for part in PARTS)
        and np.array_equal(one.images()[:], other.images()[:])
    )


class TestArrays:
    def test_are_what_the_same_files_are(self, images, labels, tmp_path):
        """But for the order of the rows: the same pixels under the same names of classes."""
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            folder = tmp_path / "photos" / ("cat", "dog")[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{number:06}.png")
        files = open_folder(tmp_path / "photos", size=8)
        arrays = open_arrays(images, labels, classes=["cat", "dog"], size=8)
        of_files = {name[-10:-4]: row for row, name in enumerate(files.files)}
        rows = [of_files[name.removeprefix("array/")] for name in arrays.files]
        assert np.array_equal(files.images()[:][rows], arrays.images()[:])
        assert np.array_equal(files.labels[rows], arrays.labels)
        assert files.classes == arrays.classes and [len(arrays.train), len(arrays.val), len(arrays.test)] == [16, 4, 4]

    def test_reports_call_them_arrays(self, images, labels):
        data = open_arrays(images, labels, size=8)
        assert (data.path, data.in_memory, data.settings().in_memory) == ("arrays", True, True)
        assert open_arrays(images, labels, size=8, name="my pets").settings().path == "my pets"

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8)
    @given(order=st.permutations(range(COUNT)), form=st.sampled_from(["array", "list", "unit", "float", "half"]))
    def test_the_same_images_in_any_order_and_form_are_the_same_data(self, images, labels, order, form):
        shown = images[list(order)]
        forms = {
            "array": shown,
            "list": list(shown),
            "unit": shown / 255,
            "float": shown.astype(np.float32),
            "half": shown.astype(np.float16),
        }
        assert same(open_arrays(images, labels, size=8), open_arrays(forms[form], labels[list(order)], size=8))

    def test_sizes_may_differ_and_grey_is_grey(self, images, labels):
        mixed = [image[: 5 + number % 3] if number % 2 else image[..., 0] for number, image in enumerate(images)]
        data = open_arrays(mixed, labels, size=8)
        pixels = data.images()[:]
        grey = np.array([int(name[-2:]) % 2 == 0 for name in data.files])
        assert (pixels[grey] == pixels[grey][..., :1]).all() and not (pixels[~grey] == pixels[~grey][..., :1]).all()
        assert same(open_arrays(images[..., 0], labels, size=8), open_arrays(np.repeat(images[..., :1], 3, -1), labels, size=8))

    def test_splits_and_groups_are_taken(self, images, labels):
        words = ["Train"] * 12 + ["dev"] * 4 + ["test_set"] * 8
        data = open_arrays(images, labels, splits=words, size=8)
        assert [len(part) for part in (data.train, data.val, data.test)] == [12, 4, 8] and not data.drawn
        owners = ["p1", 7, None, "", float("nan"), b"p2"] * 4
        listed = list_pictures([lambda: None] * COUNT, labels, None, owners, None)
        assert [one.group for one in listed[:6]] == ["p1", "7", "", "", "", "p2"]

    def test_copies_stay_on_one_side_and_those_in_two_classes_are_left_out(self, images, labels):
        doubled = np.concatenate([images, images[:1], images[:1], images[1:2]])
        data = open_arrays(doubled, [*labels, 0, 0, 0], size=8)
        copies = {data.files.index(f"array/{number:06}") for number in (0, 24, 25)}
        assert sum(bool(copies & set(part.tolist())) for part in (data.train, data.val, data.test)) == 1
        assert [skip.path for skip in data.skipped] == ["array/000001", "array/000026"]

    def test_folds(self, images, labels):
        data = open_arrays(images, labels, size=8, folds=3)
        assert len(data.folds) == 3 and sorted(row for fold in data.folds for row in fold.test) == [*range(COUNT)]


class TestCache:
    def test_is_written_once_and_again_where_it_is_damaged(self, images, labels, monkeypatch):
        data = open_arrays(images, labels, size=8)
        (shard,) = data.images().files
        written = shard.stat().st_mtime_ns
        assert same(data, open_arrays(images, labels, size=8)) and shard.stat().st_mtime_ns == written
        shard.write_bytes(shard.read_bytes()[:100])
        again = open_arrays(images, labels, size=8)
        assert again.images_folder == data.images_folder and len(again.images()[:]) == COUNT
        assert [path.name for path in data.images_folder.parent.iterdir()] == [data.images_folder.name]

    def test_is_spread_over_shards(self, images, labels, monkeypatch):
        whole = open_arrays(images, labels, size=8).images()[:]
        monkeypatch.setattr(in_memory, "SHARD_BYTES", 5 * 8 * 8 * 3)
        other = open_arrays(images, labels, size=8, cache_dir=open_arrays(images, labels, size=8).images_folder / "other")
        assert other.images().counts == (5, 5, 5, 5, 4) and np.array_equal(other.images()[:], whole)

    def test_another_size_is_another_entry(self, images, labels):
        assert open_arrays(images, labels, size=8).images_folder != open_arrays(images, labels, size=9).images_folder

    def test_a_full_disk_is_said_and_leaves_nothing(self, images, labels, monkeypatch, own_cache):
        def full(*args):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(in_memory.np, "save", full)
        with pytest.raises(DataError, match=r"it cannot be written .No space left"):
            open_arrays(images, labels, size=8)
        assert [*(own_cache / "images").iterdir()] == []


@pytest.mark.parametrize(
    ("labels", "classes", "names"),
    [
        (np.array([1, 0, 1]), None, ["1", "0", "1"]),
        (np.array([1, 0, 1]), ["cat", "dog"], ["dog", "cat", "dog"]),
        ([1.0, 0.0, 1.0], None, ["1", "0", "1"]),
        (np.array([[1], [0], [1]]), ["cat", "dog"], ["dog", "cat", "dog"]),
        (np.array([[0, 1], [1, 0], [0.0, 1]]), ["cat", "dog"], ["dog", "cat", "dog"]),
        (["dog", " cat ", b"dog"], None, ["dog", "cat", "dog"]),
        (np.array(["dog", "cat", "dog"]), ["dog", "cat"], ["dog", "cat", "dog"]),
        ([-1, 0, 1], None, ["", "0", "1"]),
        ([np.nan, 0, 1], ["cat", "dog"], ["", "cat", "dog"]),
        ([None, "cat", "NA"], None, ["", "cat", ""]),
        ([True, False, True], None, ["1", "0", "1"]),
    ],
)
def test_forms_of_labels(labels, classes, names):
    assert [one.label for one in list_pictures([lambda: None] * 3, labels, classes, None, None)] == names


def test_an_image_without_a_label_is_left_out(images, labels):
    data = open_arrays(images, [-1, *labels[1:]], size=8)
    assert data.skipped == (SkippedFile("array/000000", "no label"),) and len(data.files) == COUNT - 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": [0, 1]}, "labels must be one for each image, got 2 for 24 images"),
        ({"groups": ["a"]}, "groups must be one for each image, got 1 for 24"),
        ({"splits": ["train"] * 23}, "splits must be one for each image, got 23"),
        ({"splits": ["train"] * 23 + ["extra"]}, "splits must hold train, val or test .*got 'extra' in array/000023"),
        ({"splits": ["test"] * 24}, "splits must have images of split train .*got only test"),
        ({"labels": np.ones((24, 3))}, r"one class for each image.*got the shape \(24, 3\)"),
        ({"labels": [[0, 1]] + [[0]] * 23}, "several labels of an image are not supported"),
        ({"labels": [0.5] * 24}, "names or whole numbers, got 0.5 for image 0"),
        ({"labels": [float("inf")] * 24}, "names or whole numbers, got inf"),
        ({"labels": [2] * 24, "classes": ["cat", "dog"]}, "among classes, which has 2, got 2 for image 0"),
        ({"labels": ["cow"] * 24, "classes": ["cat", "dog"]}, "among classes, which has 2, got 'cow' for image 0"),
        ({"labels": [0] * 24}, r"at least two classes .* got 1 in arrays \(0\)\. The labels name"),
        ({"labels": [0] * 22 + [1] * 2}, "at least 3 different images .*class '1' in arrays"),
    ],
)
def test_what_is_wrong_with_labels_is_said(images, labels, changes, message):
    with pytest.raises(DataError, match=message):
        open_arrays(images, **{"labels": labels, "size": 8, **changes})


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((3, 12, 10), np.uint8), r"shape \(height, width, 3\) or .*, got \(3, 12, 10\) for x. Put the channels last"),
        (np.zeros((12, 10, 4), np.uint8), r"got \(12, 10, 4\)"),
        (np.zeros((0, 10, 3), np.uint8), r"got \(0, 10, 3\)"),
        (np.zeros(10, np.uint8), r"got \(10,\)"),
        ({"bytes": b""}, r"got \(\)"),
        (np.zeros((2, 2, 3), np.int64), r"uint8 or float, got int64 for x. .*astype"),
        (np.full((2, 2, 3), -1.0), r"in \[0, 1\] or in \[0, 255\], got -1 to -1 for x. Undo"),
        (np.full((2, 2, 3), 256.0), "got 256 to 256"),
        (np.full((2, 2, 3), np.nan), "got nan to nan"),
    ],
)
def test_what_is_no_image_is_said(image, message):
    with pytest.raises(DataError, match=message):
        Scale().rgb(image, "x")


def test_the_first_image_that_is_not_black_says_what_floats_mean():
    def grey(value):
        return np.full((1, 1), value)

    for values, expected in (([0.0, 0.5, 1.0001, 0.0], [0, 128, 255, 0]), ([0.0, 7.6, 1.0, 255.0], [0, 8, 1, 255])):
        scale = Scale()
        assert [int(scale.rgb(grey(value), "x")[0, 0, 0]) for value in values] == expected
    scale = Scale()
    scale.rgb(grey(0.5), "x")
    with pytest.raises(DataError, match=r"all in \[0, 1\] or all in \[0, 255\], got values up to 1 at first and 2 for y"):
        scale.rgb(grey(2.0), "y")


@pytest.mark.parametrize(("mode", "colour"), [("RGBA", (9, 9, 9, 0)), ("LA", (9, 0)), ("P", 0)])
def test_what_is_transparent_in_an_image_of_pillow_is_white(mode, colour):
    image = Image.new(mode, (2, 2), colour)
    if mode == "P":
        image.info["transparency"] = 0
    assert (Scale().rgb(image, "x") == 255).all()


def test_an_option_out_of_bounds_is_said(images, labels):
    for options, message in (({"size": 0}, "size must be at least 1"), ({"folds": 1000}, "--folds must be")):
        with pytest.raises(OptionError, match=message):
            open_arrays(images, labels, **{"size": 8, **options})


class TestStudies:
    @pytest.fixture
    def study(self, images, labels, tmp_path):
        """Opens a study of the arrays."""

        def open_study(**changes) -> Study:
            data = open_arrays(**{"images": images, "labels": labels, "size": 32, **changes})
            return Study.open(tmp_path / "study", data, backbone=BackboneSpec(0.35, 32, "random"))

        return open_study

    def test_the_same_arrays_again_are_the_same_study(self, study, images, labels):
        first = study()
        again = study(images=images[::-1] / 255, labels=labels[::-1])
        assert again.store.settings.created == first.store.settings.created
        with pytest.raises(StudyError, match="the images or their split have changed"):
            study(labels=1 - labels)

    def test_an_export_needs_them_again(self, study, images, labels):
        settings = study().store.settings
        for where in (None, "photos"):
            with pytest.raises(StudyError, match=r"which were arrays: export it in Python, where .*data=open_arrays") as error:
                study_data(settings, where, None, lambda event: None)
            assert "\n" not in str(error.value)
        data = open_arrays(images, labels, size=32)
        assert study_data(settings, data, None, lambda event: None) is data
        with pytest.raises(StudyError, match="those in arrays are others"):
            study_data(settings, open_arrays(images[1:], labels[1:], size=32), None, lambda event: None)

    def test_a_page_has_no_pictures_of_them(self, study, tmp_path, monkeypatch):
        study()
        (tmp_path / "arrays" / "0").mkdir(parents=True)
        monkeypatch.chdir(tmp_path)
        assert "were arrays" in album(summarize(tmp_path / "study")).missing[0]

    def test_of_earlier_versions_are_of_files(self):
        assert next(field for field in dataclasses.fields(DataSettings) if field.name == "in_memory").default is False


class TestTensorFlow:
    @pytest.fixture
    def tf(self):
        return pytest.importorskip("tensorflow")

    @pytest.mark.parametrize("form", ["single", "batched", "one-hot", "binary", "names", "unit"])
    def test_forms(self, tf, images, labels, form):
        shown = images / np.float32(255) if form == "unit" else images
        told = {
            "one-hot": np.eye(2, dtype=np.float32)[labels],
            "binary": labels[:, None].astype(np.float32),
            "names": np.array(["cat", "dog"])[labels],
        }.get(form, labels)
        dataset = tf.data.Dataset.from_tensor_slices((shown, told))
        data = open_dataset(dataset if form == "single" else dataset.batch(5), classes=["cat", "dog"], size=8)
        expected = open_arrays(images, labels, classes=["cat", "dog"], size=8)
        assert data.classes == ("cat", "dog") and data.path == "arrays"
        number = {name: row for row, name in enumerate(data.files)}
        rows = [number[name] for name in expected.files]
        assert np.array_equal(data.images()[:][rows], expected.images()[:])
        assert np.array_equal(data.labels[rows], expected.labels)

    def test_grey_in_batches(self, tf, images, labels):
        dataset = tf.data.Dataset.from_tensor_slices((images[..., 0], labels)).batch(5)
        assert len(open_dataset(dataset, size=8).files) == COUNT

    def test_shuffled_anew_it_is_the_same_data(self, tf, images, labels):
        dataset = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(COUNT).batch(5)
        assert same(open_dataset(dataset, size=8), open_dataset(dataset, size=8))

    def test_splits_by_name(self, tf, images, labels, own_cache):
        whole = tf.data.Dataset.from_tensor_slices((images, labels))
        data = open_dataset({"train": whole.take(16), "validation": whole.skip(16)}, size=8)
        assert len(data.test) == 8 and data.settings().test == 8
        assert [path.name for path in (own_cache / "images").iterdir()] == [data.images_folder.name], "no spool is left"

    def test_what_is_no_such_data_set_is_said(self, tf, images, labels):
        whole = tf.data.Dataset.from_tensor_slices((images, labels))
        with pytest.raises(DataError, match="must be finite"):
            open_dataset(whole.repeat(), size=8)
        for dataset, got in ((whole.map(lambda image, label: image), "ndarray"), (whole.map(lambda *one: (*one, 1)), "tuple")):
            with pytest.raises(DataError, match=rf"pairs \(image, label\), got {got}"):
                open_dataset(dataset, size=8)


class ClassLabel(SimpleNamespace):
    pass


class Value(SimpleNamespace):
    pass


class Rows:
    """What is used of a Hugging Face ``datasets.Dataset``, whose features are known by the names of their types."""

    def __init__(self, features, columns):
        self.features = features
        self._columns = columns

    def __len__(self):
        return len(next(iter(self._columns.values())))

    def __getitem__(self, key):
        if isinstance(key, str):
            return self._columns[key]
        return {name: values[key] for name, values in self._columns.items()}

    def with_format(self, kind):
        assert kind is None
        return self


class TestHuggingFace:
    @pytest.fixture
    def rows(self, images, labels):
        features = {"img": type("Image", (), {})(), "fine": ClassLabel(names=["cat", "dog"]), "who": Value()}
        pictures = [Image.fromarray(image) for image in images]
        return Rows(features, {"img": pictures, "fine": labels.tolist(), "who": [f"p{n // 4}" for n in range(COUNT)]})

    def test_columns_are_found_by_their_types(self, rows, images, labels):
        assert same(open_dataset(rows, size=8), open_arrays(images, labels, classes=["cat", "dog"], size=8))

    def test_columns_may_be_named(self, rows):
        assert open_dataset(rows, size=8, image="img", label="who").classes == tuple(f"p{number}" for number in range(6))

    def test_what_is_of_one_group_is_not_parted(self, rows):
        data = open_dataset(rows, size=8, group="who")
        owners = [{int(data.files[row][-6:]) // 4 for row in part} for part in (data.train, data.val, data.test)]
        assert sum(map(len, owners)) == 6 and all(owners)

    def test_a_label_without_a_type_goes_by_its_name(self, rows):
        rows.features["label"] = rows.features.pop("who")
        rows._columns["label"] = rows._columns.pop("who")
        del rows.features["fine"]
        assert len(open_dataset(rows, size=8).classes) == 6

    def test_splits_by_name_and_one_without_labels_is_left_out(self, rows):
        part = Rows(rows.features, {name: values[:8] for name, values in rows._columns.items()})
        data = open_dataset({"train": rows, "test": part}, size=8)
        assert len(data.test) == 8 and len(data.skipped) == 8
        part._columns["fine"] = [-1] * 8
        data = open_dataset({"train": rows, "test": part}, size=8)
        assert data.drawn and len(data.files) == COUNT and len(data.skipped) == 8

    @pytest.mark.parametrize("what", ["image", "label", "group"])
    def test_a_column_that_is_not_there_is_said(self, rows, what):
        with pytest.raises(OptionError, match=f"{what} must be the name of a column .*, got none. It has img, fine, who"):
            open_dataset(rows, size=8, **{what: "none"})

    def test_columns_that_are_not_told_are_said(self, rows):
        rows.features["second"] = rows.features["img"]
        with pytest.raises(OptionError, match=r"image must be the name of a column .*, got None"):
            open_dataset(rows, size=8)

    def test_anything_else_is_said(self):
        with pytest.raises(OptionError, match=r"open_dataset takes .*, got list\. open_arrays"):
            open_dataset([])
