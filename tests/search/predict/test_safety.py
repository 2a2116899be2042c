"""Files that are no export, or hold code. None of them is ever given to Keras."""

import json
import struct
import zipfile

import pytest

from tlsearch.search.predict.predictor import Predictor
from tlsearch.search.predict.safety import check_keras_file
from tlsearch.spaces.errors import ModelError


def layer(name, module="keras.layers", **more):
    return {"module": module, "class_name": name, "config": {"name": "x"}, "registered_name": None, **more}


def write(path, *layers, members=("metadata.json", "model.weights.h5"), config=None):
    config = config or {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "registered_name": "Functional",
        "config": {"layers": list(layers)},
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config if isinstance(config, bytes) else json.dumps(config))
        for name in members:
            archive.writestr(name, "")
    return path


def test_layers_of_an_export_pass(tmp_path):
    check_keras_file(
        write(tmp_path / "m.keras", layer("Conv2D"), layer("Dense"), layer("Matmul", module="keras.src.ops.numpy"))
    )


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        (layer("Lambda"), "holds a Lambda layer, that is, code"),
        (layer("TFSMLayer"), "TFSMLayer"),
        (layer("Evil", module="builtins"), "builtins.Evil"),
        (layer("Dense", module="my.module"), "my.module.Dense"),
        (layer("Dense", registered_name="mine>Dense"), "keras.layers.Dense"),
        (layer("Vectorize", module="keras.src.ops.numpy"), "keras.src.ops.numpy.Vectorize"),
        ({"module": "os", "config": "system"}, "os.None"),
        ({"class_name": "__lambda__", "config": {"value": "x"}}, "__lambda__"),
        (layer("Dense", config={"activation": {"module": "builtins", "class_name": "function", "config": "eval"}}), "function"),
    ],
)
def test_anything_else_is_refused_by_name(tmp_path, inner, words):
    path = write(tmp_path / "m.keras", layer("Conv2D"), {"deep": [{"er": inner}]})
    with pytest.raises(ModelError, match=words):
        Predictor(path)


@pytest.mark.parametrize("config", [b"{", b"\xff", b"[" * 100_000])
def test_a_damaged_configuration_is_said(tmp_path, config):
    with pytest.raises(ModelError, match="damaged or something else"):
        check_keras_file(write(tmp_path / "m.keras", config=config))


def test_a_file_that_lacks_a_part_is_said(tmp_path):
    with pytest.raises(ModelError, match=r"lacks model\.weights\.h5"):
        check_keras_file(write(tmp_path / "m.keras", members=("metadata.json",)))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = write(tmp_path / "m.keras", members=("metadata.json", "model.weights.h5"))
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 0x7FFFFFFF)  # the size that the archive's directory claims
    path.write_bytes(data)
    with pytest.raises(ModelError, match="more than 1 GiB"):
        check_keras_file(path)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.keras", b"", "which is none"),
        ("m.keras", b"PK\x03\x04 cut off", "damaged or something else"),
        ("m.jpg", b"\xff\xd8\xff\xe0 a photograph", "which is none"),
        ("m.tflite", b"\x00\x00\x00\x00TFL3 and nothing", "cannot be loaded by LiteRT"),
        ("m.onnx", b"not a model", "cannot be loaded by ONNX Runtime"),
        ("m.h5", b"\x89HDF\r\n\x1a\n", "which is none"),
    ],
)
def test_what_is_no_model_is_said(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=words):
        Predictor(tmp_path / name)


def test_a_missing_file_and_a_folder_of_something_else_are_said(tmp_path):
    with pytest.raises(ModelError, match="No such file"):
        Predictor(tmp_path / "missing.keras")
    with pytest.raises(ModelError, match=r"without saved_model\.pb"):
        Predictor(tmp_path)


def test_a_saved_model_that_does_not_say_what_it_is_is_not_even_loaded(tmp_path, monkeypatch):
    (tmp_path / "saved_model.pb").write_bytes(b"a program")
    monkeypatch.setattr("tlsearch.search.predict.predictor.open_runtime", lambda *_: pytest.fail("it was loaded"))
    with pytest.raises(ModelError, match="names no classes"):
        Predictor(tmp_path)
