from tlsearch.reports import summarize
from tlsearch.reports.render import render
from tlsearch.search.settings import SkippedFile

from ...search.factory import complete
from ..factory import store_of


def test_markdown_escapes_what_the_user_named(tmp_path):
    data = {"path": "a|b*<i>", "skipped": (SkippedFile("x", "y"),)}
    text = render(summarize(store_of(tmp_path / "photos", [complete(0)], data=data)), "markdown")
    assert r"a\|b\*\<i\>" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 5 and {row.count("|") for row in rows} == {7}
    assert "1 file skipped" in text


def test_markdown_says_what_the_terminal_says(summary):
    text = render(summary, "markdown")
    assert text.startswith("### tlsearch: fine-tune wins\n") and summary.verdict.reason in text
    assert "| technique | best of all | expected regret | within 0.5 points |" in text
