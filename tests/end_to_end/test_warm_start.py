"""A search that starts from another one, through the command."""

import json

import pytest

from .test_run import OPTIONS, TECHNIQUES, photos, report, tlsearch

pytestmark = [pytest.mark.trains, pytest.mark.slow]
__all__ = ["photos"]


def test_a_search_starts_from_another_and_goes_on_without_it(photos):
    home = photos.parent
    short = ["--epochs", 1, "--confirm", 0, "--workers", 1, "--seed", 5]
    tlsearch("run", "photos", *OPTIONS, "--trials", 3, "--study", "runs/first", *short, cwd=home)
    (listed,) = json.loads(tlsearch("studies", "--format", "json", cwd=home).stdout)
    best = {one["technique"]: one["recipe"]["learning_rate"] for one in listed["techniques"]}

    # In another space: a study of its own.
    again = [*OPTIONS, "--study", "runs/second", *short, "--batch-size", 16]
    done = tlsearch("run", "photos", *again, "--trials", 4, "--warm-start", listed["path"], cwd=home)
    assert "warning: This space is another than the warm start's: batch_size 32 → 16" in " ".join(done.stderr.split())
    found = report("runs/second", home)
    first = found["trials"][:3]
    assert [trial["technique"] for trial in first] == TECHNIQUES
    assert {trial["technique"]: trial["recipe"]["learning_rate"] for trial in first} == best
    assert [one["trial"] for one in found["study"]["settings"]["warm_start"]["recipes"]] == [0, 1, 2]
    assert "Started from" in done.stdout

    (home / "runs" / "first").rename(home / "gone")
    tlsearch("run", "photos", *again, "--trials", 5, cwd=home)
    assert report("runs/second", home)["trials"][:4] == found["trials"]
    refused = tlsearch("run", "photos", *again, "--trials", 5, "--warm-start", "gone", cwd=home, code=2)
    assert "a study keeps what it was started from" in refused.stderr
