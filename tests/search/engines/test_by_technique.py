from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.search.engines import WAIT, make_engine
from tlsearch.search.engines.base import Engine
from tlsearch.search.engines.by_technique import SHARES, ByTechnique, deal, next_turn
from tlsearch.spaces.ranges import Fixed, OneOf
from tlsearch.spaces.recipe import Technique
from tlsearch.spaces.space import SearchSpace


class Scripted(Engine):
    """Proposes what it was given, and takes note of what it is told."""

    def __init__(self, technique, answers):
        self.technique, self.answers, self.adopted, self.observed = technique, list(answers), [], []

    def propose(self, number):
        if not self.answers:
            return None
        return self.answers.pop(0) or {"technique": str(self.technique), "number": number}

    def adopt(self, number, values):
        self.adopted.append(number)

    def observe(self, number, score):
        self.observed.append((number, score))


def scripted(**answers):
    """An engine by technique, and the engines that it asks; by default each proposes without end."""
    own = {}

    def make(space):
        (technique,) = space.techniques
        own[technique] = Scripted(technique, answers.get(technique.replace("-", "_"), [None] * 100))
        return own[technique]

    return ByTechnique(SearchSpace(), make), own


def turns(count, techniques=tuple(Technique)):
    counts = Counter()
    order = []
    for _ in range(count):
        order.append(next_turn(counts, techniques))
        counts[order[-1]] += 1
    return order


@given(st.integers(0, 200), st.lists(st.sampled_from(list(Technique)), min_size=1, unique=True))
def test_turns_are_as_fair_as_whole_numbers_allow(count, techniques):
    counts = Counter(turns(count, techniques))
    total = sum(SHARES[technique] for technique in techniques)
    for technique in techniques:
        assert abs(counts[technique] - count * SHARES[technique] / total) <= 1.5


def test_each_technique_has_a_turn_first_the_cheapest_before_the_others():
    assert turns(3) == list(Technique)
    assert Counter(turns(20)) == {Technique.FROZEN: 4, Technique.FINE_TUNE: 9, Technique.FULL: 7}


@given(st.integers(0, 60), st.sets(st.sampled_from((54, 81, 98, 116, 134)), min_size=1), st.integers(1, 3))
def test_no_technique_is_dealt_more_trials_than_it_has_recipes(trials, cuts, heads):
    units = OneOf((0, 64, 128)[:heads])
    rates = dict.fromkeys(Technique, Fixed(1e-3))
    space = SearchSpace(learning_rates=rates, fine_tune_at=OneOf(tuple(cuts)))
    space = space.replace(head_units=units, head_layers=Fixed(1), dropout=Fixed(0.0))
    dealt = deal(space, trials)
    assert len(dealt) == min(trials, space.size)
    assert Counter(deal(space, 60)) == {"frozen": heads, "fine-tune": heads * len(cuts), "full": heads}
    assert dealt == deal(space, 60)[:trials] and dealt[:3] == list(Technique)[:trials]


def test_a_continuous_range_has_a_recipe_for_every_trial():
    assert deal(SearchSpace(), 20) == turns(20)


def test_an_engine_sees_the_trials_of_its_technique_alone():
    engine, own = scripted()
    proposed = [engine.propose(number)["technique"] for number in range(4)]
    assert proposed == ["frozen", "fine-tune", "full", "fine-tune"]
    engine.adopt(4, {"technique": "full"})
    for number in (3, 0, 4):
        engine.observe(number, number / 10)
    assert own[Technique.FROZEN].observed == [(0, 0.0)]
    assert own[Technique.FINE_TUNE].observed == [(3, 0.3)]
    assert own[Technique.FULL].adopted == [4] and own[Technique.FULL].observed == [(4, 0.4)]


def test_what_was_adopted_counts_as_a_turn():
    engine, _ = scripted()
    for number, technique in enumerate(("frozen", "fine-tune", "fine-tune", "fine-tune")):
        engine.adopt(number, {"technique": technique})
    assert [engine.propose(number)["technique"] for number in (4, 5, 6)] == ["full", "full", "frozen"]


def test_the_turn_of_one_that_has_nothing_left_passes_on():
    engine, _ = scripted(frozen=[None], full=[])
    assert [engine.propose(number)["technique"] for number in range(4)] == ["frozen", *["fine-tune"] * 3]
    engine, _ = scripted(frozen=[], fine_tune=[], full=[])
    assert engine.propose(0) is None


def test_waits_only_where_nobody_else_has_a_proposal():
    engine, _ = scripted(frozen=[WAIT, None], fine_tune=[None], full=[])
    assert engine.propose(0)["technique"] == "fine-tune"
    engine, _ = scripted(frozen=[WAIT, None], fine_tune=[], full=[])
    assert engine.propose(0) is WAIT
    assert engine.propose(0)["technique"] == "frozen"


@pytest.mark.parametrize(("engine", "algorithm"), [("optuna", "tpe"), ("keras-tuner", "random"), ("optuna", "grid")])
def test_the_techniques_of_every_engine_take_turns(engine, algorithm):
    space = SearchSpace()
    made = make_engine(engine, algorithm, space, seed=0, maximize=True)
    assert isinstance(made, ByTechnique) and made.exhaustive == (algorithm == "grid")
    alone = space.replace(techniques=(Technique.FULL,))
    assert not isinstance(make_engine(engine, algorithm, alone, seed=0, maximize=True), ByTechnique)
