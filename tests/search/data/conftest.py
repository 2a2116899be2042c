"""What tests of the data share."""

import pytest

from tlsearch.search.data import decoders, images


@pytest.fixture(autouse=True)
def decode_here(monkeypatch):
    """Decodes in this process unless a test asks for others, which take half a second to start."""
    monkeypatch.setattr(images, "usable", lambda processes, count: decoders.usable(processes or 0, count))
