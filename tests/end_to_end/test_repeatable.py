"""The same command gives the same results, to the last digit with one worker."""

import pytest

from .test_run import OPTIONS, photos, report, tlsearch  # noqa: F401 - a fixture

pytestmark = [pytest.mark.slow, pytest.mark.trains]


def trials(found):
    """What was tried and what came of it, whatever the order."""
    return {
        (trial["technique"], trial["recipe"]["learning_rate"]): [[m["val_loss"], m["val_accuracy"]] for m in trial["curve"]]
        for trial in found["trials"]
    }


def test_the_same_command_gives_the_same_results(photos):  # noqa: F811
    home = photos.parent
    found = {}
    for study, workers in (("one", 1), ("again", 1), ("two", 2)):
        options = [*OPTIONS, "--trials", 4, "--confirm", 2, "--algorithm", "random", "--no-prune"]
        tlsearch("run", "photos", *options, "--workers", workers, "--study", study, "--quiet", cwd=home)
        found[study] = report(study, home)
    assert trials(found["one"]) == trials(found["again"])
    assert found["one"]["verdict"] == found["again"]["verdict"]
    # Two workers have fewer threads each, which round otherwise; nothing else may differ.
    assert trials(found["two"]).keys() == trials(found["one"]).keys()
    for key, curve in trials(found["two"]).items():
        for ours, theirs in zip(curve, trials(found["one"])[key], strict=True):
            assert ours == pytest.approx(theirs, rel=0.02, abs=0.02)
