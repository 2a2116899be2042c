"""Names of classes, files, studies and folders, and texts of errors, are shown as they are and do nothing, in every output."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from contextlib import nullcontext
from html.parser import HTMLParser
from typing import get_args

import optuna
import pytest
from rich.console import Console

from tlsearch.cli.console import print_error
from tlsearch.cli.options import ReportFormat
from tlsearch.reports.answer.summary import summarize
from tlsearch.reports.listing import Listing
from tlsearch.reports.render import render
from tlsearch.reports.terminal.live import LiveProgress
from tlsearch.reports.terminal.log import Log
from tlsearch.reports.terminal.report import Report
from tlsearch.search.events import PhaseStarted, TrialFinished, Warned
from tlsearch.search.settings import SkippedFile
from tlsearch.search.storage.store import StudyStore
from tlsearch.spaces.errors import SpaceError
from tlsearch.spaces.presets import load_preset

from ..reports.factory import confirm, store_of
from ..search.factory import complete, failed
from .names import NAMES, as_file_name

FORMATS = get_args(ReportFormat)
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What acts on a terminal or turns the direction of writing; a line's end aside."""


PARAMETERS = [
    pytest.param(name, id=ascii(name)[:30], marks=[] if number % 5 == 0 else pytest.mark.slow)
    for number, name in enumerate(NAMES)
]


@pytest.fixture(scope="module", params=PARAMETERS)
def study(request, tmp_path_factory):
    """A study in which everything that a stranger may name has this name."""
    name = request.param
    path = tmp_path_factory.mktemp("runs") / as_file_name(name)
    trials = [complete(0), failed(1, "full", error=name)]
    data = {
        "path": name,
        "classes": (name, f"{name} 2"),
        "skipped": (SkippedFile(f"{name}/{name}", name),),
        "train_per_class": (80, 80),
        "test_per_class": (100, 100),
    }
    store = store_of(path, trials, data=data)
    confirm(store, trials[0], 0.9)
    return name, path


@pytest.mark.parametrize("form", FORMATS)
def test_no_report_acts_on_a_terminal(study, form):
    _, path = study
    text = render(summarize(path), form)
    # The scripts and styles of a page are the library's: they hold tabs.
    assert not CONTROL.search(re.sub(r"(?s)<(script|style)[ >].*?</\1>", "", text))


def shown(value, **options):
    out = io.StringIO()
    Console(file=out, width=400, force_terminal=True, color_system="truecolor", legacy_windows=False, **options).print(value)
    return out.getvalue()


def without_our_own_codes(text):
    """Colours are ours; anything else is not."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_the_terminal_shows_names_literally(study):
    name, path = study
    text = shown(Report(summarize(path), 10))
    assert "\x1b[31mred" not in text and "\x1b]8" not in text
    assert not CONTROL.search(without_our_own_codes(text))
    if name.isprintable() and len(name) < 30:
        assert name in without_our_own_codes(text)


def test_the_list_of_studies_shows_names_literally(study):
    _, path = study
    text = shown(Listing([path], path.parent))
    assert not CONTROL.search(without_our_own_codes(text))


def test_log_and_live_view_show_names_literally(study):
    name, _ = study
    events = [PhaseStarted("search", 2), Warned(name), TrialFinished(failed(0, error=name))]
    for make in (lambda console: nullcontext(Log(console, "accuracy")), lambda console: LiveProgress(console, "accuracy")):
        out = io.StringIO()
        console = Console(file=out, width=200, force_terminal=False, color_system=None, legacy_windows=False)
        with make(console) as listener:
            for event in events:
                listener(event)
        assert not CONTROL.search(out.getvalue())


def test_errors_show_names_literally(study, capsys):
    name, _ = study
    print_error(f"got {name}")
    assert not CONTROL.search(without_our_own_codes(capsys.readouterr().err))


def test_csv_holds_no_formula(study):
    _, path = study
    for row in csv.reader(io.StringIO(render(summarize(path), "csv"))):
        for cell in row:
            number = re.fullmatch(r"-?[\d.e+-]+", cell)
            assert number or not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_json_gives_names_back(study):
    name, path = study
    found = json.loads(render(summarize(path), "json"))
    assert found["data"]["classes"][0] == found["trials"][1]["error"] == name


def test_markdown_holds_no_html_and_no_link(study):
    _, path = study
    text = render(summarize(path), "markdown")
    for line in text.splitlines():
        assert not re.search(r"(?<!\\)<(?!\d)", line.replace("<br>", "")), line
        assert not re.search(r"(?<!\\)!?\[[^\]]*(?<!\\)\]\(", line), line


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.mark.skipif("html" not in FORMATS, reason="there is no HTML report")
def test_html_holds_no_element_of_a_name(study):
    _, path = study
    tags = _Tags()
    tags.feed(render(summarize(path), "html"))
    for tag, attributes in tags.found:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert not str(attributes.get("href", "")).startswith("javascript:")
        assert not (tag == "img" and attributes.get("src") == "x")
        assert not any("alert(1)" in str(attributes.get(name, "")) for name in ("href", "src", "srcdoc", "style", "action"))
    assert not any(tag == "script" and "src" in attributes for tag, attributes in tags.found)


def test_sql_is_not_run_and_the_database_lies_where_it_was_asked_for(study):
    _, path = study
    with sqlite3.connect(path / "study.db") as connection:
        assert connection.execute("SELECT count(*) FROM trials").fetchone() == (2,)
    assert {entry.name for entry in path.parent.iterdir()} == {path.name}
    assert StudyStore.open(path).settings.name == path.name
    names = optuna.get_all_study_names(optuna.storages.RDBStorage("sqlite://", {"creator": lambda: connection}))
    assert names == [path.name]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])
def test_a_space_file_with_a_strange_value_is_refused_and_shown_literally(tmp_path, name):
    file = tmp_path / "space.toml"
    # JSON's strings are TOML's.
    file.write_text(f"[space]\noptimizer = {json.dumps(name)}\n", encoding="utf-8")
    with pytest.raises(SpaceError, match="optimizer") as caught:
        load_preset(str(file))
    assert not CONTROL.search(str(caught.value))
    if name.isprintable() and not set(name) & set("'\\"):
        assert name in str(caught.value)
