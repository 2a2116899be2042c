"""The model card: what an exported model is, what it was trained and tested on, and how to run it. Filled from the study.

One card serves every export of the same model in a folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...search.export.choice import model_id
from ...search.machine.paths import atomic_write
from ...search.storage.models import KeptModel
from ...search.storage.store import StudyStore
from ...spaces.errors import OptionError
from ...spaces.recipe import Recipe, Technique
from ..answer.baseline import baseline_of
from ..answer.insight import Confusion, confusion_of
from ..answer.summary import Summary
from ..answer.technique import TechniqueSummary
from ..text import count, in_words, metric_name, percent, score
from ..words.cells import TechniqueCells, interval, recall, tested
from ..words.sentences import DEMONSTRATION, measured_on, split_of
from .loading import loading
from .markdown import escape, table

NAME = "MODEL_CARD.md"
MOST_CLASSES = 12
"""Up to so many the confusion matrix is a table that can be read; of more, the classes most often confused are named."""


def check_card(folder: Path, store: StudyStore, model: KeptModel, *, force: bool) -> None:
    """Checks that the card of ``model`` may be written to ``folder``: over its own earlier one, but over no other.

    Raises:
        OptionError: It may not.
    """
    path = folder / NAME
    if force or not path.exists():
        return
    try:
        written = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise OptionError(f"{path} must be a file that can be read, got {error.strerror}.") from error
    if _mark(model_id(store.settings, model)) not in written:
        raise OptionError(
            f"{path} is there already and is about something else. Export to another folder, or overwrite it with --force."
        )


def write_card(folder: Path, summary: Summary, store: StudyStore, about: Mapping[str, Any]) -> Path:
    """Writes the card of a model into the folder of its exports.

    Args:
        folder: Where the exports are.
        summary: Of the study.
        store: Of the study.
        about: Metadata of one of the exports.

    Raises:
        OptionError: It cannot be written.
    """
    path = folder / NAME
    try:
        with atomic_write(path) as file:
            file.write(model_card(summary, store, exports_beside(folder, about)).encode())
    except OSError as error:
        raise OptionError(f"{path} must be a file that can be written ({error.strerror}).") from error
    return path


def exports_beside(folder: Path, about: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """File name → metadata, of every export of the same model in a folder."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            other = json.loads(path.read_bytes())
            same = other["model"] == about["model"] and "measured" in other
        except (OSError, ValueError, KeyError, TypeError):
            continue  # someone else's file
        if same and path.with_suffix("").exists():
            found[path.with_suffix("").name] = other
    return found


def model_card(summary: Summary, store: StudyStore, exports: Mapping[str, Mapping[str, Any]]) -> str:
    """The card in Markdown.

    Args:
        summary: Of the study.
        store: Of the study; its test predictions are read.
        exports: As `exports_beside` gives them, at least one.
    """
    about = next(iter(exports.values()))
    technique = summary.of(Technique(about["technique"]))
    assert technique is not None, "what was exported is a technique of the study"
    sections = {
        "Files": _files(exports),
        "Model": ["\n".join(_model(about))],
        "Data": _data(summary),
        "Test results": _test(summary, store, technique, about),
        "The techniques that were compared": _others(summary),
        "Limits": ["\n".join(_limits(summary, about))],
        "How to load it": loading(exports),
    }
    parts = [*_title(summary, about)]
    for heading, paragraphs in sections.items():
        parts += [f"## {heading}", *paragraphs]
    return "\n\n".join(parts) + "\n"


def _mark(identity: str) -> str:
    return f"<!-- tlsearch model {identity} -->"


def _title(summary: Summary, about: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {escape(about['data']['name'])}: MobileNetV2, {about['technique']}"
    yield _mark(about["model"])
    classes = count(len(about["classes"]), "class")
    yield (
        f"Tells images of {classes} apart. Trained, tested and, on {about['created'][:10]}, exported by tlsearch "
        f"{about['tlsearch']}."
    )
    if summary.is_demonstration:
        yield DEMONSTRATION


def _files(exports: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    headings = ("file", "numbers", "takes", "#size", "#one image", "#accuracy", "#same class", "#largest difference")
    rows = []
    for name, about in exports.items():
        measured = about["measured"]
        rows.append(
            (
                escape(name),
                "float32" if about["quantize"] == "none" else about["quantize"],
                "any size" if about["input"].get("resize") else f"{about['input']['size']} × {about['input']['size']}",
                f"{measured['megabytes']:.2f} MB",
                f"{measured['milliseconds']:.1f} ms in {measured['runtime']}",
                percent(measured["accuracy"]),
                percent(measured["agreement"]),
                f"{measured['largest_difference']:.1g}",
            )
        )
    yield table(headings, rows)
    about = next(iter(exports.values()))
    measured = about["measured"]
    yield (
        f"Measured on {measured_on(about, measured['images'])}. *Same class* and *largest difference*, in probability, are "
        f"against the model as it was trained. Times are medians on the machine that exported, with "
        f"{count(measured['threads'], 'thread')}."
    )


def _model(about: Mapping[str, Any]) -> Iterator[str]:
    backbone, recipe = about["backbone"], Recipe.from_dict(about["recipe"])
    yield (
        f"- Backbone: MobileNetV2, α = {backbone['alpha']:g}, {escape(backbone['weights'])} weights; BatchNorm is folded "
        "into the convolutions."
    )
    yield f"- Technique: {about['technique']}; {in_words(recipe)}; {recipe.optimizer}, batches of {recipe.batch_size}."
    yield f"- Trained on the {about['trained_on']}, for {count(about['epoch'], 'epoch')}, with seed {about['seed']}."
    size = about["input"]["size"]
    yield (
        f"- Input: {size} × {size} RGB, values from 0 to 255; scaling is part of the model. Output: a probability for each "
        "class. A file that takes any size resizes images itself."
    )
    yield (
        f"- Images were turned upright by their EXIF data and squashed to {size} × {size}, not cropped, by an antialiased "
        "bilinear resize, as Pillow's `resize(…, BILINEAR)`; do the same before prediction. A resize without antialiasing "
        "(OpenCV's `INTER_LINEAR`, TensorFlow's `tf.image.resize` by default) gave 4% to 6% of photographs another class."
    )
    yield f"- Validation {metric_name(about['metric'])}: {score(about['validation_score'], about['metric'])}."


def _data(summary: Summary) -> Iterator[str]:
    data = summary.settings.data
    yield (f"{split_of(data)}; {count(len(data.skipped), 'file')} skipped. Fingerprint {data.fingerprint}.")
    counts = zip(data.classes, data.train_per_class, data.test_per_class, strict=True)
    rows = [(escape(name), f"{train:,}", f"{test:,}") for name, train, test in counts]
    yield table(("class", "#training images", "#test images"), rows)


def _test(summary: Summary, store: StudyStore, technique: TechniqueSummary, about: Mapping[str, Any]) -> Iterator[str]:
    folds = summary.settings.data.folds > 1
    refit = about["trained_on"] != "training images"
    if folds:
        yield (
            "This model was trained on all images but a few to stop by. **The figures of this section belong to the models of "
            f"{summary.settings.data.folds} folds before that**, which together tested every image, each by a search that had "
            "not seen it: they are what to expect of this one."
        )
    elif refit:
        yield (
            "This model was trained again on training and validation images together. **The figures of this section belong "
            "to the models before that**, which were trained on the training images alone."
        )
    test = technique.test_accuracy
    if test is None:
        yield f"{technique.technique} has not been tested."
        return
    repeats = "folds" if folds else "images and training seeds"
    scored = (
        f"Accuracy {percent(test.mean)}, 95% interval {interval(test, 'accuracy')} over {repeats} "
        f"(mean of {count(len(test.by_seed), 'fold' if folds else 'seed')})."
    )
    always = baseline_of(summary.settings.data, "accuracy")
    scored += f" Always answering {escape(always.label)} would be right about {percent(always.score)}."
    own = next((c for c in technique.confirmations if c.seed == about["seed"]), None)
    if own is None:
        yield scored
        return
    yield f"{scored}\n{'The seed trained again' if refit else 'This model'} alone: {percent(own.scores['accuracy'])}."
    probabilities, labels = store.predictions(own)
    yield from _confusion(confusion_of(probabilities[None], labels, len(about["classes"])), list(map(escape, about["classes"])))


def _confusion(found: Confusion, names: Sequence[str]) -> Iterator[str]:
    """The confusion matrix with the true classes as rows, or of many classes the recall and the most frequent mistakes."""
    tabled = len(names) <= MOST_CLASSES
    headings = ("true class", "#recall", *(f"#as {name}" for name in names if tabled))
    classes = zip(names, found.recall, found.matrix, strict=True)
    yield table(headings, [(name, recall(share), *(f"{n:,}" for n in row if tabled)) for name, share, row in classes])
    pairs = [f"{names[true]} taken for {names[other]} ({images:,})" for true, other, images in found.most_confused]
    if pairs and not tabled:
        yield f"Most often confused: {'; '.join(pairs)}."


def _others(summary: Summary) -> Iterator[str]:
    yield summary.verdict.reason
    rows = []
    for one in summary.techniques:
        cells = TechniqueCells.of(one, summary)
        rows.append((one.technique, cells.trials, tested(one.test_accuracy, "accuracy"), cells.parameters, cells.recipe))
    yield table(("technique", "#trials", "#test accuracy (95% interval)", "#trained parameters", "best recipe"), rows)


def _limits(summary: Summary, about: Mapping[str, Any]) -> Iterator[str]:
    data = summary.settings.data
    yield f"- It gives one of its {count(len(data.classes), 'class')} for every image, also for one that shows none of them."
    yield (
        "- The test images come from the same folder as the training images; on images from elsewhere the accuracy may be "
        f"another. With {count(data.test, 'test image')} it is known within the interval above, no better."
    )
    size = about["input"]["size"]
    yield f"- The network sees {size} × {size} pixels: details that are smaller are lost."
    fewest = min(range(len(data.classes)), key=data.train_per_class.__getitem__)
    if data.train_per_class[fewest] < max(data.train_per_class):
        yield (
            f"- The class with the fewest training images is {escape(data.classes[fewest])}: {data.train_per_class[fewest]:,}, "
            f"against {max(data.train_per_class):,} of the class with the most."
        )
