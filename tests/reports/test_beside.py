import json
from pathlib import Path

import pytest

from tlsearch.reports import summarize
from tlsearch.reports.answer.paired import difference
from tlsearch.reports.beside import SideBySide, render
from tlsearch.spaces.errors import OptionError
from tlsearch.spaces.recipe import Technique

from .factory import rendered, store_of, whole_study

FROZEN = Technique.FROZEN
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def same(tmp_path_factory):
    """Two studies on the same data."""
    runs = tmp_path_factory.mktemp("runs")
    other = whole_study(runs / "larger", {"size": 224, "seed": 1}, skills={"frozen": 0.9, "fine-tune": 0.95, "full": 0.9})
    return [summarize(whole_study(runs / "photos")), summarize(other)]


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


def test_a_difference_that_is_luck_has_an_interval_with_zero_in_it(tmp_path):
    first = summarize(whole_study(tmp_path / "photos"))
    again = difference(FROZEN, first, first)
    assert (again.difference, again.ci95) == (0, (0, 0))


def test_a_difference_is_paired_by_image(same):
    found = difference(FROZEN, *same)
    low, high = found.ci95
    assert low < found.difference < high and low > 0
    flipped = difference(FROZEN, *reversed(same))
    assert flipped.difference == -found.difference and flipped.ci95[1] < 0


def test_where_the_test_images_are_not_known_to_be_the_same_there_is_no_interval(same, tmp_path):
    store = whole_study(tmp_path / "photos")
    (store.place.path / "test_files.json").write_text('["another.png"]')
    found = difference(FROZEN, same[0], summarize(store))
    assert found.difference == 0 and found.ci95 is None


def test_what_was_not_tested_has_no_difference(same, tmp_path):
    assert difference(FROZEN, same[0], summarize(store_of(tmp_path / "empty"))) is None


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
