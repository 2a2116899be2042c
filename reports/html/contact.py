"""A folder of images as a page: what is in it, what is wrong with it, and a contact sheet."""

from __future__ import annotations

from ...search.data.inspection import Inspection
from ..answer.insight import Similarity
from ..text import count, listed, literal
from ..words.inspection import class_counts, headline, inspection_facts, warnings
from . import insight_charts
from .figure import Figure, Sheet, chart, tooltip
from .page import render
from .pictures import Picture, class_samples, picture

EACH = 18
"""Pictures of a class, where there are few classes."""

MOST = 400
"""Pictures in all: 1.6 MB."""

MOST_DUPLICATES = 40
"""Groups of duplicates that are shown with their picture: 0.2 MB."""


def render_contact(found: Inspection, similarity: Similarity | None) -> str:
    """The page of a folder."""
    classes = list(found.found)
    figures = [_balance(found), *([insight_charts.depth(similarity)] if similarity else [])]
    samples = class_samples(found.layout, classes, EACH, MOST)
    return render(
        "contact.html.jinja",
        f"{headline(found)} · {found.path}",
        (("verdict", "Overview"), ("classes", "Classes"), ("duplicates", "Duplicates"), ("pictures", "Pictures")),
        figures,
        {
            "headline": headline(found),
            "outcome": "insufficient" if found.problem or warnings(found) else "win",
            "path": found.path,
            "sentences": [*filter(None, [found.problem]), *warnings(found)],
            "facts": [(label, value) for label, value in inspection_facts(found, similarity) if "(" not in label],
            "figures_shown": figures,
            "duplicates": _duplicates(found),
            "duplicates_note": _more(len(found.duplicates)),
            "skipped": Sheet(("file", "reason"), [(file.path, file.reason) for file in found.skipped]),
            "samples": samples,
            "samples_note": f"{len(samples)} of {count(len(classes), 'class')}" if len(samples) < len(classes) else "",
        },
    )


def _balance(found: Inspection) -> Figure:
    columns, rows = class_counts(found)
    splits = [column for column in columns[1:] if column != "total"]
    names = [literal(str(row[0])) for row in rows]
    values = [
        {"class": place, "split": split, "order": order, "images": row[1 + order], "technique": "frozen",
         "reading": f"{names[place]}: {row[1 + order]:,} {split}"}
        for place, row in enumerate(rows)
        for order, split in enumerate(splits)
    ]  # fmt: skip
    opacities = [1.0, 0.6, 0.35][: len(splits)]
    layer = {
        "mark": {"type": "bar", "color": "var(--accent)", "stroke": "var(--card)"},
        "encoding": {
            "y": {"field": "class", "type": "ordinal", "title": None,
                  "axis": {"labelExpr": "names[datum.value]", "labelLimit": 140, "labelOverlap": True, "domain": False,
                           "ticks": False}},
            "x": {"field": "images", "type": "quantitative", "stack": "zero", "title": "images",
                  "axis": {"tickMinStep": 1, "tickCount": 6}},
            "order": {"field": "order"},
            "fillOpacity": {"field": "order", "type": "ordinal", "legend": None,
                            "scale": {"domain": list(range(len(splits))), "range": opacities}},
            "tooltip": tooltip("reading"),
        },
    }  # fmt: skip
    totals = sorted((sum(row[1 : 1 + len(splits)]), str(row[0])) for row in rows)
    (fewest, rare), (most, frequent) = totals[0], totals[-1]
    return Figure(
        "balance",
        "How many images does each class have?",
        f"From strong to pale: {listed(splits)}.",
        f"From {fewest:,} ({literal(rare)}) to {most:,} ({literal(frequent)}).",
        chart(values, [layer], height=min(900, max(60, 26 * len(rows))), names=[str(row[0]) for row in rows]),
        Sheet((columns[0], *(f"#{column}" for column in columns[1:])),
              [(str(row[0]), *(f"{number:,}" for number in row[1:])) for row in rows]),
    )  # fmt: skip


def _duplicates(found: Inspection) -> list[tuple[str, tuple[str, ...], Picture | None]]:
    """Of each group its kind, its files and its picture."""
    return [
        (group.kind, tuple(literal(name) for name in group.files),
         picture(found.layout.root, group.files[0], f"{group.kind}: {listed([literal(name) for name in group.files])}"))
        for group in found.duplicates[:MOST_DUPLICATES]
    ]  # fmt: skip


def _more(groups: int) -> str:
    return f"The first {MOST_DUPLICATES} of {groups:,} are shown." if groups > MOST_DUPLICATES else ""
