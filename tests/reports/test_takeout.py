import pytest

from tlsearch.reports.takeout import take_out
from tlsearch.spaces.errors import OptionError, StudyError

from ..search.factory import complete
from .factory import store_of, whole_study

OPTIONS = {"technique": "winner", "refit": False, "force": False}


def test_a_study_that_recommends_nothing_yet_is_said(tmp_path):
    store = store_of(tmp_path / "photos", [complete(0)])
    with pytest.raises(StudyError, match=r"recommends nothing to export yet\. Nothing has been tested yet.*--confirm 3"):
        take_out(store.place.path, tmp_path / "pets.keras", **OPTIONS)


def test_a_study_from_before_models_were_kept_is_said(tmp_path):
    store = whole_study(tmp_path / "photos")
    with pytest.raises(StudyError, match=r"keeps no model of fine-tune: an earlier version.*--refit"):
        take_out(store.place.path, tmp_path / "pets.keras", **OPTIONS)


def test_a_study_named_as_the_file_to_write_is_said(tmp_path):
    store = whole_study(tmp_path / "photos")
    with pytest.raises(OptionError, match="got the study"):
        take_out(store.place.path, store.place.path, **OPTIONS)
