"""A short soak; `python -m tests.chaos.soak` runs the long one."""

import multiprocessing

from ..platforms import needs
from .soak import search_many


@needs("psutil.Process.num_fds")
def test_neither_memory_nor_files_grow_with_the_number_of_trials(tmp_path):
    # In a process of its own: what other tests have left in this one is freed or opened at any time.
    with multiprocessing.get_context("spawn").Pool(1) as alone:
        grown = alone.apply(search_many, (tmp_path / "study", 30))
    assert grown.last_files <= grown.first_files + 1
    assert grown.last_mb < grown.first_mb + 40
