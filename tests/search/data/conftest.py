"""What tests of the data share."""

import pytest

from tlsearch.search.data import decode_pool, images


@pytest.fixture(autouse=True)
def decode_here(monkeypatch):
    """Decodes in this process unless a test asks for others, which take half a second to start."""
    monkeypatch.setattr(
        images, "choose_processes", lambda processes, count: decode_pool.choose_processes(processes or 0, count)
    )
