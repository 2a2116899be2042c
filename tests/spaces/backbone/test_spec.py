import shutil
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from tlsearch.spaces.backbone.spec import STARTER, BackboneSpec, load_network, weights_fingerprint
from tlsearch.spaces.errors import OptionError, WeightsError


def spec(weights="random", alpha=0.35, size=32):
    return BackboneSpec(alpha, size, str(weights))


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory):
    """A file of weights as Keras publishes them, and the arrays in it."""
    base = keras.applications.MobileNetV2(input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=None)
    path = tmp_path_factory.mktemp("keras") / "weights.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in base.layers]
        for layer in base.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{place}:0".encode() for place in range(len(layer.weights))]
            group.attrs["weight_names"] = names
            for name, array in zip(names, layer.get_weights(), strict=True):
                group[name.decode()] = array
    return path, base.get_weights()


@pytest.fixture
def weights_file(keras_file, tmp_path):
    """A copy, for tests that damage it."""
    path, arrays = keras_file
    return Path(shutil.copy(path, tmp_path)), arrays


def arrays_of(network):
    return [array for step in network.steps for array in step.weights]


def test_reads_keras_layout(weights_file):
    path, expected = weights_file
    found = arrays_of(load_network(spec(path), spec(path).locate()))
    assert len(found) == 260
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_random_weights_are_always_the_same():
    first, second = (arrays_of(load_network(spec(), None)) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_starter_weights_are_small_and_readable():
    assert STARTER.stat().st_size < 1_200_000
    found = arrays_of(load_network(spec("starter", size=96), STARTER))
    assert len(found) == 260 and all(np.isfinite(array).all() for array in found)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "damaged, cut short or something else"),
        (lambda path: path.write_text("hello"), "damaged, cut short or something else"),
        (lambda path: _drop_layer(path), "got 25[0-9] arrays"),
        (lambda path: _set(path, np.nan), "finite numbers"),
    ],
    ids=["cut short", "text", "a layer missing", "NaN"],
)
def test_refuses_a_bad_file(weights_file, write, message):
    path, _ = weights_file
    write(path)
    with pytest.raises(WeightsError, match=message) as caught:
        load_network(spec(path), path)
    assert str(path) in str(caught.value)


def _drop_layer(path):
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = file.attrs["layer_names"][:-4]


def _set(path, value):
    with h5py.File(path, "r+") as file:
        file["Conv1"]["Conv1/0:0"][0, 0, 0, 0] = value


def test_refuses_weights_of_another_width(weights_file):
    path, _ = weights_file
    with pytest.raises(WeightsError, match="another alpha"):
        load_network(spec(path, alpha=0.5), path)


def test_refuses_what_is_no_file(tmp_path):
    with pytest.raises(WeightsError, match="no such file"):
        spec(tmp_path / "missing.h5").locate()
    with pytest.raises(WeightsError, match="a folder"):
        spec(tmp_path).locate()


def test_imagenet_is_found_in_keras_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    wanted = tmp_path / "models" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_160_no_top.h5"
    wanted.write_bytes(b"")
    assert spec("imagenet", size=160).locate() == wanted


@pytest.mark.parametrize(("weights", "there"), [("random", True), ("starter", True), ("imagenet", False)])
def test_says_whether_weights_must_be_downloaded(tmp_path, monkeypatch, weights, there):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert spec(weights, size=96).at_hand() == there
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5").write_bytes(b"")
    assert spec(weights, size=96).at_hand()


def test_imagenet_is_downloaded_from_where_keras_publishes_it(tmp_path, monkeypatch):
    asked = []

    def get_file(name, origin, *, cache_subdir):
        asked.append((origin, cache_subdir))
        return str(tmp_path / name)

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.utils, "get_file", get_file)
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_160_no_top.h5"
    assert spec("imagenet", size=160).locate() == tmp_path / name
    published = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2"
    assert asked == [(f"{published}/{name}", "models")]


def test_imagenet_of_another_size_serves_where_nothing_can_be_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.utils, "get_file", _no_network)
    (tmp_path / "models").mkdir()
    with pytest.raises(WeightsError, match=r"0.35_160_no_top.h5 are not in .*models and could not be downloaded.*--weights"):
        spec("imagenet", size=160).locate()
    other = tmp_path / "models" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
    other.write_bytes(b"")
    assert spec("imagenet", size=160).locate() == other


def _no_network(*args, **kwargs):
    raise Exception("URL fetch failure")


def test_the_fingerprint_is_that_of_the_content(weights_file, tmp_path):
    path, _ = weights_file
    copy = tmp_path / "copy.h5"
    copy.write_bytes(path.read_bytes())
    assert weights_fingerprint(spec(copy), copy) == weights_fingerprint(spec(path), path)
    copy.write_bytes(copy.read_bytes() + b"x")
    assert weights_fingerprint(spec(copy), copy) != weights_fingerprint(spec(path), path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: spec(alpha=0.4), "--alpha must be one of"),
        (lambda: spec(size=7), "--size must be from 32 to 1024 pixels, got 7"),
        (lambda: spec(size=4096), "--size must be from"),
        (lambda: spec("starter", alpha=1.0), "starter weights exist for alpha 0.35 only"),
    ],
)
def test_refuses_options_out_of_range(make, message):
    with pytest.raises(OptionError, match=message):
        make()
