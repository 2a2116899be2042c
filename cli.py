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
from .search.settings import CacheType
from .search.trial import Metric
from .spaces.errors import OptionError, TlsearchError
from .spaces.recipe import BatchNorm, ClassWeight, Technique

if TYPE_CHECKING:
    from rich.console import Console

    from .reports.live import LiveProgress
    from .reports.log import Log
    from .reports.summary import Summary
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
ReportFormat = Literal["terminal", "json", "csv", "markdown", "html"]
InspectFormat = Literal["terminal", "json", "html"]
ListFormat = Literal["terminal", "json"]
TechniqueChoice = Literal["winner", "frozen", "fine-tune", "full"]

SKIPPED = 3
"""Exit code of `predict` where an image could not be read."""


def _at_least(low: int, most: int = 10**9) -> Callable[[typer.CallbackParam, int | None], int | None]:
    """Refuses smaller and larger numbers in our own words: Typer's do not say what was got."""

    def check(param: typer.CallbackParam, value: int | None) -> int | None:
        if value is not None and value < low:
            raise OptionError(f"{param.opts[0]} must be a whole number of at least {low}, got {value}.")
        if value is not None and value > most:
            raise OptionError(f"{param.opts[0]} must be a whole number of at most {most:,}, got {value:,}.")
        return value

    return check


Output = Annotated[
    str | None,
    typer.Option(help="File to write to; - for the standard output.  [default: -, and for html on a terminal a file here]"),
]
FollowSymlinks = Annotated[bool, typer.Option("--follow-symlinks", help="Read links that leave the folder of images too.")]
CacheDir = Annotated[
    Path | None, typer.Option(help="Folder of decoded images and activations.  [default: the user's cache folder]")
]


@app.command()
def run(
    data: Annotated[Path | None, typer.Argument(help="Folder of images.  [default: the built-in pictures]")] = None,
    trials: Annotated[
        int, typer.Option(callback=_at_least(1, 100_000), help="Trials of the whole study, over all of its runs.")
    ] = 20,
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
    confirm: Annotated[
        int, typer.Option(callback=_at_least(0, 1000), help="Seeds that each finalist is trained again with.")
    ] = 3,
    seed: Annotated[int, typer.Option(callback=_at_least(0), help="Of the split, the proposals and the training.")] = 0,
    workers: Annotated[str, typer.Option(help="Trials side by side: a number, or auto.")] = "auto",
    time_limit: Annotated[str | None, typer.Option(help="Such as 90s, 30m or 2h.")] = None,
    no_prune: Annotated[bool, typer.Option("--no-prune", help="Train hopeless trials to their end.")] = False,
    no_early_stopping: Annotated[bool, typer.Option("--no-early-stopping", help="Train every epoch.")] = False,
    demo: Annotated[
        str, typer.Option(help="Built-in set: small-similar, small-different, large-similar, large-different.")
    ] = "small-similar",
    follow_symlinks: FollowSymlinks = False,
    cache_dir: CacheDir = None,
    cache_dtype: Annotated[CacheType, typer.Option(help="Of the activations on disk.")] = "float16",
    cache_limit: Annotated[
        str | None,
        typer.Option(help="Most that activations take on disk, such as 500MB or 20GB.  [default: half of the free disk]"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; warnings and the report only.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the study in the folder and start it anew.")] = False,
) -> None:
    """Search for the best technique, or go on with a search; then report."""
    from .search.plan import plan_run

    count, limit, cache_bytes = parse_workers(workers), parse_duration(time_limit), parse_bytes(cache_limit)
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
        follow_symlinks=follow_symlinks,
    )
    plan.check_folders(fresh=fresh)
    with _watching(metric, quiet=quiet) as listener:
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
            cache_dtype=cache_dtype,
            cache_limit=cache_bytes,
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
    study: Annotated[
        list[Path] | None,
        typer.Argument(help="Folder of a study; several stand side by side.  [default: the newest under runs/]"),
    ] = None,
    form: Annotated[ReportFormat, typer.Option("--format", help="What to write.")] = "terminal",
    output: Output = None,
    top: Annotated[int, typer.Option(callback=_at_least(1), help="Trials in the leaderboard.")] = 10,
) -> None:
    """Say which technique wins, by how much, and whether the difference is real."""
    paths = study or [_newest()]
    if len(paths) > 1:
        return _compare(paths, form, output)
    if form == "terminal" and output in (None, "-"):
        return _print_report(paths[0], top)
    from .reports.files import render
    from .reports.summary import summarize

    summary = summarize(paths[0])
    text = render(summary, form, top)
    _say_what_is_damaged(summary)
    _write(text, output, form, paths[0])


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
def inspect(
    data: Annotated[Path, typer.Argument(help="Folder of images.")],
    form: Annotated[InspectFormat, typer.Option("--format", help="html makes a contact sheet.")] = "terminal",
    output: Output = None,
    similarity: Annotated[
        bool, typer.Option("--similarity", help="Measure how similar the images are to those of the weights; takes a while.")
    ] = False,
    size: Annotated[int, typer.Option(callback=_at_least(32), help="Side of the images, pixels.")] = 160,
    alpha: Annotated[float, typer.Option(help="Width of MobileNetV2, for --similarity.")] = 1.0,
    weights: Annotated[str, typer.Option(help="imagenet, starter or a file, for --similarity.")] = "imagenet",
    seed: Annotated[int, typer.Option(callback=_at_least(0), help="Of the split.")] = 0,
    follow_symlinks: FollowSymlinks = False,
    cache_dir: CacheDir = None,
) -> None:
    """Say what is in a folder of images, what is wrong with it, how large and how similar it is."""
    from .reports.inspection import InspectionReport, look
    from .reports.inspection import render as render_inspection

    with _watching(quiet=False) as listener:
        asked = (alpha, weights) if similarity else None
        found, measured = look(
            data,
            size=size,
            seed=seed,
            similarity=asked,
            cache_dir=cache_dir,
            listener=listener,
            follow_symlinks=follow_symlinks,
        )
    if form == "terminal" and output in (None, "-"):
        _console().print(InspectionReport(found, measured))
    else:
        _write(render_inspection(found, measured, form), output, form, data)


@app.command()
def dashboard(
    study: Annotated[Path | None, typer.Argument(help="Folder of a study.  [default: the newest under runs/]")] = None,
    port: Annotated[int, typer.Option(callback=_at_least(0), help="Port to listen on; 0 for any that is free.")] = 8080,
) -> None:
    """Show a study in optuna-dashboard, on this machine only, until Ctrl-C."""
    from .reports.dashboard import serve
    from .search.store import StudyStore

    path = study or _newest()
    serve(StudyStore.open(path), port, lambda address: typer.echo(f"{path}: {address}  (Ctrl-C stops it)"))


@app.command()
def studies(
    runs: Annotated[Path, typer.Argument(help="Folder that holds studies.")] = Path("runs"),
    form: Annotated[ListFormat, typer.Option("--format", help="What to write.")] = "terminal",
) -> None:
    """List the studies in a folder, the newest first."""
    from .reports.listing import Listing
    from .search.study_folder import list_studies

    listing = Listing(list_studies(runs), runs)
    if form == "json":
        sys.stdout.write(listing.to_json())
    else:
        _console().print(listing)


@cache_app.command("info")
def cache_info(cache_dir: CacheDir = None) -> None:
    """Say where the cache is, how large, and how large it may become."""
    from .search.eviction import default_limit
    from .search.paths import cache_root, folder_bytes

    root = cache_root(cache_dir)
    for name in ("images", "activations", "demo"):
        typer.echo(f"{name:12} {folder_bytes(root / name) / 1e6:10,.1f} MB  {root / name}")
    limit = default_limit(root / "activations")
    typer.echo(
        f"Activations may take {limit / 1e9:,.1f} GB (half of what the disk could give; --cache-limit of a run sets another)."
    )


@cache_app.command("clear")
def cache_clear(cache_dir: CacheDir = None) -> None:
    """Delete what can be computed again and is not in use. Studies are not touched."""
    import shutil

    from .search.eviction import clear
    from .search.paths import cache_root, folder_bytes

    root = cache_root(cache_dir)
    freed, held = clear(root / "activations")
    if not held:
        # A search reads its images for as long as it runs.
        for name in ("images", "demo"):
            freed += folder_bytes(root / name)
            shutil.rmtree(root / name, ignore_errors=True)
    typer.echo(f"freed {freed / 1e6:,.1f} MB in {root}")
    if held:
        typer.echo(f"kept {held / 1e6:,.1f} MB of activations, and the images: a search is using them")


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


def parse_bytes(text: str | None) -> int | None:
    """Bytes of ``500MB`` or ``20GB``, in powers of ten as disks are sold.

    Raises:
        OptionError: It is neither.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(MB|GB|TB)", text.strip(), re.IGNORECASE)
    if match is None:
        raise OptionError(f"--cache-limit must be a size such as 500MB or 20GB, got {text}.")
    return int(float(match[1]) * {"MB": 10**6, "GB": 10**9, "TB": 10**12}[match[2].upper()])


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


def _watching(metric: Metric = "accuracy", *, quiet: bool) -> LiveProgress | Log:
    """What shows progress: redrawn in place on a terminal, lines elsewhere."""
    from .reports.live import LiveProgress
    from .reports.log import Log

    progress = _console(stderr=True)
    return LiveProgress(progress, metric) if progress.is_terminal and not quiet else Log(progress, metric, quiet=quiet)


def _compare(paths: list[Path], form: ReportFormat, output: str | None) -> None:
    from .reports.beside import SideBySide
    from .reports.beside import render as render_comparison
    from .reports.summary import summarize

    summaries = [summarize(path) for path in paths]
    if form == "terminal" and output in (None, "-"):
        _console().print(SideBySide(summaries))
    else:
        _write(render_comparison(summaries, form), output, form, paths[0])


def _write(text: str, output: str | None, form: str, about: Path) -> None:
    """To a file, or to the standard output; a page that nobody has named a file for does not flood a terminal."""
    if output is None and form == "html" and sys.stdout.isatty():
        output = f"{about.resolve().name or 'report'}.html"
        typer.echo(f"Writing {output}, {len(text.encode()) / 1e6:.1f} MB, to be opened in a browser.", err=True)
    if output is None or output == "-":
        sys.stdout.write(text)
        return
    from .search.paths import write_output

    try:
        write_output(Path(output), text.encode())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OptionError(f"--output must be a file that can be written, got {output} ({reason}).") from error


def _newest() -> Path:
    from .search.study_folder import list_studies

    if found := list_studies(Path("runs")):
        return found[0]
    raise OptionError("there is no study under runs/ in this folder. Make one with `tlsearch run`, or name its folder.")


def _print_report(path: Path, top: int) -> None:
    from .reports.summary import summarize
    from .reports.terminal import Report

    summary = summarize(path)
    _console().print(Report(summary, top))
    _say_what_is_damaged(summary)


def _say_how_to_go_on(study: Study, trials: int) -> None:
    done = study.done
    _print_error(f"Stopped. {done} of {trials} trials are kept; the same command goes on.", style="yellow")


def _say_what_is_damaged(summary: Summary) -> None:
    if summary.damage:
        _print_error(
            f"The study in {summary.path} is damaged: {summary.damage}. The report shows what is left.", style="yellow"
        )


def _print_error(message: str, style: str = "red") -> None:
    from rich.text import Text

    from .reports.text import literal

    prefix = "" if style == "yellow" else "Error: "
    _console(stderr=True).print(Text(literal(prefix + " ".join(message.split())), style=style), soft_wrap=True)


def _console(**options: Any) -> Console:
    from rich.console import Console

    return Console(highlight=False, **options)
