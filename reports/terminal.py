"""A study's report on a terminal: a value that renders itself at any width."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ..search.metrics import maximized
from ..search.trial import Measurement
from ..spaces.presets import POST_ACCURACY, load_preset
from .summary import Summary, TechniqueSummary
from .text import describe, duration, literal, percent, score

COLOURS = {"frozen": "cyan", "fine-tune": "magenta", "full": "yellow"}
"""Of the techniques, in every report; all three are readable on dark and on light grounds."""

SHOWN_SKIPPED = 5
_SPARKS = "▁▂▃▄▅▆▇█"
_DECISIONS = {"win": "green", "tie": "blue", "insufficient": "yellow"}


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a study.

    Attributes:
        summary: What is reported.
        top: Trials in the leaderboard.
    """

    summary: Summary
    top: int = 10

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Renders the parts one below the other."""
        wide = options.max_width >= 100
        for part in self._parts(wide):
            yield part
            yield Text()

    def _parts(self, wide: bool) -> Iterator[RenderableType]:
        summary = self.summary
        yield self._verdict()
        yield self._techniques(wide)
        if any(technique.test for technique in summary.techniques):
            yield self._intervals()
        if summary.settings.space == load_preset("post").space.as_dict():
            yield self._post()
        if summary.ranked:
            yield self._leaderboard(wide)
        yield self._facts()

    def _verdict(self) -> Panel:
        summary, verdict = self.summary, self.summary.verdict
        title = {
            "win": f"{verdict.winner} wins",
            "tie": f"a tie: take {verdict.recommended}",
            "insufficient": f"{verdict.recommended} leads, not yet confirmed" if verdict.recommended else "no verdict yet",
        }[verdict.decision]
        lines = [Text(verdict.reason)]
        best = next((t.best for t in summary.techniques if t.technique is verdict.recommended and t.best), None)
        if best is not None:
            lines.append(Text(f"Its recipe: {describe(best.recipe)}."))
        lines.append(Text(self._next_step(), style="dim"))
        data = summary.settings.data
        where = Text(f"{literal(data.path)}: {len(data.classes)} classes, {data.train} + {data.val} + {data.test} images")
        if data.path.startswith("demo:"):
            lines.append(Text("The built-in drawn pictures: a demonstration, which says nothing of photographs.", style="dim"))
        return Panel(
            Group(*lines),
            title=Text(title, style=f"bold {_DECISIONS[verdict.decision]}"),
            title_align="left",
            subtitle=where,
            subtitle_align="right",
            border_style=_DECISIONS[verdict.decision],
            padding=(1, 2),
        )

    def _next_step(self) -> str:
        summary = self.summary
        done = len(summary.trials) - sum(t.failed for t in summary.techniques)
        if summary.running:
            return f"{len(summary.running)} trials are running, or were cut off: the same run command goes on."
        if summary.verdict.decision == "insufficient":
            return "Next: the same run command with more --trials, or with --confirm 3."
        if summary.verdict.decision == "tie":
            return f"To look closer: more test images, or more than {done} --trials."
        return "To be surer: the same run command with more --trials and another --seed in another --study."

    def _techniques(self, wide: bool) -> Table:
        metric = self.summary.settings.metric
        name = metric.replace("_", " ")
        table = Table(title="Techniques", title_justify="left", title_style="bold", expand=wide)
        table.add_column("technique", no_wrap=True)
        table.add_column("trials", justify="right")
        table.add_column("time", justify="right", no_wrap=True)
        table.add_column(f"best val. {name}", justify="right")
        table.add_column(f"test {name}", justify="right")
        table.add_column("trained\nparameters", justify="right")
        if wide:
            table.add_column("validation by epoch", no_wrap=True)
        table.add_column("best recipe")
        for technique in self.summary.techniques:
            best = technique.best
            cells: list[RenderableType] = [
                Text(technique.technique, style=COLOURS[technique.technique]),
                self._counts(technique),
                duration(technique.seconds) if technique.trials else "–",
                score(best.score, metric) if best else "–",
                self._test(technique),
                f"{best.trainable_params:,}" if best else "–",
            ]
            if wide:
                cells.append(sparkline(best.curve, metric) if best else "")
            cells.append(describe(best.recipe) if best else ("not tried" if not technique.trials else "none completed"))
            table.add_row(*cells)
        return table

    def _counts(self, technique: TechniqueSummary) -> str:
        notes = [f"{count} {word}" for count, word in ((technique.failed, "failed"), (technique.pruned, "pruned")) if count]
        return f"{len(technique.trials)}" + (f"\n{', '.join(notes)}" if notes else "")

    def _test(self, technique: TechniqueSummary) -> str:
        if technique.test is None:
            return "–"
        metric = self.summary.settings.metric
        low, high = (score(bound, metric) for bound in technique.test.ci95)
        seeds = len(technique.test.by_seed)
        return f"{score(technique.test.mean, metric)}\n{low} – {high}\n{seeds} seed{'s' if seeds > 1 else ''}"

    def _intervals(self) -> RenderableType:
        """The test scores with their intervals, drawn to one scale."""
        metric = self.summary.settings.metric
        tested = [(t, t.test) for t in self.summary.techniques if t.test]
        low = min(test.ci95[0] for _, test in tested)
        high = max(test.ci95[1] for _, test in tested)
        span = max(high - low, 1e-9)
        cells = 48
        rows = Table.grid(padding=(0, 1))
        for technique, test in tested:

            def place(value: float) -> int:
                return round((value - low) / span * (cells - 1))

            line = [" "] * cells
            line[place(test.ci95[0]) : place(test.ci95[1]) + 1] = "─" * (place(test.ci95[1]) - place(test.ci95[0]) + 1)
            line[place(test.mean)] = "●"
            colour = COLOURS[technique.technique]
            rows.add_row(Text(technique.technique, style=colour), Text("".join(line), style=colour), score(test.mean, metric))
        scale = Text(score(low, metric) + score(high, metric).rjust(cells - len(score(low, metric))), style="dim")
        rows.add_row("", scale, "")
        title = f"Test {metric.replace('_', ' ')} with 95% intervals over images and seeds"
        return Group(Text(title, style="bold"), Padding(rows, (0, 0, 0, 2)))

    def _post(self) -> Table:
        table = Table(title="Beside the blog post (cats against dogs, 2,000 training images)", title_justify="left")
        table.add_column("technique")
        table.add_column("the post's validation accuracy", justify="right")
        table.add_column("here", justify="right")
        for technique in self.summary.techniques:
            post = POST_ACCURACY.get(technique.technique)
            here = percent(technique.best.val_accuracy) if technique.best else "–"
            table.add_row(str(technique.technique), percent(post) if post else "–", here)
        return table

    def _leaderboard(self, wide: bool) -> Table:
        metric = self.summary.settings.metric
        shown = self.summary.ranked[: self.top]
        title = f"Best {len(shown)} of {len(self.summary.ranked)} complete trials, on the validation split"
        table = Table(title=title, title_justify="left", title_style="bold", expand=wide)
        table.add_column("trial", justify="right")
        table.add_column("technique", no_wrap=True)
        table.add_column(metric.replace("_", " "), justify="right")
        table.add_column("epoch", justify="right")
        table.add_column("time", justify="right", no_wrap=True)
        table.add_column("recipe")
        for trial in shown:
            technique = trial.recipe.technique
            table.add_row(
                str(trial.number),
                Text(technique, style=COLOURS[technique]),
                score(trial.score, metric),
                f"{trial.best_epoch} of {max(m.epoch for m in trial.curve)}",
                duration(trial.seconds),
                describe(trial.recipe),
            )
        return table

    def _facts(self) -> RenderableType:
        return Group(*(Text.assemble((f"{label}: ", "bold"), value) for label, value in self._lines()))

    def _lines(self) -> Iterable[tuple[str, str]]:
        summary = self.summary
        agrees = summary.rule.agrees(summary.verdict.winner)
        check = "" if agrees is None else (" It is right here." if agrees else " It is wrong here.")
        yield "Rule of thumb", summary.rule.sentence + check
        untried = [str(t.technique) for t in summary.techniques if not t.trials]
        if untried:
            yield "Not tried", ", ".join(untried)
        for trial in summary.failures[:SHOWN_SKIPPED]:
            yield f"Trial {trial.number} failed", f"{describe(trial.recipe, technique=True)}: {literal(trial.error)}"
        if len(summary.failures) > SHOWN_SKIPPED:
            yield "Failed too", f"{len(summary.failures) - SHOWN_SKIPPED} more trials"
        skipped = summary.settings.data.skipped
        if skipped:
            names = "; ".join(f"{literal(file.path)} ({file.reason})" for file in skipped[:SHOWN_SKIPPED])
            more = f"; and {len(skipped) - SHOWN_SKIPPED} more" if len(skipped) > SHOWN_SKIPPED else ""
            yield f"{len(skipped)} files skipped", names + more
        timing = summary.timing
        parts = [f"{p} {duration(timing[p])}" for p in ("decode", "extract", "search", "confirm", "overhead") if timing[p]]
        yield "Time", f"{duration(timing['wall'])} in all: {', '.join(parts)}"
        settings = summary.settings
        weights = settings.weights if settings.weights in ("imagenet", "starter", "random") else literal(settings.weights)
        yield (
            "Searched with",
            f"{settings.engine} ({settings.algorithm}), seed {settings.seed}, MobileNetV2 α = {settings.alpha:g}, "
            f"{settings.size} px, weights {weights}",
        )


def sparkline(curve: tuple[Measurement, ...], metric: str) -> str:
    """The score by epoch as a row of bars, from the curve's worst to its best."""
    scores = [m.score if maximized(metric) else -m.score for m in curve]  # type: ignore[arg-type]
    low, span = min(scores), max(max(scores) - min(scores), 1e-9)
    return "".join(_SPARKS[min(int((value - low) / span * len(_SPARKS)), len(_SPARKS) - 1)] for value in scores)
