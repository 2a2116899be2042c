"""The commands that take a model home and use it there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..search.predict.formats import Format, Quantize
from ..spaces.errors import OptionError
from .console import chosen_studies, make_console, print_error
from .options import CacheDir, PredictionFormat, StorageUrl, TechniqueChoice, at_least

SKIPPED = 3
"""Exit code of `predict` where a file was no image or could not be read."""


def export(  # noqa: PLR0913 - the options of the command
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[STUDY] OUT", help="Folder of a study or its name in --storage, by default the newest, and file to write."
        ),
    ],
    output_format: Annotated[Format | None, typer.Option("--format", help="What to write.  [default: by OUT's suffix]")] = None,
    technique: Annotated[TechniqueChoice, typer.Option(help="Whose model; winner is the one that is recommended.")] = "winner",
    quantize: Annotated[Quantize, typer.Option(help="Store the weights of a .tflite in fewer bits.")] = "none",
    with_resize: Annotated[
        bool, typer.Option("--with-resize", help="Make the resize part of the model: it takes RGB images of any size.")
    ] = False,
    refit: Annotated[bool, typer.Option("--refit", help="Train it again first, on training and validation images.")] = False,
    data: Annotated[Path | None, typer.Option(help="The study's folder of images.  [default: where it was]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    storage: StorageUrl = None,
    cache_dir: CacheDir = None,
) -> None:
    """Take a model out of a study as a file that needs no tlsearch, with a model card."""
    if len(paths) > 2:
        raise OptionError(f"export takes STUDY and OUT, got {len(paths)} paths. Give --format once for each call.")
    from ..reports.takeout import take_out

    (source,) = chosen_studies(paths[:-1], storage)
    with make_console(stderr=True).status("exporting and measuring …"):
        report = take_out(
            source,
            paths[-1],
            technique=technique,
            format=output_format,
            quantize=quantize,
            with_resize=with_resize,
            refit=refit,
            data=data,
            force=force,
            cache_dir=cache_dir,
        )
    make_console().print(report)


def predict(
    model: Annotated[Path, typer.Argument(help="A .keras, .tflite or .onnx file or SavedModel of `tlsearch export`.")],
    images: Annotated[list[Path], typer.Argument(help="Images, and folders of images.")],
    output_format: Annotated[PredictionFormat, typer.Option("--format", help="What to write.")] = "table",
    output: Annotated[str, typer.Option(help="File to write to; - for the standard output.")] = "-",
    batch_size: Annotated[int, typer.Option(callback=at_least(1), help="Images at a time.")] = 32,
) -> None:
    """Say what is on images, with an exported model. Exit code 3 where a file among them could not be read."""
    from ..reports.files.predictions import predict_to

    if skipped := predict_to(make_console(stderr=True), output, output_format, model, images, batch_size):
        print_error(f"{skipped} of the paths could not be read and {'was' if skipped == 1 else 'were'} skipped.", "yellow")
        raise typer.Exit(SKIPPED)
