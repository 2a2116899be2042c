"""The time limit on a clock of its own."""

import math

import pytest

from tlsearch.search.phases.time_limit import TimeLimit


@pytest.mark.parametrize(("now", "reserve", "reached"), [(9.0, 0.0, False), (10.0, 0.0, True), (11.0, 0.0, True),
                                                         (6.0, 3.9, False), (6.0, 4.0, True), (6.0, 5.0, True)])  # fmt: skip
def test_a_limit_is_reached_when_no_more_than_the_reserve_is_left(now, reserve, reached):
    limit = TimeLimit(10.0, lambda: now)
    assert limit.left == 10.0 - now
    assert limit.reached(reserve) is reached


def test_without_a_limit_time_never_runs_out():
    assert TimeLimit.after(None).left == math.inf
    assert not TimeLimit.after(None).reached(1e9)
    assert 59 < TimeLimit.after(60.0).left <= 60


def test_parts_have_equal_times():
    limit = TimeLimit(10.0, lambda: 4.0)
    assert limit.share(3).left == 2.0 and limit.share(1).left == 6.0
    assert TimeLimit(10.0, lambda: 11.0).share(3).left == 0.0
    assert TimeLimit().share(3).left == math.inf
