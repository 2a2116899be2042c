"""The command line: reads arguments, wires the parts, prints, exits."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import __version__
from .search.export.formats import Format, Quantize
from .search.trial import Metric
from .spaces.errors import OptionError, TlsearchError
from .spaces.recipe import BatchNorm, ClassWeight, Technique

if TYPE_CHECKING:
    from rich.console import Console

    from .search.study import Study

app = typer.Typer(
    name="tlsearch",
    help="Which transfer-learning technique wins for your folder of images: frozen, fine-tune or full?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
cache_app = typer.Typer(help="What is kept between runs.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(cache_app, name="cache")

_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Typer's own error for arguments; its module has moved between versions, its public subclass has not."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells give it: 128 + SIGINT."""


PredictionFormat = Literal["table", "json", "csv"]
EngineName = Literal["optuna", "keras-tuner"]
ReportFormat = Literal["terminal", "json", "csv", "markdown"]
TechniqueChoice = Literal["winner", "frozen", "fine-tune", "full"]

SKIPPED = 3
"""Exit code of `predict` where an image could not be read."""


def _at_least(low: int) -> Callable[[typer.CallbackParam, int | None], int | None]:
    """Refuses smaller numbers in our own words: Typer's do not say what was got."""

    def check(param: typer.CallbackParam, value: int | None) -> int | None:
        if value is not None and value < low:
            raise OptionError(f"{param.opts[0]} must be a whole number of at least {low}, got {value}.")
        return value

    return check


CacheDir = Annotated[
    Path | None, typer.Option(help="Folder of decoded images and activations.  [default: the user's cache folder]")
]


@app.command()
def run(
    data: Annotated[Path | None, typer.Argument(help="Folder of images.  [default: the built-in pictures]")] = None,
    trials: Annotated[int, typer.Option(callback=_at_least(1), help="Trials of the whole study, over all of its runs.")] = 20,
    epochs: Annotated[int | None, typer.Option(callback=_at_least(1), help="Most epochs a stage.  [default: 10]")] = None,
    study: Annotated[Path | None, typer.Option(help="Folder of the study.  [default: runs/<name of DATA>]")] = None,
    engine: Annotated[EngineName, typer.Option(help="Who proposes.")] = "optuna",
    algorithm: Annotated[
        str | None,
        typer.Option(help="optuna: tpe, random, qmc, cmaes, grid; keras-tuner: bayesian, hyperband, random, grid."),
    ] = None,
    space: Annotated[str, typer.Option(help="default, post, smoke or a TOML file.")] = "default",
    technique: Annotated[list[Technique] | None, typer.Option(help="Repeat it for several.  [default: all three]")] = None,
    fine_tune_at: Annotated[
        list[int] | None, typer.Option(help="Freeze the layers below N; 1 to 153. Repeat it for several.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="Side of the images, pixels.  [default: 160]")] = None,
    alpha: Annotated[float | None, typer.Option(help="Width of MobileNetV2.  [default: 1.0]")] = None,
    weights: Annotated[str | None, typer.Option(help="imagenet, starter, random or a file.  [default: imagenet]")] = None,
    batch_size: Annotated[int | None, typer.Option(callback=_at_least(1), help="Images a step.  [default: 32]")] = None,
    augment: Annotated[bool, typer.Option("--augment", help="Train on flipped, rotated and zoomed views too.")] = False,
    batch_norm: Annotated[BatchNorm | None, typer.Option(help="BatchNorm while training.  [default: folded]")] = None,
    class_weight: Annotated[ClassWeight | None, typer.Option(help="Weigh rare classes more.")] = None,
    metric: Annotated[Metric, typer.Option(help="What trials are chosen and compared by.")] = "accuracy",
    confirm: Annotated[int, typer.Option(callback=_at_least(0), help="Seeds that each finalist is trained again with.")] = 3,
    seed: Annotated[int, typer.Option(callback=_at_least(0), help="Of the split, the proposals and the training.")] = 0,
    workers: Annotated[str, typer.Option(help="Trials side by side: a number, or auto.")] = "auto",
    time_limit: Annotated[str | None, typer.Option(help="Such as 90s, 30m or 2h.")] = None,
    no_prune: Annotated[bool, typer.Option("--no-prune", help="Train hopeless trials to their end.")] = False,
    no_early_stopping: Annotated[bool, typer.Option("--no-early-stopping", help="Train every epoch.")] = False,
    demo: Annotated[
        str, typer.Option(help="Built-in set: small-similar, small-different, large-similar, large-different.")
    ] = "small-similar",
    cache_dir: CacheDir = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; warnings and the report only.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the study in the folder and start it anew.")] = False,
) -> None:
    """Search for the best technique, or go on with a search; then report."""
    from .search.plan import plan_run

    count, limit = parse_workers(workers), parse_duration(time_limit)
    plan = plan_run(
        data,
        demo=demo,
        study=study,
        space=space,
        techniques=technique or (),
        fine_tune_at=fine_tune_at or (),
        epochs=epochs,
        batch_size=batch_size,
        size=size,
        alpha=alpha,
        weights=weights,
        augment=augment,
        batch_norm=batch_norm,
        class_weight=class_weight,
        engine=engine,
        algorithm=algorithm,
    )
    plan.check_folders(fresh=fresh)
    from .reports.live import LiveProgress
    from .reports.log import Log

    progress = _console(stderr=True)
    watching = LiveProgress(progress, metric) if progress.is_terminal and not quiet else None
    with watching or Log(progress, metric, quiet=quiet) as listener:
        dataset = plan.open_data(seed=seed, cache_dir=cache_dir, listener=listener)
        if dry_run:
            from .reports.plan import outline

            typer.echo(outline(plan, dataset, trials, confirm))
            return
        from .search.study import Budget, Study

        if fresh:
            Study.delete(plan.study)
        searching = Study.open(
            plan.study,
            dataset,
            backbone=plan.backbone,
            space=plan.space,
            engine=plan.engine,
            algorithm=plan.algorithm,
            metric=metric,
            seed=seed,
            cache_dir=cache_dir,
        )
        patience = None if no_early_stopping or not plan.early_stopping else 3
        try:
            searching.run(
                Budget(trials=trials, seconds=limit, confirm=confirm),
                workers=count,
                prune=not no_prune,
                patience=patience,
                listener=listener,
            )
        except KeyboardInterrupt:
            _say_how_to_go_on(searching, trials)
            raise
    _print_report(searching.store.path, 10)


@app.command()
def report(
    study: Annotated[Path | None, typer.Argument(help="Folder of a study.  [default: the newest under runs/]")] = None,
    form: Annotated[ReportFormat, typer.Option("--format", help="What to write.")] = "terminal",
    output: Annotated[str, typer.Option(help="File to write to; - for the standard output.")] = "-",
    top: Annotated[int, typer.Option(callback=_at_least(1), help="Trials in the leaderboard.")] = 10,
) -> None:
    """Say which technique wins, by how much, and whether the difference is real."""
    path = study or _newest()
    if form == "terminal" and output == "-":
        _print_report(path, top)
        return
    from .reports.files import render
    from .reports.summary import summarize

    text = render(summarize(path), form, top)
    if output == "-":
        sys.stdout.write(text)
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OptionError(f"--output must be a file that can be written, got {output} ({error.strerror}).") from error


@app.command()
def export(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="[STUDY] OUT", help="Folder of a study, by default the newest under runs/, and file to write."),
    ],
    form: Annotated[Format | None, typer.Option("--format", help="What to write.  [default: by OUT's suffix]")] = None,
    technique: Annotated[TechniqueChoice, typer.Option(help="Whose model; winner is the one that is recommended.")] = "winner",
    quantize: Annotated[Quantize, typer.Option(help="Store the weights of a .tflite in fewer bits.")] = "none",
    refit: Annotated[bool, typer.Option("--refit", help="Train it again first, on training and validation images.")] = False,
    data: Annotated[Path | None, typer.Option(help="The study's folder of images.  [default: where it was]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    cache_dir: CacheDir = None,
) -> None:
    """Take a model out of a study as a file that needs no tlsearch, with a model card."""
    if len(paths) > 2:
        raise OptionError(f"export takes STUDY and OUT, got {len(paths)} paths. Give --format once for each call.")
    from .reports.takeout import take_out

    source = paths[0] if len(paths) == 2 else _newest()
    console = _console(stderr=True)
    with console.status("exporting and measuring …") if console.is_terminal else nullcontext():
        report = take_out(
            source,
            paths[-1],
            technique=technique,
            format=form,
            quantize=quantize,
            refit=refit,
            data=data,
            force=force,
            cache_dir=cache_dir,
        )
    _console().print(report)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="A .keras, .tflite or .onnx file or SavedModel of `tlsearch export`.")],
    images: Annotated[list[Path], typer.Argument(help="Images, and folders of images.")],
    form: Annotated[PredictionFormat, typer.Option("--format", help="What to write.")] = "table",
    output: Annotated[str, typer.Option(help="File to write to; - for the standard output.")] = "-",
    batch_size: Annotated[int, typer.Option(callback=_at_least(1), help="Images at a time.")] = 32,
) -> None:
    """Say what is on images, with an exported model. Exit code 3 where one of them could not be read."""
    from .reports.predictions import predict_to

    if skipped := predict_to(_console(stderr=True), output, form, model, images, batch_size):
        _print_error(f"{skipped} of the paths could not be read and {'was' if skipped == 1 else 'were'} skipped.", "yellow")
        raise typer.Exit(SKIPPED)


@app.command()
def studies(runs: Annotated[Path, typer.Argument(help="Folder that holds studies.")] = Path("runs")) -> None:
    """List the studies in a folder, the newest first."""
    from .reports.listing import Listing
    from .search.store import list_studies

    _console().print(Listing(list_studies(runs), runs))


@cache_app.command("info")
def cache_info(cache_dir: CacheDir = None) -> None:
    """Say where the cache is and how large."""
    from .search.paths import cache_root, folder_bytes

    root = cache_root(cache_dir)
    for name in ("images", "activations", "demo"):
        typer.echo(f"{name:12} {folder_bytes(root / name) / 1e6:10,.1f} MB  {root / name}")


@cache_app.command("clear")
def cache_clear(cache_dir: CacheDir = None) -> None:
    """Delete what can be computed again. Studies are not touched."""
    import shutil

    from .search.paths import cache_root, folder_bytes

    root = cache_root(cache_dir)
    freed = 0
    for name in ("images", "activations", "demo"):
        freed += folder_bytes(root / name)
        shutil.rmtree(root / name, ignore_errors=True)
    typer.echo(f"freed {freed / 1e6:,.1f} MB in {root}")


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
    debug = "--debug" in sys.argv[1:]
    # A polite kill is treated like Ctrl-C: what is running is recorded as interrupted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code: Any = app(standalone_mode=False)
    except (TlsearchError, _UsageError) as error:
        if debug:
            raise
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        _print_error(message)
        code = getattr(error, "exit_code", 2)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        # `tlsearch report | head`: the reader has what it wanted.
        sys.stderr.close()
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


def parse_duration(text: str | None) -> float | None:
    """Seconds of ``90s``, ``30m`` or ``2h``.

    Raises:
        OptionError: It is none of those.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if match is None or float(match[1]) == 0:
        raise OptionError(f"--time-limit must be a time above 0 such as 90s, 30m or 2h, got {text}.")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def parse_workers(text: str) -> int | None:
    """The number of workers asked for; None for ``auto``.

    Raises:
        OptionError: It is neither a number from 1 to 256 nor ``auto``.
    """
    if text == "auto":
        return None
    if text.isdecimal() and 1 <= int(text) <= 256:
        return int(text)
    raise OptionError(f"--workers must be auto or a number from 1 to 256, got {text}.")


def _newest() -> Path:
    from .search.store import list_studies

    if found := list_studies(Path("runs")):
        return found[0]
    raise OptionError("there is no study under runs/ in this folder. Make one with `tlsearch run`, or name its folder.")


def _print_report(path: Path, top: int) -> None:
    from .reports.summary import summarize
    from .reports.terminal import Report

    _console().print(Report(summarize(path), top))


def _say_how_to_go_on(study: Study, trials: int) -> None:
    done = study.done
    _print_error(f"Stopped. {done} of {trials} trials are kept; the same command goes on.", style="yellow")


def _print_error(message: str, style: str = "red") -> None:
    from rich.text import Text

    from .reports.text import literal

    prefix = "" if style == "yellow" else "Error: "
    _console(stderr=True).print(Text(literal(prefix + " ".join(message.split())), style=style), soft_wrap=True)


def _console(**options: Any) -> Console:
    from rich.console import Console

    return Console(highlight=False, **options)
