import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from tlsearch.reports import summarize
from tlsearch.reports.html.page import embedded, environment
from tlsearch.reports.html.report import render_report
from tlsearch.reports.render import render
from tlsearch.reports.words.cells import certainty

from ..factory import store_of, whole_study


class Reader(HTMLParser):
    """What a browser would find in the page."""

    def __init__(self, html):
        super().__init__()
        self.scripts, self.styles, self.addresses, self.handlers = [], [], [], []
        self.policy, self.data, self.pictures, self._within = "", "", 0, None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self._within = tag
        self.pictures += tag == "img"
        if tag == "script":
            self._within = attributes.get("type")
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"]
        self.addresses += [value for name, value in attributes.items() if name in ("src", "href", "action", "data", "srcset")]
        self.handlers += [name for name in attributes if name.startswith("on") or name == "style"]

    def handle_data(self, data):
        {"module": self.scripts.append, "style": self.styles.append, "application/json": self._figures}.get(
            self._within, lambda _: None
        )(data)

    def handle_endtag(self, tag):
        self._within = None

    def _figures(self, data):
        self.data += data


@pytest.fixture(scope="module")
def page(summary):
    return render(summary, "html")


def test_only_what_the_page_was_made_with_may_run(page):
    found = Reader(page)
    assert found.policy.startswith("default-src 'none'; ") and "unsafe" not in found.policy
    assert len(found.scripts) == 2 and len(found.styles) == 1
    for text in (*found.scripts, *found.styles):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in found.policy
    assert found.handlers == []


def test_nothing_is_fetched_and_the_file_is_small(page):
    assert all(address.startswith(("#", "data:image/")) for address in Reader(page).addresses)
    assert len(page.encode()) < 2e6


def test_the_same_study_gives_the_same_page(summary, page):
    assert render_report(summary) == page


def test_it_says_what_the_other_reports_say(summary, page):
    for sentence in (summary.verdict.reason, summary.cost_sentence, summary.similarity.sentence):
        assert escape(sentence) in page
    sure = page.split("<h3>How sure is that?</h3>")[1].split("</table>")[0]
    assert "within 0.5 points" in sure
    assert all(escape(cell) in sure for row in certainty(summary) for cell in row)
    for technique in summary.techniques:
        assert f"{technique.test.mean:.1%}" in page
    specs = json.loads(Reader(page).data)["specs"]
    assert set(specs) == {"techniques", "cost", "curves", "rates", "parallel", "timeline", "confusion", "depth"}
    assert all(f'id="chart-{name}"' in page for name in specs)


def test_every_chart_has_words_and_a_table(page):
    figures = re.findall(r"<figure.*?</figure>", page, re.DOTALL)
    assert len(figures) == 8
    for figure in figures:
        assert re.search(r'role="img" aria-label="Chart\. [^"]{20,}"', figure)
        assert figure.count("<tr>") > 1


def test_without_pictures_the_page_says_why(page):
    assert "cannot be read any more" in page and Reader(page).pictures == 0


def test_a_study_without_trials_makes_a_page(tmp_path):
    page = render_report(summarize(store_of(tmp_path / "photos")))
    assert "No verdict yet" in page and json.loads(Reader(page).data)["specs"] == {}


def test_log_loss_makes_a_page(tmp_path):
    page = render_report(summarize(whole_study(tmp_path / "photos", changes={"metric": "log_loss"})))
    assert "chart-cost" in page and "nats" in page


@given(st.text())
def test_no_text_ends_the_data_or_the_element_that_it_is_in(text):
    data = str(embedded({"name": text}))
    assert not set(data) & set("<>&") and json.loads(data) == {"name": text}
    shown = environment().from_string('<p title="{{ x }}">{{ x }}</p>').render(x=text)
    inner = shown.removeprefix('<p title="').removesuffix("</p>")
    assert not set(inner.replace('">', "", 1)) & set("<>\"'\n\u202e\x1b")
