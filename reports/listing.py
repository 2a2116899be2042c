"""The studies in a folder, as a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from ..search.storage.base import StudyPlace
from ..spaces.errors import StudyError
from .answer.summary import summarize
from .files.json import picked, technique_dict
from .text import literal
from .words.sentences import headline

_FIELDS = (
    *("name", "path", "data", "created", "trials", "decision", "recommended", "proven", "headline", "error"),
    *("metric", "alpha", "size", "weights", "data_fingerprint", "classes", "images", "data_size", "similarity", "techniques"),
)
"""Of a study in JSON. ``size`` is the side of its images in pixels, ``data_size`` small or large; ``techniques`` are those of
the report, each with its best recipe and scores: what a script needs to choose a study for ``--warm-start``."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Studies, one row each, and ``runs``, the folder or database that they were found in."""

    studies: Sequence[StudyPlace]
    runs: object

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.studies:
            yield Text(f"No studies in {literal(str(self.runs))}. `tlsearch run` makes one.")
            return
        table = Table(box=SIMPLE_HEAD, header_style="")
        table.add_column("study", overflow="fold")
        table.add_column("data", overflow="fold")
        table.add_column("trials", justify="right")
        table.add_column("verdict")
        for path in self.studies:
            table.add_row(*_cells(_entry(path)))
        yield table

    def to_json(self) -> str:
        """A JSON array with an object of `_FIELDS` for each study; what is not known of a damaged one is null."""
        return json.dumps([_entry(path) for path in self.studies], indent=2) + "\n"


def _entry(path: StudyPlace) -> dict[str, Any]:
    entry: dict[str, Any] = dict.fromkeys(_FIELDS) | {"name": path.name, "path": str(path)}
    try:
        summary = summarize(path)
    except StudyError as error:
        return {**entry, "error": str(error)}
    data = summary.settings.data
    return {
        **entry,
        "data": data.path,
        "created": summary.settings.created,
        "trials": summary.trial_count,
        "decision": summary.verdict.decision,
        "recommended": summary.verdict.recommended,
        "proven": summary.verdict.proven,
        "headline": headline(summary),
        "error": f"damaged: {summary.damage}" if summary.damage else None,
        **picked(summary.settings, "metric", "alpha", "size", "weights"),
        "data_fingerprint": data.fingerprint,
        "classes": list(data.classes),
        "images": picked(data, "train", "val", "test"),
        "data_size": summary.rule.size,
        "similarity": summary.rule.similarity,
        "techniques": [technique_dict(technique) for technique in summary.techniques],
    }


def _cells(entry: dict[str, Any]) -> tuple[Text, Text, Text, Text]:
    """Name, data, trials and verdict of one study; one that is damaged says so and hides none of the others."""
    name, error = Text(literal(entry["name"])), entry["error"] or ""
    if entry["headline"] is None:
        return name, Text(), Text(), Text(literal(error), style="red")
    damage = Text(f"\n{literal(error)}" if error else "", style="red")
    return name, Text(literal(entry["data"])), Text(str(entry["trials"])), Text.assemble(entry["headline"], damage)
