import dataclasses
import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.reports import summarize
from tlsearch.reports.answer.insight import Confusion
from tlsearch.reports.html import charts, insight_charts, search_charts
from tlsearch.reports.html.figure import MOST_EPOCHS
from tlsearch.reports.html.page import CONFIG
from tlsearch.reports.html.parallel import parallel
from tlsearch.reports.html.report import render_report
from tlsearch.reports.text import thinned

from ...search.factory import START, complete, measurement
from ..factory import store_of
from .factory import busy_study


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    return summarize(busy_study(tmp_path_factory.mktemp("runs") / "photos"))


def figures(summary):
    classes = summary.settings.data.classes
    return [
        charts.techniques(summary),
        charts.cost(summary),
        insight_charts.confusion(summary.confusion, classes),
        insight_charts.depth(summary.similarity),
        search_charts.curves(summary),
        search_charts.learning_rates(summary),
        search_charts.importance(summary),
        search_charts.timeline(summary),
        parallel(summary),
    ]


def test_vega_lite_takes_every_chart(busy):
    import vl_convert

    for figure in figures(busy):
        vega = vl_convert.vegalite_to_vega({**figure.spec, "config": CONFIG})
        assert vega["marks"], figure.name


def test_tables_hold_the_numbers_of_the_charts(busy):
    found = {figure.name: figure for figure in figures(busy)}
    assert [row[1] for row in found["techniques"].sheet.rows] == [f"{t.test.mean:.1%}" for t in busy.techniques]
    assert len(found["curves"].sheet.rows) == len(found["parallel"].sheet.rows) == len(busy.ranked) == 27
    assert len(found["timeline"].sheet.rows) == len(busy.trials)
    for figure in found.values():
        assert {len(row) for row in figure.sheet.rows} == {len(figure.sheet.columns)}


def test_a_matrix_of_many_classes_leaves_out_its_zeros_and_its_numbers():
    size = 200
    matrix = tuple(tuple(3 if row == column else 0 for column in range(size)) for row in range(size))
    figure = insight_charts.confusion(Confusion(matrix, (1.0,) * size, ()), tuple(map(str, range(size))))
    assert len(figure.spec["data"]["values"]) == size and len(figure.spec["layer"]) == 1
    assert len(figure.sheet.columns) == 3 and "No test image" in figure.words


def test_names_in_charts_are_literal():
    matrix = ((1, 1), (0, 2))
    figure = insight_charts.confusion(Confusion(matrix, (0.5, 1.0), ((0, 1, 1),)), ("a\u202eb", "c\nd"))
    text = str(figure.spec) + figure.words + str(figure.sheet.rows)
    assert "\u202e" not in text and "\n" not in text and "a\\u202eb" in figure.words


@pytest.mark.parametrize(("idle", "begins"), [(20, 50), (search_charts.PAUSE, 90), (search_charts.PAUSE + 1, 30), (7200, 30)])
def test_pauses_between_runs_are_cut_out_of_the_timeline(busy, idle, begins):
    """Trials take 30 seconds each; between the two lie ``idle`` more."""
    later = START + timedelta(seconds=30 + idle)
    trials = (complete(0), complete(1, started=later, ended=later + timedelta(seconds=30)))
    rows = search_charts.timeline(dataclasses.replace(busy, trials=trials)).spec["data"]["values"]
    assert [(row["begins"], row["ends"]) for row in rows] == [(0, 30), (begins, begins + 30)]


def test_no_trials_no_charts(tmp_path):
    empty = summarize(store_of(tmp_path / "photos"))
    draw = (charts.techniques, charts.cost, search_charts.curves, search_charts.learning_rates, search_charts.importance,
            search_charts.timeline, parallel)  # fmt: skip
    assert [one(empty) for one in draw] == [None] * len(draw)


def test_one_trial_alone_has_a_chart_of_its_own(tmp_path):
    lone = summarize(store_of(tmp_path / "photos", [complete(0)]))
    assert charts.cost(lone) and search_charts.curves(lone) and parallel(lone) is None


def test_a_study_of_thousands_makes_a_page_that_is_small(busy):
    curve = busy.ranked[0].curve * 50
    many = tuple(
        dataclasses.replace(busy.ranked[n % 27], number=n, curve=curve, worker=f"worker-{n % 64}") for n in range(3000)
    )
    page = render_report(dataclasses.replace(busy, ranked=many, trials=many))
    # With 0.9 MB of Vega, and room for as much in pictures.
    assert len(page.encode()) < 4e6


@given(st.integers(0, 500))
def test_a_thinned_curve_keeps_its_end(length):
    curve = [measurement(epoch) for epoch in range(length)]
    found = thinned(curve, MOST_EPOCHS)
    assert len(found) <= MOST_EPOCHS and found[-1:] == curve[-1:]
    assert len({b.epoch - a.epoch for a, b in itertools.pairwise(found)}) <= 1
