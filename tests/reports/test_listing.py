import json
from pathlib import Path

from tlsearch.reports.listing import Listing
from tlsearch.search.storage.places import list_studies

from .factory import rendered, store_of, whole_study

GOLDEN = Path(__file__).parent / "golden"


def test_a_row_a_study(tmp_path):
    paths = [whole_study(tmp_path / "photos").place, store_of(tmp_path / "new").place]
    rows = [" ".join(line.split()) for line in rendered(Listing(paths, tmp_path)).splitlines()]
    assert "photos photos 6 fine-tune wins" in rows
    assert "new photos 0 No verdict yet" in rows


def test_a_damaged_study_hides_no_other(tmp_path):
    whole = whole_study(tmp_path / "photos").place
    broken = store_of(tmp_path / "broken").place
    (broken.path / "study.db").write_bytes(b"no database")
    text = rendered(Listing([broken, whole], tmp_path), 200)
    assert "broken" in text and "damaged" in text and "fine-tune wins" in text


def test_no_studies_says_how_to_make_one(tmp_path):
    assert "`tlsearch run` makes one" in rendered(Listing([], tmp_path))


def test_json_lists_the_same(tmp_path):
    whole = whole_study(tmp_path / "photos").place
    broken = store_of(tmp_path / "broken").place
    (broken.path / "study.db").write_bytes(b"no database")
    first, second = json.loads(Listing([whole, broken], tmp_path).to_json())
    assert (first["decision"], first["recommended"], first["trials"], first["error"]) == ("win", "fine-tune", 6, None)
    assert second["name"] == "broken" and "damaged" in second["error"] and second["decision"] is None
    assert json.loads(Listing([], tmp_path).to_json()) == []
    assert first.keys() == second.keys()


def test_json_has_what_a_script_needs_to_choose_a_study_to_start_from(tmp_path):
    whole_study(tmp_path / "photos")
    (study,) = json.loads(Listing(list_studies(tmp_path), tmp_path).to_json())
    assert (study["metric"], study["size"], study["alpha"], study["classes"]) == ("accuracy", 160, 0.35, ["cats", "dogs"])
    assert (study["images"], study["data_size"], study["similarity"]) == (
        {"train": 160, "val": 40, "test": 200},
        "small",
        "similar",
    )
    best = {one["technique"]: (one["best_val_score"], one["recipe"]["learning_rate"]) for one in study["techniques"]}
    assert best == {"frozen": (0.81, 1e-3), "fine-tune": (0.91, 1e-3), "full": (0.84, 1e-3)}


def test_the_whole_table(tmp_path):
    paths = [whole_study(tmp_path / "photos").place, store_of(tmp_path / "new").place]
    assert rendered(Listing(paths, tmp_path)) == (GOLDEN / "studies-80.txt").read_text(encoding="utf-8")
