"""What several commands print, and where they print it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..search.events import Event, Listener, TrialFinished, Warned
from ..search.trial import Metric
from ..spaces.errors import OptionError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from ..search.storage.address import Storage
    from ..search.storage.base import StudyPlace


def make_console(**options: Any) -> Console:
    """A console that colours nothing by itself."""
    from rich.console import Console

    return Console(highlight=False, **options)


_interrupted = threading.Event()


def interrupt(number: int, frame: object) -> None:
    """Handles Ctrl-C. A callback of a library may swallow the exception: `watching` raises it again at the next event."""
    _interrupted.set()
    raise KeyboardInterrupt


def debugging() -> bool:
    """Whether `--debug` is given: `main` needs it for errors that come before any option is parsed."""
    return "--debug" in sys.argv[1:]


@contextmanager
def watching(metric: Metric = "accuracy", *, quiet: bool) -> Iterator[Listener]:
    """Shows progress: redrawn in place on a terminal, lines elsewhere. With `--debug` failures show their traceback."""
    from ..reports.terminal.live import LiveProgress
    from ..reports.terminal.log import Log

    console = make_console(stderr=True)
    live, show_tracebacks = console.is_terminal and not quiet, debugging()
    display = LiveProgress(console, metric) if live else nullcontext(Log(console, metric, quiet=quiet))
    with _no_traceback_of_interrupts(), display as progress:

        def listener(event: Event) -> None:
            progress(event)
            if _interrupted.is_set() and not isinstance(sys.exc_info()[1], KeyboardInterrupt):
                raise KeyboardInterrupt
            if show_tracebacks and isinstance(event, TrialFinished | Warned) and event.traceback:
                _print_traceback(console, event)

        yield listener


@contextmanager
def _no_traceback_of_interrupts() -> Iterator[None]:
    """Python prints the traceback of what a callback swallows, as where a library clears up after an object that is gone."""
    show = sys.unraisablehook
    sys.unraisablehook = lambda found: None if isinstance(found.exc_value, KeyboardInterrupt) else show(found)
    try:
        yield
    finally:
        sys.unraisablehook = show


def _print_traceback(console: Console, event: TrialFinished | Warned) -> None:
    from rich.text import Text

    from ..reports.text import literal

    heading = f"Traceback of trial {event.trial.number}:" if isinstance(event, TrialFinished) else "Its traceback:"
    for line in (heading, *event.traceback.splitlines()):
        console.print(Text(literal(line)), soft_wrap=True)


def chosen_studies(names: Sequence[str | Path], storage: str | None) -> list[StudyPlace]:
    """The studies that a user names, by folders or by names in a database; the newest one where none is named.

    Args:
        names: Folders or names.
        storage: URL of the database, as the user gave it; None for that of the environment, if any.

    Raises:
        OptionError: There is none, or the URL is none.
        StorageError: The database cannot be read.
    """
    from ..search.storage.address import chosen_storage
    from ..search.storage.places import list_studies, place_of

    database = chosen_storage(storage)
    if names:
        # With the variable set for good, folders are still folders.
        return [place_of(name, database, folders_first=storage is None) for name in names]
    if newest := list_studies(database or Path("runs"))[:1]:
        return [*newest]
    if database is None:
        raise OptionError("there is no study under runs/ in this folder. Make one with `tlsearch run`, or name its folder.")
    raise OptionError(f"there is no study in {database}. Make one with `tlsearch run --storage`.")


def storage_for(study: Path | None, storage: str | None) -> Storage | None:
    """The database that a run's study is to be in, if any.

    Args:
        study: As the user named it. A folder that holds a study goes before what the environment says.
        storage: URL of the database, as the user gave it.

    Raises:
        OptionError: The URL is none.
    """
    from ..search.storage.address import chosen_storage
    from ..search.storage.folder.study import FolderStudy

    if storage is None and study is not None and FolderStudy(study).exists():
        return None
    return chosen_storage(storage)


def show_report(
    path: StudyPlace, output_format: str, output: str | None = None, top: int = 10, care: float | None = None
) -> None:
    """The report of a study, with so many trials in its leaderboard; then what is damaged of it.

    Args:
        path: The study.
        output_format: What to write.
        output: As in `write`.
        top: Trials in the leaderboard.
        care: As in `summarize`.
    """
    from ..reports.answer.summary import summarize
    from ..reports.render import render
    from ..reports.terminal.report import Report

    summary = summarize(path, care)
    show(Report(summary, top), lambda: render(summary, output_format, top), output_format, output, path.name)
    if summary.damage:
        print_error(f"The study in {summary.path} is damaged: {summary.damage}. The report shows what is left.", style="yellow")


def show(view: RenderableType, render: Callable[[], str], output_format: str, output: str | None, name: str) -> None:
    """A view on the terminal, or in another format where one is asked for; see `write`."""
    if output_format == "terminal" and output in (None, "-"):
        make_console().print(view)
    else:
        write(render(), output, output_format, name)


def write(text: str, output: str | None, output_format: str, name: str) -> None:
    """To a file, or to the standard output; a page that nobody has named a file for does not flood a terminal."""
    if output is None and output_format == "html" and sys.stdout.isatty():
        output = f"{Path(name).name or 'report'}.html"
        typer.echo(f"Writing {output}, {len(text.encode()) / 1e6:.1f} MB, to be opened in a browser.", err=True)
    if output is None or output == "-":
        sys.stdout.write(text)
        return
    from ..search.machine.paths import write_output

    try:
        write_output(Path(output), text.encode())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OptionError(f"--output must be a file that can be written, got {output} ({reason}).") from error


def print_error(message: str, style: str = "red") -> None:
    """One line on the standard error, whatever the message holds."""
    from rich.text import Text

    from ..reports.text import literal

    prefix = "" if style == "yellow" else "Error: "
    make_console(stderr=True).print(Text(literal(prefix + " ".join(message.split())), style=style), soft_wrap=True)
