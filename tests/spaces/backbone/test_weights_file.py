"""Weights from the files that Keras users have."""

import zipfile

import keras
import numpy as np
import pytest

from tlsearch.spaces.backbone.spec import BackboneSpec, load_network
from tlsearch.spaces.errors import WeightsError

# Keras' own way of reading a variable, under NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FORMS = ("weights.h5", "h5", "keras")


@pytest.fixture(scope="module")
def base():
    keras.utils.set_random_seed(7)
    return keras.applications.MobileNetV2(input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=None)


@pytest.fixture(scope="module")
def classifier(base):
    return keras.Sequential([keras.Input((32, 32, 3)), base, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])


def loaded(path):
    network = load_network(BackboneSpec(0.35, 32, str(path)), path)
    return [array for step in network.steps for array in step.weights]


# The old format, `.h5`, has the layers of a classifier under names of their own.
@pytest.mark.parametrize(
    "name, whole", [*((f"own.{form}", False) for form in FORMS), ("own.weights.h5", True), ("own.keras", True)]
)
def test_what_keras_3_has_saved(base, classifier, tmp_path, name, whole):
    model, path = (classifier if whole else base), tmp_path / name
    model.save_weights(path) if name.endswith(".weights.h5") else model.save(path)
    found = loaded(path)
    assert len(found) == 260
    for ours, theirs in zip(found, base.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_archive_without_weights(tmp_path):
    path = tmp_path / "own.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(WeightsError, match=r"cannot be read \(.*model.weights.h5"):
        loaded(path)


def test_weights_of_another_network_of_keras_3(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(WeightsError, match="260 weight arrays of MobileNetV2"):
        loaded(tmp_path / "other.weights.h5")


def test_weights_of_another_width_of_keras_3(tmp_path):
    model = keras.applications.MobileNetV2(input_shape=(32, 32, 3), alpha=0.5, include_top=False, weights=None)
    model.save_weights(tmp_path / "wider.weights.h5")
    with pytest.raises(WeightsError, match="another alpha"):
        loaded(tmp_path / "wider.weights.h5")
