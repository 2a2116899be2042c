"""What is to be trained to confirm: from the study's records alone."""

import numpy as np
import pytest

from tlsearch.reports.answer.summary import summarize
from tlsearch.search.events import Warned
from tlsearch.search.phases.confirmation_plan import RESERVED_AT_MOST, ConfirmationPlan, expected_seconds, foresee
from tlsearch.search.statistics.seeds import FIRST, MOST
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.trial import Confirmation
from tlsearch.spaces.recipe import Technique

from ...reports.factory import divided_study
from ..factory import TRIALS, complete, measurement, searched
from ..fakes import FakeClock

IMAGES = 400


@pytest.fixture
def store(tmp_path):
    return searched(tmp_path / "photos")


def plan(store, seeds):
    return ConfirmationPlan(store, seeds)


def confirm(store, run, accuracy, rng, *, by_seed=0.0, images=IMAGES):
    """Records a run whose model is right on a share of the images, its own seed's luck included."""
    right = rng.permutation(images) < round(images * (accuracy + rng.normal(0, by_seed)))
    probabilities = np.where(right[:, None], [[0.9, 0.1]], [[0.1, 0.9]]).astype(np.float32)
    recipe, number = run.trial.recipe, run.trial.number
    fields = {"seconds": 1.0 + number, "val_score": 0.9, "scores": {"accuracy": float(right.mean())}, "predictions": ""}
    confirmation = Confirmation(recipe=recipe, trial=number, seed=run.seed, **fields)
    store.confirm(confirmation, probabilities, np.zeros(images, np.int64))


def carried_out(store, accuracies, *, by_seed=0.0, seed=0, images=IMAGES):
    """Seeds of each technique when the plan has nothing more to do, and the plan."""
    rng, planned = np.random.default_rng(seed), plan(store, "auto")
    while due := planned.remaining():
        for run in due:
            confirm(store, run, accuracies[run.trial.recipe.technique], rng, by_seed=by_seed, images=images)
    return [sum(c.recipe.technique == technique for c in store.confirmations()) for technique in accuracies], planned


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
    heard, fitted = [], plan(store, 4)
    fitted.fit(FakeClock(100.0).limit(left), 1, heard.append)
    assert fitted.progress() == (0, 2 * seeds) and len(fitted.remaining()) == 2 * seeds
    warnings = [event.message for event in heard if isinstance(event, Warned)]
    assert len(warnings) == (seeds < 4)
    assert all(f"allow for {seeds} instead of 4 training seeds" in warning for warning in warnings)


def test_many_seeds_are_fitted_to_the_time_without_spending_it(store, monkeypatch):
    """The study is read once and not for each seed that is dropped, which took the very time that was kept."""
    fitted, read = plan(store, 400), []
    finalists = store.finalists
    monkeypatch.setattr(store, "finalists", lambda: read.append(1) or finalists())
    fitted.fit(FakeClock(100.0).limit(229.0), 1, lambda event: None)
    assert fitted.first == 4 and len(read) == 1


def test_where_one_is_far_ahead_two_seeds_do(store):
    counts, planned = carried_out(store, {Technique.FROZEN: 0.7, Technique.FINE_TUNE: 0.9})
    assert counts == [FIRST, FIRST]
    assert planned.prospect.technique is Technique.FINE_TUNE and planned.prospect.regret < 1e-4


def test_where_seeds_disagree_more_are_trained_but_no_more_than_the_most(tmp_path):
    total = 0
    for seed in range(3):
        store = searched(tmp_path / str(seed))
        counts, planned = carried_out(store, {Technique.FROZEN: 0.80, Technique.FINE_TUNE: 0.81}, by_seed=0.03, seed=seed)
        assert all(FIRST <= count <= MOST for count in counts)
        assert planned.prospect.regret <= planned.care or counts == [MOST, MOST]
        total += sum(counts)
    assert total > 3 * 2 * FIRST


def test_where_images_are_too_few_to_judge_by_more_seeds_are_no_use(store):
    assert carried_out(store, {Technique.FROZEN: 0.8, Technique.FINE_TUNE: 0.8}, by_seed=0.05, images=40)[0] == [FIRST, FIRST]


def test_one_technique_alone_has_nothing_to_be_compared_with(tmp_path):
    store = searched(tmp_path / "photos", TRIALS[:1])
    assert carried_out(store, {Technique.FROZEN: 0.8}, by_seed=0.05)[0] == [FIRST]


def test_what_comes_next_follows_from_what_is_recorded(tmp_path):
    """Cut off after any run, by whichever of two workers comes home first, the same runs are trained in the end."""
    accuracies = {Technique.FROZEN: 0.80, Technique.FINE_TUNE: 0.81}
    whole = searched(tmp_path / "whole")
    carried_out(whole, accuracies, by_seed=0.05, seed=3)
    wanted = {(c.trial, c.seed): whole.predictions(c) for c in whole.confirmations()}
    assert len(wanted) > 2 * FIRST
    store, order = searched(tmp_path / "photos"), np.random.default_rng(4)
    while due := plan(StudyStore.open(store.place), "auto").remaining():
        run = due[order.integers(len(due))]
        (stored,) = (c for c in whole.confirmations() if (c.trial, c.seed) == (run.trial.number, run.seed))
        store.confirm(stored, *wanted[stored.trial, stored.seed])
    assert {(c.trial, c.seed) for c in store.confirmations()} == set(wanted)


def test_runs_that_failed_do_not_hold_it_up(store):
    planned = plan(store, "auto")
    first, *others = planned.remaining()
    rng = np.random.default_rng(0)
    for run in others:
        confirm(store, run, 0.9 if run.trial.number == 1 else 0.6, rng)
    assert planned.remaining() == [first] and planned.remaining({first}) == []


def test_a_number_means_exactly_that(store):
    rng = np.random.default_rng(0)
    for run in plan(store, 3).remaining():
        confirm(store, run, 0.8, rng, by_seed=0.05)
    assert plan(store, 3).remaining() == [] and len(store.confirmations()) == 6


def test_a_difference_that_one_does_not_care_about_is_looked_into_no_further(tmp_path):
    accuracies = {Technique.FROZEN: 0.80, Technique.FINE_TUNE: 0.81}
    whole = searched(tmp_path / "careful")
    assert sum(carried_out(whole, accuracies, by_seed=0.05, seed=3)[0]) > 2 * FIRST
    planned = ConfirmationPlan(whole, "auto", care=0.5)
    assert planned.remaining() == [] and planned.prospect.regret < 0.5
    careless = searched(tmp_path / "careless")
    for confirmation in whole.confirmations():
        if confirmation.seed in {run.seed for run in plan(careless, FIRST).remaining()}:
            careless.confirm(confirmation, *whole.predictions(confirmation))
    assert ConfirmationPlan(careless, "auto", care=0.5).remaining() == [] != plan(careless, "auto").remaining()


def test_a_time_limit_leaves_rounds_that_nobody_asked_for_to_the_next_run(tmp_path):
    """Both seeds are there: it is not said that the time allows for one alone."""
    store, rng = searched(tmp_path / "photos"), np.random.default_rng(3)
    for run in plan(store, FIRST).remaining():
        confirm(store, run, 0.8 if run.trial.number == 1 else 0.81, rng, by_seed=0.05)
    heard, planned = [], plan(store, "auto")
    due = planned.remaining()
    planned.fit(FakeClock().limit(5.0), 1, heard.append)
    assert due and heard == [] and planned.remaining() == due


def test_folds_foresee_the_verdict_once_there_are_enough_of_them(tmp_path):
    few = divided_study(tmp_path / "few", folds=4, unfinished=[(2, Technique.FULL), (3, Technique.FULL)])
    assert foresee(few, 0.005) is None
    whole = divided_study(tmp_path / "whole", folds=4)
    found, verdict = foresee(whole, 0.005), summarize(whole.place).verdict
    assert found.technique is verdict.recommended
    assert found.regret == pytest.approx(verdict.chances[found.technique].expected_regret, abs=0.003)
