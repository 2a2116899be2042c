"""What `inspect` says of a folder of images: counts, splits, sizes, duplicates, skipped files, balance, similarity."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ..search.data.folder import printable
from ..search.data.inspection import Duplicates, Inspection, inspect_folder
from ..search.events import Listener
from ..search.settings import DataSettings
from .dataset import imbalance, imbalance_sentence, rule_of_thumb
from .insight import Similarity, similarity_of
from .insight_tables import depth_profile
from .tables import heading, indented, plain, plain_table, stacked
from .text import count, listed, literal

SHOWN = 8
"""Duplicates and skipped files: so many of them are named."""

SHOWN_CLASSES = 30

_SPLITS = {"train": "training", "val": "validation", "test": "test", "all": "images"}
_BAR = 24


@dataclass(frozen=True, slots=True)
class InspectionReport:
    """The report of a folder.

    Attributes:
        found: What was found.
        similarity: To what the weights were trained on; None where it was not asked for.
    """

    found: Inspection
    similarity: Similarity | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Renders the parts one below the other."""
        yield from stacked(self._parts())

    def _parts(self) -> Iterator[RenderableType]:
        found = self.found
        colour = "red" if found.problem else "yellow" if warnings(found) else "green"
        lines = [Text(literal(found.problem))] if found.problem else []
        lines += [Text(sentence) for sentence in warnings(found)] or (
            [] if found.problem else [Text("Nothing is wrong with it.")]
        )
        yield Panel(
            Group(*lines), title=Text(headline(found), style=f"bold {colour}"), title_align="left", border_style=colour,
            padding=(1, 2),
        )  # fmt: skip
        yield self._classes()
        if self.similarity and self.similarity.profile:
            yield depth_profile(self.similarity)
        rows = Table.grid(padding=(0, 2))
        for label, value in facts(found, self.similarity):
            rows.add_row(Text(label, style="bold"), Text(value, overflow="fold"))
        yield rows

    def _classes(self) -> RenderableType:
        columns, rows = class_counts(self.found)
        table = plain_table()
        for column in columns:
            table.add_column(column, justify="left" if column == "class" else "right", overflow="fold")
        table.add_column("")
        most = max((total for *_, total in rows), default=1)
        for name, *numbers in rows[:SHOWN_CLASSES]:
            bar = Text("█" * max(1, round(_BAR * numbers[-1] / max(most, 1))), style="cyan") if numbers[-1] else Text()
            table.add_row(Text(literal(name)), *(f"{number:,}" for number in numbers), bar)
        more = f"the first {SHOWN_CLASSES} of {len(rows):,}" if len(rows) > SHOWN_CLASSES else ""
        return Group(heading("Classes", more), indented(table))


def look(
    path: Path | str,
    *,
    size: int,
    seed: int,
    similarity: tuple[float, str] | None,
    cache_dir: Path | None,
    listener: Listener,
    labels: Path | None = None,
    follow_symlinks: bool = False,
) -> tuple[Inspection, Similarity | None]:
    """Looks at a folder and, where it is asked for and the folder can be searched on, measures its similarity.

    Args:
        path: The folder.
        size: Side of the images, pixels.
        seed: Of the split.
        similarity: Width multiplier and weights to measure it with; None to leave it.
        cache_dir: Folder of the caches.
        listener: Told how far it is.
        labels: CSV file that names the images and their classes.
        follow_symlinks: Whether links that leave the folder are followed.

    Raises:
        DataError: There are no images.
        OptionError: An option is out of its range.
        WeightsError: The weights cannot be found.
    """
    from ..spaces.backbone import BackboneSpec

    backbone = BackboneSpec(alpha=similarity[0], size=size, weights=similarity[1]) if similarity else None
    if backbone:
        backbone.locate()
    found = inspect_folder(
        path, size=size, seed=seed, cache_dir=cache_dir, listener=listener, labels=labels, follow_symlinks=follow_symlinks
    )
    if backbone is None or found.dataset is None:
        return found, None
    # Brings scikit-learn and the workers, which a mere look does without.
    from ..search.similarity import profile_alone

    profile = profile_alone(found.dataset, backbone, seed=seed, cache_dir=cache_dir, listener=listener)
    return found, None if profile is None else similarity_of(profile)


def headline(found: Inspection) -> str:
    """The outcome in a few words."""
    if found.problem:
        return "Cannot be searched on yet"
    return "Ready to search on" if not warnings(found) else "Ready to search on, with remarks"


def warnings(found: Inspection) -> list[str]:
    """What one should look at, in sentences, the worst first."""
    sentences = []
    labels, leaks, copies = (_of(found, kind) for kind in ("across classes", "across splits", "within a split"))
    if labels:
        sentences.append(
            f"{count(len(labels), 'picture')} in more than one class: one of the labels is wrong, so a search uses neither."
        )
    if leaks:
        sentences.append(
            f"{count(len(leaks), 'picture')} in more than one split: a search keeps the one that is measured on, and "
            "leaves out the one that would be trained on."
        )
    if copies:
        sentences.append(f"{count(len(copies), 'picture')} more than once within a split: each is kept to one side of a split.")
    unused = [file for file in found.skipped if not file.reason.startswith("same bytes")]
    if unused:
        sentences.append(f"{count(len(unused), 'file')} left out: see below why.")
    if found.dataset and (uneven := imbalance_sentence(found.dataset.settings())):
        sentences.append(uneven)
    return sentences


def class_counts(found: Inspection) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Headings, and for each class its name, its images by split as a search uses them, and their sum.

    Where the folder cannot be searched on, the images as they lie in it.
    """
    if found.dataset is None:
        splits = sorted({split for counts in found.found.values() for split in counts}, key=list(_SPLITS).index)
        rows = [(name, *(counts.get(split, 0) for split in splits)) for name, counts in found.found.items()]
        columns = [_SPLITS[split] for split in splits]
    else:
        data = found.dataset
        parts = {"training": data.train, "validation": data.val, "test": data.test}
        columns = list(parts)
        rows = [
            (name, *(int((data.labels[part] == label).sum()) for part in parts.values()))
            for label, name in enumerate(data.classes)
        ]
    if len(columns) == 1:
        return ["class", *columns], rows
    return ["class", *columns, "total"], [(*row, sum(row[1:])) for row in rows]


def facts(found: Inspection, similarity: Similarity | None) -> Iterator[tuple[str, str]]:
    """Facts, each with its label; safe to print."""
    yield "Folder", literal(found.path)
    if found.layout.labels:
        yield "Labels", literal(str(found.layout.labels))
    if found.given:
        folders = [f"{literal(found.layout.splits[split])} ({_SPLITS[split]})" for split in found.given]
        made = "" if "val" in found.given else "; validation is cut from the training images"
        yield "Splits", f"{listed(folders)}{made}"
    else:
        yield "Splits", "none given: 70% training, 15% validation and 15% test images are drawn, each class in its proportion"
    if sizes := found.sizes:
        formats = listed([f"{number:,} {name}" for name, number in sizes.formats])
        (w0, w1, w2), (h0, h1, h2) = sizes.width, sizes.height
        yield "Sizes", f"{w1} × {h1} pixels at the median; widths {w0} to {w2}, heights {h0} to {h2}"
        yield "Files", f"{formats}; {_bytes(sizes.file_bytes)}"
    if found.dataset:
        data = found.dataset.settings()
        yield "Balance", f"the largest class has {imbalance(data):.1f} times the training images of the smallest"
        yield "Rule of thumb", rule_of_thumb(data, similarity.label if similarity else None).sentence
    if similarity:
        yield "Similarity", similarity.sentence
    if found.duplicates:
        yield f"Duplicates ({len(found.duplicates)})", _some([_duplicate(group) for group in found.duplicates])
    if found.skipped:
        named = [f"{literal(file.path)} ({literal(file.reason)})" for file in found.skipped]
        yield f"Skipped files ({len(found.skipped)})", _some(named)


def to_dict(found: Inspection, similarity: Similarity | None) -> dict[str, Any]:
    """The same, fit for JSON."""
    columns, rows = class_counts(found)
    data: DataSettings | None = found.dataset.settings() if found.dataset else None
    sizes = found.sizes
    return {
        "path": found.path,
        "labels": str(found.layout.labels) if found.layout.labels else None,
        "ready": not found.problem,
        "problem": found.problem or None,
        "warnings": warnings(found),
        "given_splits": list(found.given),
        "classes": [dict(zip(columns, row, strict=True)) for row in rows],
        "sizes": None
        if sizes is None
        else {
            "measured": sizes.measured,
            "width": dict(zip(("min", "median", "max"), sizes.width, strict=True)),
            "height": dict(zip(("min", "median", "max"), sizes.height, strict=True)),
            "formats": dict(sizes.formats),
            "bytes": sizes.file_bytes,
        },
        "imbalance": imbalance(data) if data else None,
        "size": rule_of_thumb(data).size if data else None,
        "similarity": None
        if similarity is None
        else {
            "label": similarity.label,
            "sentence": similarity.sentence,
            "knn_accuracy": similarity.knn_accuracy,
            "suggested_cut": similarity.suggested_cut,
            "depth_profile": [{"layer": p.layer, "block": p.block, "knn_accuracy": p.knn_accuracy} for p in similarity.profile],
        },
        "duplicates": [
            {"kind": group.kind, "files": [printable(name) for name in group.files], "classes": list(group.labels)}
            for group in found.duplicates
        ],
        "skipped": [{"path": file.path, "reason": file.reason} for file in found.skipped],
    }


def render(found: Inspection, similarity: Similarity | None, form: str) -> str:
    """The report as ``json``, ``html`` or ``terminal``: what the terminal shows, without its colours."""
    if form == "json":
        return json.dumps(to_dict(found, similarity), indent=2) + "\n"
    if form == "terminal":
        return plain(InspectionReport(found, similarity))
    from .html.contact import render_contact

    return render_contact(found, similarity)


def _of(found: Inspection, kind: str) -> list[Duplicates]:
    return [group for group in found.duplicates if group.kind == kind]


def _duplicate(group: Duplicates) -> str:
    return f"{' = '.join(literal(name) for name in group.files)} ({group.kind})"


def _bytes(number: int) -> str:
    return f"{number / 1e6:,.1f} MB" if number >= 1e5 else f"{number / 1e3:,.1f} kB"


def _some(named: Sequence[str]) -> str:
    more = f"; and {len(named) - SHOWN:,} more" if len(named) > SHOWN else ""
    return "; ".join(named[:SHOWN]) + more
