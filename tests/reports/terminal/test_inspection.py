import dataclasses
import json
from pathlib import Path

import pytest
from PIL import ImageEnhance

from tlsearch.reports.answer.insight import similarity_of
from tlsearch.reports.look import look, render
from tlsearch.reports.terminal.inspection import InspectionReport
from tlsearch.reports.words.inspection import SHOWN, inspection_facts, warnings
from tlsearch.search.data.groups import PARTED
from tlsearch.search.data.inspection import Doubt, inspect_folder
from tlsearch.search.events import ignore
from tlsearch.search.statistics.expectation import expect, foretell, predictors
from tlsearch.spaces.backbone.spec import BackboneSpec
from tlsearch.spaces.errors import TlsearchError
from tlsearch.spaces.recipe import Technique

from ...search.data.test_lookalikes import scene, shaken
from ..factory import LEARNED, PROFILE, rendered

GOLDEN = Path(__file__).parents[1] / "golden"
NASTY = "[red]x\x1b[31m\u202e"


@pytest.fixture
def photos(make_folder):
    """With something of everything that can be wrong."""
    folder = make_folder({"train/cats": 12, "train/dogs": 30, "test/cats": 3, "test/dogs": 3})
    for source, target in (("train/cats/0", "train/cats/x"), ("train/cats/1", "test/cats/x"), ("train/cats/2", "train/dogs/x")):
        (folder / f"{target}.png").write_bytes((folder / f"{source}.png").read_bytes())
    (folder / "train" / "dogs" / "notes.txt").write_text("x")
    return folder


@pytest.fixture
def found(photos, monkeypatch):
    monkeypatch.chdir(photos.parent)
    return inspect_folder("photos", size=32)


@pytest.fixture
def similarity():
    return similarity_of(PROFILE)


@pytest.mark.parametrize("width", [80, 120])
def test_the_whole_report(found, similarity, width):
    text = rendered(InspectionReport(found, similarity), width)
    assert text == (GOLDEN / f"inspect-{width}.txt").read_text(encoding="utf-8")


def test_in_a_file_it_is_the_same(found, similarity):
    assert render(found, similarity, "terminal") == (GOLDEN / "inspect-120.txt").read_text(encoding="utf-8")


def test_json_says_the_same(found, similarity):
    told = json.loads(render(found, similarity, "json"))
    assert told["ready"] and told["warnings"] == warnings(found) and told["similarity"]["label"] == "similar"
    assert told["classes"][0] == {"class": "cats", "training": 9, "validation": 2, "test": 4, "total": 15}
    assert [group["kind"] for group in told["duplicates"]] == ["across classes", "across splits", "within a split"]


def test_what_to_expect_is_said_before_any_trial(found):
    expected = foretell(LEARNED, predictors(30, PROFILE))
    found = dataclasses.replace(found, expected=expected)
    (said,) = (value for label, value in inspection_facts(found, None) if label == "Expected")
    gap, half = expected.gaps[Technique.FULL]
    assert f"full {100 * gap:+.1f} ± {100 * half:.1f} points".replace("-", "−") in said and "20 other data sets" in said
    assert json.loads(render(found, None, "json"))["expected"]["gaps"]["full"] == {"gap": gap, "half_width": half}


@pytest.mark.parametrize("similarity", [False, True])
@pytest.mark.parametrize(("weights", "known"), [("own.h5", True), ("random", False)])
def test_looking_tells_what_to_expect(photos, tmp_path, monkeypatch, weights, known, similarity):
    monkeypatch.setattr("tlsearch.search.phases.profile.profile_alone", lambda *_, **__: PROFILE)
    (tmp_path / "own.h5").touch()
    monkeypatch.chdir(tmp_path)
    found, told = look(
        photos,
        size=32,
        seed=0,
        backbone=BackboneSpec(0.35, 32, weights),
        similarity=similarity,
        doubts=False,
        cache_dir=tmp_path / "cache",
        listener=ignore,
    )
    assert (found.expected is not None) is known and (told is not None) is similarity
    assert found.expected == expect(found.dataset.settings(), PROFILE if similarity else None, weights)


def test_a_sound_folder_has_nothing_to_say(make_folder):
    found = inspect_folder(make_folder({"cats": 10, "dogs": 10}), size=32)
    assert warnings(found) == [] and "Nothing is wrong with it." in rendered(InspectionReport(found))


def test_what_cannot_be_searched_on_says_why(make_folder):
    found = inspect_folder(make_folder({"cats": 10, "dogs": 1}), size=32)
    text = rendered(InspectionReport(found))
    assert "Cannot be searched on yet" in text and "at least 3 different images" in " ".join(text.split())
    assert json.loads(render(found, None, "json"))["ready"] is False


def test_names_are_literal_everywhere(make_folder):
    folder = make_folder({NASTY: 4, "dogs": 4})
    for number in range(SHOWN + 2):
        (folder / NASTY / f"{number}{NASTY}.txt").write_text("x")
    found = inspect_folder(folder, size=32)
    text, page = rendered(InspectionReport(found), 120), render(found, None, "html")
    assert "[red]x\\x1b[31m\\u202e" in text and "; and 2 more" in " ".join(text.split())
    assert not set(text + page) & set("\x1b\u202e")


def test_how_names_were_understood_is_said(make_folder):
    folder = make_folder({"train/Cats": 4, "train/\u202edogs": 4, "test/cats": 2, "test/\u202eDogs": 2})
    found = inspect_folder(folder, size=32)
    assert found.problem == "" and "Cats = cats; \\u202eDogs = \\u202edogs" in " ".join(warnings(found))
    assert "Cats = cats" in " ".join(rendered(InspectionReport(found)).split())


def test_the_contact_sheet_shows_pictures_and_duplicates(found, similarity):
    page = render(found, similarity, "html")
    # 18 at most of each class, and one of each group of duplicates.
    assert page.count('<img src="data:image/jpeg') == 13 + 18 + 3
    assert "across classes" in page and 'id="chart-balance"' in page and 'id="chart-depth"' in page


def test_weights_that_cannot_be_found_are_refused_before_anything_is_decoded(photos, tmp_path):
    none = BackboneSpec(alpha=0.35, size=32, weights=str(tmp_path / "no-such.h5"))
    with pytest.raises(TlsearchError, match="no-such"):
        look(photos, size=32, seed=0, backbone=none, similarity=True, doubts=False, cache_dir=None, listener=print)


@pytest.fixture
def scenes(tmp_path):
    """Two classes of different scenes."""
    for place, label in enumerate(("cats", "dogs")):
        (tmp_path / label).mkdir()
        for number in range(12):
            scene(100 * place + number).save(tmp_path / label / f"{number}.png")
    return tmp_path


def test_lookalikes_of_test_images_are_told_whatever_their_classes(scenes):
    for place, label in enumerate(("cats", "dogs")):
        (scenes / "test" / label).mkdir(parents=True)
        (scenes / "train").mkdir(exist_ok=True)
        scene(500 + place).save(scenes / "test" / label / "new.png")
        (scenes / label).rename(scenes / "train" / label)
    shaken(scene(3)).save(scenes / "test" / "dogs" / "cat.png")
    found = inspect_folder(scenes, size=96)
    assert [(group.kind, len(group.files)) for group in found.lookalikes] == [("across classes", 2)]
    said = warnings(found)
    assert any(sentence.startswith("1 test image looks like trained ones") for sentence in said)
    assert any(sentence.startswith("1 picture with look-alikes in another class") for sentence in said)
    page = render(found, None, "html")
    assert "across classes, look-alikes" in page and json.loads(render(found, None, "json"))["lookalikes"][0]["classes"] == [
        "cats",
        "dogs",
    ]


def test_where_a_class_is_nothing_but_lookalikes_none_are_said_to_stay_together(scenes):
    for number in range(12):
        ImageEnhance.Brightness(scene(0)).enhance(1 - number / 30).save(scenes / "cats" / f"{number}.png")
    said = warnings(inspect_folder(scenes, size=96))
    assert any(PARTED in sentence for sentence in said) and not any("on one side." in sentence for sentence in said)


def test_labels_in_doubt_are_shown(found):
    doubted = dataclasses.replace(found, doubts=(Doubt("train/cats/0.png", "cats", "dogs", 0.98),))
    assert "1 label may be wrong: look at these images." in warnings(doubted)
    assert "train/cats/0.png (cats; dogs 98%)" in " ".join(rendered(InspectionReport(doubted), 200).split())
    assert "cats, or dogs?" in render(doubted, None, "html")
    assert json.loads(render(doubted, None, "json"))["doubtful_labels"][0]["likely"] == "dogs"
    assert json.loads(render(found, None, "json"))["doubtful_labels"] is None
