"""Times that are reckoned from round numbers."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.search.planning.estimate import (
    PREDICT_SHARE,
    PROFILE_SECONDS,
    STORE_SHARE,
    Counts,
    Estimator,
    makespan,
)
from tlsearch.search.planning.probe import Speeds
from tlsearch.spaces.backbone.network import IMAGE, POOL
from tlsearch.spaces.presets import load_preset
from tlsearch.spaces.ranges import OneOf
from tlsearch.spaces.recipe import LAYERS, Technique
from tlsearch.spaces.space import SearchSpace

CUTS = OneOf((54, 98, 134))
SPACE = load_preset("default", earlier=True).space.replace(fine_tune_at=CUTS)
"""Of ten epochs a stage, at a constant rate."""
PACE = 1e-3
"""Seconds of an image in a training step, a step of the network that trains."""
# 1,000 values in each step: training all of them takes 154 times as long as training the last.
SPEEDS = Speeds(
    cuts={0: IMAGE, 54: 54, 98: 98, 134: 134, LAYERS: POOL + 1},
    values_at={54: 500, 98: 300, 134: 100, POOL + 1: 50},
    values=dict.fromkeys(range(LAYERS), 1000),
    start=5.0,
    decode=0.01,
    forward=0.04,
    train={0: PACE * LAYERS, 54: PACE * (LAYERS - 54), 134: PACE * (LAYERS - 134), LAYERS: 1e-5},
    trace={0: 2.0, 54: 1.0, 134: 0.5, LAYERS: 0.25},
)
ALL = frozenset(SPEEDS.values_at)
COUNTS = Counts(
    images=1000,
    train=600,
    val=200,
    test=200,
    trials=9,
    folds=1,
    confirm=2,
    workers=1,
    processes=2,
    missing=1000,
    profile=600,
)


def estimator(cached=ALL, space=SPACE):
    return Estimator(SPEEDS, space, cached)


def test_what_was_measured_is_given_back_and_the_rest_lies_between():
    assert estimator().training_step(0, IMAGE) == pytest.approx(SPEEDS.train[0])
    assert estimator().training_step(98, 98) == pytest.approx(PACE * (LAYERS - 98))
    assert estimator().training_step(LAYERS, POOL + 1) == SPEEDS.train[LAYERS]


def test_a_cut_that_is_not_cached_costs_the_pass_from_the_pixels():
    cached, pixels = estimator().training_step(134, 134), estimator().training_step(134, IMAGE)
    assert pixels == pytest.approx(cached + PREDICT_SHARE * PACE * 134, rel=0.01)
    assert estimator().training_step(LAYERS, IMAGE) == SPEEDS.train[LAYERS] + SPEEDS.forward


def test_one_anchor_scales_in_proportion():
    alone = dataclasses.replace(SPEEDS, train={54: PACE * 100, LAYERS: 1e-5})
    found = Estimator(alone, SPACE, ALL)
    assert found.training_step(104, 104) == pytest.approx(PACE * 50)
    assert found.training_step(0, IMAGE) == pytest.approx(PACE * 154)


def test_phases():
    found = estimator().forecast(COUNTS)
    assert found.start == 5.0
    assert found.decode == pytest.approx(1000 * 0.01 / 2)
    assert found.extract == pytest.approx((1000 * (1 + STORE_SHARE) + 600) * 0.04 + PROFILE_SECONDS)
    profiled = estimator().forecast(dataclasses.replace(COUNTS, profile=0))
    assert profiled.extract == pytest.approx(1000 * (1 + STORE_SHARE) * 0.04)
    assert found.total == pytest.approx(found.start + found.decode + found.extract + found.search + found.confirm)


def test_a_technique_takes_its_epochs():
    """Ten epochs of 600 training and 200 validation images, and the head before."""
    times = {one.technique: one for one in estimator().forecast(COUNTS).techniques}
    head = 10 * (600 + 200 * PREDICT_SHARE) * 1e-5 + 0.25
    assert times[Technique.FROZEN].trial_seconds == pytest.approx(head)
    full = 10 * (600 + 200 * PREDICT_SHARE) * SPEEDS.train[0] + 2.0
    assert times[Technique.FULL].trial_seconds == pytest.approx(full + head)
    assert [one.trials for one in times.values()] == [2, 4, 3]
    assert times[Technique.FINE_TUNE].trial_seconds < times[Technique.FULL].trial_seconds


def test_a_schedule_is_trained_to_its_end_and_heads_along_their_path():
    """Twenty passes at each of five penalties; six epochs of ``full``."""
    space = SearchSpace(fine_tune_at=CUTS)
    counts = dataclasses.replace(COUNTS, train=6400)
    times = {one.technique: one.trial_seconds for one in estimator(space=space).forecast(counts).techniques}
    images = 6400 + 200 * PREDICT_SHARE
    head = 100 * images * 1e-5 + 0.25
    assert times[Technique.FROZEN] == pytest.approx(head)
    assert times[Technique.FULL] == pytest.approx(6 * images * SPEEDS.train[0] + 2.0 + head)
    small = dataclasses.replace(counts, train=320)  # ten steps a pass: twenty passes a penalty, 12 of the whole network
    times = {one.technique: one.trial_seconds for one in estimator(space=space).forecast(small).techniques}
    assert times[Technique.FROZEN] == pytest.approx(100 * (320 + 200 * PREDICT_SHARE) * 1e-5 + 0.25)
    assert times[Technique.FULL] > 11 * 320 * SPEEDS.train[0]


def test_the_techniques_shares_are_the_whole():
    found = estimator().forecast(dataclasses.replace(COUNTS, workers=3))
    assert sum(one.seconds for one in found.techniques) == pytest.approx(found.search + found.confirm)


@pytest.mark.parametrize(("trials", "each"), [(1, [1, 0, 0]), (3, [1, 1, 1]), (8, [2, 3, 3])])
def test_trials_are_dealt_out_in_turn(trials, each):
    found = estimator().forecast(dataclasses.replace(COUNTS, trials=trials))
    assert [one.trials for one in found.techniques] == each


def test_a_space_without_all_techniques():
    space = SPACE.replace(techniques=(Technique.FROZEN,))
    speeds = dataclasses.replace(SPEEDS, train={LAYERS: 1e-5}, trace={LAYERS: 0.25})
    found = Estimator(speeds, space, ALL).forecast(COUNTS)
    assert [one.technique for one in found.techniques] == [Technique.FROZEN] and found.confirm > 0


def test_nothing_is_confirmed_or_decoded_where_nothing_is_asked_for():
    found = estimator().forecast(dataclasses.replace(COUNTS, confirm=0, images=0))
    assert found.confirm == found.decode == 0


@given(st.lists(st.floats(0.1, 100), max_size=20), st.integers(1, 5))
def test_workers_are_never_idle_while_there_is_work(seconds, workers):
    """Graham's bounds (1969)."""
    wall, longest = makespan(seconds, workers), max(seconds, default=0.0)
    assert wall >= max(longest, sum(seconds) / workers) - 1e-9
    assert wall <= sum(seconds) / workers + (1 - 1 / workers) * longest + 1e-9
