import itertools
import random

import keras_tuner
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.spaces.errors import SpaceError
from tlsearch.spaces.ranges import Between, Fixed, OneOf
from tlsearch.spaces.recipe import Recipe, Technique
from tlsearch.spaces.space import BLOCK_STARTS, SearchSpace


def test_defaults_compare_all_techniques_and_are_continuous():
    space = SearchSpace()
    assert space.techniques == tuple(Technique)
    assert space.size is None
    assert space.cuts == (0, 54, 81, 98, 100, 116, 134)
    assert set(space.cuts) - {0, 100} <= set(BLOCK_STARTS)


@given(st.integers(0, 2**31))
def test_any_point_of_kerastuner_is_a_recipe_and_reads_back(seed):
    space = SearchSpace()
    hp = keras_tuner.HyperParameters()
    space.sample(hp)
    rng = random.Random(seed)
    values = {}
    for parameter in hp.space:
        values[parameter.name] = parameter.random_sample(rng.randrange(2**31))
    active = space.active(values)
    recipe = space.recipe(active)
    assert space.recipe(values) == recipe
    # Only the chosen technique's parameters are active.
    assert all("/" not in name or name.startswith(f"{recipe.technique}/") for name in active)
    assert ("head_layers" in active) == (recipe.head_units > 0)


def test_reads_kerastuners_own_hyperparameters_to_the_same_recipe():
    space = SearchSpace()
    hp = keras_tuner.HyperParameters()
    space.sample(hp)
    hp.values |= {"technique": "fine-tune", "fine-tune/fine_tune_at": 116, "fine-tune/learning_rate": 1e-4}
    recipe = space.sample(hp)
    assert (recipe.technique, recipe.fine_tune_at) == (Technique.FINE_TUNE, 116)


def test_grid_holds_each_recipe_once():
    space = SearchSpace()
    recipes = [space.recipe(values) for values in space.grid(levels=3)]
    assert len(set(recipes)) == len(recipes)
    heads = 1 + 3  # none, or 128 units in one to three layers
    assert len(recipes) == heads * 3 * (3 + 6 * 3 + 3)


def test_size_counts_the_recipes_of_a_finite_space():
    space = SearchSpace(learning_rates=dict.fromkeys(Technique, Fixed(1e-3)), fine_tune_at=OneOf((100, 116)))
    assert space.size == (1 + 2 + 1) * 4 * 3


def test_as_dict_round_trips_and_notices_changes():
    space = SearchSpace(fine_tune_at=Fixed(30)).replace(dropout=Fixed(0.1), batch_size=OneOf((16, 32)))
    assert SearchSpace.from_dict(space.as_dict()).as_dict() == space.as_dict()
    assert space.as_dict() != SearchSpace().as_dict()


def test_hyperbands_epochs_shorten_the_main_stage_only():
    values = next(iter(SearchSpace().grid(2)))
    assert SearchSpace().recipe({**values, "epochs": 3}).epochs == 3
    assert SearchSpace().recipe({**values, "epochs": 99}).epochs == 20


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SearchSpace(techniques=()), "at least one technique"),
        (lambda: SearchSpace(fine_tune_at=OneOf((100, 999))), "between 1 and 153 .* got 999"),
        (lambda: SearchSpace().replace(dropout=Between(0.0, 1.5)), "dropout must be at least 0 and below 1"),
        (lambda: SearchSpace().replace(learning_rate=Fixed(1)), "no range learning_rate"),
        (lambda: OneOf(()), "at least one value"),
        (lambda: OneOf((1, 1)), "must differ"),
        (lambda: OneOf((1, 10**400)), "must be finite and below 1e308"),
        (lambda: OneOf((1, "one")), "must be of one kind"),
        (lambda: Between(2.0, 1.0), "lower bound first"),
        (lambda: Between(0.0, 1.0, log=True), "must start above 0"),
        (lambda: Between(0.0, 1.0, 2.0), "fit in its range"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(SpaceError, match=message):
        make()


def test_values_reader_refuses_what_is_missing_or_out_of_range():
    space = SearchSpace()
    values = next(iter(space.grid(2)))
    name = f"{values['technique']}/learning_rate"
    with pytest.raises(SpaceError, match=f"{name} must be from"):
        space.recipe({**values, name: 5.0})
    with pytest.raises(SpaceError, match="value for technique is missing"):
        space.recipe({})


def test_techniques_keep_their_order_whatever_order_they_are_given_in():
    for order in itertools.permutations(Technique):
        assert SearchSpace(techniques=order).techniques == tuple(Technique)


def test_a_fixed_head_may_have_a_range_of_layers():
    space = SearchSpace(techniques=(Technique.FROZEN,)).replace(head_units=Fixed(128), dropout=Fixed(0.0))
    hp = keras_tuner.HyperParameters()
    assert space.sample(hp).head_layers == 1
    assert [values["head_layers"] for values in space.grid(levels=2)] == [1, 2, 3] * 2


def test_kerastuner_may_choose_between_true_and_false():
    space = SearchSpace().replace(augment=OneOf((True, False)))
    hp = keras_tuner.HyperParameters()
    assert space.sample(hp).augment is True
    assert space.active({**next(space.grid(2)), "augment": 0})["augment"] is False


@given(st.data())
def test_any_chosen_values_make_a_recipe_that_survives_its_mapping(data):
    space = SearchSpace().replace(dropout=Between(0.0, 0.4, 0.1), batch_size=Between(8, 64, 8))
    values = space.choose(lambda name, allowed: data.draw(st.sampled_from(list(allowed.options(levels=5)))))
    assert space.active(values) == values
    recipe = space.recipe(values)
    assert Recipe.from_dict(recipe.as_dict()) == recipe


@given(st.integers(1, 153))
def test_no_cut_of_the_space_is_nearer_than_the_nearest(suggested):
    space = SearchSpace()
    distances = {cut: abs(cut - suggested) for cut in space.cuts if cut}
    nearest = space.nearest_cut(suggested)
    assert distances[nearest] == min(distances.values())
    assert nearest == min(cut for cut, distance in distances.items() if distance == distances[nearest])


def test_no_suggestion_has_no_nearest_cut():
    assert SearchSpace().nearest_cut(None) is None


@pytest.mark.parametrize("size", [9_999, 10_000])
def test_a_range_in_steps_may_have_ten_thousand_values(size):
    assert len(Between(1, size).options()) == size
    with pytest.raises(SpaceError, match=r"at most 10,000 values, got 0 to 10000 in steps of 1\."):
        Between(0, 10_000)


@given(st.integers(-50, 50), st.integers(2, 200), st.sampled_from([1, 2, 3, 0.1, 0.25]))
def test_steps_rise_evenly_from_the_lower_bound_and_stay_in_the_range(low, count, step):
    between = Between(low, low + count * step, step)
    options = between.options()
    assert len(options) == count + 1 and options[0] == low and options[-1] == pytest.approx(low + count * step)
    assert all(b - a == pytest.approx(step) for a, b in itertools.pairwise(options))
    assert all(between.check(option) == option for option in options)


def test_levels_of_a_continuous_range_reach_both_ends():
    assert Between(0.0, 1.0).options(3) == [0.0, 0.5, 1.0]
    assert Between(1e-4, 1e-2, log=True).options(3) == pytest.approx([1e-4, 1e-3, 1e-2])
    assert list(Between(1, 3).options(2)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("values", "inside", "outside"),
    [
        (Between(1, 5, 2), [1, 3, 5], [0, 2, 6, 1.5, "1"]),
        (Between(0.0, 0.5), [0.0, 0.5, 0.3, 0], [-1e-3, 0.51, "0.3"]),
        (OneOf(("adam", "rmsprop")), ["adam", "rmsprop"], ["sgd", 0]),
    ],
)
def test_a_range_accepts_what_lies_in_it_and_nothing_else(values, inside, outside):
    assert [values.check(value) for value in inside] == inside
    for value in outside:
        with pytest.raises(SpaceError, match="got"):
            values.check(value)
