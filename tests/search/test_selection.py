import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.search.selection import Candidates, better, finalists, within_noise
from tlsearch.spaces.recipe import Technique

from .factory import complete, failed, measurement, pruned, recipe

RUNS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=12)
"""Scores and losses of epochs, in twentieths: ties are frequent."""


def epochs(run, metric="accuracy"):
    return [
        measurement(number, loss / 20 if metric == "log_loss" else score / 20, val_loss=loss / 20)
        for number, (score, loss) in enumerate(run, start=1)
    ]


def latest_epoch(measurement):
    return measurement.epoch


def lowest_loss(measurement):
    return -measurement.val_loss


def chosen(measurements, *, latest, images=100, metric="accuracy", start=None):
    prefer = latest_epoch if latest else lowest_loss
    candidates = Candidates(metric, images, prefer, (start, f"left by {start.epoch}") if start else None)
    for one in measurements:
        candidates.add(one, lambda one=one: f"left by {one.epoch}")
    best, snapshot = candidates.choice
    assert snapshot == f"left by {best.epoch}"
    return best


def test_noise_is_one_standard_error():
    error = math.sqrt(0.8 * 0.2 / 100)
    assert within_noise("accuracy", 0.8 - error + 1e-9, 0.8, 100)
    assert not within_noise("accuracy", 0.8 - error - 1e-9, 0.8, 100)
    assert within_noise("accuracy", 1.0, 1.0, 100) and not within_noise("accuracy", 0.99, 1.0, 100)
    assert within_noise("log_loss", 0.4, 0.4, 100) and not within_noise("log_loss", 0.41, 0.4, 100)


def test_a_decaying_run_is_taken_at_its_end_unless_that_is_clearly_worse():
    curve = [measurement(1, 0.80), measurement(2, 0.84), measurement(3, 0.82)]
    assert chosen(curve, latest=True).epoch == 3
    assert chosen([*curve, measurement(4, 0.70)], latest=True).epoch == 3
    assert chosen(curve, latest=True, images=100_000).epoch == 2


def test_a_run_that_does_not_decay_is_taken_at_its_lowest_loss_among_equals():
    curve = [measurement(1, 0.82, val_loss=0.5), measurement(2, 0.84, val_loss=0.6), measurement(3, 0.60, val_loss=0.4)]
    assert chosen(curve, latest=False).epoch == 1
    assert chosen(curve, latest=False, images=100_000).epoch == 2


@given(RUNS, st.sampled_from([True, False]), st.sampled_from(["accuracy", "log_loss"]))
def test_the_choice_is_that_of_the_whole_run(run, latest, metric):
    """Though epochs are forgotten as soon as they can no longer be chosen."""
    measurements = epochs(run, metric)
    best = (min if metric == "log_loss" else max)(one.score for one in measurements)
    close = [one for one in measurements if within_noise(metric, one.score, best, 100)]
    wanted = max(one.epoch for one in close) if latest else min(one.val_loss for one in close)
    found = chosen(measurements, latest=latest, metric=metric)
    assert (found.epoch if latest else found.val_loss) == pytest.approx(wanted)
    assert within_noise(metric, found.score, best, 100)


@given(RUNS, st.integers(0, 20), st.sampled_from(["accuracy", "log_loss"]))
def test_nothing_worse_than_the_start_is_chosen(run, first, metric):
    start, measurements = measurement(0, first / 20, val_loss=1.0), epochs(run, metric)
    found = chosen(measurements, latest=True, metric=metric, start=start)
    no_worse = [one for one in measurements if not better(metric, start.score, one.score)]
    best = (min if metric == "log_loss" else max)(one.score for one in (start, *no_worse))
    close = [one.epoch for one in no_worse if within_noise(metric, one.score, best, 100)]
    assert found.epoch == max(close, default=0)


def test_an_epoch_that_cannot_be_chosen_is_not_kept():
    candidates = Candidates("accuracy", 100, lowest_loss)
    candidates.add(measurement(1, 0.9, val_loss=0.3), lambda: "kept")
    candidates.add(measurement(2, 0.9, val_loss=0.4), lambda: pytest.fail("a copy for nothing"))
    assert candidates.choice[1] == "kept"


def test_finalists_are_the_best_complete_trials_on_validation():
    trials = (
        complete(0, "frozen", (0.7, 0.8)),
        complete(1, "fine-tune", (0.9, 0.6)),
        complete(2, "frozen", (0.85,)),
        pruned(3, "fine-tune", score=0.99),
        failed(4, "full"),
    )
    chosen = finalists(trials, "accuracy")
    assert {technique: trial.number for technique, trial in chosen.items()} == {Technique.FROZEN: 2, Technique.FINE_TUNE: 1}


def test_of_equals_the_earlier_one_and_of_losses_the_lower():
    equals = (complete(0, scores=(0.8,)), complete(1, scores=(0.8,)), complete(2, scores=(0.9,)))
    assert finalists(equals, "accuracy")[Technique.FROZEN].number == 2
    assert finalists(equals, "log_loss")[Technique.FROZEN].number == 0


def test_of_folds_the_finalist_is_the_recipe_with_the_best_mean_of_those_that_most_folds_have_tried():
    rates = {name: recipe("frozen", learning_rate=rate) for name, rate in (("a", 1e-3), ("b", 2e-3), ("lucky", 3e-3))}
    tried = [(0, "a", 0.7), (0, "b", 0.9), (1, "a", 0.9), (1, "b", 0.6), (1, "lucky", 0.95), (1, "a", 0.8)]
    trials = [
        complete(number, recipe=rates[name], scores=(score,), fold=fold) for number, (fold, name, score) in enumerate(tried)
    ]
    found = finalists(trials, "accuracy")[Technique.FROZEN]
    assert (found.number, found.recipe, found.score) == (0, rates["a"], pytest.approx(0.8))
    # Of one fold alone it is the best score.
    assert finalists([trial for trial in trials if trial.fold], "accuracy")[Technique.FROZEN].recipe is rates["lucky"]
