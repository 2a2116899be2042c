import numpy as np
import pytest

from tlsearch.reports.answer.outlook import POWER_FACTOR, outlook
from tlsearch.search.statistics.bootstrap import Resampled


def known(score, images, between, explained, rng):
    return Resampled(score, score + images * rng.standard_normal(50_000), between, explained, 3, 1.0)


def test_the_parts_of_the_variance_shrink_with_what_they_come_from():
    rng = np.random.default_rng(0)
    found = outlook(known(0.8, 0.01, 5e-5, 2e-5, rng), known(0.83, 0.01, 5e-5, 2e-5, rng), 400)
    images, mixed, seeds = 2e-4, 4e-5, 6e-5
    assert found.now == pytest.approx(1.96 * np.sqrt(images + seeds), rel=0.02)
    assert found.any_seeds == pytest.approx(1.96 * np.sqrt(images - mixed), rel=0.02)
    assert found.twice_images == pytest.approx(1.96 * np.sqrt(images / 2 + seeds), rel=0.02)
    room = (0.03 / POWER_FACTOR) ** 2 - seeds
    assert found.images == pytest.approx(400 * (images / room - 1), rel=0.05)


def test_where_seeds_differ_too_much_no_number_of_images_will_do():
    rng = np.random.default_rng(1)
    assert outlook(known(0.8, 0.01, 4e-4, 0, rng), known(0.81, 0.01, 4e-4, 0, rng), 400).images is None
    assert outlook(known(0.8, 0.01, 0, 0, rng), known(0.8, 0.01, 0, 0, rng), 400).images is None


def test_where_enough_is_known_no_more_images_are_needed():
    rng = np.random.default_rng(2)
    assert outlook(known(0.8, 0.001, 0, 0, rng), known(0.9, 0.001, 0, 0, rng), 400).images == 0
