"""What `inspect` says of a folder of images: counts, splits, sizes, duplicates, skipped files, balance, similarity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from ...search.data.inspection import Inspection
from ..answer.insight import Similarity
from ..text import literal
from ..words.inspection import class_counts, headline, inspection_facts, warnings
from .drawing import Stacked, facts_grid, panel, plain_table, titled
from .insight_tables import depth_profile

SHOWN_CLASSES = 30

_BAR = 24


@dataclass(frozen=True, slots=True)
class InspectionReport(Stacked):
    """The report of a folder; ``similarity`` is None where it was not asked for."""

    found: Inspection
    similarity: Similarity | None = None

    def parts(self, width: int) -> Iterator[RenderableType]:
        found = self.found
        colour = "red" if found.problem else "yellow" if warnings(found) else "green"
        lines = [Text(literal(found.problem))] if found.problem else []
        lines += [Text(sentence) for sentence in warnings(found)] or (
            [] if found.problem else [Text("Nothing is wrong with it.")]
        )
        yield panel(headline(found), lines, colour)
        yield self._classes()
        if self.similarity:
            yield depth_profile(self.similarity.profile)
        yield facts_grid(inspection_facts(found, self.similarity))

    def _classes(self) -> RenderableType:
        columns, rows = class_counts(self.found)
        table = plain_table("class", *(f"#{column}" for column in columns[1:]), "", fold=columns)
        most = max((total for *_, total in rows), default=1)
        for name, *numbers in rows[:SHOWN_CLASSES]:
            bar = Text("█" * max(1, round(_BAR * numbers[-1] / max(most, 1))), style="cyan") if numbers[-1] else Text()
            table.add_row(Text(literal(name)), *(f"{number:,}" for number in numbers), bar)
        more = f"the first {SHOWN_CLASSES} of {len(rows):,}" if len(rows) > SHOWN_CLASSES else ""
        return titled("Classes", table, more)
