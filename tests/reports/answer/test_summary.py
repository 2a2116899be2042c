import pytest

from tlsearch.reports import summarize
from tlsearch.reports.answer.timing import Timing
from tlsearch.spaces.errors import StudyError
from tlsearch.spaces.recipe import Technique

from ...search.factory import complete, failed
from ..factory import TIMING, confirm, store_of

FROZEN, FINE_TUNE, FULL = Technique


def test_a_study_is_read_whole(summary):
    assert [technique.technique for technique in summary.techniques] == list(Technique)
    frozen, fine_tune, full = summary.techniques
    assert [len(technique.trials) for technique in summary.techniques] == [2, 2, 2]
    assert (fine_tune.pruned, full.failed, frozen.seconds) == (1, 1, 60)
    assert frozen.best.number == 0 and len(frozen.confirmations) == 3
    assert [trial.number for trial in summary.ranked] == [1, 2, 0, 5]
    assert summary.untried == () and not summary.is_demonstration and summary.running == ()


def test_the_test_score_is_the_mean_over_the_seeds(summary):
    for technique in summary.techniques:
        by_seed = [confirmation.scores["accuracy"] for confirmation in technique.confirmations]
        assert technique.test.by_seed == tuple(by_seed)
        assert technique.test.mean == pytest.approx(sum(by_seed) / 3)
        assert technique.test_accuracy == technique.test


def test_only_the_finalists_confirmations_count(tmp_path):
    """More trials may crown another finalist; what was measured of the one before says nothing of it."""
    store = store_of(tmp_path / "photos", [complete(0, scores=(0.7,)), complete(1, scores=(0.9,))])
    before, _ = store.trials()
    confirm(store, before, 0.7)
    assert summarize(store).techniques[0].test is None
    assert summarize(store).verdict.decision == "insufficient"


def test_an_interrupted_trial_is_kept_but_not_counted(tmp_path):
    store = store_of(tmp_path / "photos", [failed(0, interrupted=True), failed(1)])
    found = summarize(store)
    assert len(found.trials) == 2 and len(found.techniques[0].trials) == 1
    assert [trial.number for trial in found.failures] == [1]
    assert found.untried == (FINE_TUNE, FULL)


def test_the_phases_and_the_rest_make_the_whole():
    timing = Timing.of(TIMING)
    assert timing.overhead == 9 and timing.decode is None
    assert Timing.of({"search": 5.0}).overhead == 0  # of a run that goes on


def test_what_it_costs_and_what_is_confused(summary):
    assert summary.pareto_seconds == (FROZEN, FINE_TUNE)
    assert "fine-tune" in summary.cost_sentence and summary.cost_sentence.startswith("frozen is ")
    recognised = sum(summary.confusion.matrix[label][label] for label in (0, 1))
    assert recognised / 600 == pytest.approx(summary.techniques[1].test_accuracy.mean)


def test_a_technique_without_a_trial_keeps_the_verdict_open(tmp_path):
    store = store_of(tmp_path / "photos", [complete(0, "frozen"), complete(1, "fine-tune")])
    for trial in store.trials():
        confirm(store, trial, 0.8)
    found = summarize(store)
    assert found.untried == (FULL,) and found.verdict.decision == "insufficient" and "full had no trial" in found.verdict.reason


def test_no_study_is_an_error(tmp_path):
    with pytest.raises(StudyError, match="no such folder"):
        summarize(tmp_path / "nothing")
