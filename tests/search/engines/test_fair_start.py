from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlsearch.search.engines import make_engine
from tlsearch.search.engines.by_technique import SHARES, SHARES_WHERE_DEAR
from tlsearch.search.engines.fair_start import LEAST, PROVEN, Setting, deal, fair_start
from tlsearch.spaces.presets import load_preset
from tlsearch.spaces.ranges import Fixed, OneOf
from tlsearch.spaces.recipe import Technique
from tlsearch.spaces.space import SearchSpace


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**31))
def test_is_balanced_within_the_space_and_without_repeats(trials, seed):
    space = SearchSpace()
    design = fair_start(space, trials, seed)
    recipes = [space.recipe(values) for values in design]
    counts = Counter(recipe.technique for recipe in recipes)
    if len(design) >= 3:
        assert all(abs(counts[t] - len(design) * share / sum(SHARES.values())) <= 1.5 for t, share in SHARES.items())
    assert len(set(recipes)) == len(recipes)
    assert len(recipes) == min(trials, max(LEAST, trials // 2))


def of_technique(technique, *arguments):
    space = SearchSpace()
    recipes = [space.recipe(values) for values in fair_start(space, *arguments)]
    return [recipe for recipe in recipes if recipe.technique is technique]


def setting_of(recipe):
    return Setting(recipe.learning_rate, recipe.fine_tune_at, recipe.head_units, recipe.dropout)


@pytest.mark.parametrize("technique", list(Technique))
def test_begins_with_proven_settings(technique):
    proven = PROVEN[technique]
    first = of_technique(technique, 40, 5)[: len(proven)]
    assert [setting_of(recipe) for recipe in first] == list(proven)
    assert all(recipe.head_layers == (1 if recipe.head_units else 0) for recipe in first)


def test_few_trials_are_the_first_of_many():
    """Nine trials try what twenty begin with, so that they miss little."""
    space = SearchSpace()
    assert fair_start(space, 9, 3, 54) == fair_start(space, 20, 3, 54)[:9]
    tried = [setting_of(space.recipe(values)) for values in fair_start(space, 9, 3)]
    assert {*PROVEN[Technique.FINE_TUNE], *PROVEN[Technique.FULL]} <= {*tried}


def test_does_without_proven_settings_where_the_space_has_them_not():
    space = SearchSpace(fine_tune_at=Fixed(120))
    assert {space.recipe(values).fine_tune_at for values in fair_start(space, 20, 0)} == {None, 120}
    assert [values["technique"] for values in fair_start(space, 3, 0)] == ["frozen", "fine-tune", "full"]


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
    first, second, *_ = of_technique(Technique.FINE_TUNE, 20, 5, suggested)
    assert setting_of(first) == PROVEN[Technique.FINE_TUNE][0]
    # The first has the suggested cut already where it is the same.
    assert second.fine_tune_at == (tried if tried != first.fine_tune_at else 100)


def test_the_suggested_cut_has_its_turn_however_few_the_trials():
    cuts = [SearchSpace().recipe(values).fine_tune_at for values in fair_start(SearchSpace(), 4, 0, 54)]
    assert cuts == [None, 98, None, 54]


def test_a_space_without_fine_tuning_has_no_cut_to_suggest():
    space = SearchSpace(techniques=(Technique.FROZEN, Technique.FULL))
    assert space.nearest_cut(54) is None
    assert fair_start(space, 10, 0, 54) == fair_start(space, 10, 0)


@given(st.integers(0, 60), st.sets(st.sampled_from((54, 81, 98, 116, 134)), min_size=1), st.integers(1, 3))
def test_no_technique_is_dealt_more_trials_than_it_has_recipes(trials, cuts, heads):
    units = OneOf((0, 64, 128)[:heads])
    rates = dict.fromkeys(Technique, Fixed(1e-3))
    space = SearchSpace(learning_rates=rates, fine_tune_at=OneOf(tuple(cuts)))
    space = space.replace(head_units=units, head_layers=Fixed(1), dropout=Fixed(0.0))
    dealt = deal(space, trials, SHARES)
    assert len(dealt) == min(trials, space.size)
    assert Counter(deal(space, 60, SHARES)) == {"frozen": heads, "fine-tune": heads * len(cuts), "full": heads}
    assert dealt == deal(space, 60, SHARES)[:trials] and dealt[:3] == list(Technique)[:trials]


@pytest.mark.parametrize(("shares", "full"), [(SHARES, 7), (SHARES_WHERE_DEAR, 3)])
def test_a_search_tries_what_the_dry_run_deals(shares, full):
    """The design, then what an engine proposes in turn."""
    space = SearchSpace()
    engine = make_engine("optuna", "random", space, seed=0, maximize=True, shares=shares)
    found = [space.recipe(values).technique for values in fair_start(space, 20, 0)]
    for number, values in enumerate(fair_start(space, 20, 0)):
        engine.adopt(number, values)
    found += [engine.propose(number)["technique"] for number in range(len(found), 20)]
    assert found == deal(space, 20, shares) and found.count("full") == full
