import csv
import io

import pytest

from tlsearch.reports import summarize
from tlsearch.reports.render import render
from tlsearch.search.trial import CompleteTrial

from ...search.factory import failed
from ..factory import store_of


def test_csv_has_a_row_a_trial(summary):
    rows = list(csv.DictReader(io.StringIO(render(summary, "csv"))))
    assert [row["number"] for row in rows] == ["0", "1", "2", "3", "4", "5"]
    assert rows[1]["technique"] == "fine-tune" and rows[1]["fine_tune_at"] == "100"
    assert rows[4]["state"] == "failed" and rows[4]["score"] == ""
    for row, trial in zip(rows, summary.trials, strict=True):
        if isinstance(trial, CompleteTrial):
            assert float(row["score"]) == trial.score and float(row["seconds"]) == trial.seconds


@pytest.mark.parametrize("error", ["=HYPERLINK(1)", "@x", "+1", "-1", 'line\nbreak, and "quotes"'])
def test_no_cell_is_a_formula_nor_breaks_a_row(tmp_path, error):
    store = store_of(tmp_path / "photos", [failed(0, error=error)])
    (row,) = csv.DictReader(io.StringIO(render(summarize(store), "csv")))
    assert row["error"][0] not in "=@+-" and row["state"] == "failed"
