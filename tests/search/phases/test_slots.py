"""Which slots are free, and what an engine is told, whoever trains the trials."""

from datetime import timedelta

import pytest

from tlsearch.search.phases.slots import Slots
from tlsearch.search.seeds import derive
from tlsearch.search.trial import RunningTrial

from ..factory import START, complete, failed, recipe


class Told:
    """An engine that only listens."""

    def __init__(self):
        self.heard = []

    def adopt(self, number, values):
        self.heard.append(("adopt", number, values))

    def observe(self, number, score):
        self.heard.append(("observe", number, score))


@pytest.fixture
def engine():
    return Told()


@pytest.fixture
def slots(engine):
    return Slots(engine, 0)


def at(minutes):
    return START + timedelta(minutes=minutes)


def ended(number, slot, began, end, **changes):
    return complete(number, seed=derive(0, slot), started=at(began), ended=at(end), **changes)


def cut_off(number, slot, began, end):
    return failed(number, seed=derive(0, slot), started=at(began), ended=at(end), interrupted=True)


def running(number, slot, began=0):
    return RunningTrial(number=number, recipe=recipe(), seed=derive(0, slot), started=at(began))


def note(slots, *trials):
    return [trial.number for trial in slots.note(trials, lambda: {trial.number: {"of": trial.number} for trial in trials})]


def test_what_was_recorded_is_told_in_the_order_in_which_it_happened(slots, engine):
    assert note(slots, ended(0, 0, 0, 5), ended(1, 1, 1, 2), ended(2, 2, 3, 4)) == [0, 1, 2]
    assert [heard[:2] for heard in engine.heard] == [
        ("adopt", 0), ("adopt", 1), ("observe", 1), ("adopt", 2), ("observe", 2), ("observe", 0)
    ]  # fmt: skip
    assert slots.free() == (3, None)


def test_a_slot_that_was_cut_off_is_free_with_its_values(slots, engine):
    note(slots, ended(0, 0, 0, 1), cut_off(1, 1, 0, 1), ended(2, 2, 0, 1))
    assert slots.free() == (1, {"of": 1})
    assert ("observe", 1, None) not in engine.heard, "it was not at fault"
    slots.began(3)
    assert slots.free() == (3, None) and slots.running == {3}
    slots.ended(ended(3, 1, 2, 3))
    assert slots.free() == (3, None) and engine.heard[-1][:2] == ("observe", 1)


def test_what_another_driver_trains_is_taken_until_it_ends(slots, engine):
    slots.draft(0, {"of": 0})
    slots.began(0)
    assert note(slots, running(0, 0), running(1, 1)) == []
    assert slots.free() == (2, None) and slots.running == {0, 1}
    assert [heard[:2] for heard in engine.heard] == [("adopt", 1)], "of one's own it knows"
    assert note(slots, running(0, 0), ended(1, 1, 0, 1)) == [1]
    assert note(slots, running(0, 0), ended(1, 1, 0, 1)) == [], "each end is told once"
    assert [heard[:2] for heard in engine.heard] == [("adopt", 1), ("observe", 1)] and slots.running == {0}


def test_a_trial_of_ones_own_that_was_given_away_frees_its_slot(slots, engine):
    slots.draft(0, {"of": "mine"})
    assert slots.free() == (0, {"of": "mine"}), "a draft is kept until a trial of it is recorded"
    slots.began(0)
    assert note(slots, cut_off(0, 0, 0, 1)) == [0]
    assert slots.free() == (0, {"of": "mine"}) and slots.running == frozenset()
    assert note(slots, cut_off(0, 0, 0, 1), running(1, 0, 2)) == [] and slots.free() == (1, None)
    assert engine.heard == [], "the slot has its values already"
