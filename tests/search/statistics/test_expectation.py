import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as student

from tlsearch.search.statistics.expectation import COMPARED, FREEDOM, Expectation, expect, foretell, predictors, shipped
from tlsearch.spaces.recipe import Technique

from ...reports.factory import LEARNED, PROFILE, settings

FROZEN, FINE_TUNE, FULL = Technique


def test_predictors_are_of_size_and_similarity():
    one, size, similarity = predictors(128, PROFILE)
    assert (one, size) == (1.0, 1.0)
    assert similarity == pytest.approx((PROFILE.corrected - 0.6) / 0.3)
    assert predictors(256, PROFILE)[1] > size and predictors(128, None).tolist() == [1.0, 1.0, 0.0]


def test_a_data_set_far_from_those_measured_is_less_certain():
    near, far = (foretell(LEARNED, predictors(images, PROFILE)).gaps[FULL][1] for images in (32, 32_000_000))
    assert far > near


@pytest.mark.parametrize("weights", ["starter", "random"])
def test_nothing_is_expected_of_weights_that_no_search_was_measured_with(weights):
    data = settings().data
    assert expect(data, PROFILE, weights) is None
    assert expect(data, PROFILE, "imagenet") is not None and expect(data, PROFILE, "own.h5") is not None
    assert expect(data, None, "imagenet") is not None


def test_what_is_shipped_is_what_the_evidence_teaches():
    found = shipped()
    cells = json.loads((Path(__file__).parents[3] / "docs" / "evidence.json").read_text())
    assert (found["cells"], found["sets"]) == (len(cells), len({cell["set"] for cell in cells}))
    for name, size in (("uncertainty", 6), ("between_sets", 2), ("between_searches", 2)):
        assert (np.linalg.eigvalsh(np.array(found[name])) > 0).all() and np.shape(found[name]) == (size, size)


def test_over_the_measured_searches_what_is_shipped_expects_what_was_found():
    cells = json.loads((Path(__file__).parents[3] / "docs" / "evidence.json").read_text())
    expected, found = [], []
    for cell in cells:
        last = dataclasses.replace(PROFILE.points[-1], knn_accuracy=cell["knn"]["accuracy"])
        profile = dataclasses.replace(PROFILE, points=(last,), chance=cell["knn"]["chance"])
        told = foretell(shipped(), predictors(cell["train"] / cell["classes"], profile))
        expected.append([told.gaps[technique][0] for technique in COMPARED])
        found.append([cell["test_accuracy"][technique] - cell["test_accuracy"]["frozen"] for technique in COMPARED])
        assert 0.02 < told.gaps[FULL][1] < 0.2
    assert np.abs(np.mean(found, axis=0)).max() > 0.01, "where nothing wins nothing is tested"
    np.testing.assert_allclose(np.mean(expected, axis=0), np.mean(found, axis=0), atol=0.01)


def test_two_of_the_same_data_are_equal():
    one, other = (foretell(LEARNED, predictors(30, PROFILE)) for _ in range(2))
    assert one == other != foretell(LEARNED, predictors(60, PROFILE))


def test_half_of_the_interval_holds_two_in_three():
    (gap, half), _ = Expectation((0.02, -0.01), ((4e-4, 0.0), (0.0, 9e-4)), 20).gaps.values()
    assert gap == 0.02 and student.cdf(half / 0.02, FREEDOM) == pytest.approx(5 / 6, abs=0.005)
