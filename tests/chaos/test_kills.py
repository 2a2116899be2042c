"""A short run of the chaos; `scripts/chaos.py` runs the long one."""

import pytest

from ..platforms import needs
from .kills import Search, Tally, make_photos, run_to_the_end, torture

pytestmark = [pytest.mark.trains, pytest.mark.slow]


@needs("signal.SIGKILL")
@pytest.mark.parametrize(("engine", "victim"), [("optuna", "both"), ("keras-tuner", "worker")])
def test_nothing_is_lost_to_kills(tmp_path, engine, victim):
    photos = make_photos(tmp_path / "photos")
    # Where only a worker is killed, its trial failed: there is nothing to compare the study with.
    reference, seconds = ({}, 0.0) if victim == "worker" else run_to_the_end(Search(tmp_path / "reference", photos, engine))
    tally = Tally()
    torture(Search(tmp_path / "study", photos, engine), victim, 3, reference, seconds, 7, tally)
    assert tally.problems == []
    assert tally.total > 1


def test_a_report_may_be_read_at_any_time_while_a_search_runs(tmp_path):
    search = Search(tmp_path / "study", make_photos(tmp_path / "photos"), "optuna")
    finished = []
    with search.start() as process:
        while process.poll() is None:
            found = search.read()
            trials = [] if found is None else found["trials"]
            finished.append(sum(trial["state"] == "complete" for trial in trials))
        _, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    assert finished == sorted(finished), "a report showed fewer finished trials than one before it"
    assert finished[-1] > 0, "the search had ended before a report could be read: this tests nothing"
