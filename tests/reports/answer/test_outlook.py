import numpy as np
import pytest

from tlsearch.reports.answer.outlook import POWER_FACTOR, outlook
from tlsearch.search.statistics.bootstrap import Resampled


def known(score, images, between, explained, rng):
    return Resampled(score, score + images * rng.standard_normal(50_000), between, explained, 3, 1.0)


def test_the_parts_of_the_variance_shrink_with_what_they_come_from():
    rng = np.random.default_rng(0)
    found = outlook(known(0.8, 0.01, 5e-5, 2e-5, rng), known(0.83, 0.01, 5e-5, 2e-5, rng), 400, 0.04)
    images, mixed, seeds = 2e-4, 4e-5, 6e-5
    assert found.now == 0.04
    assert found.any_seeds == pytest.approx(1.96 * np.sqrt(images - mixed), rel=0.02)
    assert found.twice_images == pytest.approx(0.04 * np.sqrt((images / 2 + seeds) / (images + seeds)), rel=0.02)
    room = (0.03 / POWER_FACTOR) ** 2 - seeds
    assert found.images == pytest.approx(400 * (images / room - 1), rel=0.05)


def test_where_seeds_differ_too_much_no_number_of_images_will_do():
    rng = np.random.default_rng(1)
    assert outlook(known(0.8, 0.01, 4e-4, 0, rng), known(0.81, 0.01, 4e-4, 0, rng), 400, 0.06).images is None
    assert outlook(known(0.8, 0.01, 0, 0, rng), known(0.8, 0.01, 0, 0, rng), 400, 0.03).images is None


def test_where_enough_is_known_no_more_images_are_needed():
    rng = np.random.default_rng(2)
    assert outlook(known(0.8, 0.001, 0, 0, rng), known(0.9, 0.001, 0, 0, rng), 400, 0.003).images == 0


def test_where_one_seed_carries_the_difference_nothing_is_said_of_more_seeds():
    """The images' own part is a difference of two estimates: cut off at 0 it would promise certainty."""
    rng = np.random.default_rng(3)
    steady, carried = known(0.80, 0.01, 0, 0, rng), known(0.83, 0.01, 7e-4, 3e-4, rng)
    assert outlook(steady, carried, 150, 0.3).any_seeds is None


def test_no_number_of_seeds_leaves_the_interval_wider_than_it_is():
    rng = np.random.default_rng(4)
    assert outlook(known(0.80, 0.01, 0, 0, rng), known(0.83, 0.01, 0, 0, rng), 150, 0.02).any_seeds == 0.02
