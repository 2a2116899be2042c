"""What tests of the data share."""

import pytest

from tlsearch.search.data import images


@pytest.fixture(autouse=True)
def decode_here(monkeypatch):
    """Decodes in this process unless a test asks for others, which take half a second to start."""
    usable = images._usable
    monkeypatch.setattr(images, "_usable", lambda processes, count: usable(processes or 0, count))
