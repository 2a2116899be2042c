"""What an export says of itself on a terminal: what it is, and what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from ...search.export.export import Export
from ..text import count, literal, percent
from ..words.sentences import measured_on


@dataclass(frozen=True, slots=True)
class ExportReport:
    """An export, with the path of the model card beside it."""

    export: Export
    card: Path

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        about = self.export.metadata
        kind = about["format"] + ("" if about["quantize"] == "none" else f", {about['quantize']}")
        yield Text(f"{about['technique']} → {literal(str(self.export.path))} ({kind})", style="bold", overflow="fold")
        table = Table.grid(padding=(0, 2))
        for label, value in _facts(self.export):
            table.add_row(Text(f"  {label}", style="dim"), Text(value, overflow="fold"))
        yield table
        if self.export.concern:
            yield Text(f"Look twice: {self.export.concern}", style="yellow")
        yield Text(f"Beside it: {self.export.beside.name} (classes, settings, measurements), {self.card.name}.")


def _facts(export: Export) -> Iterator[tuple[str, str]]:
    about, parity = export.metadata, export.parity
    yield "trained on", f"{about['trained_on']} of {literal(about['data']['name'])}"
    images = measured_on(about, parity.images)
    accuracy = f"{percent(parity.accuracy)} on {images}"
    if parity.accuracy != parity.trained_accuracy:
        accuracy += f"; the trained model {percent(parity.trained_accuracy)}"
    yield "accuracy", accuracy
    yield "same class", f"{percent(parity.agreement)} of them get the class that the trained model gives"
    largest, mean = f"{parity.largest_difference:.1g}", f"{parity.mean_difference:.1g}"
    yield "probabilities", f"differ from the trained model's by {largest} at most, {mean} in the mean"
    if original := parity.original:
        yield (
            "original size",
            f"{percent(original.agreement)} of {count(original.images, 'image')} get that class at their own size too; "
            f"probabilities differ by {original.largest_difference:.1g} at most",
        )
    yield "size", f"{parity.megabytes:.2f} MB"
    yield (
        "one image",
        f"{parity.milliseconds:.1f} ms, the median in {parity.runtime} with {count(parity.threads, 'thread')} on this machine",
    )
