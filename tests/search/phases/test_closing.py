"""Techniques that get no more trials: by the rule alone, and in a search with workers that train nothing."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.search.engines.by_technique import SHARES
from tlsearch.search.events import PhaseAdvanced, TechniqueClosed
from tlsearch.search.options import Budget
from tlsearch.search.phases.closing import LEAST, Standing, closed, gains, standings
from tlsearch.search.phases.progress import Progress
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.trial import RunningTrial
from tlsearch.spaces.recipe import Technique
from tlsearch.spaces.space import SearchSpace

from ..factory import START, complete, failed, pruned, recipe, settings
from ..fakes import FakePool, searcher

FROZEN, FINE_TUNE, FULL = Technique
SCORES = {FROZEN: 0.6, FINE_TUNE: 0.9, FULL: 0.7}


def far_behind(trials=4):
    """Trials of all techniques, of which ``frozen`` and ``full`` cannot win any more."""
    return [
        complete(number * 3 + place, technique, (SCORES[technique],))
        for number in range(trials)
        for place, technique in enumerate(Technique)
    ]


def judged(trials, techniques=tuple(Technique), left=9, **changes):
    rules = {"metric": "accuracy", "shares": SHARES, "images": 400, "care": 0.005}
    return {one.technique: one for one in closed(trials, techniques, left, **{**rules, **changes})}


def test_what_cannot_win_any_more_is_closed_and_what_leads_is_not():
    found = judged(far_behind())
    assert found.keys() == {FROZEN, FULL}
    assert found[FULL].trials == 4 and found[FULL].left >= 2 and found[FULL].gain < 1e-6


def test_close_rivals_stay_open_and_few_images_close_nothing():
    rivals = [complete(n, technique, (0.8,)) for n, technique in enumerate([*Technique] * 2)]
    assert not judged(rivals)
    few = judged(far_behind(2), images=12)
    assert FULL not in few, "two tenths are three images"


def test_what_leads_is_closed_too_where_there_is_nothing_left_to_gain():
    perfect = [complete(n, technique, (1.0,)) for n, technique in enumerate([*Technique] * 4)]
    assert judged(perfect, images=400).keys() == set(Technique)


def test_two_trials_come_first_and_a_failure_is_none():
    assert LEAST == 2
    one = [complete(0, FINE_TUNE, (0.9,)), complete(1, FINE_TUNE, (0.9,)), complete(2, FULL, (0.4,))]
    assert not judged([*one, failed(3, FULL)])
    assert judged([*one, pruned(3, FULL)]).keys() == {FULL}


def test_a_loss_closes_nothing_for_how_sure_it_is_is_not_known():
    assert not judged(far_behind(), metric="log_loss")


def test_a_closed_technique_is_not_closed_again_and_still_counts_as_a_rival():
    found = judged(far_behind(), techniques=(FROZEN, FULL))
    assert found.keys() == {FROZEN, FULL}
    assert judged(far_behind(), techniques=(FINE_TUNE,), left=9) == {}


def test_one_technique_alone_is_searched_to_its_end():
    assert not judged([complete(n, FROZEN, (1.0,)) for n in range(9)], techniques=(FROZEN,))


def test_turns_are_dealt_as_the_engines_take_them():
    running = RunningTrial(number=6, recipe=recipe("frozen"), seed=6, started=START, worker="worker-1")
    trials = [*far_behind(2), running]
    found = standings(trials, tuple(Technique), 9, "accuracy", SHARES)
    assert sum(one.left for one in found.values()) == 9
    assert found[FINE_TUNE].left > found[FULL].left > found[FROZEN].left
    assert found[FROZEN].tried == 2, "the running one has told nothing"


shares = st.floats(0, 1)
standing = st.builds(Standing, score=shares, tried=st.integers(1, 30), left=st.integers(0, 30))


@given(st.fixed_dictionaries(dict.fromkeys(Technique, standing)), st.integers(1, 10_000))
def test_gains_are_at_least_nothing_and_at_most_the_error(found, images):
    for technique, gain in gains(found, images).items():
        assert -1e-12 <= gain <= ((1 - found[technique].score) * images + 1) / (images + 2) + 1e-12
        assert found[technique].left or gain == 0


@given(st.fixed_dictionaries(dict.fromkeys(Technique, standing)), st.integers(1, 10_000))
def test_more_trials_gain_more_and_later_ones_less(found, images):
    own = found[FULL]
    more = {**found, FULL: Standing(own.score, own.tried, own.left + 1)}
    later = {**found, FULL: Standing(own.score, own.tried + 1, own.left)}
    assert gains(later, images)[FULL] <= gains(found, images)[FULL] + 1e-12 <= gains(more, images)[FULL] + 2e-12


@pytest.fixture
def store(tmp_path):
    return StudyStore.create(tmp_path / "photos", settings(algorithm="random"))


def score_of(job):
    return SCORES[job.recipe.technique] + job.seed % 7 / 1e4


def progress(store, trials=40, **budget):
    return Progress.in_study(store, SearchSpace(), Budget(trials=trials, **budget))


def test_a_search_ends_early_and_says_so(store):
    events = []
    search = searcher(store, 40, care=0.005, listener=events.append)
    search.run(FakePool(score_of))
    tried = Counter(trial.recipe.technique for trial in store.trials())
    told = [event.closed for event in events if isinstance(event, TechniqueClosed)]
    assert {one.technique for one in told} >= {FROZEN, FULL} and sum(tried.values()) < 40
    assert tried[FROZEN] <= 4 and tried[FULL] <= 4 and tried[FINE_TUNE] > 4
    assert sum(tried.values()) == search.total == 40 - sum(one.left for one in told)
    totals = [event.total for event in events if isinstance(event, PhaseAdvanced) and event.total is not None]
    assert totals == sorted(totals, reverse=True) and totals[-1] == search.total
    assert store.notes.closed() == store.notes.closed_for(40, 0.005) == tuple(told)
    assert progress(store).complete and not progress(store, close_arms=False).complete
    assert progress(store, care=0.01).complete and not progress(store, care=0.001).complete, "who cares more looks again"


def test_without_care_nothing_is_closed(store):
    searcher(store, 20).run(FakePool(score_of))
    assert len(store.trials()) == 20 and not store.notes.closed()


def test_a_larger_search_looks_again(store):
    searcher(store, 20, care=0.005).run(FakePool(score_of))
    before = len(store.trials())
    assert progress(store, 20).complete and not progress(store, 60).complete
    larger = searcher(store, 60, care=0.005)
    assert larger.total == 60 and store.notes.closed() == (), "no report says any more that they were closed"
    larger.run(FakePool(score_of))
    assert len(store.trials()) == larger.total > before


@pytest.mark.parametrize("after", [3, 9, 12])
def test_what_was_closed_stays_closed_when_a_search_goes_on(tmp_path, after):
    whole = StudyStore.create(tmp_path / "whole", settings(name="whole", algorithm="random"))
    searcher(whole, 40, care=0.005).run(FakePool(score_of, count=1))
    cut = StudyStore.create(tmp_path / "cut", settings(name="cut", algorithm="random"))
    done = []

    def interrupt(job):
        if len(done) == after:
            raise KeyboardInterrupt
        done.append(job)
        return score_of(job)

    with pytest.raises(KeyboardInterrupt):
        searcher(cut, 40, care=0.005).run(FakePool(interrupt, count=1))
    known = StudyStore.open(cut.place.path).notes.closed_for(40, 0.005)
    search = searcher(StudyStore.open(cut.place.path), 40, care=0.005)
    assert search.total == 40 - sum(one.left for one in known)
    search.run(FakePool(score_of, count=1))

    def of(store):
        return Counter(trial.recipe.technique for trial in store.trials() if not getattr(trial, "interrupted", False))

    assert of(cut) == of(whole)


def test_what_the_design_still_had_for_the_others_is_tried(store):
    """The proven settings of a technique are not lost where another one is closed before its turn."""
    scores = {FROZEN: 0.9, FINE_TUNE: 0.9, FULL: 0.1}
    searcher(store, 40, care=0.005).run(FakePool(lambda job: scores[job.recipe.technique], count=1))
    plain = StudyStore.create(store.place.path.with_name("plain"), settings(name="plain", algorithm="random"))
    searcher(plain, 40).run(FakePool(lambda job: scores[job.recipe.technique], count=1))
    tuned, as_designed = (
        [trial.recipe for trial in one.trials() if trial.recipe.technique is FINE_TUNE][:5] for one in (store, plain)
    )
    assert tuned == as_designed
    assert sum(trial.recipe.technique is FULL for trial in store.trials()) == LEAST
