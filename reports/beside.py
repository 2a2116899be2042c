"""Several studies side by side: what differs where they searched on the same data, a plain table where they did not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from ..spaces.errors import OptionError
from ..spaces.recipe import Technique
from .answer.paired import difference
from .answer.summary import Summary
from .files.markdown import escape, table
from .terminal.drawing import Stacked, colored, plain, plain_table, titled
from .text import count, duration, gap, in_words, literal, metric_name
from .words.cells import NOTHING, gap_interval, tested
from .words.sentences import headline

_SETTINGS = ("engine", "algorithm", "seed", "metric", "alpha", "size", "weights")


@dataclass(frozen=True, slots=True)
class SideBySide(Stacked):
    """At least two studies beside each other; the others are compared with the first."""

    summaries: Sequence[Summary]

    @property
    def same_data(self) -> bool:
        """Whether all of them searched on the same images, split in the same way."""
        return len({summary.settings.data.fingerprint for summary in self.summaries}) == 1

    @property
    def comparable(self) -> bool:
        """Whether their scores may be subtracted."""
        return self.same_data and len({summary.settings.metric for summary in self.summaries}) == 1

    def parts(self, width: int) -> Iterator[RenderableType]:
        yield self._verdicts()
        yield self._scores()
        differing = self.differing()
        if self.same_data and differing:
            table = plain_table("setting", no_wrap=["setting"])
            for name in self.names:
                table.add_column(Text(name), overflow="fold")
            for setting, values in differing.items():
                table.add_row(setting, *(Text(literal(value)) for value in values))
            yield titled("What was set differently", table)
        if self.same_data:
            yield Text(
                "The same images, split in the same way. Each difference has a 95% interval by itself: of twenty that are "
                "nothing but luck, one excludes zero.",
                style="dim",
            )
        else:
            yield Text("Different images: the scores stand beside each other, their differences mean nothing.", style="dim")

    @property
    def names(self) -> list[str]:
        """Of the studies, each its own: a number is added where two are called the same."""
        names = [literal(summary.path.name) for summary in self.summaries]
        return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, start=1)]

    def _verdicts(self) -> RenderableType:
        named = "study", "data", "verdict"
        table = plain_table(*named, "#trials", "#time", fold=named, no_wrap=("trials", "time"))
        for name, summary in zip(self.names, self.summaries, strict=True):
            data = summary.settings.data
            images = f"{literal(data.path)}, {data.images:,} images, {count(len(data.classes), 'class')}"
            table.add_row(Text(name), Text(images), headline(summary), str(summary.trial_count), duration(summary.timing.total))
        return titled("Studies", table)

    def _scores(self) -> RenderableType:
        compared = self.comparable
        table = plain_table("technique", no_wrap=["technique"])
        for name in self.names:
            table.add_column(Text(f"{name}\ntest score"), justify="right", overflow="fold")
        if compared:
            for name in self.names[1:]:
                table.add_column(Text(f"{name}\nless {self.names[0]}"), justify="right", overflow="fold")
        for technique in self.asked:
            scores = self.test_scores(technique, separator="\n")
            against = [_against(technique, self.summaries[0], one) for one in self.summaries[1:]] if compared else []
            table.add_row(colored(technique), *scores, *against)
        metrics = " and ".join(dict.fromkeys(metric_name(summary.settings.metric) for summary in self.summaries))
        return titled(f"Test {metrics} by technique", table, "mean over seeds and 95% interval")

    @property
    def asked(self) -> list[Technique]:
        """The techniques that any of the studies asked for."""
        return [technique for technique in Technique if any(summary.of(technique) for summary in self.summaries)]

    def test_scores(self, technique: Technique, separator: str = " ") -> list[str]:
        """What a technique scored in each study, with its interval."""
        return [tested(summary.tests.get(technique), summary.settings.metric, separator) for summary in self.summaries]

    def differing(self) -> dict[str, list[str]]:
        """Settings in which the studies differ, with the value of each."""
        rows = {name: [str(getattr(summary.settings, name)) for summary in self.summaries] for name in _SETTINGS}
        spaces = [summary.settings.space for summary in self.summaries]
        for name in sorted({name for space in spaces for name in space}):
            rows[f"space: {name}"] = [_value(space.get(name)) for space in spaces]
        rows["trials"] = [str(summary.trial_count) for summary in self.summaries]
        return {name: values for name, values in rows.items() if len(set(values)) > 1}


def render(summaries: Sequence[Summary], output_format: str) -> str:
    """The comparison as ``json``, ``markdown`` or ``terminal``.

    Raises:
        OptionError: The format is for one study only.
    """
    beside = SideBySide(summaries)
    if output_format == "terminal":
        return plain(beside)
    if output_format not in ("json", "markdown"):
        raise OptionError(
            f"--format of several studies must be terminal, json or markdown, got {output_format}. "
            f"Name one study for {output_format}."
        )
    return json.dumps(_dict(beside), indent=2) + "\n" if output_format == "json" else _markdown(beside)


def _dict(beside: SideBySide) -> dict[str, Any]:
    return {
        "same_data": beside.same_data,
        "studies": [
            {
                "name": name,
                "path": str(summary.path),
                "data": summary.settings.data.path,
                "metric": summary.settings.metric,
                "decision": summary.verdict.decision,
                "recommended": summary.verdict.recommended,
                "proven": summary.verdict.proven,
                "techniques": {
                    one.technique: None if one.test is None else {"mean": one.test.mean, "ci95": list(one.test.ci95)}
                    for one in summary.techniques
                },
            }
            for name, summary in zip(beside.names, beside.summaries, strict=True)
        ],
        "differences": [
            {
                "technique": technique,
                "study": name,
                "less": beside.names[0],
                "difference": found.difference,
                "ci95": None if found.ci95 is None else list(found.ci95),
            }
            for technique in beside.asked
            for name, summary in zip(beside.names[1:], beside.summaries[1:], strict=True)
            if beside.comparable and (found := difference(technique, beside.summaries[0], summary))
        ],
        "differing": beside.differing() if beside.same_data else {},
    }


def _markdown(beside: SideBySide) -> str:
    names = [escape(name) for name in beside.names]
    rows = [(technique, *beside.test_scores(technique)) for technique in beside.asked]
    verdicts = ("verdict", *(headline(summary) for summary in beside.summaries))
    scores = table(("technique", *(f"#{name}" for name in names)), [*rows, verdicts])
    best = [(name, summary.recommended_recipe) for name, summary in zip(names, beside.summaries, strict=True)]
    recipes = [f"- {name}: {recipe.technique}, {in_words(recipe)}" for name, recipe in best if recipe]
    return "\n".join([scores, "", *recipes]) + "\n"


def _against(technique: Technique, first: Summary, other: Summary) -> str:
    found = difference(technique, first, other)
    if found is None:
        return NOTHING
    metric = first.settings.metric
    shown = gap(found.difference, metric)
    signed = f"+{shown}" if found.difference > 0 and not shown.startswith("0.0") else shown
    if found.ci95 is None:
        return signed
    return f"{signed}\n({gap_interval(found.ci95, metric)})"


def _value(value: Any) -> str:
    return json.dumps(value, default=str) if isinstance(value, dict | list) else str(value)
