"""The same command gives the same results to the last digit, whatever the number of workers that have as many threads each."""

import os
from contextlib import contextmanager

import pytest

from ..platforms import needs
from .test_run import OPTIONS, photos, report, tlsearch  # noqa: F401 - a fixture

pytestmark = [pytest.mark.slow, pytest.mark.trains, needs("os.sched_setaffinity")]


@contextmanager
def on_cores(count):
    """Commands in this context have so many cores, where there are as many."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def trials(found):
    """What was tried and what came of it, whatever the order."""
    return {
        (trial["technique"], trial["recipe"]["learning_rate"]): [[m["val_loss"], m["val_accuracy"]] for m in trial["curve"]]
        for trial in found["trials"]
    }


def test_the_same_command_gives_the_same_results(photos):  # noqa: F811
    home = photos.parent
    found = {}
    # A core for each worker: those that have more threads round otherwise.
    for study, workers in (("one", 1), ("again", 1), ("two", 2)):
        options = [*OPTIONS, "--trials", 4, "--confirm", 2, "--algorithm", "random", "--no-prune"]
        with on_cores(workers):
            tlsearch("run", "photos", *options, "--workers", workers, "--study", study, "--quiet", cwd=home)
        found[study] = report(study, home)
    assert trials(found["one"]) == trials(found["again"]) == trials(found["two"])
    assert found["one"]["verdict"] == found["again"]["verdict"] == found["two"]["verdict"]
