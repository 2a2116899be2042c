import json
from pathlib import Path

import pytest

from tlsearch.reports import summarize
from tlsearch.reports.beside import SideBySide, render
from tlsearch.spaces.errors import OptionError

from .factory import rendered, store_of, whole_study

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("width", [80, 120])
def test_the_whole_comparison(same, width):
    text = rendered(SideBySide(same), width)
    assert max(map(len, text.splitlines())) <= width
    assert text == (GOLDEN / f"beside-{width}.txt").read_text(encoding="utf-8")
    if width == 120:
        assert render(same, "terminal") == text


def test_differences_are_those_of_the_scores(same):
    text = rendered(SideBySide(same), 120)
    first, other = (study.techniques[0].test.mean for study in same)
    assert f"+{100 * (other - first):.1f} points" in text and "image size" not in text and "224" in text


def test_on_different_data_nothing_is_subtracted(same, tmp_path):
    other = summarize(whole_study(tmp_path / "photos", data={"fingerprint": "g" * 32}))
    text = rendered(SideBySide([same[0], other]), 120)
    assert "points" not in text and "Different images" in text
    assert "photos (1)" in text and "photos (2)" in text
    assert json.loads(render([same[0], other], "json"))["same_data"] is False


def test_by_different_metrics_nothing_is_subtracted(same, tmp_path):
    other = summarize(whole_study(tmp_path / "photos", {"metric": "macro_f1"}))
    text = rendered(SideBySide([same[0], other]), 120)
    assert "points" not in text and "accuracy and macro F1" in text


def test_a_study_without_results_stands_beside_the_others(same, tmp_path):
    empty = summarize(store_of(tmp_path / "empty"))
    assert "No verdict yet" in rendered(SideBySide([same[0], empty]), 120)
    assert json.loads(render([same[0], empty], "json"))["studies"][1]["techniques"]["frozen"] is None


def test_json_and_markdown(same):
    found = json.loads(render(same, "json"))
    assert [study["recommended"] for study in found["studies"]] == [study.verdict.recommended for study in same]
    assert [one["technique"] for one in found["differences"]] == ["frozen", "fine-tune", "full"]
    assert found["differing"]["size"] == ["160", "224"]
    text = render(same, "markdown")
    assert (
        len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1 and r"\-" not in text.split("\n")[1]
    )


def test_names_are_literal(tmp_path):
    nasty = "a[b]\u202e|x"
    studies = [summarize(whole_study(tmp_path / nasty, data={"path": nasty})) for _ in range(1)] * 2
    text = rendered(SideBySide(studies), 120)
    assert "\u202e" not in text and "a[b]\\u202e" in text


@pytest.mark.parametrize("form", ["csv", "html"])
def test_what_is_for_one_study_only_is_refused(same, form):
    with pytest.raises(OptionError, match="terminal, json or markdown"):
        render(same, form)
