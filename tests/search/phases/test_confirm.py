"""Confirmation with workers that train nothing: who meets the test split, how often, and what is kept of it."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from tlsearch.search.events import Foreseen, PhaseAdvanced, Warned
from tlsearch.search.phases.confirm import Confirmer
from tlsearch.search.phases.confirmation_plan import ConfirmationPlan
from tlsearch.search.phases.training import Conditions
from tlsearch.search.statistics.seeds import FIRST, ROUND
from tlsearch.search.storage.models import kept_model
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.workers.messages import Failed
from tlsearch.search.workers.pool import Died
from tlsearch.spaces.recipe import Technique

from ..factory import TRIALS, complete, searched, striped_dataset, traceback_of
from ..fakes import FakeClock, FakePool, confirmer


@pytest.fixture
def store(tmp_path):
    return searched(tmp_path / "photos")


@pytest.fixture
def context(tmp_path):
    return SimpleNamespace(dataset=striped_dataset(tmp_path))


def pool(result=lambda job: 0.9, **options):
    return FakePool(result, predictions=np.tile(np.float32([0.2, 0.8]), (16, 1)), **options)


def plan(store, seeds):
    return ConfirmationPlan(store, seeds)


def test_every_finalist_meets_the_test_split_with_the_same_seeds(store, context):
    workers = pool()
    confirmer(store, context.dataset).run(workers)
    confirmations = store.confirmations()
    assert {(c.trial, str(c.recipe.technique)) for c in confirmations} == {(2, "frozen"), (1, "fine-tune")}
    assert all(job.test and job.seed == job.head_seed for job in workers.jobs)
    seeds = {trial: sorted(c.seed for c in confirmations if c.trial == trial) for trial in (1, 2)}
    assert len(seeds[1]) == 2 and seeds[1] == seeds[2]
    assert not set(seeds[1]) & {trial.seed for trial in TRIALS}, "a finalist's own seed was chosen for its luck"


def test_the_test_predictions_are_kept(store, context):
    confirmer(store, context.dataset, 1).run(pool())
    confirmation = store.confirmations()[0]
    probabilities, labels = store.predictions(confirmation)
    np.testing.assert_array_equal(labels, context.dataset.labels[context.dataset.test])
    np.testing.assert_array_equal(probabilities.argmax(axis=1), 1)
    assert confirmation.scores["accuracy"] == (labels == 1).mean()


def test_of_each_technique_the_best_seed_on_validation_is_kept_and_no_other(store, context):
    """Whichever comes home first; the test split has no say."""
    confirming = confirmer(store, context.dataset, 3)
    first, second, third = (run.seed for run in plan(store, 3).remaining() if run.trial.number == 2)
    confirming.run(pool(lambda job: {first: 0.8, second: 0.9, third: 0.85}[job.seed]))
    assert sorted(path.name for path in (store.place.path / "models").iterdir()) == ["fine-tune.npz", "frozen.npz"]
    for technique, trial in ((Technique.FROZEN, 2), (Technique.FINE_TUNE, 1)):
        kept = kept_model(store.files, technique)
        assert (kept.trial, kept.seed, kept.val_score, kept.epoch) == (trial, second, 0.9, 2)
        np.testing.assert_array_equal(kept.weights, np.float32([[second]]))


def test_of_seeds_that_do_equally_well_the_first_is_kept(store, context):
    confirming = confirmer(store, context.dataset, 3)
    first = plan(store, 3).remaining()[0].seed
    confirming.run(pool())
    assert kept_model(store.files, Technique.FROZEN).seed == first


def test_nothing_is_confirmed_twice_and_more_seeds_add_to_those_there(store, context):
    confirmer(store, context.dataset, 1).run(pool())
    assert plan(store, 1).remaining() == [] and plan(store, 1).progress() == (2, 2)
    assert len(plan(store, 3).remaining()) == 4
    confirmer(store, context.dataset, 3).run(pool())
    assert len(store.confirmations()) == 6


def test_it_goes_on_after_being_cut_off(store, context):
    calls = []

    def stop(job):
        calls.append(job)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return 0.9

    with pytest.raises(KeyboardInterrupt):
        confirmer(store, context.dataset).run(pool(stop, count=1))
    kept = store.confirmations()
    assert len(kept) == 2
    heard = []
    confirmer(StudyStore.open(store.place.path), context.dataset, listener=heard.append).run(pool())
    assert [event.done for event in heard if isinstance(event, PhaseAdvanced)] == [3, 4]
    after = store.confirmations()
    assert len(after) == 4 and all(one in after for one in kept)


def test_a_run_that_fails_is_left_out_and_said(store, context):
    heard = []
    failing = pool(lambda job: Failed("no luck") if job.recipe.technique == "frozen" else 0.9)
    confirmer(store, context.dataset, listener=heard.append).run(failing)
    assert {str(c.recipe.technique) for c in store.confirmations()} == {"fine-tune"}
    warnings = [event.message for event in heard if isinstance(event, Warned)]
    assert len(warnings) == 2 and all("frozen failed (no luck)" in warning for warning in warnings)


@pytest.mark.parametrize(
    "end", [Failed("broken", details="Traceback: in train"), Died("it died", details="Traceback: in train")]
)
def test_what_a_failed_run_leaves_is_kept_and_told(store, context, end):
    heard = []
    confirmer(store, context.dataset, 1, listener=heard.append).run(
        pool(lambda job: end if job.recipe == TRIALS[2].recipe else 0.9)
    )
    (run,) = plan(store, 1).remaining()
    assert run.trial.number == 2 and traceback_of(store, 2, seed=run.seed) == "Traceback: in train"
    assert traceback_of(store, 2) is None and traceback_of(store, 1, seed=run.seed) is None
    assert [event.traceback for event in heard if isinstance(event, Warned)] == ["Traceback: in train"]


@pytest.mark.parametrize("losses", [1, 2])
def test_a_run_that_is_lost_with_its_node_is_done_again_once(store, context, losses):
    heard, lost = [], []

    def result(job):
        if len(lost) < losses and lost in ([], [job.seed]):
            lost.append(job.seed)
            return Died("node-2 was lost", with_node=True)
        return 0.9

    confirmer(store, context.dataset, listener=heard.append).run(pool(result, count=1))
    assert len(store.confirmations()) == 4 - (losses - 1)
    assert sum("node-2 was lost" in event.message for event in heard if isinstance(event, Warned)) == losses - 1


def test_without_a_time_limit_the_longest_runs_come_first(tmp_path, context):
    trials = [complete(0, "frozen", seconds=2.0), complete(1, "fine-tune", seconds=60.0), complete(2, "full", seconds=20.0)]
    workers = pool()
    confirmer(searched(tmp_path / "photos", trials), context.dataset, 2).run(workers)
    assert [str(job.recipe.technique) for job in workers.jobs] == ["fine-tune"] * 2 + ["full"] * 2 + ["frozen"] * 2


def test_a_time_limit_cuts_all_techniques_alike(store, context):
    """A run trains two epochs of a second: four have begun within 7 s."""
    heard, clock = [], FakeClock()
    confirmer(store, context.dataset, 3, limit=clock.limit(7.0), listener=heard.append).run(pool(count=1, clock=clock))
    counts = [sum(c.recipe.technique == name for c in store.confirmations()) for name in ("frozen", "fine-tune")]
    assert counts == [2, 2]
    assert "left 2 of 6 confirmation runs undone" in heard[-1].message


def test_seeds_that_were_left_out_are_added_by_the_next_run(store, context):
    limit = FakeClock().limit(130.0)
    for done, left in ((0, 4), (4, 4)):
        fitted = plan(store, 4)
        if not done:
            fitted.fit(limit, 1, lambda event: None)
        assert fitted.progress() == (done, done + left)
        Confirmer(fitted, context.dataset, Conditions(patience=3)).run(pool())
    assert len(store.confirmations()) == 8


def right_by_seed(job):
    """Test predictions whose accuracy depends on technique and seed, of sixty images that are all plain."""
    right = np.random.default_rng([job.seed, len(job.recipe.technique)]).permutation(60) < 35 + job.seed % 20
    return np.where(right[:, None], np.float32([[0.8, 0.2]]), np.float32([[0.2, 0.8]]))


@pytest.fixture
def plain(tmp_path):
    """A data set of enough test images to judge by."""
    made = striped_dataset(tmp_path, count=160)
    return dataclasses.replace(made, labels=np.zeros_like(made.labels), test=np.arange(100, 160))


def test_what_stopping_would_cost_is_said_after_each_round(store, plain):
    heard = []
    workers = FakePool(lambda job: 0.9, predictions=right_by_seed)
    confirmer(store, plain, "auto", listener=heard.append).run(workers)
    foreseen = [event for event in heard if isinstance(event, Foreseen)]
    rounds = (len(workers.jobs) - 2 * FIRST) // ROUND
    assert rounds > 0 and len(foreseen) == rounds + 1 and all(event.regret >= 0 for event in foreseen)
    totals = [event.total for event in heard if isinstance(event, PhaseAdvanced)]
    assert totals == sorted(totals) and totals[0] == 2 * FIRST and totals[-1] == len(workers.jobs)


def test_a_longer_look_is_not_begun_where_there_is_no_time_for_it(store, plain):
    """Four runs of two seconds fit, and then a round that is expected to take a minute does not."""
    heard, clock = [], FakeClock()
    workers = FakePool(lambda job: 0.9, count=1, predictions=right_by_seed, clock=clock)
    confirmer(store, plain, "auto", limit=clock.limit(40.0), listener=heard.append).run(workers)
    assert len(workers.jobs) == 2 * FIRST and clock.time < 40 and plan(store, "auto").remaining()
    assert sum(isinstance(event, Foreseen) for event in heard) == 1 and not any(isinstance(event, Warned) for event in heard)
