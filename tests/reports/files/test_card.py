"""Model cards of studies that trained nothing."""

import json
import re

import pytest

from tlsearch.reports import summarize
from tlsearch.reports.files.card import check_card, exports_beside, model_card, write_card
from tlsearch.search.export.choice import confirmed_model
from tlsearch.search.export.export import chosen_model, describe
from tlsearch.search.storage.models import KeptModel, keep
from tlsearch.spaces.errors import OptionError
from tlsearch.spaces.recipe import Technique

from ..factory import whole_study

MEASURED = {
    "images": 200,
    "largest_difference": 3e-6,
    "mean_difference": 1e-6,
    "agreement": 1.0,
    "accuracy": 0.93,
    "trained_accuracy": 0.93,
    "megabytes": 1.61,
    "milliseconds": 0.87,
    "runtime": "LiteRT 2.3.0",
    "threads": 2,
}


@pytest.fixture
def store(tmp_path):
    return keeping(whole_study(tmp_path / "runs" / "photos"))


def keeping(store, **changes):
    """The store of a study that keeps fine-tuning's model, which ran with the confirmation's second seed."""
    recipe = store.trials()[1].recipe
    keep(store.files, KeptModel(recipe=recipe, trial=1, seed=1, order=1, epoch=3, val_score=0.91, weights=(), **changes))
    return store


def about(store, form="tflite", quantize="none", refit=False):
    model = chosen_model(store, Technique.FINE_TUNE, refit=refit)
    return {**describe(store, model, form, quantize), "measured": MEASURED}


def card(store, **options):
    return model_card(summarize(store), store, {"pets.tflite": about(store, **options)})


def test_every_part_is_filled_from_the_study(store):
    text = card(store)
    assert re.findall("^#+ (.*)$", text, re.MULTILINE) == [
        "photos: MobileNetV2, fine-tune",
        "Files",
        "Model",
        "Data",
        "Test results",
        "The techniques that were compared",
        "Limits",
        "How to load it",
    ]
    summary = summarize(store)
    tested = summary.techniques[1].test_accuracy
    assert f"Accuracy {100 * tested.mean:.1f}%, 95% interval {100 * tested.ci95[0]:.1f}% to" in text
    assert f"This model alone: {100 * tested.by_seed[1]:.1f}%." in text
    assert summary.verdict.reason in text
    assert "| pets\\.tflite | float32 | 160 × 160 | 1.61 MB | 0.9 ms in LiteRT 2.3.0 | 93.0% | 100.0% | 3e-06 |" in text
    assert "Trained on the training images, for 3 epochs, with seed 1." in text
    assert "| cats | 80 | 100 |" in text and "160 × 160 RGB" in text
    for word in ("nan", "None", "{", "}"):
        assert word not in text.split("```")[0]


def test_a_file_that_resizes_is_given_the_photograph_itself(store):
    model = chosen_model(store, Technique.FINE_TUNE, refit=False)
    whole = {**describe(store, model, "onnx", "none", resizes=True), "measured": MEASURED}
    text = model_card(summarize(store), store, {"any.onnx": whole, "pets.tflite": about(store)})
    assert "| any\\.onnx | float32 | any size |" in text and "| pets\\.tflite | float32 | 160 × 160 |" in text
    tflite, onnx = (next(part for part in text.split("```") if f"'{name}'" in part) for name in ("pets.tflite", "any.onnx"))
    assert "photo.resize((160, 160), Image.Resampling.BILINEAR)" in tflite and ".resize(" not in onnx
    earlier = {**about(store), "input": {"size": 160}}
    assert "160 × 160" in model_card(summarize(store), store, {"pets.tflite": earlier})


def test_recall_and_confusion_are_of_the_very_model(store):
    probabilities, labels = store.predictions(next(c for c in store.confirmations() if (c.trial, c.seed) == (1, 1)))
    predicted = probabilities.argmax(axis=1)
    rows = [[int(((labels == true) & (predicted == other)).sum()) for other in range(2)] for true in range(2)]
    for name, true in (("cats", 0), ("dogs", 1)):
        recall = 100 * rows[true][true] / sum(rows[true])
        assert f"| {name} | {recall:.1f}% | {rows[true][0]} | {rows[true][1]} |" in card(store)


def test_of_many_classes_those_most_often_confused_are_named(tmp_path):
    names = tuple(f"class {number}" for number in range(20))
    data = {"classes": names, "train_per_class": (8,) * 20, "test_per_class": (10,) * 20}
    text = card(keeping(whole_study(tmp_path / "many", data=data)))
    assert "Most often confused: class " in text and "| true class | recall |\n" in text


def test_a_refitted_model_says_whose_the_figures_are(store):
    text = card(store, refit=True)
    assert "**The figures of this section belong to the models before that**" in text
    assert "Trained on the training and validation images" in text and "This model alone" not in text


def test_names_from_the_data_can_neither_mark_up_nor_run(tmp_path):
    evil = "cats`]\n```\n![x](http://x)"
    text = card(keeping(whole_study(tmp_path / "evil", data={"classes": (evil, "dogs"), "path": "a/<b>"})))
    code = re.compile("```python\n(.*?)\n```", re.DOTALL)
    prose, blocks = code.sub("", text), code.findall(text)
    assert "![x](http" not in prose and "\\!\\[x\\]\\(http" in prose and "```" not in prose
    names = {}
    exec(next(line for line in blocks[0].splitlines() if line.startswith("classes =")), names)
    assert names["classes"] == [evil, "dogs"]
    assert text.startswith("# \\<b\\>: MobileNetV2")


def test_one_card_serves_every_export_of_a_model_in_a_folder(store, tmp_path):
    summary = summarize(store)
    for name, options in (("pets.tflite", {}), ("small.tflite", {"quantize": "int8"}), ("pets.onnx", {"form": "onnx"})):
        (tmp_path / name).write_bytes(b"model")
        (tmp_path / f"{name}.json").write_text(json.dumps(about(store, **options)))
        path = write_card(tmp_path, summary, store, about(store, **options))
    (tmp_path / "package.json").write_text("{}")
    (tmp_path / "gone.onnx.json").write_text(json.dumps(about(store)))
    assert list(exports_beside(tmp_path, about(store))) == ["pets.onnx", "pets.tflite", "small.tflite"]
    text = path.read_text()
    assert "| small\\.tflite | int8 |" in text and "ONNX Runtime (`pip install onnxruntime`)" in text
    for block in re.findall("```python\n(.*?)\n```", text, re.DOTALL):
        compile(block, "card", "exec")


def test_a_card_of_something_else_is_not_overwritten_unless_forced(store, tmp_path):
    model = confirmed_model(store, Technique.FINE_TUNE)
    check_card(tmp_path, store, model, force=False)
    write_card(tmp_path, summarize(store), store, prepared(store, tmp_path))
    check_card(tmp_path, store, model, force=False)
    (tmp_path / "MODEL_CARD.md").write_text("# My own model")
    with pytest.raises(OptionError, match="is about something else"):
        check_card(tmp_path, store, model, force=False)
    check_card(tmp_path, store, model, force=True)


def test_a_refitted_models_card_may_be_written_again_and_is_not_that_of_the_model_before(store, tmp_path):
    write_card(tmp_path, summarize(store), store, prepared(store, tmp_path, refit=True))
    check_card(tmp_path, store, chosen_model(store, Technique.FINE_TUNE, refit=True), force=False)
    with pytest.raises(OptionError, match="is about something else"):
        check_card(tmp_path, store, chosen_model(store, Technique.FINE_TUNE, refit=False), force=False)


def prepared(store, folder, **options):
    (folder / "pets.tflite").write_bytes(b"model")
    (folder / "pets.tflite.json").write_text(json.dumps(about(store, **options)))
    return about(store, **options)


def test_a_rare_class_is_named_where_there_is_one(store, tmp_path):
    assert "fewest training images" not in card(store)
    rare = keeping(whole_study(tmp_path / "rare", data={"train_per_class": (150, 10)}))
    assert "fewest training images is dogs: 10, against 150" in card(rare)


def test_a_demonstration_says_so(tmp_path):
    store = keeping(whole_study(tmp_path / "demo", data={"path": "demo:small-similar"}))
    assert "A demonstration: the pictures are the built-in drawings" in card(store)
