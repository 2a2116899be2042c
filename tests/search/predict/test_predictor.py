"""Predictions with a model that only looks at an image's brightness."""

import json

import numpy as np
import pytest
from PIL import Image

from tlsearch.search.data.formats import reads_heif
from tlsearch.search.export import parity as parity_room
from tlsearch.search.export.parity import OriginalParity, Parity, held_out, measure, measure_originals
from tlsearch.search.predict import predictor as room
from tlsearch.search.predict.metadata import beside
from tlsearch.search.predict.predictor import Prediction, Predictor, Unreadable, list_images
from tlsearch.spaces.errors import DataError, ModelError, OptionError

ABOUT = {"schema": 1, "classes": ["dark", "light"], "input": {"size": 32}}


class Brightness:
    """Probability of ``light``: the mean of the pixels."""

    name, properties = "brightness 1.0", {}

    def __init__(self, shift=0.0):
        self.shift, self.batches = shift, []

    def predict(self, images):
        self.batches.append(len(images))
        light = images.reshape(len(images), -1).mean(axis=1) / 255 + self.shift
        return np.stack([1 - light, light], axis=1).astype(np.float32)


@pytest.fixture
def make(tmp_path, monkeypatch):
    def build(shift=0.0, about=ABOUT):
        path = tmp_path / "model.onnx"
        path.write_bytes(b"a model")
        if about is not None:
            beside(path).write_text(about if isinstance(about, str) else json.dumps(about))
        monkeypatch.setattr(room, "open_runtime", lambda path, form: Brightness(shift))
        return Predictor(path)

    return build


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "photos"
    for name, grey in (("b/2.png", 10), ("b/1.png", 250), ("a.png", 200), (".hidden/x.png", 0), ("b/.x.png", 0)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (grey, grey, grey)).save(root / name)
    (root / "b" / "notes.txt").write_text("not an image")
    (root / "b" / "3.jpg").write_bytes(b"\xff\xd8 cut off")
    return root


def test_files_and_folders_in_the_order_given(make, photos):
    results = list(make().predict_files([photos / "b", photos / "missing.png", photos / "a.png", photos / "b" / "notes.txt"]))
    assert [(result.path.name, getattr(result, "label", None)) for result in results] == [
        ("1.png", "light"),
        ("2.png", "dark"),
        ("3.jpg", None),
        ("notes.txt", None),
        ("missing.png", None),
        ("a.png", "light"),
        ("notes.txt", None),
    ]
    assert results[0].probability == pytest.approx(250 / 255, abs=1e-5)
    assert [result.reason for result in results if isinstance(result, Unreadable)] == [
        "not an image",
        "not an image file",
        "no such file",
        "not an image",
    ]


def test_every_file_of_a_folder_is_named_but_clutter(tmp_path, photos):
    (photos / "b" / "Thumbs.db").write_bytes(b"x")
    (photos / "@eaDir").mkdir()
    (photos / "@eaDir" / "a.png").write_bytes(b"x")
    (photos / "b" / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (photos / "b" / "photo.nef").write_bytes(b"II*\0")
    (photos / "b" / "empty.png").touch()
    (photos / "c").symlink_to(photos / "b")
    (photos / "d.png").symlink_to(photos / "nowhere")
    (photos / "scan").write_bytes((photos / "a.png").read_bytes())

    found = [(item.path, item.reason) if isinstance(item, Unreadable) else (item, "") for item in list_images([photos])]
    told = {path.relative_to(photos).as_posix(): reason for path, reason in found}
    heic = told.pop("b/photo.heic")
    assert ("heic" in heic) != reads_heif()
    assert list(told.items()) == [
        ("a.png", ""),
        ("c", "a link to a folder: name the folder itself"),
        ("d.png", "cannot be read (No such file or directory)"),
        ("scan", ""),
        ("b/1.png", ""),
        ("b/2.png", ""),
        ("b/3.jpg", ""),
        ("b/empty.png", "an empty file"),
        ("b/notes.txt", "not an image file"),
        ("b/photo.nef", "NEF images are not read: convert them to JPEG or PNG"),
    ]


def test_16_bits_are_scaled_as_the_export_says(make, tmp_path):
    values = np.full((8, 8), 4095, np.uint16)
    Image.fromarray(values).save(tmp_path / "scan.png")
    for about, light in ((ABOUT, 4095 / 65535), ({**ABOUT, "input": {"size": 32, "depth": 12}}, 1)):
        (prediction,) = make(about=about).predict_files([tmp_path / "scan.png"])
        assert prediction.probabilities[1] == pytest.approx(light, abs=0.003)


def test_batches_are_what_was_asked_for_and_hold_readable_images_only(make, photos):
    predictor = make()
    results = list(predictor.predict_files([photos] * 3, batch_size=5))
    assert sum(isinstance(result, Prediction) for result in results) == 9
    assert predictor._runtime.batches == [3, 3, 3]
    assert list(make().predict_files([])) == []
    with pytest.raises(OptionError, match="--batch-size must be at least 1, got 0"):
        make().predict_files([photos], batch_size=0)


def test_an_empty_folder_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    assert list(list_images([tmp_path / "empty"])) == [Unreadable(tmp_path / "empty", "a folder without images")]


def test_arrays_of_another_shape_are_refused(make):
    predictor = make()
    for images in (np.zeros((2, 31, 32, 3)), np.zeros((32, 32, 3)), np.zeros((1, 32, 32, 4)), np.array([["x"]])):
        with pytest.raises(DataError, match=r"shape \(n, 32, 32, 3\)"):
            predictor.predict(images)
    assert predictor.predict(np.zeros((0, 32, 32, 3), np.uint8)).shape == (0, 2)


def test_a_model_that_resizes_takes_arrays_of_any_size_and_files_that_are_squashed(make, photos):
    predictor = make(about={**ABOUT, "input": {"size": 32, "resize": True}})
    assert predictor.resizes and not make().resizes
    predictor = make(about={**ABOUT, "input": {"size": 32, "resize": True}})
    assert predictor.predict(np.zeros((2, 31, 50, 3), np.uint8)).shape == (2, 2)
    for images in (np.zeros((32, 32, 3)), np.zeros((1, 0, 32, 3)), np.zeros((1, 32, 32, 4)), np.array(["x"])):
        with pytest.raises(DataError, match=r"shape \(n, height, width, 3\)"):
            predictor.predict(images)
    seen = []
    predictor._runtime.predict = lambda images: seen.append(images.shape) or np.zeros((len(images), 2), np.float32)
    assert len(list(predictor.predict_files([photos / "a.png"]))) == 1 and seen == [(1, 32, 32, 3)]


def test_originals_are_read_as_anyone_reads_them(make, photos, monkeypatch):
    predictor = make(about={**ABOUT, "input": {"size": 32, "resize": True}})
    files = [photos / "b" / "1.png", photos / "gone.png", photos / "b" / "2.png"]
    expected = np.array([[0.02, 0.98], [0.5, 0.5], [0.1, 0.9]], np.float32)
    found = measure_originals(predictor, files, expected)
    assert (found.images, found.agreement) == (2, 0.5)
    assert found.largest_difference == pytest.approx(0.9 - 10 / 255, abs=1e-5)
    monkeypatch.setattr(parity_room, "MOST_PIXELS", 40 * 30 - 1)
    assert measure_originals(predictor, files, expected) is None


@pytest.mark.parametrize(
    ("about", "words"),
    [
        (None, "names no classes"),
        ("{", "metadata cannot be read"),
        ("[]", "metadata cannot be read"),
        ({**ABOUT, "classes": "ab"}, "metadata cannot be read"),
        ({**ABOUT, "input": {"size": 10**9}}, "metadata cannot be read"),
        ({**ABOUT, "input": {"size": 32, "depth": 99}}, "metadata cannot be read"),
        ({**ABOUT, "input": [32]}, "metadata cannot be read"),
        ({**ABOUT, "schema": 2}, "later version"),
    ],
)
def test_a_model_that_does_not_say_what_it_is_is_refused(make, about, words):
    with pytest.raises(ModelError, match=words):
        make(about=about)


def test_an_export_is_held_against_the_trained_model(make, tmp_path):
    images = np.full((40, 32, 32, 3), 127, np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None, None]
    labels = (np.arange(40) >= 20).astype(np.int64)
    predictor = make(shift=-0.04)
    parity = measure(tmp_path / "model.onnx", predictor, Brightness().predict, images, labels)
    assert parity.images == 40 and parity.runtime == "brightness 1.0" and parity.megabytes == 7e-6
    assert (parity.largest_difference, parity.mean_difference) == pytest.approx((0.04, 0.04), abs=1e-5)
    # The first image is dark for both, then ten that only the trained model calls light.
    light = [image.mean() / 255 > 0.5 for image in images], [image.mean() / 255 - 0.04 > 0.5 for image in images]
    assert parity.agreement == np.mean(np.equal(*light))
    assert (parity.trained_accuracy, parity.accuracy) == tuple(np.mean(np.equal(guess, labels)) for guess in light)
    assert "another class" in parity.concern("int8") and parity.milliseconds > 0


def test_what_is_measured_on_is_spread_over_the_split():
    rows = np.arange(100, 200)
    np.testing.assert_array_equal(held_out(rows, 100), rows)
    few = held_out(rows, 10)
    assert len(few) == 10 and few[0] == 100 and few[-1] == 199 and set(np.diff(few)) == {11}


@pytest.mark.parametrize(
    ("quantize", "changes", "words"),
    [
        ("none", {}, ""),
        ("none", {"largest_difference": 2e-4}, "more than rounding"),
        ("float16", {"largest_difference": 0.1}, ""),
        ("float16", {"mean_difference": 0.01}, "in the mean"),
        ("int8", {"largest_difference": 0.6, "mean_difference": 0.01, "agreement": 0.98}, ""),
        ("int8", {"agreement": 0.96}, "4.0% of the test images get another class"),
        ("none", {"original": OriginalParity(images=40, largest_difference=0.1, agreement=0.925)}, ""),
        ("none", {"original": OriginalParity(images=40, largest_difference=0.9, agreement=0.875)}, "at their original size"),
    ],
)
def test_what_is_worse_than_rounding_explains_is_said(quantize, changes, words):
    sound = {"largest_difference": 1e-5, "mean_difference": 1e-6, "agreement": 1.0, "original": None}
    concern = parity_of(**{**sound, **changes}).concern(quantize)
    assert words in concern if words else concern == ""


def parity_of(**fields):
    names = set(Parity.__dataclass_fields__) - set(fields)
    return Parity(**fields, **dict.fromkeys(names, 1))
