"""What a run would do and how long it would take, for ``--dry-run``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from ...search.planning.dry_run import DryRun
from ..text import count, file_size
from ..words.plan import about, concerns, phases, plan_facts, purpose, uncached
from .drawing import Stacked, colored, facts_grid, heading, indented, plain_table


@dataclass(frozen=True, slots=True)
class PlanReport(Stacked):
    """A dry run, as the terminal shows it."""

    found: DryRun

    def parts(self, width: int) -> Iterator[RenderableType]:
        yield facts_grid(plan_facts(self.found))
        if sentences := concerns(self.found):
            yield Group(*(Text(sentence, style="yellow") for sentence in sentences))
        yield self._cache()
        yield self._time()

    def _cache(self) -> RenderableType:
        found = self.found
        table = plain_table("#cut", "for", "#on disk", "")
        for cut in found.cuts:
            state = "there already" if cut.kept and not cut.missing else "" if cut.kept else "does not fit"
            table.add_row(str(cut.cut), purpose(cut), file_size(cut.bytes), state)
        limit = f"at most {file_size(found.limit)}; --cache-limit sets another limit"
        parts: list[RenderableType] = [heading("Activations kept on disk", limit), indented(table)]
        parts += [indented(Text(sentence)) for sentence in uncached(found)]
        return Group(*parts)

    def _time(self) -> RenderableType:
        forecast = self.found.forecast
        if forecast is None:
            return Text(f"How long it would take could not be measured: {self.found.unmeasured}.")
        table = plain_table("technique", "#trials", "#a trial", "#with confirmation")
        for one in forecast.techniques:
            table.add_row(colored(one.technique), str(one.trials), about(one.trial_seconds), about(one.seconds))
        each = [f"{name} {about(seconds)}" for name, seconds in phases(self.found) if round(seconds, 1)]
        total = Text(f"In all about {about(forecast.total)}: {', '.join(each)}.")
        measured = f"about; measured with {count(self.found.workers, 'worker')} for 2 s"
        return Group(heading("Expected time", measured), indented(table), indented(total))
