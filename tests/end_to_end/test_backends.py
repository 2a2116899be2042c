"""A search under Keras' other backends where TensorFlow cannot be imported: nothing but its fast paths needs it."""

import importlib.util
import json

import pytest

from .test_run import OPTIONS, TECHNIQUES, photos, report, tlsearch

pytestmark = [pytest.mark.trains, pytest.mark.slow]
__all__ = ["photos"]


@pytest.fixture
def without_tensorflow(tmp_path, monkeypatch):
    blocked = tmp_path / "blocked" / "tensorflow"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ImportError('a test keeps TensorFlow from being imported')\n")
    monkeypatch.setenv("PYTHONPATH", str(blocked.parent))


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_search_and_its_export_run_without_tensorflow(backend, photos, monkeypatch, without_tensorflow):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    monkeypatch.setenv("KERAS_BACKEND", backend)
    home = photos.parent
    options = [*OPTIONS, "--epochs", 2, "--trials", 3, "--confirm", 1, "--workers", 1]
    done = tlsearch("run", "photos", *options, cwd=home)
    assert "[3/3]" in done.stderr and "failed" not in done.stderr

    found = report("runs/photos", home)
    assert [trial["state"] for trial in found["trials"]] == ["complete"] * 3
    assert [trial["trained_from"] for trial in found["trials"]] == ["features", "activations", "pixels"]
    assert [entry["technique"] for entry in found["techniques"]] == TECHNIQUES
    assert all(entry["test_accuracy"] for entry in found["techniques"]) and len(found["data"]["depth_profile"]) == 18
    (run,) = found["study"]["runs"]
    assert run["device"] == {"backend": backend, "name": "CPU", "dtype_policy": "float32"} and run["workers"] == 1
    assert f"CPU, 1 worker, {backend}, float32" in " ".join(done.stdout.split())

    exported = tlsearch("export", "pets.keras", cwd=home)
    assert "the median in" in exported.stdout and "Look twice" not in exported.stdout
    predicted = json.loads(tlsearch("predict", "pets.keras", "photos/striped", "--format", "json", cwd=home).stdout)
    assert len(predicted) == 24
    refused = tlsearch("export", "pets.tflite", cwd=home, code=2)
    assert f"--format tflite needs Keras' TensorFlow backend, got {backend}" in refused.stderr
