"""What `inspect` found in a folder of images, as a page with a contact sheet."""

from __future__ import annotations

from ...search.data.inspection import Inspection
from ..answer.insight import Similarity
from ..text import count, listed, literal
from ..words.inspection import class_counts, headline, inspection_facts, warnings
from . import insight_charts
from .figure import Figure, Sheet
from .page import render
from .pictures import Picture, class_samples, picture
from .vega import chart, class_axis, encode, layer, tooltip

EACH = 18
"""At most so many pictures of a class are shown."""

MOST = 400
"""At most so many pictures are shown in all: 1.6 MB."""

MOST_DUPLICATES = 40
"""At most so many groups of duplicates and look-alikes are shown, each with its pictures: 0.2 to 0.6 MB."""

SIDE_BY_SIDE = 3
"""Pictures of a group of look-alikes."""


def render_contact(found: Inspection, similarity: Similarity | None) -> str:
    """The page, as HTML."""
    classes, root = list(found.found), found.layout.root
    figures = [_balance(found), *([insight_charts.depth(similarity)] if similarity else [])]
    groups = len(found.duplicates) + len(found.lookalikes)
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
            "duplicates_note": _first_of(groups),
            "doubts": [
                (literal(one.file), told := f"{literal(one.label)}, or {literal(one.likely)}?", picture(root, one.file, told))
                for one in (found.doubts or ())[:MOST_DUPLICATES]
            ],
            "doubts_note": _first_of(len(found.doubts or ())),
            "skipped": Sheet(("file", "reason"), [(file.path, file.reason) for file in found.skipped]),
            "samples": samples,
            "samples_note": f"{len(samples)} of {count(len(classes), 'class')}" if len(samples) < len(classes) else "",
        },
    )


def _first_of(number: int) -> str:
    return f"The first {MOST_DUPLICATES} of {number:,} are shown." if number > MOST_DUPLICATES else ""


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
    opacities = {"domain": list(range(len(splits))), "range": [1.0, 0.6, 0.35][: len(splits)]}
    bar = {
        "y": encode("class", "ordinal", title=None, axis=class_axis(label_limit=140)),
        "x": encode("images", stack="zero", title="images", axis={"tickMinStep": 1, "tickCount": 6}),
        "order": {"field": "order"},
        "fillOpacity": encode("order", "ordinal", legend=None, scale=opacities),
        "tooltip": tooltip("reading"),
    }
    bars = layer("bar", bar, color="var(--accent)", stroke="var(--card)")
    totals = sorted((sum(row[1 : 1 + len(splits)]), str(row[0])) for row in rows)
    (fewest, rare), (most, frequent) = totals[0], totals[-1]
    return Figure(
        "balance",
        "How many images does each class have?",
        f"From strong to pale: {listed(splits)}.",
        f"From {fewest:,} ({literal(rare)}) to {most:,} ({literal(frequent)}).",
        chart(values, [bars], height=min(900, max(60, 26 * len(rows))), names=[str(row[0]) for row in rows]),
        Sheet((columns[0], *(f"#{column}" for column in columns[1:])),
              [(str(row[0]), *(f"{number:,}" for number in row[1:])) for row in rows]),
    )  # fmt: skip


def _duplicates(found: Inspection) -> list[tuple[str, tuple[str, ...], list[Picture]]]:
    """The kind, the files and a picture of each group of duplicates, then of each group of look-alikes, side by side."""
    groups = [(group, 1) for group in found.duplicates] + [(group, SIDE_BY_SIDE) for group in found.lookalikes]
    shown = []
    for group, most in groups[:MOST_DUPLICATES]:
        names = [literal(name) for name in group.files]
        pictures = [picture(found.layout.root, file, f"{group.kind}: {listed(names)}") for file in group.files[:most]]
        kind = group.kind if most == 1 else f"{group.kind}, look-alikes"
        shown.append((kind, tuple(names), [one for one in pictures if one]))
    return shown
