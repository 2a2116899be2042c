import numpy as np
import pytest
from scipy.stats import t

from tlsearch.reports import summarize
from tlsearch.reports.answer.paired import difference
from tlsearch.search.trial import Confirmation
from tlsearch.spaces.recipe import Technique

from ...search.factory import complete
from ..factory import divided_study, store_of, whole_study

FROZEN = Technique.FROZEN


def test_a_difference_that_is_luck_has_an_interval_with_zero_in_it(tmp_path):
    first = summarize(whole_study(tmp_path / "photos"))
    again = difference(FROZEN, first, first)
    assert (again.difference, again.ci95) == (0, (0, 0))


def test_a_difference_is_paired_by_image(same):
    found = difference(FROZEN, *same)
    low, high = found.ci95
    assert low < found.difference < high and low > 0
    flipped = difference(FROZEN, *reversed(same))
    assert flipped.difference == -found.difference and flipped.ci95[1] < 0


def test_where_the_test_images_are_not_known_to_be_the_same_there_is_no_interval(same, tmp_path):
    store = whole_study(tmp_path / "photos")
    (store.place.path / "test_files.json").write_text('["another.png"]')
    found = difference(FROZEN, same[0], summarize(store))
    assert found.difference == 0 and found.ci95 is None


def test_where_the_labels_differ_there_is_no_interval(same, tmp_path):
    other = whole_study(tmp_path / "photos", data={"test_per_class": (90, 110)})
    assert difference(FROZEN, same[0], summarize(other)).ci95 is None


def test_the_whole_scale_is_the_most_that_two_scores_differ(tmp_path):
    """Two seeds that disagree on everything have tails beyond it."""
    studies = [store_of(tmp_path / name, [complete(0)]) for name in ("first", "second")]
    for store, skills in zip(studies, ((0.0, 1.0), (1.0, 1.0)), strict=True):
        for seed, skill in enumerate(skills):
            confirm_seed(store, seed, skill)
    found = difference(FROZEN, *map(summarize, studies))
    assert found.difference == 0.5 and found.ci95[1] == 1 and -1 <= found.ci95[0] < 0


def confirm_seed(store, seed, skill):
    labels = np.repeat([0, 1], 100)
    guesses = labels if skill else 1 - labels
    found = {"accuracy": float(skill)}
    (trial,) = store.trials()
    store.confirm(
        Confirmation(recipe=trial.recipe, trial=0, seed=seed, seconds=1.0, val_score=0.8, scores=found, predictions=""),
        np.eye(2, dtype=np.float32)[guesses],
        labels,
    )


def test_what_was_not_tested_has_no_difference(same, tmp_path):
    assert difference(FROZEN, same[0], summarize(store_of(tmp_path / "empty"))) is None


def test_of_folds_a_difference_is_that_of_the_folds(divided, tmp_path):
    skills = dict.fromkeys(Technique, 0.9)
    other = summarize(divided_study(tmp_path / "other", skills=skills))
    found = difference(FROZEN, divided, other)
    gaps = np.array(other.of(FROZEN).test.by_seed) - np.array(divided.of(FROZEN).test.by_seed)
    half = t.ppf(0.975, 4) * gaps.std(ddof=1) / np.sqrt(5)
    low, high = found.ci95
    assert found.difference == pytest.approx(gaps.mean()) and low < found.difference < high
    assert (high - low) / 2 >= 0.95 * half
    assert difference(FROZEN, divided, summarize(divided_study(tmp_path / "three", folds=4))).ci95 is None
