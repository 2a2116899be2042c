from pathlib import Path

import pytest

from tlsearch.search.export.target import check_target, place
from tlsearch.search.predict import formats
from tlsearch.search.predict.formats import check_installed, choose_format
from tlsearch.spaces.errors import OptionError


@pytest.mark.parametrize(
    ("out", "asked", "form"),
    [
        ("pets.keras", None, "keras"),
        ("pets.TFLITE", None, "tflite"),
        ("pets.onnx", "onnx", "onnx"),
        ("pets", "saved-model", "saved-model"),
        ("pets.v2", "saved-model", "saved-model"),
    ],
)
def test_the_suffix_or_the_option_tells_the_format(out, asked, form):
    assert choose_format(Path(out), asked, "none") == form


@pytest.mark.parametrize(
    ("out", "asked", "quantize", "words"),
    [
        ("pets", None, "none", "must end in .keras, .tflite, .onnx, or --format"),
        ("pets.h5", None, "none", "must end in .keras"),
        ("pets.keras", "tflite", "none", r"must end in \.tflite where --format is tflite"),
        ("pets.keras", "saved-model", "none", "name of a folder"),
        ("pets.keras", None, "int8", "--quantize int8 is for --format tflite, got keras"),
        ("pets.onnx", None, "float16", "--quantize float16 is for --format tflite, got onnx"),
    ],
)
def test_contradictions_are_refused(out, asked, quantize, words):
    with pytest.raises(OptionError, match=words):
        choose_format(Path(out), asked, quantize)


def test_the_resize_is_not_for_whole_numbers():
    assert choose_format(Path("pets.tflite"), None, "float16", with_resize=True) == "tflite"
    with pytest.raises(OptionError, match="--with-resize is for --quantize none or float16, got int8"):
        choose_format(Path("pets.tflite"), None, "int8", with_resize=True)


def test_what_is_missing_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None if name in ("onnx", "tf2onnx") else name)
    with pytest.raises(OptionError, match=r"onnx needs onnx and tf2onnx, which are not installed.*tlsearch\[export\]"):
        check_installed("onnx")
    check_installed("keras")


def test_another_backend_of_keras_writes_keras_files_only(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    check_installed("keras")
    with pytest.raises(OptionError, match="TensorFlow backend, got jax"):
        check_installed("saved-model")


def test_a_place_that_is_taken_or_missing_is_refused(tmp_path):
    (tmp_path / "pets.keras").write_text("mine")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.png").write_text("mine")
    for out, form, force, words in (
        ("pets.keras", "keras", False, "is there already"),
        ("no/pets.keras", "keras", True, "in a folder that exists"),
        ("photos", "keras", True, "must be a file"),
        ("photos", "saved-model", True, "holds something else"),
        ("pets.keras", "saved-model", True, "must be a folder"),
    ):
        with pytest.raises(OptionError, match=words):
            check_target(tmp_path / out, form, force=force)
    check_target(tmp_path / "pets.keras", "keras", force=True)
    assert (tmp_path / "pets.keras").read_text() == "mine"
    (tmp_path / "new.onnx.json").write_text("{}")
    with pytest.raises(OptionError, match=r"new\.onnx\.json is there already"):
        check_target(tmp_path / "new.onnx", "onnx", force=False)


def test_a_finished_file_takes_its_place(tmp_path):
    (tmp_path / "draft").write_text("new")
    (tmp_path / "out").write_text("old")
    place(tmp_path / "draft", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "new" and not (tmp_path / "draft").exists()


def test_a_finished_folder_takes_its_place(tmp_path):
    for folder in ("draft", "out"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "saved_model.pb").write_text(folder)
    place(tmp_path / "draft", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "saved_model.pb").read_text() == "draft"
