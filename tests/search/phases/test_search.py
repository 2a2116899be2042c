"""The search loop with workers that train nothing: what it asks for, records and goes on with."""

import itertools
from collections import Counter

import numpy as np
import pytest

from tlsearch.search.events import TrialFinished
from tlsearch.search.phases.search import Searcher
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.trial import CompleteTrial, FailedTrial, PrunedTrial
from tlsearch.search.workers.messages import Failed
from tlsearch.search.workers.pool import Died
from tlsearch.spaces.errors import SearchFailedError
from tlsearch.spaces.presets import load_preset
from tlsearch.spaces.space import SearchSpace

from ..factory import settings
from ..fakes import FakePool


def good(job):
    return round(0.5 + (job.seed % 997) / 2000, 6)


@pytest.fixture
def store(tmp_path):
    return StudyStore.create(tmp_path / "photos", settings())


def searcher(store, total=12, space=None, **changes):
    options = {"prune": False, "patience": 3, "deadline": None, "listener": lambda event: None, **changes}
    return Searcher(store, space or SearchSpace(), total, **options)


def by_seed(store):
    """What matters of the finished trials, whatever their order."""
    trials = [t for t in store.trials() if not (isinstance(t, FailedTrial) and t.interrupted)]
    return {trial.seed: (trial.recipe, getattr(trial, "score", None)) for trial in trials}


def test_fills_every_slot_once_and_starts_fairly(store):
    search = searcher(store)
    assert not search.complete
    search.run(FakePool(good), frozenset())
    trials = store.trials()
    assert search.complete and len(trials) == 12
    assert all(isinstance(trial, CompleteTrial) for trial in trials)
    assert set(Counter(trial.recipe.technique for trial in trials[:6]).values()) == {2}
    assert len({trial.seed for trial in trials}) == 12


def test_heads_are_shared_and_seeds_are_not(store):
    pool = FakePool(good)
    searcher(store).run(pool, frozenset())
    assert len({job.head_seed for job in pool.jobs}) == 1
    assert len({job.seed for job in pool.jobs}) == 12
    assert not any(job.test for job in pool.jobs)


@pytest.mark.parametrize("after", [0, 1, 5, 11])
def test_a_search_that_was_cut_off_ends_like_one_that_was_not(tmp_path, after):
    whole = StudyStore.create(tmp_path / "whole", settings(name="whole"))
    searcher(whole).run(FakePool(good, count=1), frozenset())

    cut = StudyStore.create(tmp_path / "cut", settings(name="cut"))
    finished = itertools.count()

    def interrupt(job):
        if next(finished) == after:
            raise KeyboardInterrupt
        return good(job)

    with pytest.raises(KeyboardInterrupt):
        searcher(cut).run(FakePool(interrupt, count=1), frozenset())
    assert sum(isinstance(trial, FailedTrial) and trial.interrupted for trial in cut.trials()) == 1
    search = searcher(StudyStore.open(cut.path))
    assert search.done == after
    search.run(FakePool(good, count=1), frozenset())
    assert by_seed(cut) == by_seed(whole)


def test_a_complete_search_asks_for_nothing_more_and_a_larger_one_goes_on(store):
    searcher(store, 4).run(FakePool(good), frozenset())
    assert searcher(store, 4).complete
    larger = searcher(store, 7)
    assert larger.done == 4 and not larger.complete
    larger.run(FakePool(good), frozenset())
    assert len(store.trials()) == 7


@pytest.mark.parametrize("failure", [Failed("out of memory"), Died("the worker process died: killed by signal 11")])
def test_a_trial_fails_alone(store, failure):
    searcher(store).run(FakePool(lambda job: failure if job.recipe.technique == "full" else good(job)), frozenset())
    trials = store.trials()
    assert len(trials) == 12
    failed = [trial for trial in trials if isinstance(trial, FailedTrial)]
    assert failed and {trial.error for trial in failed} == {failure.error}
    assert not any(trial.interrupted for trial in failed)


@pytest.mark.parametrize("losses", [1, 2])
def test_a_trial_that_is_lost_with_its_node_is_trained_again_once(store, tmp_path, losses):
    lost, untroubled = [], StudyStore.create(tmp_path / "untroubled", settings())
    searcher(untroubled).run(FakePool(good), frozenset())

    def result(job):
        if job.recipe.technique == "full" and len(lost) < losses and lost in ([], [job.seed]):
            lost.append(job.seed)
            return Died("node-2 (10.0.0.2) was lost", with_node=True)
        return good(job)

    searcher(store).run(FakePool(result, count=1), frozenset())
    (seed, *_) = lost
    first, second = [trial for trial in store.trials() if trial.seed == seed]
    assert first.interrupted and first.error == "node-2 (10.0.0.2) was lost"
    assert first.recipe == second.recipe and isinstance(second, CompleteTrial if losses == 1 else FailedTrial)
    assert losses == 1 or not second.interrupted
    counted = [trial for trial in store.trials() if not getattr(trial, "interrupted", False)]
    assert sorted(trial.seed for trial in counted) == sorted(trial.seed for trial in untroubled.trials())


def test_nothing_but_failures_ends_the_search_with_the_reason(store):
    with pytest.raises(SearchFailedError, match="none of 5 trials succeeded; the last one: no luck"):
        searcher(store, 20).run(FakePool(lambda job: Failed("no luck"), count=1), frozenset())


def test_a_hopeless_trial_is_pruned_within_its_technique_only(store):
    scores = {"frozen": itertools.repeat(0.4), "fine-tune": itertools.chain([0.9, 0.9], itertools.repeat(0.5))}
    space = SearchSpace(techniques=("frozen", "fine-tune"))
    pool = FakePool(lambda job: next(scores[job.recipe.technique]), count=1, epochs=4)
    searcher(store, 10, space, prune=True).run(pool, frozenset())
    pruned = [trial for trial in store.trials() if isinstance(trial, PrunedTrial)]
    assert pruned and {str(trial.recipe.technique) for trial in pruned} == {"fine-tune"}
    assert all(max(m.epoch for m in trial.curve) == 1 for trial in pruned), "worse than both others from the first epoch on"


def test_a_finite_space_ends_the_search(tmp_path):
    post = load_preset("post").space
    store = StudyStore.create(tmp_path / "post", settings(name="post", space=post.as_dict()))
    search = searcher(store, 20, post)
    assert search.total == 2
    search.run(FakePool(good), frozenset())
    assert search.complete and len(store.trials()) == 2


def test_a_deadline_stops_it_without_a_failure(store, monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr("tlsearch.search.phases.search.time.monotonic", lambda: float(next(clock)))
    searcher(store, 20, deadline=20.0).run(FakePool(good, count=1), frozenset())
    trials = store.trials()
    assert 0 < len(trials) < 20
    stopped = [trial for trial in trials if isinstance(trial, FailedTrial)]
    assert all(trial.interrupted and "time limit" in trial.error for trial in stopped)


def test_time_that_is_reserved_is_left_over(store, monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr("tlsearch.search.phases.search.time.monotonic", lambda: float(next(clock)))
    asked = []

    def reserve(finished):
        asked.append(len(finished))
        return 5.0 * len(finished)

    searching = searcher(store, 20, deadline=60.0)
    searching.reserve = reserve
    searching.run(FakePool(good, count=1), frozenset())
    done = sum(isinstance(trial, CompleteTrial) for trial in store.trials())
    assert 0 < done and 60 - next(clock) >= 5 * (done - 1) > 0
    assert asked == sorted(asked), "what has finished is what is asked about"


def test_listeners_are_told_of_every_end(store):
    heard = []
    searcher(store, 3, listener=heard.append).run(FakePool(good), frozenset())
    assert sum(isinstance(event, TrialFinished) for event in heard) == 3


def test_kerastuner_engine_resumes_too(tmp_path):
    store = StudyStore.create(tmp_path / "kt", settings(name="kt", engine="keras-tuner", algorithm="random"))
    searcher(store, 4).run(FakePool(good), frozenset())
    searcher(StudyStore.open(store.path), 8).run(FakePool(good), frozenset())
    assert len(store.trials()) == 8
    assert len({np.float64(trial.recipe.learning_rate) for trial in store.trials()}) > 3


@pytest.mark.parametrize(
    ("engine", "algorithm"),
    [
        ("optuna", "tpe"),
        ("optuna", "random"),
        pytest.param("keras-tuner", "bayesian", marks=pytest.mark.slow),
        ("keras-tuner", "random"),
    ],
)
def test_a_recipe_that_failed_is_not_proposed_again_at_once(tmp_path, engine, algorithm):
    store = StudyStore.create(tmp_path / "s", settings(name="s", engine=engine, algorithm=algorithm))
    ends = itertools.cycle([good, lambda job: Failed("no luck")])
    searcher(store, 16).run(FakePool(lambda job: next(ends)(job), count=1), frozenset())
    recipes = [trial.recipe for trial in store.trials()]
    assert all(one != other for one, other in itertools.pairwise(recipes))
    failures = {trial.recipe for trial in store.trials() if isinstance(trial, FailedTrial)}
    assert len(failures) == 8, "none of them failed twice"


def test_a_search_of_failures_fails_again_when_it_is_asked_again(store):
    with pytest.raises(SearchFailedError):
        searcher(store, 3).run(FakePool(lambda job: Failed("no luck"), count=1), frozenset())
    again = searcher(store, 3)
    assert again.complete
    with pytest.raises(SearchFailedError, match="none of 3 trials succeeded"):
        again.check()
