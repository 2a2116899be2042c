from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlsearch.search.engines.fair_start import fair_start
from tlsearch.spaces.presets import load_preset
from tlsearch.spaces.ranges import Fixed
from tlsearch.spaces.recipe import Technique
from tlsearch.spaces.space import SearchSpace


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**31))
def test_is_balanced_within_the_space_and_without_repeats(trials, seed):
    space = SearchSpace()
    design = fair_start(space, trials, seed)
    recipes = [space.recipe(values) for values in design]
    counts = Counter(recipe.technique for recipe in recipes)
    assert max(counts.values()) - min(counts.get(technique, 0) for technique in Technique) <= 1
    assert len(set(recipes)) == len(recipes)
    assert len(recipes) == min(trials, max(3, trials // 2))


def test_begins_with_the_posts_settings():
    space = SearchSpace()
    frozen, fine_tuned = (space.recipe(values) for values in fair_start(space, 20, 5)[:2])
    assert (frozen.technique, frozen.learning_rate, frozen.head_units) == (Technique.FROZEN, 1e-4, 0)
    assert (fine_tuned.technique, fine_tuned.learning_rate, fine_tuned.fine_tune_at) == (Technique.FINE_TUNE, 1e-4, 100)


def test_does_without_the_posts_settings_where_the_space_has_them_not():
    space = SearchSpace(fine_tune_at=Fixed(120))
    assert space.recipe(fair_start(space, 20, 0)[1]).fine_tune_at == 120


def test_spreads_over_the_learning_rates():
    space = SearchSpace(techniques=(Technique.FROZEN,))
    rates = sorted(space.recipe(values).learning_rate for values in fair_start(space, 40, 0))
    assert len([rate for rate in rates if rate < 1e-3]) == pytest.approx(10, abs=2)


def test_same_seed_same_design():
    space = SearchSpace()
    assert fair_start(space, 20, 3) == fair_start(space, 20, 3)
    assert fair_start(space, 20, 3) != fair_start(space, 20, 4)


def test_a_finite_space_ends_the_design():
    assert len(fair_start(load_preset("post").space, 20, 0)) == 2


def test_with_fewer_trials_than_techniques_the_cheapest_come_first():
    assert [values["technique"] for values in fair_start(SearchSpace(), 2, 0)] == ["frozen", "fine-tune"]


@pytest.mark.parametrize(("suggested", "tried"), [(63, 54), (72, 81), (90, 98), (107, 100), (143, 134)])
def test_the_cut_that_the_profile_suggests_is_tried_at_the_nearest_of_the_space(suggested, tried):
    space = SearchSpace()
    assert space.nearest_cut(suggested) == tried
    recipes = [space.recipe(values) for values in fair_start(space, 20, 5, suggested)]
    fine_tuned = [recipe for recipe in recipes if recipe.technique is Technique.FINE_TUNE]
    assert fine_tuned[0].fine_tune_at == 100 and fine_tuned[0].learning_rate == 1e-4
    if tried != 100:
        assert fine_tuned[1].fine_tune_at == tried and fine_tuned[1].learning_rate == 1e-4
    counts = Counter(recipe.technique for recipe in recipes)
    assert max(counts.values()) - min(counts.values()) <= 1 and len(set(recipes)) == len(recipes) == 10


def test_the_suggested_cut_has_its_turn_however_few_the_trials():
    space = SearchSpace()
    cuts = [space.recipe(values).fine_tune_at for values in fair_start(space, 6, 0, 54)]
    assert cuts == [None, 100, None, None, 54]


def test_a_space_without_fine_tuning_has_no_cut_to_suggest():
    space = SearchSpace(techniques=(Technique.FROZEN, Technique.FULL))
    assert space.nearest_cut(54) is None
    assert fair_start(space, 10, 0, 54) == fair_start(space, 10, 0)
