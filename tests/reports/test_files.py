import csv
import importlib.resources
import io
import json
import math

import jsonschema
import pytest

from tlsearch.reports import summarize
from tlsearch.reports.files import render, to_dict
from tlsearch.search.settings import SkippedFile
from tlsearch.search.trial import CompleteTrial

from ..search.factory import complete, failed, measurement, recipe, values
from .factory import SKILLS, store_of, whole_study

SCHEMA = json.loads(importlib.resources.files("tlsearch.reports").joinpath("schema-1.json").read_text(encoding="utf-8"))
check = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker()).validate


def strict(text):
    """JSON as the standard has it: without NaN and Infinity."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_schema_is_one_and_refuses_what_is_none():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        check({"schema": 2})


def test_a_whole_study_follows_the_schema(summary):
    found = strict(render(summary, "json"))
    check(found)
    assert found["verdict"]["decision"] == "win" and found["verdict"]["winner"] == "fine-tune"
    assert [entry["technique"] for entry in found["techniques"]] == ["frozen", "fine-tune", "full"]
    for entry in found["techniques"]:
        test = entry["test_accuracy"]
        assert test["ci95"][0] <= test["mean"] <= test["ci95"][1]
        assert test["mean"] == pytest.approx(sum(test["seeds"]) / 3)
        assert abs(test["mean"] - SKILLS[entry["technique"]]) < 0.1
    assert [trial["state"] for trial in found["trials"]] == ["complete"] * 3 + ["pruned", "failed", "complete"]
    assert found["trials"][4]["error"] == "the training loss became nan"
    timing = found["timing"]
    assert timing["wall"] == timing["extract"] + timing["train"] + timing["confirm"] + timing["overhead"]


def test_what_is_named_as_the_best_is_in_the_trials(summary):
    found = to_dict(summary)
    for entry in found["techniques"]:
        own = [t for t in found["trials"] if t["technique"] == entry["technique"] and t["state"] == "complete"]
        assert entry["best_val_accuracy"] == max(t["val_accuracy"] for t in own)
        assert entry["recipe"] in [t["recipe"] for t in own]


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1", "log_loss"])
def test_every_metric_follows_the_schema_and_keeps_the_accuracy(tmp_path, metric):
    found = strict(render(summarize(whole_study(tmp_path / "photos", changes={"metric": metric})), "json"))
    check(found)
    # By log loss another frozen trial is the finalist, which nothing has confirmed.
    tested = [entry for entry in found["techniques"] if entry["test_accuracy"]]
    assert len(tested) == (2 if metric == "log_loss" else 3)
    for entry in tested:
        accuracy = entry["test_accuracy"]
        assert accuracy["ci95"][0] <= accuracy["mean"] <= accuracy["ci95"][1]
        assert abs(accuracy["mean"] - SKILLS[entry["technique"]]) < 0.1


def test_an_empty_study_and_one_that_runs_follow_the_schema(tmp_path):
    check(strict(render(summarize(store_of(tmp_path / "empty", timing={})), "json")))
    store = store_of(tmp_path / "running")
    store.start(values(), recipe(), seed=1, worker="worker-1")
    found = strict(render(summarize(store), "json"))
    check(found)
    assert found["trials"][0]["state"] == "running"


def test_what_is_no_number_is_null(tmp_path):
    curve = (measurement(1, 0.5, loss=math.nan, val_loss=math.inf),)
    store = store_of(tmp_path / "photos", [failed(0, curve=curve)])
    (trial,) = strict(render(summarize(store), "json"))["trials"]
    assert trial["curve"][0]["loss"] is None and trial["curve"][0]["val_loss"] is None


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


def test_markdown_escapes_what_the_user_named(tmp_path):
    data = {"path": "a|b*<i>", "skipped": (SkippedFile("x", "y"),)}
    text = render(summarize(store_of(tmp_path / "photos", [complete(0)], data=data)), "markdown")
    assert r"a\|b\*\<i\>" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 5 and {row.count("|") for row in rows} == {7}
    assert "1 file skipped" in text


def test_markdown_says_what_the_terminal_says(summary):
    text = render(summary, "markdown")
    assert text.startswith("### tlsearch: fine-tune wins\n") and summary.verdict.reason in text
