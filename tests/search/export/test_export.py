"""Every format, written from a study and loaded by its real runtime. Nothing is trained: the weights are the starter's."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tlsearch.search import Predictor, export_model
from tlsearch.search.data.decode import decode
from tlsearch.search.export import export as room
from tlsearch.search.storage.models import KeptModel, keep
from tlsearch.search.storage.store import StudyStore
from tlsearch.spaces.backbone.spec import BackboneSpec, load_network
from tlsearch.spaces.backbone.trained import trained_model, whole_weights
from tlsearch.spaces.errors import OptionError, StudyError
from tlsearch.spaces.recipe import Recipe

from ..factory import begin, complete, failed, settings, striped_dataset, values

RECIPE = Recipe(technique="fine-tune", learning_rate=1e-3, fine_tune_at=100, batch_norm="inference", dropout=0.2)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study of striped pictures that keeps a model of fine-tuning, its data set, and the model itself."""
    home = tmp_path_factory.mktemp("home")
    dataset = striped_dataset(home)
    spec = BackboneSpec(0.35, 32, "starter")
    network = load_network(spec, spec.locate())
    rng = np.random.default_rng(0)
    head = [rng.normal(0, 0.1, (1280, 2)).astype(np.float32), np.zeros(2, np.float32)]
    weights = whole_weights(RECIPE, network, {}, head)
    own = settings(name="stripes", data=dataset.settings(), size=32, weights="starter")
    store = StudyStore.create(home / "runs" / "stripes", own)
    for trial in (complete(0, "fine-tune", recipe=RECIPE), complete(1, "frozen"), failed(2, "full")):
        begin(store, values(str(trial.recipe.technique)), trial.recipe, seed=trial.seed)
        store.finish(trial)
    model = KeptModel(recipe=RECIPE, trial=0, seed=7, order=0, epoch=2, val_score=0.9, weights=weights)
    keep(store.files, model)
    return store, dataset, trained_model(RECIPE, network, 2, weights)


def export(made, out, **options):
    store, dataset, _ = made
    return export_model(store.place.path, out, **{"technique": "fine-tune", "data": dataset, **options})


CASES = [
    pytest.param("pets.keras", None, "none", 1e-6, id="keras"),
    pytest.param("pets.tflite", None, "none", 1e-4, id="tflite", marks=pytest.mark.slow),
    pytest.param("pets.onnx", None, "none", 1e-4, id="onnx", marks=pytest.mark.slow),
    pytest.param("pets", "saved-model", "none", 1e-4, id="saved-model", marks=pytest.mark.slow),
    pytest.param("pets.tflite", None, "float16", 5e-3, id="float16", marks=pytest.mark.slow),
    pytest.param("pets.tflite", None, "int8", 0.2, id="int8", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "form", "quantize", "largest"), CASES)
def test_an_export_gives_the_probabilities_of_the_trained_model(made, tmp_path, name, form, quantize, largest):
    _, dataset, trained = made
    done = export(made, tmp_path / name, format=form, quantize=quantize)
    predictor = Predictor(done.path)
    images = dataset.images()[:16]
    expected = trained.predict_on_batch(images)
    assert np.ptp(expected[:, 0]) > 0.05, "images that all look alike to the model test nothing"
    for pixels in (images, images.astype(np.float32), images.astype(np.int64)):
        np.testing.assert_allclose(predictor.predict(pixels, batch_size=5), expected, atol=largest)
    assert predictor.classes == ("plain", "striped") and predictor.size == 32
    assert done.parity.largest_difference <= largest and done.parity.images == len(dataset.test)
    beside = json.loads(done.beside.read_text())
    assert beside["measured"] == dataclasses.asdict(done.parity)
    assert {**predictor.metadata, "measured": beside["measured"]} == beside
    done.beside.unlink()
    assert Predictor(done.path).classes == predictor.classes, "the classes are not in the file itself"
    assert [path.name for path in tmp_path.iterdir()] == [name], "something was left behind"


@pytest.mark.parametrize(("name", "form", "quantize", "largest"), [case for case in CASES if case.id != "int8"])
def test_a_model_with_the_resize_takes_photographs_as_they_are(made, tmp_path, name, form, quantize, largest):
    _, dataset, trained = made
    done = export(made, tmp_path / name, format=form, quantize=quantize, with_resize=True)
    predictor = Predictor(done.path)
    assert predictor.resizes and predictor.metadata["input"]["resize"]
    images = dataset.images()[:6]
    for sides in ((75, 50), (32, 32), (20, 90), (75, 50)):  # width and height
        large = [Image.fromarray(pixels).resize(sides, Image.Resampling.BICUBIC) for pixels in images]
        small = np.stack([np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR)) for image in large])
        expected = trained.predict_on_batch(small)
        # Of what is squashed already nothing changes; else single pixels are rounded otherwise.
        off = largest if sides == (32, 32) else largest + 0.01
        for pixels in (np.stack(large), np.stack(large).astype(np.float32)):
            np.testing.assert_allclose(predictor.predict(pixels, batch_size=4), expected, atol=off)
    large[0].save(tmp_path / "large.png")
    (found,) = predictor.predict_files([tmp_path / "large.png"])
    pixels = decode(tmp_path / "large.png", 32).pixels
    np.testing.assert_allclose(found.probabilities, trained.predict_on_batch(pixels[None])[0], atol=largest)


def test_originals_are_tried_where_the_images_are_files(made, tmp_path):
    _, dataset, _ = made
    files = tuple(f"{row}.png" for row in range(len(dataset.labels)))
    for row, pixels in zip(dataset.test, dataset.images()[dataset.test], strict=True):
        Image.fromarray(pixels).save(tmp_path / files[row])
    there = dataclasses.replace(dataset, path=str(tmp_path), files=files)
    done = export(made, tmp_path / "pets.keras", data=there, with_resize=True)
    original = done.parity.original
    assert (original.images, original.agreement) == (len(dataset.test), 1.0) and original.largest_difference < 1e-5
    assert json.loads(done.beside.read_text())["measured"]["original"]["images"] == len(dataset.test)
    assert export(made, tmp_path / "plain.keras", data=there).parity.original is None
    assert export(made, tmp_path / "away.keras", with_resize=True).parity.original is None


@pytest.mark.slow
def test_a_process_without_tlsearch_loads_it_in_safe_mode(made, tmp_path):
    done = export(made, tmp_path / "pets.keras")
    np.save(tmp_path / "images.npy", made[1].images()[:4])
    code = (
        "import sys, numpy as np, keras\n"
        "sys.modules['tlsearch'] = None\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "print(repr(model.predict(np.load(sys.argv[2]), verbose=0).tolist()))"
    )
    # Outside of any checkout, so that nothing of ours can be found by chance.
    command = [sys.executable, "-c", code, str(done.path), str(tmp_path / "images.npy")]
    result = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""}
    )
    probabilities = json.loads(result.stdout.splitlines()[-1])
    np.testing.assert_allclose(probabilities, made[2].predict_on_batch(made[1].images()[:4]), atol=1e-5)


def test_what_is_there_stays_unless_forced_and_a_failure_leaves_nothing(made, tmp_path, monkeypatch):
    out = tmp_path / "pets.keras"
    out.write_text("mine")
    with pytest.raises(OptionError, match=r"pets\.keras is there already"):
        export(made, out)

    def break_down(*_):
        raise RuntimeError("in the middle")

    monkeypatch.setattr(room, "measure", break_down)
    with pytest.raises(RuntimeError, match="in the middle"):
        export(made, out, force=True)
    assert out.read_text() == "mine" and [path.name for path in tmp_path.iterdir()] == ["pets.keras"]


@pytest.mark.parametrize(
    ("technique", "words"),
    [
        ("full", "no completed trial of full"),
        ("frozen", r"keeps no model of frozen: its best trial has not been confirmed.*--confirm"),
        ("thaw", "technique must be one of frozen, fine-tune, full, got thaw"),
    ],
)
def test_a_technique_without_a_model_is_said(made, tmp_path, technique, words):
    with pytest.raises((StudyError, OptionError), match=words):
        export(made, tmp_path / "pets.keras", technique=technique)
    assert not list(tmp_path.iterdir())


def test_an_earlier_finalists_model_is_not_taken_for_the_present_ones(made, tmp_path):
    store = StudyStore.create(tmp_path / "s", dataclasses.replace(made[0].settings, name="s"))
    for trial in (complete(0, "fine-tune", (0.7,)), complete(1, "fine-tune", (0.9,))):
        begin(store, values("fine-tune"), trial.recipe, seed=trial.seed)
        store.finish(trial)
    keep(store.files, KeptModel(recipe=RECIPE, trial=0, seed=7, order=0, epoch=2, val_score=0.7, weights=()))
    with pytest.raises(StudyError, match="its best trial has not been confirmed"):
        export((store, *made[1:]), tmp_path / "pets.keras")


def test_other_images_than_the_studys_are_refused(made, tmp_path):
    other = dataclasses.replace(made[1], fingerprint="another")
    with pytest.raises(StudyError, match="those in made up are others"):
        export(made, tmp_path / "pets.keras", data=other)
    with pytest.raises(StudyError, match=r"not in made up \(no such folder from here\).*--data"):
        export(made, tmp_path / "pets.keras", data=None)


def test_a_damaged_model_is_said(made, tmp_path):
    store = made[0]
    before = (store.place.path / "models" / "fine-tune.npz").read_bytes()
    try:
        keep(store.files, KeptModel(recipe=RECIPE, trial=0, seed=7, order=0, epoch=2, val_score=0.9, weights=()))
        with pytest.raises(StudyError, match=r"is damaged\. Use --refit"):
            export(made, tmp_path / "pets.keras")
    finally:
        (store.place.path / "models" / "fine-tune.npz").write_bytes(before)
