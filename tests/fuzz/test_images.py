"""A short run of the image fuzzer; `python -m tests.fuzz.images` runs the long one."""

import pytest

from tlsearch.search.data.readers import MAX_MEMORY

from ..platforms import needs
from .images import fuzz
from .mutate import seeds

pytestmark = needs("/proc")


@pytest.mark.parametrize("form", sorted(seeds()))
def test_no_damaged_file_does_harm(tmp_path, form):
    check(fuzz(form, 250, tmp_path), 250)


@pytest.mark.slow
@pytest.mark.parametrize("form", sorted(seeds()))
def test_no_damaged_file_of_many_does_harm(tmp_path, form):
    check(fuzz(form, 2500, tmp_path, seed=1, seconds=40))


def check(tally, files=1):
    assert tally.files >= files
    assert (tally.crashes, tally.wrong) == (0, [])
    # Both happen, or it is not the decoder that is tried.
    assert tally.decoded and tally.refused
    assert tally.peak < MAX_MEMORY * 1.25
