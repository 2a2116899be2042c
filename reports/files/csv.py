"""A study's trials as CSV, for spreadsheets."""

from __future__ import annotations

import csv
import dataclasses
import io

from ...spaces.recipe import Recipe
from ..answer.summary import Summary
from ..text import spreadsheet_cell
from .json import finite, trial_dict


def study_csv(summary: Summary) -> str:
    """One row a trial."""
    fields = ["number", "state", "technique", "score", "val_accuracy", "epochs", "seconds", "error", "fold"]
    settings = [field.name for field in dataclasses.fields(Recipe) if field.name != "technique"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*fields, *("max_epochs" if name == "epochs" else name for name in settings)])
    for trial in summary.trials:
        row = finite({**trial_dict(trial), "score": getattr(trial, "score", None)})
        cells = [*(row[name] for name in fields), *(row["recipe"][name] for name in settings)]
        writer.writerow(map(spreadsheet_cell, cells))
    return out.getvalue()
