"""The search loop with workers that train nothing: what it asks for, records and goes on with."""

import itertools
from collections import Counter

import numpy as np
import pytest

from tlsearch.search.events import TrialFinished
from tlsearch.search.phases.progress import Progress
from tlsearch.search.phases.search import check_success
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.trial import CompleteTrial, FailedTrial, PrunedTrial
from tlsearch.search.workers.messages import Failed
from tlsearch.search.workers.pool import Died
from tlsearch.spaces.errors import SearchFailedError
from tlsearch.spaces.presets import load_preset
from tlsearch.spaces.ranges import Fixed
from tlsearch.spaces.space import SearchSpace

from ..factory import settings, traceback_of
from ..fakes import FakeClock, FakePool, searcher


def good(job):
    return round(0.5 + (job.seed % 997) / 2000, 6)


@pytest.fixture
def store(tmp_path):
    return StudyStore.create(tmp_path / "photos", settings())


def complete(store, total=12, space=None):
    return Progress.of(store.trials(), space or SearchSpace(), total).complete


def by_seed(store):
    """What matters of the finished trials, whatever their order."""
    trials = [t for t in store.trials() if not (isinstance(t, FailedTrial) and t.interrupted)]
    return {trial.seed: (trial.recipe, getattr(trial, "score", None)) for trial in trials}


def test_fills_every_slot_once_and_starts_fairly(store):
    assert not complete(store)
    searcher(store).run(FakePool(good))
    trials = store.trials()
    assert complete(store) and len(trials) == 12
    assert all(isinstance(trial, CompleteTrial) for trial in trials)
    assert Counter(trial.recipe.technique for trial in trials[:6]) == {"frozen": 1, "fine-tune": 3, "full": 2}
    assert len({trial.seed for trial in trials}) == 12


def test_heads_are_shared_and_seeds_are_not(store):
    pool = FakePool(good)
    searcher(store).run(pool)
    assert len({job.head_seed for job in pool.jobs}) == 1
    assert len({job.seed for job in pool.jobs}) == 12
    assert not any(job.test for job in pool.jobs)


@pytest.mark.parametrize("after", [0, 1, 5, 11])
def test_a_search_that_was_cut_off_ends_like_one_that_was_not(tmp_path, after):
    whole = StudyStore.create(tmp_path / "whole", settings(name="whole"))
    searcher(whole).run(FakePool(good, count=1))

    cut = StudyStore.create(tmp_path / "cut", settings(name="cut"))
    finished = itertools.count()

    def interrupt(job):
        if next(finished) == after:
            raise KeyboardInterrupt
        return good(job)

    with pytest.raises(KeyboardInterrupt):
        searcher(cut).run(FakePool(interrupt, count=1))
    assert sum(isinstance(trial, FailedTrial) and trial.interrupted for trial in cut.trials()) == 1
    search = searcher(StudyStore.open(cut.place.path))
    assert search.done == after
    search.run(FakePool(good, count=1))
    assert by_seed(cut) == by_seed(whole)


def test_a_complete_search_asks_for_nothing_more_and_a_larger_one_goes_on(store):
    searcher(store, 4).run(FakePool(good))
    assert complete(store, 4)
    larger = searcher(store, 7)
    assert larger.done == 4 and not complete(store, 7)
    larger.run(FakePool(good))
    assert len(store.trials()) == 7


@pytest.mark.parametrize("failure", [Failed("out of memory"), Died("the worker process died: killed by signal 11")])
def test_a_trial_fails_alone(store, failure):
    searcher(store).run(FakePool(lambda job: failure if job.recipe.technique == "full" else good(job)))
    trials = store.trials()
    assert len(trials) == 12
    failed = [trial for trial in trials if isinstance(trial, FailedTrial)]
    assert failed and {trial.error for trial in failed} == {failure.error}
    assert not any(trial.interrupted for trial in failed)


@pytest.mark.parametrize("losses", [1, 2])
def test_a_trial_that_is_lost_with_its_node_is_trained_again_once(store, tmp_path, losses):
    lost, untroubled = [], StudyStore.create(tmp_path / "untroubled", settings())
    searcher(untroubled).run(FakePool(good))

    def result(job):
        if job.recipe.technique == "full" and len(lost) < losses and lost in ([], [job.seed]):
            lost.append(job.seed)
            return Died("node-2 (10.0.0.2) was lost", with_node=True)
        return good(job)

    searcher(store).run(FakePool(result, count=1))
    (seed, *_) = lost
    first, second = [trial for trial in store.trials() if trial.seed == seed]
    assert first.interrupted and first.error == "node-2 (10.0.0.2) was lost"
    assert first.recipe == second.recipe and isinstance(second, CompleteTrial if losses == 1 else FailedTrial)
    assert losses == 1 or not second.interrupted
    counted = [trial for trial in store.trials() if not getattr(trial, "interrupted", False)]
    assert sorted(trial.seed for trial in counted) == sorted(trial.seed for trial in untroubled.trials())


def test_nothing_but_failures_ends_the_search_with_the_reason(store):
    number = itertools.count(1)
    with pytest.raises(SearchFailedError, match="none of 5 trials succeeded; the last one: no luck 5"):
        searcher(store, 20).run(FakePool(lambda job: Failed(f"no luck {next(number)}"), count=1))


def test_a_hopeless_trial_is_pruned_within_its_technique_only(store):
    scores = {"frozen": itertools.repeat(0.4), "fine-tune": itertools.chain([0.9, 0.9], itertools.repeat(0.5))}
    space = SearchSpace(techniques=("frozen", "fine-tune")).replace(schedule=Fixed("constant"), l2_path=Fixed(False))
    pool = FakePool(lambda job: next(scores[job.recipe.technique]), count=1, epochs=4)
    searcher(store, 10, space, prune=True).run(pool)
    pruned = [trial for trial in store.trials() if isinstance(trial, PrunedTrial)]
    assert pruned and {str(trial.recipe.technique) for trial in pruned} == {"fine-tune"}
    assert all(max(m.epoch for m in trial.curve) == 1 for trial in pruned), "worse than both others from the first epoch on"


def test_a_finite_space_ends_the_search(tmp_path):
    post = load_preset("post").space
    store = StudyStore.create(tmp_path / "post", settings(name="post", space=post.as_dict()))
    assert Progress.of((), post, 20) == Progress(total=2, done=0)
    searcher(store, 20, post).run(FakePool(good))
    assert complete(store, 20, post) and len(store.trials()) == 2


def test_a_deadline_stops_it_without_a_failure(store):
    """Each trial trains two epochs of a second: after 9.5 s four are complete, and the fifth is stopped in its second epoch."""
    clock = FakeClock()
    searcher(store, 20, limit=clock.limit(9.5)).run(FakePool(good, count=1, clock=clock))
    *whole, last = store.trials()
    assert [type(trial) for trial in whole] == [CompleteTrial] * 4
    assert last.interrupted and "time limit" in last.error


def test_a_trial_that_another_driver_has_taken_over_is_not_trained_on(store, monkeypatch):
    monkeypatch.setattr(store.recorder, "owns", lambda number: number != 0)
    searcher(store, 4).run(FakePool(good, count=1))
    lost, *others = store.trials()
    assert lost.interrupted and len(lost.curve) == 1
    assert [type(trial) for trial in others] == [CompleteTrial] * 4


def test_time_that_is_reserved_is_left_over(store):
    clock, asked = FakeClock(), []

    def reserve(finished):
        asked.append(len(finished))
        return 5.0 * len(finished)

    searcher(store, 20, limit=clock.limit(60.0), reserve=reserve).run(FakePool(good, count=1, clock=clock))
    done = sum(isinstance(trial, CompleteTrial) for trial in store.trials())
    assert done == 9, "the ninth began with 60 - 8 * 2 = 44 s left and 8 * 5 = 40 s kept; a tenth would need 45 of 42"
    assert asked == sorted(asked), "what has finished is what is asked about"


def test_without_a_time_limit_nothing_is_reserved(store):
    def reserve(finished):
        raise AssertionError("asked for nothing")

    searcher(store, 3, reserve=reserve).run(FakePool(good))
    assert complete(store, 3)


def test_listeners_are_told_of_every_end(store):
    heard = []
    searcher(store, 3, listener=heard.append).run(FakePool(good))
    assert sum(isinstance(event, TrialFinished) for event in heard) == 3


def test_kerastuner_engine_resumes_too(tmp_path):
    store = StudyStore.create(tmp_path / "kt", settings(name="kt", engine="keras-tuner", algorithm="random"))
    searcher(store, 4).run(FakePool(good))
    searcher(StudyStore.open(store.place.path), 8).run(FakePool(good))
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
    searcher(store, 16).run(FakePool(lambda job: next(ends)(job), count=1))
    recipes = [trial.recipe for trial in store.trials()]
    assert all(one != other for one, other in itertools.pairwise(recipes))
    failures = {trial.recipe for trial in store.trials() if isinstance(trial, FailedTrial)}
    assert len(failures) == 8, "none of them failed twice"


def test_a_search_of_failures_fails_again_when_it_is_asked_again(store):
    with pytest.raises(SearchFailedError):
        searcher(store, 3).run(FakePool(lambda job: Failed("no luck"), count=1))
    assert complete(store, 3)
    with pytest.raises(SearchFailedError, match="none of 3 trials succeeded"):
        check_success(store.trials())


def test_the_traceback_of_an_unexpected_error_is_kept_and_told(store):
    heard = []
    ends = iter([
        Failed("ValueError: broken", details="Traceback (most recent call last):\n  …"),
        Failed("the loss became nan"),
        Died("the worker process died", details="Fatal Python error: Segmentation fault"),
    ])  # fmt: skip
    searcher(store, 4, listener=heard.append).run(FakePool(lambda job: next(ends, 0.8), count=1))
    unexpected, diverged, crashed, *_ = [event for event in heard if isinstance(event, TrialFinished)]
    assert unexpected.traceback.startswith("Traceback") and traceback_of(store, unexpected.trial.number) == unexpected.traceback
    assert diverged.traceback == "" and traceback_of(store, diverged.trial.number) is None
    assert crashed.traceback == traceback_of(store, crashed.trial.number) == "Fatal Python error: Segmentation fault"
