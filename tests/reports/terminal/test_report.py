"""Whole reports are compared with the texts in ``golden/``; after a change that is meant, look at what pytest prints."""

import dataclasses
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from tlsearch.reports import summarize
from tlsearch.reports.render import render
from tlsearch.reports.terminal.report import Report
from tlsearch.reports.words.study import SHOWN
from tlsearch.search.settings import SkippedFile
from tlsearch.search.trial import RunningTrial
from tlsearch.spaces.presets import load_preset
from tlsearch.spaces.recipe import Technique

from ...search.factory import START, begin, complete, failed, recipe, values
from ..factory import confirm, divided_study, rendered, store_of, whole_study, with_outlook_on_seeds

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_whole_report(summary, width):
    text = rendered(Report(summary), width)
    assert max(map(len, text.splitlines())) <= width
    assert text == (GOLDEN / f"report-{width}.txt").read_text(encoding="utf-8")


def test_in_a_file_it_is_the_same_at_full_width(summary):
    assert render(summary, "terminal") == (GOLDEN / "report-120.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [40, 60])
def test_any_width_holds_every_technique(summary, width):
    text = rendered(Report(summary), width)
    assert max(map(len, text.splitlines())) <= width
    assert all(f"{technique.test.mean:.1%}" in text for technique in summary.techniques)


def test_the_leaderboard_is_as_long_as_asked(summary):
    assert "Best 4 of 4 complete trials" in rendered(Report(summary))
    assert "Best 1 of 4 complete trials" in rendered(Report(summary, top=1))


def test_an_empty_study_says_how_to_go_on(tmp_path):
    text = rendered(Report(summarize(store_of(tmp_path / "photos"))))
    assert "No verdict yet" in text and "run the same command again" in text
    assert "not tried" in text and "frozen, fine-tune and full; more --trials would get to it" in " ".join(text.split())


def test_without_a_winner_it_says_what_to_take_and_what_would_settle_it(tmp_path):
    found = summarize(whole_study(tmp_path / "photos", skills=dict.fromkeys(["frozen", "fine-tune", "full"], 0.9)))
    text = rendered(Report(with_outlook_on_seeds(found, 0.0123)))
    assert found.verdict.decision == "tie" and f"Take {found.verdict.recommended}" in text
    assert "with any number of seeds it would be to ±1.2, with twice the test images to" in " ".join(
        text.replace("│", " ").split()
    )
    assert "real" not in text.split("Differences")[1].split("Best")[0]
    text = " ".join(rendered(Report(with_outlook_on_seeds(found, None))).replace("│", " ").split())
    assert "any number of seeds" not in text and "so few cannot tell how far" in text


def test_a_trial_that_was_cut_off_is_mentioned(tmp_path):
    store = store_of(tmp_path / "photos", [complete(0)])
    begin(store, values(), recipe(), seed=5, worker="worker-1")
    found = summarize(store)
    assert isinstance(found.running[0], RunningTrial) and found.running[0].started > START
    assert "1 trial still running, or cut off by a kill" in rendered(Report(found))


def test_a_demonstration_is_called_one(tmp_path):
    store = whole_study(tmp_path / "demo", data={"path": "demo:small-similar"})
    assert "says nothing about photographs" in " ".join(rendered(Report(summarize(store)), 120).split())


def test_the_posts_numbers_stand_beside_those_here(tmp_path):
    store = store_of(tmp_path / "post", changes={"space": load_preset("post").space.as_dict()})
    for trial in (complete(0, "frozen", (0.95,)), complete(1, "fine-tune", (0.96,))):
        begin(store, {"technique": str(trial.recipe.technique)}, trial.recipe, seed=1, worker="w")
        store.finish(trial)
    text = rendered(Report(summarize(store)))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "frozen 96.3% 95.0% −1.3 points" in lines and "fine-tune 97.3% 96.0% −1.3 points" in lines


def test_no_more_than_a_few_files_and_failures_are_named(tmp_path):
    skipped = tuple(SkippedFile(f"cats/{number}.txt", "not an image file") for number in range(SHOWN + 2))
    trials = [failed(number) for number in range(SHOWN + 3)]
    text = rendered(Report(summarize(store_of(tmp_path / "photos", trials, data={"skipped": skipped}))))
    flat = " ".join(text.split())
    assert f"Skipped files ({SHOWN + 2})" in text and "; and 2 more" in flat
    assert f"Failed trials ({SHOWN + 3})" in text and "; and 3 more" in flat


def test_how_names_were_understood_is_said(tmp_path):
    store = store_of(tmp_path / "photos", data={"remarks": ("Cat = cat\x1b.", "photos/photos was read.")})
    assert "Remarks Cat = cat\\x1b. photos/photos was read." in " ".join(rendered(Report(summarize(store)), 120).split())


def test_names_from_the_users_files_are_shown_literally(tmp_path):
    nasty = "[bold]x[/bold]\x1b[31m\u202e"
    data = {"path": nasty, "classes": (nasty, "dogs"), "skipped": (SkippedFile(nasty, nasty),)}
    store = store_of(tmp_path / "photos", [dataclasses.replace(failed(0), error=nasty)], data=data)
    text = rendered(Report(summarize(store)), 200)
    assert text.count("[bold]x[/bold]\\x1b[31m\\u202e") == 6
    assert "\x1b" not in text and "\u202e" not in text


def test_log_loss_is_in_nats_and_less_is_better(tmp_path):
    store = store_of(tmp_path / "photos", [complete(0, "frozen", (0.4, 0.3)), complete(1, "full", (0.5, 0.6))],
                     changes={"metric": "log_loss"})  # fmt: skip
    for trial, skill in zip(store.trials(), (0.95, 0.7), strict=True):
        confirm(store, trial, skill)
    found = summarize(store)
    assert [trial.number for trial in found.ranked] == [0, 1]
    assert "log loss in nats, less is better" in rendered(Report(found), 120)


def test_the_class_that_is_recognised_least_comes_first_and_names_are_literal(tmp_path):
    nasty = "[b]x[/b]\u202e"
    text = rendered(Report(summarize(whole_study(tmp_path / "photos", data={"classes": (nasty, "dogs")}))), 120)
    rows = text.split("Recall by class")[1].split("Depth")[0].splitlines()[3:5]
    assert [row.split()[0] for row in rows] == ["dogs", "[b]x[/b]\\u202e"] and "[b]x[/b]\\u202e (" in rows[0]


def test_piped_there_are_no_control_codes(summary):
    assert not set(rendered(Report(summary), 120)) & set(map(chr, [*range(10), *range(11, 32), 127]))


@pytest.mark.parametrize("colours", ["standard", "truecolor"])
def test_colours_come_from_the_terminals_own_palette(summary, colours):
    """So that they are readable on a light ground as on a dark one: no colour but the sixteen that its theme sets."""
    out = io.StringIO()
    Console(file=out, width=120, force_terminal=True, color_system=colours).print(Report(summary))
    codes = {code for codes in re.findall(r"\x1b\[([\d;]*)m", out.getvalue()) for code in codes.split(";")}
    assert "35" in codes and not codes & {"38", "48", "37", "97", "30", "90"}


def test_without_colour_there_is_none(summary, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    out = io.StringIO()
    Console(file=out, width=120, force_terminal=True).print(Report(summary))
    assert not re.search(r"\x1b\[(?:\d+;)*[34]\d", out.getvalue())


@pytest.mark.parametrize(("seconds", "shown"), [(None, False), (0.003, False), (1.2, True)])
def test_decoding_that_an_earlier_run_has_done_takes_no_words(summary, seconds, shown):
    timed = dataclasses.replace(summary, timing=dataclasses.replace(summary.timing, decode=seconds))
    assert ("decoding before that" in " ".join(rendered(Report(timed), 200).split())) == shown


def test_folds_are_named_where_scores_are_means_over_them(divided):
    text = rendered(Report(divided), 120)
    assert "400 images in 5 folds (about 260 training, 60 validation and 80 test images each)" in text
    assert "mean over folds and 95% interval, over folds" in text and "seeds" not in text
    assert re.search(r"trial +fold +technique", text) and re.search(r"\n +12 +5 +frozen", text)


def test_of_folds_without_proof_it_is_said_how_far_the_difference_is_known(tmp_path):
    skills = dict.fromkeys(Technique, 0.85)
    text = " ".join(rendered(Report(summarize(divided_study(tmp_path / "photos", skills=skills))), 200).split())
    assert re.search(r"is known to ±\d+\.\d over 5 folds; more images would tell more", text)


def test_where_few_of_the_images_are_tested_folds_are_recommended(tmp_path):
    def told(path, test, **data):
        skills = dict.fromkeys(Technique, 0.85)
        store = whole_study(path, data={"test_per_class": (test // 2, test // 2), "test": test, **data}, skills=skills)
        text = " ".join(rendered(Report(summarize(store)), 200).replace("│", " ").split())
        return "--folds 5 and another --study would test all" in text

    assert told(tmp_path / "few", 100, drawn=True) and told(tmp_path / "too few", 40, drawn=True)
    assert not told(tmp_path / "given", 100) and not told(tmp_path / "enough", 500, drawn=True)
