"""A short run of the chaos; `scripts/chaos.py` runs the long one."""

import pytest

from .kills import Search, Tally, make_photos, run_to_the_end, torture

pytestmark = [pytest.mark.trains, pytest.mark.slow]


@pytest.mark.parametrize(("engine", "victim"), [("optuna", "both"), ("keras-tuner", "worker")])
def test_nothing_is_lost_to_kills(tmp_path, engine, victim):
    photos = make_photos(tmp_path / "photos")
    reference, seconds = run_to_the_end(Search(tmp_path / "reference", photos, engine))
    tally = Tally()
    torture(Search(tmp_path / "study", photos, engine), victim, 3, reference, seconds, 7, tally)
    assert tally.problems == []
    assert tally.total > 1
