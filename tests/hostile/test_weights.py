"""Files of weights, models and predictions from strangers: nothing in them is run, and damage is told of in one sentence."""

from __future__ import annotations

import ast
import io
import pickle
import zipfile
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

import tlsearch
from tlsearch.search.storage.store import StudyStore
from tlsearch.spaces.backbone.weights_file import _read_keras, _read_npz
from tlsearch.spaces.errors import DamagedStudyError

from ..fuzz.mutate import mutants
from ..reports.factory import whole_study

SOURCES = sorted(
    path
    for path in Path(tlsearch.__file__).parent.rglob("*.py")
    if path.relative_to(Path(tlsearch.__file__).parent).parts[0] in ("reports", "search", "spaces", "cli")
)


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_the_bomb_works(tmp_path):
    pickle.loads(pickle.dumps(Bomb(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


def npz_with_a_bomb(path, trigger):
    with path.open("wb") as file:
        np.savez(file, np.array([Bomb(trigger)], dtype=object))


def test_weights_are_never_unpickled(tmp_path):
    npz_with_a_bomb(tmp_path / "weights.npz", tmp_path / "ran")
    with pytest.raises(ValueError, match="allow_pickle"):
        _read_npz(tmp_path / "weights.npz")
    assert not (tmp_path / "ran").exists()


def test_predictions_are_never_unpickled(tmp_path):
    store = whole_study(tmp_path / "study")
    confirmation = store.confirmations()[0]
    path = store.place.path / confirmation.predictions
    with path.open("wb") as file:
        np.savez(file, probabilities=np.array([Bomb(tmp_path / "ran")], dtype=object), labels=np.zeros(1))
    with pytest.raises(DamagedStudyError, match="cannot be read"):
        store.predictions(confirmation)
    lenient = StudyStore.open(store.place.path, salvage=True)
    assert len(lenient.confirmations()) == len(store.confirmations()) - 1
    assert path.name.removesuffix(".npz") in lenient.damage
    assert not (tmp_path / "ran").exists()


def test_predictions_outside_the_study_are_not_opened(tmp_path):
    store = whole_study(tmp_path / "study")
    path = next((store.place.path / "confirm").glob("*.json"))
    path.write_text(path.read_text().replace("confirm/", "../../../etc/"))
    # By its name alone: the one in the study is read.
    assert all(len(store.predictions(c)[0]) for c in store.confirmations())


def calls(name):
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                function = node.func
                called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
                if called == name:
                    yield path, node


def test_every_load_of_numpy_s_refuses_pickles():
    loads = [(path, node) for path, node in calls("load") if ast.unparse(node.func) in ("np.load", "numpy.load")]
    assert len(loads) >= 3
    for path, node in loads:
        assert "allow_pickle=False" in ast.unparse(node), f"{path}:{node.lineno}"


@pytest.mark.parametrize("name", ["load_model", "model_from_json", "deserialize_keras_object"])
def test_every_load_of_a_model_is_in_safe_mode(name):
    for path, node in calls(name):
        assert "safe_mode=True" in ast.unparse(node), f"{path}:{node.lineno}"


def test_nothing_unpickles_evaluates_or_runs_a_shell():
    for path in SOURCES:
        imported = {
            alias.name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in ([ast.alias(node.module or "")] if isinstance(node, ast.ImportFrom) else node.names)
        }
        runs = imported & {"subprocess"}
        assert not runs or path.name in ("devices.py", "cluster.py"), f"{path}: these ask the GPU driver, and try Ray's address"
        assert not imported & {"pickle", "dill", "joblib", "marshal", "shelve"}, path
        assert "shell=" not in path.read_text(), path
    for name in ("eval", "exec", "system", "popen", "enable_unsafe_deserialization"):
        assert not list(calls(name)), name


def sound_h5():
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file.attrs["layer_names"] = np.array([b"conv", b"bn"])
        for layer in ("conv", "bn"):
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array([f"{layer}/kernel".encode()])
            group[f"{layer}/kernel"] = np.ones((3, 3), np.float32)
    return out.getvalue()


class Conv2D:
    """A layer of a backbone, as far as its weights are to be found."""

    weights = (None, None)


BASE = SimpleNamespace(layers=[Conv2D()])


def read_keras(path):
    return _read_keras(path, BASE)


def sound_weights_h5():
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file["layers/conv2d/vars/0"] = np.ones((3, 3), np.float32)
        file["layers/conv2d/vars/1"] = np.ones(3, np.float32)
    return out.getvalue()


def sound_keras():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("config.json", '{"class_name": "Lambda"}')
        archive.writestr("model.weights.h5", sound_weights_h5())
    return out.getvalue()


def sound_npz():
    out = io.BytesIO()
    np.savez_compressed(out, a=np.ones((3, 3), np.float32), b=np.ones(4, np.float32))
    return out.getvalue()


@pytest.mark.parametrize(
    ("suffix", "sound", "read"),
    [
        ("h5", sound_h5, read_keras),
        ("weights.h5", sound_weights_h5, read_keras),
        ("keras", sound_keras, read_keras),
        ("npz", sound_npz, _read_npz),
    ],
)
def test_damaged_weights_give_arrays_or_an_error(tmp_path, suffix, sound, read):
    """That the error is an `Exception` is what `load_network` turns into a `WeightsError`; a crash would end this test."""
    path = tmp_path / f"weights.{suffix}"
    path.write_bytes(sound())
    assert len(read(path)) == 2
    outcomes = set()
    for _, data in zip(range(300), mutants([sound()], 0), strict=False):
        path.write_bytes(data)
        try:
            outcomes.add(type(read(path)))
        except Exception as error:
            outcomes.add(type(error))
    assert len(outcomes) > 2


def test_an_array_of_hdf5_that_claims_to_be_huge_is_refused(tmp_path):
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.create_dataset("layers/conv2d/vars/0", (10**6, 10**6), "f4", chunks=(100, 100))
    with pytest.raises(ValueError, match="an array of 1,000,000,000,000 values"):
        read_keras(tmp_path / "weights.h5")


def test_an_array_that_claims_to_be_huge_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**13,)})
    with zipfile.ZipFile(tmp_path / "weights.npz", "w") as archive:
        archive.writestr("a.npy", header.getvalue())
    with pytest.raises((MemoryError, ValueError)):
        _read_npz(tmp_path / "weights.npz")
