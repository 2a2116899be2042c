"""A short soak; `python -m tests.chaos.soak` runs the long one."""

from .soak import search_many


def test_neither_memory_nor_files_grow_with_the_number_of_trials(tmp_path):
    grown = search_many(tmp_path / "study", 30)
    assert grown.last_files <= grown.first_files + 1
    assert grown.last_mb < grown.first_mb + 40
