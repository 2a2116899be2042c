"""The application: its commands, and what becomes of an error."""

from __future__ import annotations

import signal
import sys
from typing import Annotated, Any

import typer

from .. import __version__
from ..spaces.errors import TlsearchError
from . import caching, deploying, reading, running
from .console import debugging, interrupt, print_error

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells give it: 128 + SIGINT."""

app = typer.Typer(
    name="tlsearch",
    help="Which transfer-learning technique wins for your folder of images: frozen, fine-tune or full?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    running.run,
    reading.report,
    reading.inspect,
    deploying.export,
    deploying.predict,
    reading.studies,
    reading.dashboard,
):
    app.command()(command)
cache_app = typer.Typer(help="What is kept between runs.", no_args_is_help=True, rich_markup_mode=None)
cache_app.command()(caching.info)
cache_app.command()(caching.clear)
app.add_typer(cache_app, name="cache")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"tlsearch {__version__}")
        raise typer.Exit


@app.callback()
def _global(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options before the command."""


def main() -> None:
    """The console script: an error of the user's is one red line and its exit code, a bug keeps its traceback."""
    # A polite kill is treated like Ctrl-C: what is running is recorded as interrupted.
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        code: Any = app(standalone_mode=False)
    except (TlsearchError, typer.TyperException) as error:
        if debugging():
            raise
        print_error(error.format_message() if isinstance(error, typer.TyperException) else str(error))
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        # `tlsearch report | head`: the reader has what it wanted.
        sys.stderr.close()
        code = 0
    sys.exit(code if isinstance(code, int) else 0)
