"""Studies that several reports are made of."""

import pytest

from tlsearch.reports import summarize

from .factory import whole_study


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    """Of a study of six trials in which fine-tuning wins."""
    return summarize(whole_study(tmp_path_factory.mktemp("runs") / "photos"))
