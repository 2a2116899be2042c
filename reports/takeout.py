"""From a study to an export with its card: the steps of the `export` command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..search.export.export import chosen_model, export_model
from ..search.storage.base import StudyPlace
from ..search.storage.store import StudyStore
from ..spaces.errors import OptionError, StudyError
from ..spaces.recipe import Technique
from .answer.summary import summarize
from .files.card import check_card, write_card
from .terminal.exported import ExportReport


def take_out(study: StudyPlace | Path, out: Path, *, technique: str, refit: bool, force: bool, **options: Any) -> ExportReport:
    """Exports a model and writes its card.

    Args:
        study: Folder of the study, or its name and database.
        out: File to write, or the folder of a SavedModel.
        technique: Its name, or ``winner`` for the one that the study recommends.
        refit: As in `export_model`.
        force: As in `export_model`; the card of another model is overwritten too.
        **options: Of `export_model`.

    Raises:
        StudyError: Nothing is recommended yet, or as `export_model` says.
        OptionError: As `export_model` says, or a card of something else is there.
    """
    if (out / "study.json").is_file():
        raise OptionError(
            f"OUT must be a file to write, got the study {out}. Name the file after it: tlsearch export {out} OUT"
        )
    store = StudyStore.open(study)
    summary = summarize(store)
    chosen = summary.verdict.recommended if technique == "winner" else Technique(technique)
    if chosen is None:
        raise StudyError(f"{study} recommends nothing to export yet. {summary.verdict.reason}")
    check_card(out.parent, store, chosen_model(store, chosen, refit=refit), force=force)
    export = export_model(study, out, technique=chosen, refit=refit, force=force, **options)
    return ExportReport(export, write_card(out.parent, summary, store, export.metadata))
