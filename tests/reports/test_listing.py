from tlsearch.reports.listing import Listing

from .factory import rendered, store_of, whole_study


def test_a_row_a_study(tmp_path):
    paths = [whole_study(tmp_path / "photos").path, store_of(tmp_path / "new").path]
    rows = [" ".join(line.split()) for line in rendered(Listing(paths, tmp_path)).splitlines()]
    assert "photos photos 6 fine-tune wins" in rows
    assert "new photos 0 No verdict yet" in rows


def test_a_damaged_study_hides_no_other(tmp_path):
    whole = whole_study(tmp_path / "photos").path
    broken = store_of(tmp_path / "broken").path
    (broken / "study.db").write_bytes(b"no database")
    text = rendered(Listing([broken, whole], tmp_path), 200)
    assert "broken" in text and "damaged" in text and "fine-tune wins" in text


def test_no_studies_says_how_to_make_one(tmp_path):
    assert "`tlsearch run` makes one" in rendered(Listing([], tmp_path))
