import pytest

from tlsearch.reports.answer.technique import TechniqueSummary, TestScore
from tlsearch.search.trial import Confirmation, RunningTrial
from tlsearch.spaces.recipe import Technique

from ...search.factory import START, complete, failed, pruned, recipe


def test_trials_are_counted_by_what_became_of_them():
    running = RunningTrial(number=5, recipe=recipe(), seed=1, started=START, worker="worker-1")
    trials = (complete(0), pruned(1), pruned(2), failed(3), complete(4, seconds=10.0), running)
    found = TechniqueSummary(Technique.FROZEN, trials)
    assert (found.failed, found.pruned, found.seconds) == (1, 2, 130)


def test_a_test_score_has_a_spread_from_two_seeds_on():
    assert TestScore.of([0.8], (0.7, 0.9)) == TestScore(0.8, None, (0.7, 0.9), (0.8,))
    two = TestScore.of([0.7, 0.9], (0.6, 1.0))
    assert two.mean == pytest.approx(0.8) and two.std == pytest.approx(0.02**0.5) and two.by_seed == (0.7, 0.9)


def test_training_the_finalist_takes_the_mean_over_seeds():
    seeds = [Confirmation(recipe=recipe(), trial=0, seed=seed, seconds=seconds, val_score=0.8, scores={}, predictions="")
             for seed, seconds in enumerate((3.0, 6.0))]  # fmt: skip
    assert TechniqueSummary(Technique.FROZEN, (), confirmations=tuple(seeds)).confirm_seconds == 4.5
    assert TechniqueSummary(Technique.FROZEN, ()).confirm_seconds is None
