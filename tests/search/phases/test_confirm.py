"""Confirmation with workers that train nothing: who meets the test split, how often, and what is kept of it."""

from types import SimpleNamespace

import numpy as np
import pytest

from tlsearch.search.events import PhaseAdvanced, Warned
from tlsearch.search.phases.confirm import RESERVED_AT_MOST, ConfirmationPlan, Confirmer, expected_seconds
from tlsearch.search.phases.time_limit import TimeLimit
from tlsearch.search.phases.training import Conditions
from tlsearch.search.selection import finalists
from tlsearch.search.storage.models import kept_model
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.workers.messages import Failed
from tlsearch.search.workers.pool import Died
from tlsearch.spaces.recipe import Technique

from ..factory import begin, complete, failed, measurement, pruned, settings, striped_dataset, traceback_of, values
from ..fakes import FakeClock, FakePool, confirmer

TRIALS = [
    complete(0, "frozen", (0.7, 0.8)),
    complete(1, "fine-tune", (0.9, 0.6)),
    complete(2, "frozen", (0.85,)),
    pruned(3, "fine-tune", score=0.99),
    failed(4, "full"),
]


@pytest.fixture
def store(tmp_path):
    store = StudyStore.create(tmp_path / "photos", settings())
    for trial in TRIALS:
        begin(store, values(trial.recipe.technique), trial.recipe, seed=trial.seed)
        store.finish(trial)
    return store


@pytest.fixture
def context(tmp_path):
    return SimpleNamespace(dataset=striped_dataset(tmp_path))


def pool(result=lambda job: 0.9, **options):
    return FakePool(result, predictions=np.tile(np.float32([0.2, 0.8]), (16, 1)), **options)


def plan(store, seeds):
    return ConfirmationPlan.of(store, seeds)


def test_finalists_are_the_best_complete_trials_on_validation():
    chosen = finalists(tuple(TRIALS), "accuracy")
    assert {technique: trial.number for technique, trial in chosen.items()} == {Technique.FROZEN: 2, Technique.FINE_TUNE: 1}


def test_of_equals_the_earlier_one_and_of_losses_the_lower():
    equals = (complete(0, scores=(0.8,)), complete(1, scores=(0.8,)), complete(2, scores=(0.9,)))
    assert finalists(equals, "accuracy")[Technique.FROZEN].number == 2
    assert finalists(equals, "log_loss")[Technique.FROZEN].number == 0


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
    first, second, third = (seed for trial, seed in plan(store, 3).remaining() if trial.number == 2)
    confirming.run(pool(lambda job: {first: 0.8, second: 0.9, third: 0.85}[job.seed]))
    assert sorted(path.name for path in (store.place.path / "models").iterdir()) == ["fine-tune.npz", "frozen.npz"]
    for technique, trial in ((Technique.FROZEN, 2), (Technique.FINE_TUNE, 1)):
        kept = kept_model(store.files, technique)
        assert (kept.trial, kept.seed, kept.val_score, kept.epoch) == (trial, second, 0.9, 2)
        np.testing.assert_array_equal(kept.weights, np.float32([[second]]))


def test_of_seeds_that_do_equally_well_the_first_is_kept(store, context):
    confirming = confirmer(store, context.dataset, 3)
    first = plan(store, 3).remaining()[0][1]
    confirming.run(pool())
    assert kept_model(store.files, Technique.FROZEN).seed == first


def test_nothing_is_confirmed_twice_and_more_seeds_add_to_those_there(store, context):
    confirmer(store, context.dataset, 1).run(pool())
    assert plan(store, 1).remaining() == [] and plan(store, 1).total == 2
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
    ((trial, seed),) = plan(store, 1).remaining()
    assert trial.number == 2 and traceback_of(store, 2, seed=seed) == "Traceback: in train"
    assert traceback_of(store, 2) is None and traceback_of(store, 1, seed=seed) is None
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


def test_a_time_limit_cuts_all_techniques_alike(store, context):
    """A run trains two epochs of a second: four have begun within 7 s."""
    heard, clock = [], FakeClock()
    confirmer(store, context.dataset, 3, limit=clock.limit(7.0), listener=heard.append).run(pool(count=1, clock=clock))
    counts = [sum(c.recipe.technique == name for c in store.confirmations()) for name in ("frozen", "fine-tune")]
    assert counts == [2, 2]
    assert "left 2 of 6 confirmation runs undone" in heard[-1].message


def test_without_seeds_nothing_is_confirmed(store):
    assert plan(store, 0).remaining() == []


def test_what_confirming_takes_is_what_the_trials_took():
    chosen = [complete(0, "frozen", seconds=4.0, setup_seconds=0.0), complete(1, "full", seconds=40.0, setup_seconds=0.0)]
    assert expected_seconds(chosen * 3, workers=1) == 3 * 44
    # Two workers share the load; one of them may begin the longest run last.
    assert expected_seconds(chosen * 3, workers=2) == 3 * 44 / 2 + 40 / 2
    assert expected_seconds([], 1) == 0


def test_what_a_worker_does_once_is_not_expected_of_every_run():
    """Building took 5 s, and the first epoch 6 s longer than the others, for tracing."""
    curve = tuple(measurement(epoch, 0.8, seconds=8.0 if epoch == 1 else 2.0) for epoch in range(5))
    cold = complete(0, "full", seconds=20.0, setup_seconds=5.0, curve=curve, best_epoch=1)
    assert expected_seconds([cold] * 10, workers=1) == 10 * 9 + 11
    assert expected_seconds([cold] * 10, workers=2) == (10 * 9 + 2 * 11) / 2 + 9 / 2
    assert expected_seconds([cold], workers=2) == 20 / 2 + 9 / 2


def test_time_is_kept_for_the_finalists_found_so_far(store):
    def reserve(finished, seeds=3, test_seconds=0.0, left=float("inf")):
        limit = FakeClock().limit(left)
        return plan(store, seeds).reserve(test_seconds=test_seconds, limit=limit, workers=1)(finished)

    assert reserve([]) == 0
    one = expected_seconds([TRIALS[2]] * 3, 1)
    assert 0 < one == reserve(TRIALS[2:3])
    both = expected_seconds([TRIALS[1], TRIALS[2]] * 3, 1)
    assert one < both == reserve(TRIALS)
    assert reserve(TRIALS, test_seconds=7) == both + 7
    assert reserve(TRIALS, left=100.0) == RESERVED_AT_MOST * 100
    assert reserve(TRIALS, left=-1.0) == 0
    assert reserve(TRIALS, seeds=0) == 0


@pytest.mark.parametrize(("left", "seeds"), [(1000.0, 4), (229.0, 4), (227.0, 3), (61.0, 1), (5.0, 1), (-1.0, 4)])
def test_more_seeds_than_the_time_allows_become_fewer_and_it_is_said(store, left, seeds):
    """Four seeds of two finalists of 30 seconds, 2 of them for building, take 4 * 2 * 28 + 2 * 2 = 228 seconds."""
    heard = []
    fitting = plan(store, 4).fitting(FakeClock(100.0).limit(left), 1, heard.append)
    assert fitting.total == len(fitting.remaining()) == 2 * seeds
    warnings = [event.message for event in heard if isinstance(event, Warned)]
    assert len(warnings) == (seeds < 4)
    assert all(f"allow for {seeds} instead of 4 training seeds" in warning for warning in warnings)


def test_seeds_that_were_left_out_are_added_by_the_next_run(store, context):
    limit = FakeClock().limit(130.0)
    first = plan(store, 4).fitting(limit, 1, lambda event: None)
    Confirmer(first, context.dataset, Conditions(patience=3)).run(pool())
    assert len(store.confirmations()) == 4
    second = plan(store, 4).fitting(limit, 1, lambda event: None)
    assert second.total == 8 and len(second.remaining()) == 4
    Confirmer(second, context.dataset, Conditions(patience=3)).run(pool())
    assert len(store.confirmations()) == 8


def test_without_a_time_limit_nothing_is_left_out(store):
    assert plan(store, 50).fitting(TimeLimit(), 1, lambda event: None).total == 100
