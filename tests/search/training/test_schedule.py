import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.search.training.schedule import (
    LEAST_STEPS,
    PATH,
    inverse_strength,
    most_epochs,
    passes_a_round,
    penalties,
    steps_a_pass,
)
from tlsearch.spaces.recipe import Recipe


def test_penalties_are_those_of_a_logistic_regression_the_strongest_first():
    plain = Recipe(technique="frozen", learning_rate=1e-3, l2_path=True)
    found = penalties(plain, 1000)
    assert penalties(dataclasses.replace(plain, head_units=8, head_layers=1), 1000) == found[::-1]
    assert list(found) == sorted(found, reverse=True) and len(found) == len(PATH)
    assert found[0] == pytest.approx(1 / (1e-4 * 1000))


def test_the_strength_of_a_penalty_is_found_again_from_its_measurement():
    plain = Recipe(technique="frozen", learning_rate=1e-3, epochs=20, l2_path=True)
    for recipe in (plain, dataclasses.replace(plain, head_units=8, head_layers=1)):
        found = [inverse_strength(recipe, epoch) for epoch in range(1, most_epochs(recipe) + 1)]
        assert [1 / (c * 100) for c in found if c] == pytest.approx(penalties(recipe, 100))
    assert inverse_strength(Recipe(technique="frozen", learning_rate=1e-3), 5) is None


@given(st.integers(1, 500), st.integers(1, 20_000), st.integers(0, 2000))
def test_small_data_sets_get_as_many_steps_as_they_need_and_no_pass_more(epochs, images, least):
    tuned = Recipe(technique="full", learning_rate=1e-3, epochs=epochs, least_steps=least)
    steps = steps_a_pass(tuned, images)
    assert (steps - 1) * 32 < images <= steps * 32 or steps == 1
    passes = passes_a_round(tuned, images)
    assert passes * epochs * steps >= least
    assert passes == 1 or (passes - 1) * epochs * steps < least
    passes = passes_a_round(Recipe(technique="frozen", learning_rate=1e-3, epochs=epochs, l2_path=True), images)
    assert passes >= epochs and passes * steps >= LEAST_STEPS
    assert passes == epochs or (passes - 1) * steps < LEAST_STEPS
