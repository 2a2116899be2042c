"""A study's report as Markdown, for an issue or a page of notes."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence

from ..answer.dataset import rare_classes
from ..answer.summary import Summary
from ..text import count, literal, metric_name
from ..words.cells import TechniqueCells, certainty, certainty_columns, tested
from ..words.sentences import (
    DEMONSTRATION,
    baseline,
    came_true,
    headline,
    luck,
    nothing_learned,
    rule_of_thumb,
    split_of,
    started_from,
    time_spent,
    trained_on,
)


def study_markdown(summary: Summary) -> str:
    """The verdict, a table of the techniques, and a list of facts."""
    metric, verdict, data = summary.settings.metric, summary.verdict, summary.settings.data
    name = metric_name(metric)
    useless = [escape(nothing_learned(summary)), ""] if summary.useless else []
    lines = [f"### tlsearch: {headline(summary)}", "", *useless, verdict.reason, ""]
    if summary.is_demonstration:
        lines += [DEMONSTRATION, ""]
    headings = ("technique", "#trials", "#time", f"#best validation {name}", f"#test {name} (95% interval)", "best recipe")
    rows = []
    for one in summary.techniques:
        cells = TechniqueCells.of(one, summary)
        rows.append((one.technique, cells.trials, cells.seconds, cells.validation, tested(one.test, metric), cells.recipe))
    lines.append(table(headings, rows))
    if summary.verdict.chances:
        lines += ["", table(certainty_columns(summary), certainty(summary))]
    classes = ", ".join(map(escape, data.classes[:10])) + (" …" if len(data.classes) > 10 else "")
    facts = {
        "Cost": summary.cost_sentence,
        "Similarity": summary.similarity.sentence if summary.similarity else "",
        "Expected": came_true(summary),
        "Rule of thumb": rule_of_thumb(summary),
        "Data": f"{escape(data.path)}: {split_of(data)}; {classes}. {count(len(data.skipped), 'file')} skipped.",
        "Finalists": luck(summary),
        "Baseline": escape(baseline(summary)),
        "Rare classes": escape(rare_classes(data, metric)),
        "Time": f"{time_spent(summary)}.",
        "Device": escape(trained_on(summary)),
        "Search": f"{summary.settings.engine} ({summary.settings.algorithm}), seed {summary.settings.seed}.",
        "Started from": escape(started_from(summary)),
    }
    lines += ["", *(f"- {label}: {fact}" for label, fact in facts.items() if fact)]
    return "\n".join(lines) + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; ``#`` in front of a heading marks a column of numbers."""
    named, *filled = (f"| {' | '.join(row)} |" for row in ([heading.removeprefix("#") for heading in headings], *rows))
    rule = f"|{'|'.join('--:' if heading.startswith('#') else '---' for heading in headings)}|"
    return "\n".join([named, rule, *filled])


def escape(text: str) -> str:
    """Text from the user's files, without effect on the Markdown around it."""
    return "".join(f"\\{char}" if char in string.punctuation else char for char in literal(text))
