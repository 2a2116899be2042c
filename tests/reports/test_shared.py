"""A study in a database is reported like the same study in a folder."""

import json

import optuna
import pytest

from tlsearch.reports.answer.summary import summarize
from tlsearch.reports.beside import SideBySide
from tlsearch.reports.dashboard import readable_storage
from tlsearch.reports.listing import Listing
from tlsearch.reports.render import render
from tlsearch.search.storage.address import parse_storage
from tlsearch.search.storage.shared.studies import SharedStudy, list_shared

from ..postgres import PASSWORD, QUOTED
from .factory import rendered, whole_study


@pytest.fixture
def place(database):
    return SharedStudy(parse_storage(database), "photos")


def without_moments(value):
    """What two studies that were made one after the other have in common."""
    if isinstance(value, dict):
        return {key: without_moments(one) for key, one in value.items() if key not in ("path", "created", "started", "ended")}
    return [without_moments(one) for one in value] if isinstance(value, list) else value


@pytest.mark.slow
def test_reports_are_the_same(place, tmp_path):
    whole_study(place)
    one, other = summarize(whole_study(tmp_path / "photos")), summarize(place)
    assert one.verdict == other.verdict and one.timing == other.timing and one.similarity == other.similarity
    as_json = [json.loads(render(summary, "json", 10)) for summary in (one, other)]
    assert without_moments(as_json[0]) == without_moments(as_json[1])
    assert as_json[1]["study"]["path"] == str(place) and "***" in str(place)
    for form in ("csv", "markdown"):
        assert render(one, form, 10) == render(other, form, 10)
    page = render(other, "html", 10)
    beside = rendered(SideBySide([one, other]), 200)
    assert "photos (1)" in beside and "photos (2)" in beside
    listing = Listing(list_shared(place.storage), place.storage)
    assert "photos" in rendered(listing, 200) and json.loads(listing.to_json())[0]["decision"] == one.verdict.decision
    for text in (page, beside, rendered(listing, 200), listing.to_json(), *map(str, as_json)):
        assert PASSWORD not in text and QUOTED not in text


def test_the_dashboard_shows_it_for_people_and_other_studies_as_they_are(place):
    storage = readable_storage(whole_study(place))
    theirs = optuna.create_study(study_name="theirs", storage=storage)
    theirs.add_trial(optuna.trial.create_trial(value=1.0, user_attrs={"owner": "them"}))
    first = storage.get_all_trials(storage.get_study_id_from_name("photos"))[1].user_attrs
    assert first["settings"] == "from layer 100, lr 0.001" and first["test accuracy"].endswith("% over 3 seeds")
    (other,) = storage.get_all_trials(storage.get_study_id_from_name("theirs"))
    assert other.user_attrs == {"owner": "them"}
    storage.engine.dispose()
