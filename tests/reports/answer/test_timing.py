from tlsearch.reports.answer.timing import Timing

from ..factory import TIMING


def test_the_phases_and_the_rest_make_the_whole():
    timing = Timing.of(TIMING)
    assert (timing.wall, timing.extract, timing.train, timing.confirm) == (200, 21, 120, 50)
    assert timing.total == 200 and timing.overhead == 9 and timing.decode is None


def test_of_a_run_that_goes_on_the_phases_that_ended_are_known():
    timing = Timing.of({"search": 5.0, "extract": 2.0, "confirm": 1.0, "decode": 3.0})
    assert (timing.wall, timing.total, timing.overhead, timing.decode) == (0, 8, 0, 3)


def test_of_nothing_recorded_all_is_zero():
    timing = Timing.of({})
    assert (timing.wall, timing.extract, timing.train, timing.confirm, timing.total, timing.overhead) == (0,) * 6
