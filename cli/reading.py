"""The commands that show what was learned, and what there is to learn from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..spaces.errors import OptionError
from .console import chosen_studies, make_console, show, show_report, watching
from .options import (
    CacheDir,
    Care,
    FollowSymlinks,
    GroupBy,
    GroupColumn,
    InspectFormat,
    LabelColumn,
    LabelFromName,
    Labels,
    LayoutOption,
    ListFormat,
    Output,
    PathColumn,
    ReportFormat,
    SkipClass,
    SplitColumn,
    StorageUrl,
    StudyName,
    at_least,
)

if TYPE_CHECKING:
    from ..search.storage.base import StudyPlace


def report(
    study: Annotated[
        list[Path] | None,
        typer.Argument(help="Folder of a study, or its name in --storage; several stand side by side.  [default: the newest]"),
    ] = None,
    output_format: Annotated[ReportFormat, typer.Option("--format", help="What to write.")] = "terminal",
    output: Output = None,
    top: Annotated[int, typer.Option(callback=at_least(1), help="Trials in the leaderboard.")] = 10,
    care: Care = None,
    storage: StorageUrl = None,
    name: StudyName = None,
) -> None:
    """Say which technique wins, by how much, and whether the difference is real."""
    paths = chosen_studies([*(study or ()), *(name or ())], storage)
    if len(paths) > 1:
        return _compare(paths, output_format, output, care)
    return show_report(paths[0], output_format, output, top, care)


def inspect(  # noqa: PLR0913 - the options of the command
    data: Annotated[Path | None, typer.Argument(help="Folder of images.  [default: that of --labels]")] = None,
    output_format: Annotated[InspectFormat, typer.Option("--format", help="html makes a contact sheet.")] = "terminal",
    output: Output = None,
    similarity: Annotated[
        bool, typer.Option("--similarity", help="Measure how similar the images are to those of the weights; takes a while.")
    ] = False,
    labels_check: Annotated[
        bool, typer.Option("--labels-check", help="Look for wrong labels with heads on frozen features; takes a while.")
    ] = False,
    size: Annotated[int, typer.Option(callback=at_least(32), help="Side of the images, pixels.")] = 160,
    alpha: Annotated[float, typer.Option(help="Width of MobileNetV2, for --similarity and --labels-check.")] = 1.0,
    weights: Annotated[str, typer.Option(help="imagenet, starter or a file, for the same.")] = "imagenet",
    seed: Annotated[int, typer.Option(callback=at_least(0), help="Of the split.")] = 0,
    labels: Labels = None,
    path_column: PathColumn = None,
    label_column: LabelColumn = None,
    split_column: SplitColumn = None,
    group_column: GroupColumn = None,
    follow_symlinks: FollowSymlinks = False,
    layout: LayoutOption = "auto",
    group_by: GroupBy = "",
    label_from_name: LabelFromName = None,
    skip_class: SkipClass = None,
    cache_dir: CacheDir = None,
) -> None:
    """Say what is in a folder of images, what is wrong with it, how large and how similar it is."""
    from ..reports.look import look, render
    from ..reports.terminal.inspection import InspectionReport
    from ..spaces.backbone.spec import BackboneSpec

    if data is None:
        if labels is None:
            raise OptionError("inspect takes a folder of images, or --labels FILE.csv, got neither. Name one.")
        data = labels.parent
    with watching(quiet=False) as listener:
        found, measured = look(
            data,
            size=size,
            seed=seed,
            backbone=BackboneSpec(alpha=alpha, size=size, weights=weights),
            similarity=similarity,
            doubts=labels_check,
            cache_dir=cache_dir,
            listener=listener,
            labels=labels,
            follow_symlinks=follow_symlinks,
            layout=layout,
            group_by=group_by,
            label_from_name=label_from_name,
            skip_class=tuple(skip_class or ()),
            path_column=path_column,
            label_column=label_column,
            split_column=split_column,
            group_column=group_column,
        )
    view = InspectionReport(found, measured)
    show(view, lambda: render(found, measured, output_format), output_format, output, data.resolve().name)


def dashboard(
    study: Annotated[
        Path | None, typer.Argument(help="Folder of a study, or its name in --storage.  [default: the newest]")
    ] = None,
    port: Annotated[int, typer.Option(callback=at_least(0), help="Port to listen on; 0 for any that is free.")] = 8080,
    storage: StorageUrl = None,
    name: StudyName = None,
) -> None:
    """Show a study in optuna-dashboard, on this machine only, until Ctrl-C."""
    from ..reports.dashboard import serve
    from ..search.storage.store import StudyStore

    (path, *_) = chosen_studies([*([study] if study else []), *(name or ())], storage)
    serve(StudyStore.open(path), port, lambda address: typer.echo(f"{path}: {address}  (Ctrl-C stops it)"))


def studies(
    runs: Annotated[Path | None, typer.Argument(help="Folder that holds studies.  [default: runs]")] = None,
    output_format: Annotated[ListFormat, typer.Option("--format", help="What to write.")] = "terminal",
    storage: StorageUrl = None,
) -> None:
    """List the studies in a folder or a database, the newest first."""
    from ..reports.listing import Listing
    from ..search.storage.address import chosen_storage
    from ..search.storage.places import list_studies

    # A folder that is named goes before what the environment says.
    database = None if runs is not None and storage is None else chosen_storage(storage)
    where = database or runs or Path("runs")
    listing = Listing(list_studies(where), where)
    if output_format == "json":
        sys.stdout.write(listing.to_json())
    else:
        make_console().print(listing)


def _compare(paths: list[StudyPlace], output_format: ReportFormat, output: str | None, care: float | None) -> None:
    from ..reports.answer.summary import summarize
    from ..reports.beside import SideBySide, render

    summaries = [summarize(path, care) for path in paths]
    show(SideBySide(summaries), lambda: render(summaries, output_format), output_format, output, paths[0].name)
