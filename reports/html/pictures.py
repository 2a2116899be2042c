"""Pictures of the page: samples of each class, and the test images that the recommended model gets wrong with most confidence.

They are read anew from the study's data folder, by the same careful reader as the search, and put into the page as small JPEG.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ...search.data.decode import decode
from ...search.data.demo import write_demo
from ...search.data.folder import Candidate, Layout
from ...search.data.labels import read_layout
from ...search.data.readers import UnreadableImageError
from ...search.machine.paths import cache_root
from ...search.storage.store import StudyStore
from ...search.storage.tested import test_files
from ...search.trial import Confirmation
from ...spaces.errors import TlsearchError
from ..answer.summary import Summary
from ..text import literal, percent

SIDE = 112
"""Pixels. A phone shows three pictures of this width beside each other; each takes about 4 kB as JPEG."""

SAMPLES = 6
MOST_SAMPLES = 160
"""At most so many samples are shown in all: 0.6 MB."""

MISTAKES = 24

_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the page.

    Attributes:
        source: The picture as a ``data:`` URL.
        text: Caption, which is also the alternative text.
        name: File name, relative to the data folder.
    """

    source: str
    text: str
    name: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """A test image that the model takes for another class.

    Attributes:
        place: Index in the test split.
        true, predicted: Labels.
        confidence: Mean probability of the predicted class over the training seeds.
        doubtful: Whether the label is probably wrong.
    """

    place: int
    true: int
    predicted: int
    confidence: float
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Album:
    """The pictures of a study.

    Attributes:
        samples: Names of classes, each with pictures of the class.
        mistakes: The most confident first.
        missing: Sentences that say which pictures are missing and why.
    """

    samples: tuple[tuple[str, tuple[Picture, ...]], ...] = ()
    mistakes: tuple[Picture, ...] = ()
    missing: tuple[str, ...] = ()


def album(summary: Summary) -> Album:
    """Reads the pictures of a study."""
    data = summary.settings.data
    if data.in_memory:
        return Album(missing=("No pictures: the study's images were arrays, which are in no folder.",))
    try:
        folder = write_demo(data.path.removeprefix("demo:"), cache_root()) if summary.is_demonstration else Path(data.path)
        layout = read_layout(folder, data.labels or None, **data.layout_options)
    except TlsearchError as error:
        return Album(missing=(f"No pictures: the study's images cannot be read any more. {error}",))
    missing = []
    samples = class_samples(layout, data.classes)
    if len(samples) < len(data.classes):
        missing.append(f"Samples of {len(samples)} of the {len(data.classes):,} classes are shown.")
    store = StudyStore.open(summary.path)
    confirmations = summary.recommended.confirmations if summary.recommended else ()
    wrong = mistakes(store, confirmations, doubtful=summary.doubts.images if summary.doubts else ())
    files = test_files(store, {confirmation.fold for confirmation in confirmations})
    if wrong and not files:
        missing.append("Which test images are taken for another class is not shown: the study does not record their names.")
        wrong = ()
    # A study may come from elsewhere: only what lies in the data folder is opened.
    inside = {candidate.path for candidate in layout.candidates}
    pictures = [
        shown
        for one in wrong
        if files[one.place] in inside and (shown := _mistake(layout.root, files[one.place], one, data.classes))
    ]
    if len(pictures) < len(wrong):
        missing.append(f"{len(wrong) - len(pictures)} of the mistaken test images cannot be read any more.")
    return Album(samples, tuple(pictures), tuple(missing))


def mistakes(
    store: StudyStore, confirmations: Sequence[Confirmation], most: int = MISTAKES, doubtful: Sequence[int] = ()
) -> tuple[Mistake, ...]:
    """Test images that the mean prediction over seeds gets wrong: those of ``doubtful`` labels, then the most confident."""
    if not confirmations:
        return ()
    probabilities, labels = store.stacked(confirmations)
    mean = probabilities.mean(axis=0)
    predicted = mean.argmax(axis=1)
    confidence = mean.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    known = ~np.isin(wrong, doubtful)
    order = np.lexsort((-confidence[wrong], known))[:most]
    return tuple(
        Mistake(int(row), int(labels[row]), int(predicted[row]), float(confidence[row]), not sure)
        for row, sure in zip(wrong[order], known[order], strict=True)
    )


def class_samples(
    layout: Layout, classes: Sequence[str], each: int = SAMPLES, most: int = MOST_SAMPLES
) -> tuple[tuple[str, tuple[Picture, ...]], ...]:
    """Some pictures of each class, evenly over its training files; fewer of each, and of fewer classes, where there are many.

    Args:
        layout: The data folder.
        classes: Names of the classes.
        each: At most so many pictures of a class.
        most: At most so many pictures in all.
    """
    each = max(2, min(each, most // max(len(classes), 1)))
    files: dict[str, list[Candidate]] = {}
    for candidate in layout.candidates:
        if candidate.split in ("train", "all"):
            files.setdefault(candidate.label, []).append(candidate)
    shown = [name for name in classes if name in files][: most // each]
    return tuple((name, tuple(_samples(layout.root, files[name], each))) for name in shown)


def picture(root: Path, name: str, text: str) -> Picture | None:
    """The file ``name`` of the folder ``root``, squashed to a square as the network sees it; None where it cannot be read."""
    try:
        found = decode(root / name, SIDE)
        # For a person's eyes a scan is scaled by what it uses itself.
        pixels = decode(root / name, SIDE, found.bits).pixels if found.bits else found.pixels
    except UnreadableImageError:
        return None
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=_QUALITY)
    return Picture(f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}", text, literal(name))


def _samples(root: Path, files: Sequence[Candidate], each: int) -> Iterable[Picture]:
    """The first readable file of each of ``each`` equal parts of ``files``."""
    for part in np.array_split(np.arange(len(files)), min(each, len(files))):
        for row in part[:5]:
            if found := picture(root, files[row].path, f"{literal(files[row].label)}: {literal(files[row].path)}"):
                yield found
                break


def _mistake(root: Path, name: str, mistake: Mistake, classes: Sequence[str]) -> Picture | None:
    true, predicted = literal(classes[mistake.true]), literal(classes[mistake.predicted])
    doubt = "; the label may be wrong" if mistake.doubtful else ""
    return picture(root, name, f"{true}, taken for {predicted} ({percent(mistake.confidence)}){doubt}")
