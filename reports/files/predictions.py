"""Predictions of an exported model as lines of text, JSON or CSV, written as they come: memory does not grow with them."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TextIO

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress
from rich.text import Text

from ...search.machine.paths import atomic_write
from ...search.predict.predictor import Prediction, Predictor, Unreadable, list_images
from ...spaces.errors import OptionError
from ..text import literal, percent, spreadsheet_cell

PredictionFormat = Literal["table", "json", "csv"]


class PredictionWriter:
    """Writes predictions; to be used in a ``with`` block, whose end completes the text.

    Args:
        out: Where to.
        output_format: ``table`` for people: class, probability, path; ``json`` for an array of objects with the probabilities
            of all classes; ``csv`` with a row of path, class and probability for each image.
        classes: Of the model.
    """

    def __init__(self, out: TextIO, output_format: PredictionFormat, classes: Sequence[str]) -> None:
        self._out = out
        self._format = output_format
        self._classes = classes
        self._width = max(len(literal(name)) for name in classes)
        self._count = 0

    def __enter__(self) -> PredictionWriter:
        if self._format == "json":
            self._out.write("[")
        elif self._format == "csv":
            self._row("path", "class", "probability")
        return self

    def __exit__(self, *_: object) -> None:
        """Also where predicting was cut off: what is written can then be read."""
        if self._format == "json":
            self._out.write("\n]\n")

    def write(self, prediction: Prediction) -> None:
        """Writes one."""
        path, label = str(prediction.path), prediction.label
        if self._format == "table":
            name = literal(label).ljust(self._width)
            self._out.write(f"{name}  {percent(prediction.probability):>6}  {literal(path)}\n")
        elif self._format == "csv":
            self._row(path, label, f"{prediction.probability:.6f}")
        else:
            every = {name: round(float(p), 6) for name, p in zip(self._classes, prediction.probabilities, strict=True)}
            value = {"path": path, "class": label, "probability": every[label], "probabilities": every}
            self._out.write(f"{',' if self._count else ''}\n {json.dumps(value)}")
        self._count += 1

    def _row(self, *cells: str) -> None:
        csv.writer(self._out, lineterminator="\n").writerow(list(map(spreadsheet_cell, cells)))


def predict_to(
    console: Console, output: str, output_format: PredictionFormat, model: Path, images: Sequence[Path], batch_size: int
) -> int:
    """Predicts ``images`` and writes what comes out.

    Args:
        console: For progress and for what is skipped.
        output: File to write to; ``-`` for the standard output.
        output_format: As in `PredictionWriter`.
        model: The exported model.
        images: Files and folders.
        batch_size: Images at a time.

    Returns:
        How many could not be read.

    Raises:
        ModelError: The model is none.
        OptionError: The file cannot be written.
    """
    predictor = Predictor(model)
    skipped = 0
    # Lines on the same terminal are progress enough.
    shows = console.is_terminal and (output != "-" or not sys.stdout.isatty())
    total = sum(1 for _ in list_images(images)) if shows else None
    bar = Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console, disable=not shows)
    with bar, _opened(output) as out, PredictionWriter(out, output_format, predictor.classes) as writer:
        task = bar.add_task("predicting", total=total)
        for result in predictor.predict_files(images, batch_size=batch_size):
            if isinstance(result, Unreadable):
                skipped += 1
                console.print(Text(literal(f"skipped {result.path}: {result.reason}"), style="yellow"), soft_wrap=True)
            else:
                writer.write(result)
            bar.advance(task)
    return skipped


@contextmanager
def _opened(output: str) -> Iterator[TextIO]:
    if output == "-":
        yield sys.stdout
        return
    try:
        with atomic_write(Path(output)) as file:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="")
            yield text
            # Without closing the file, which is not yet in its place.
            text.detach()
    except OSError as error:
        raise OptionError(f"--output must be a file that can be written, got {output} ({error.strerror}).") from error
