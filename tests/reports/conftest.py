"""Studies that several reports are made of."""

import pytest

from tlsearch.reports import summarize

from .factory import LEARNED, divided_study, whole_study


@pytest.fixture(scope="session", autouse=True)
def learned():
    """Reports do not change with what more data sets teach."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tlsearch.search.statistics.expectation.shipped", lambda: LEARNED)
        yield


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    """Of a study of six trials in which fine-tuning wins."""
    return summarize(whole_study(tmp_path_factory.mktemp("runs") / "photos"))


@pytest.fixture(scope="module")
def same(tmp_path_factory):
    """Two studies on the same data."""
    runs = tmp_path_factory.mktemp("runs")
    other = whole_study(runs / "larger", {"size": 224, "seed": 1}, skills={"frozen": 0.9, "fine-tune": 0.95, "full": 0.9})
    return [summarize(whole_study(runs / "photos")), summarize(other)]


@pytest.fixture(scope="module")
def divided(tmp_path_factory):
    """Of a study in five folds."""
    return summarize(divided_study(tmp_path_factory.mktemp("runs") / "photos"))
