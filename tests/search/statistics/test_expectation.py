import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tlsearch.search.statistics.bootstrap import Resampled
from tlsearch.search.statistics.chances import Belief
from tlsearch.search.statistics.expectation import COMPARED, FREEDOM, Expectation, expect, foretell, predictors, shipped
from tlsearch.spaces.recipe import Technique

from ...reports.factory import LEARNED, PROFILE, settings

FROZEN, FINE_TUNE, FULL = Technique
NARROW = np.array([[1e-4, 5e-5], [5e-5, 1e-4]])


def scored(score, error, seed):
    draws = score + error * np.random.default_rng(seed).standard_normal(20_000)
    return Resampled(score, draws, 0.0, 0.0, 3, 1.0)


def told(mean, scale=NARROW):
    return Expectation(np.array(mean), scale, 20)


def test_predictors_are_of_size_similarity_and_depth():
    one, size, similarity, earlier = predictors(128, PROFILE)
    assert (one, size) == (1.0, 1.0)
    assert similarity == pytest.approx((PROFILE.corrected - 0.6) / 0.3)
    best = max(point.knn_accuracy for point in PROFILE.points[:-1])
    assert earlier == pytest.approx((best - PROFILE.knn_accuracy) / (1 - PROFILE.chance) / 0.1)
    assert predictors(256, PROFILE)[1] > size


def test_a_data_set_far_from_those_measured_is_less_certain():
    near, far = (foretell(LEARNED, predictors(images, PROFILE)).gaps[FULL][1] for images in (32, 32_000_000))
    assert far > near


@pytest.mark.parametrize("weights", ["starter", "random"])
def test_nothing_is_expected_of_weights_that_no_search_was_measured_with(weights):
    data = settings().data
    assert expect(data, PROFILE, weights) is None and expect(data, None, "imagenet") is None
    assert expect(data, PROFILE, "imagenet") is not None and expect(data, PROFILE, "own.h5") is not None


def test_what_is_shipped_is_what_the_evidence_teaches():
    found = shipped()
    cells = json.loads((Path(__file__).parents[3] / "docs" / "evidence.json").read_text())
    assert (found["cells"], found["sets"]) == (len(cells), len({cell["set"] for cell in cells}))
    for name, size in (("uncertainty", 8), ("between_sets", 2), ("between_searches", 2)):
        assert (np.linalg.eigvalsh(np.array(found[name])) > 0).all() and np.shape(found[name]) == (size, size)


def test_what_the_test_images_leave_open_the_expectation_decides():
    same = {technique: scored(0.8, 0.05, place) for place, technique in enumerate(Technique)}
    chances = Belief(same, "accuracy", told([0.05, -0.05])).chances(0.005)
    assert max(chances, key=lambda technique: chances[technique].probability_best) is FINE_TUNE
    plain = Belief(same, "accuracy").chances(0.005)
    assert chances[FINE_TUNE].probability_best > plain[FINE_TUNE].probability_best + 0.2


@pytest.mark.parametrize("ahead", COMPARED)
def test_where_the_test_images_disagree_the_expectation_counts_for_nothing(ahead):
    scores = {technique: scored(0.9 if technique is ahead else 0.7, 0.01, place) for place, technique in enumerate(Technique)}
    against = told([-0.1 if technique is ahead else 0.1 for technique in COMPARED])
    assert Belief(scores, "accuracy", against).chances(0.005)[ahead].probability_best > 0.99


def test_of_losses_nothing_is_expected():
    scores = {technique: scored(0.5, 0.05, place) for place, technique in enumerate(Technique)}
    assert Belief(scores, "log_loss", told([0.05, -0.05])).chances(0.01) == Belief(scores, "log_loss").chances(0.01)


def test_more_seeds_are_worth_less_where_more_is_expected():
    noisy = {technique: dataclasses.replace(scored(0.8, 0.001, 1), between=4e-4) for technique in Technique}
    more = dict.fromkeys(Technique, np.inf)
    open_question = Belief(noisy, "accuracy").gain(more)
    assert 0 <= Belief(noisy, "accuracy", told([0.2, -0.2], NARROW / 100)).gain(more) < open_question


@pytest.mark.slow
def test_probabilities_come_true_where_the_truth_is_what_was_expected():
    """Gaps drawn from what is expected, seen with an error as large: on average as many are the best as was said."""
    rng = np.random.default_rng(5)
    scale = np.array([[9e-4, 4e-4], [4e-4, 16e-4]])
    mean, root = np.array([0.02, -0.01]), np.linalg.cholesky(scale)
    said, true, regret, lost = [], [], [], []
    for _ in range(400):
        gaps = mean + root @ rng.standard_normal(2) * np.sqrt(FREEDOM / rng.chisquare(FREEDOM))
        truth = 0.8 + np.array([0.0, *gaps])
        seen = truth + 0.02 * rng.standard_normal(3)
        scores = {
            technique: scored(score, 0.02, place) for place, (technique, score) in enumerate(zip(Technique, seen, strict=True))
        }
        found = Belief(scores, "accuracy", told(mean, scale)).chances(0.005)
        taken = min(found, key=lambda technique: found[technique].expected_regret)
        said.append(found[taken].probability_best)
        true.append(list(Technique)[truth.argmax()] is taken)
        regret.append(found[taken].expected_regret)
        lost.append(truth.max() - truth[list(Technique).index(taken)])
    assert np.mean(said) == pytest.approx(np.mean(true), abs=0.05)
    assert np.mean(regret) == pytest.approx(np.mean(lost), abs=1.5e-3)
