from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.search.engines import WAIT, make_engine
from tlsearch.search.engines.base import Engine
from tlsearch.search.engines.by_technique import DEAR, SHARES, SHARES_WHERE_DEAR, ByTechnique, next_turn, shares_of
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


def scripted(shares=SHARES, **answers):
    """An engine by technique, and the engines that it asks; by default each proposes without end."""
    own = {}

    def make(space):
        (technique,) = space.techniques
        own[technique] = Scripted(technique, answers.get(technique.replace("-", "_"), [None] * 100))
        return own[technique]

    return ByTechnique(SearchSpace(), make, shares), own


def turns(count, techniques=tuple(Technique), shares=SHARES):
    counts = Counter()
    order = []
    for _ in range(count):
        order.append(next_turn(counts, techniques, shares))
        counts[order[-1]] += 1
    return order


@given(
    st.integers(0, 200),
    st.lists(st.sampled_from(list(Technique)), min_size=1, unique=True),
    st.sampled_from((SHARES, SHARES_WHERE_DEAR)),
)
def test_turns_are_as_fair_as_whole_numbers_allow(count, techniques, shares):
    counts = Counter(turns(count, techniques, shares))
    total = sum(shares[technique] for technique in techniques)
    for technique in techniques:
        assert abs(counts[technique] - count * shares[technique] / total) <= 1.5


def test_each_technique_has_a_turn_first_the_cheapest_before_the_others():
    assert turns(3) == list(Technique)
    assert Counter(turns(20)) == {Technique.FROZEN: 4, Technique.FINE_TUNE: 9, Technique.FULL: 7}


def test_on_many_images_what_follows_the_fair_start_seldom_trains_all_layers():
    assert shares_of(DEAR) is SHARES and shares_of(DEAR + 1) is SHARES_WHERE_DEAR
    started = turns(10)
    for shares, wanted in ((SHARES, 7), (SHARES_WHERE_DEAR, 3)):
        engine, _ = scripted(shares)
        for number, technique in enumerate(started):
            engine.adopt(number, {"technique": str(technique)})
        found = [engine.propose(number)["technique"] for number in range(10, 20)]
        assert (started + found).count("full") == wanted


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
