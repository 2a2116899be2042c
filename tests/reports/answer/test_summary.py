import dataclasses
import json

import pytest

from tlsearch.reports import summarize
from tlsearch.reports.render import render
from tlsearch.reports.words.sentences import luck
from tlsearch.spaces.errors import StudyError
from tlsearch.spaces.recipe import Technique

from ...search.factory import complete, failed
from ..factory import PROFILE, confirm, divided_study, store_of, whole_study

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


def test_what_is_recommended(summary, tmp_path):
    assert summary.recommended is summary.of(FINE_TUNE) is summary.techniques[1]
    assert summary.recommended_recipe == summary.techniques[1].best.recipe
    assert summary.trial_count == 6 and summary.kept_bytes == 0 and summary.damage == ""
    assert list(summary.tests.items()) == [(one.technique, one.test) for one in summary.techniques]
    empty = summarize(store_of(tmp_path / "photos"))
    assert empty.recommended is empty.recommended_recipe is empty.of(None) is empty.confusion is empty.similarity is None
    assert empty.tests == {} and empty.trial_count == 0 and empty.pareto_seconds == empty.pareto_params == ()


def test_what_was_measured_of_the_images_is_read(summary):
    assert summary.similarity.profile == PROFILE and summary.rule.similarity == "similar" and summary.rule.predicts is FROZEN


def test_by_another_metric_the_accuracy_has_intervals_of_its_own(tmp_path):
    found = summarize(whole_study(tmp_path / "photos", {"metric": "log_loss"}))
    assert [trial.number for trial in found.ranked] == [5, 0, 2, 1]
    (frozen, full) = [one for one in found.techniques if one.test]
    for one in (frozen, full):
        assert one.test.mean == pytest.approx(sum(c.scores["log_loss"] for c in one.confirmations) / 3)
        assert one.test_accuracy.mean == pytest.approx(sum(c.scores["accuracy"] for c in one.confirmations) / 3)
        low, high = one.test_accuracy.ci95
        assert low < one.test_accuracy.mean < high < 1 and one.test_accuracy.ci95 != one.test.ci95
        assert one.test.ci95 == found.verdict.intervals[one.technique]


def test_of_equal_scores_the_earlier_trial_comes_first(tmp_path):
    trials = [complete(0, scores=(0.8,)), complete(1, "full", scores=(0.9,)), complete(2, "fine-tune", scores=(0.9,))]
    assert [trial.number for trial in summarize(store_of(tmp_path / "photos", trials)).ranked] == [1, 2, 0]


def test_the_overhead_of_a_trial_is_the_median_of_each_technique(tmp_path):
    seconds = {0: 1.0, 1: 9.0, 2: 2.0, 3: 4.0}
    made = [complete(number, "full" if number == 3 else "frozen", setup_seconds=each) for number, each in seconds.items()]
    assert list(summarize(store_of(tmp_path / "photos", made)).trial_overhead.items()) == [(FROZEN, 2.0), (FULL, 4.0)]


def test_trials_from_pixels_are_named_where_they_have_frozen_layers(tmp_path):
    made = [
        complete(0, trained_from="pixels"),
        complete(1, "full", trained_from="pixels"),
        complete(2, "fine-tune", trained_from="activations"),
    ]
    assert [trial.number for trial in summarize(store_of(tmp_path / "photos", made)).from_pixels] == [0]


def test_a_demonstration_is_known_by_its_data(tmp_path):
    assert summarize(store_of(tmp_path / "demo", data={"path": "demo:small-similar"})).is_demonstration


def test_no_study_is_an_error(tmp_path):
    with pytest.raises(StudyError, match="no such folder"):
        summarize(tmp_path / "nothing")


def test_how_far_a_finalists_validation_score_was_luck_is_told(tmp_path):
    store = store_of(tmp_path, [complete(0, scores=(0.84,)), complete(1, "full", (0.7,))])
    assert luck(summarize(store)) == ""
    confirm(store, dataclasses.replace(store.trials()[0], score=0.81), 0.8)
    summary = summarize(store)
    assert luck(summary) == "validation accuracy when chosen (and with other seeds): frozen 84.0% (81.0%)"
    for output_format in ("terminal", "html", "markdown"):
        assert "84.0% (81.0%)" in render(summary, output_format)
    techniques = {one["technique"]: one for one in json.loads(render(summary, "json"))["techniques"]}
    assert techniques["frozen"]["confirmed_val_score"] == pytest.approx(0.81)
    assert techniques["full"]["confirmed_val_score"] is None


def test_of_folds_every_image_is_tested_once_and_scores_are_those_of_the_folds(divided):
    frozen = divided.of(FROZEN)
    assert [c.fold for c in frozen.confirmations] == [0, 1, 2, 3, 4] and len(frozen.trials) == 5
    assert frozen.test.by_seed == tuple(c.scores["accuracy"] for c in frozen.confirmations)
    assert sum(map(sum, divided.confusion.matrix)) == 400
    low, high = frozen.test.ci95
    assert low < frozen.test.mean < high
    # The finalist is the recipe that all folds have tried, with its mean score.
    assert (frozen.best.number, frozen.best.score) == (0, pytest.approx(0.82))
    assert divided.verdict.recommended is FINE_TUNE and divided.verdict.chances
    assert all(comparison.outlook is None for comparison in divided.verdict.comparisons)


def test_folds_that_a_technique_has_not_been_tested_in_are_left_out_for_all(tmp_path):
    summary = summarize(divided_study(tmp_path / "photos", unfinished=[(4, FULL)]))
    assert [[c.fold for c in one.confirmations] for one in summary.techniques] == [[0, 1, 2, 3]] * 3
    assert summary.verdict.decision != "insufficient"


def test_too_few_folds_are_no_verdict(tmp_path):
    unfinished = [(fold, FULL) for fold in (2, 3, 4)]
    summary = summarize(divided_study(tmp_path / "photos", unfinished=unfinished))
    assert summary.verdict.decision == "insufficient" and "2 folds cannot tell skill from luck" in summary.verdict.reason
    assert "at least 3 folds (the same run command goes on)" in summary.verdict.reason
