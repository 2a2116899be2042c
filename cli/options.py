"""The kinds of values that options take, and the readers of those that are more than a number or a name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..search.settings import LayoutName
from ..spaces.errors import OptionError

if TYPE_CHECKING:
    from ..search.workers.ray.cluster import RayCluster

EngineName = Literal["optuna", "keras-tuner"]
ReportFormat = Literal["terminal", "json", "csv", "markdown", "html"]
InspectFormat = Literal["terminal", "json", "html"]
ListFormat = Literal["terminal", "json"]
PredictionFormat = Literal["table", "json", "csv"]
TechniqueChoice = Literal["winner", "frozen", "fine-tune", "full"]

Output = Annotated[
    str | None,
    typer.Option(help="File to write to; - for the standard output.  [default: -, and for html on a terminal a file here]"),
]
FollowSymlinks = Annotated[bool, typer.Option("--follow-symlinks", help="Read links that leave the folder of images too.")]
Labels = Annotated[
    Path | None,
    typer.Option(
        help="CSV with columns path, label and optionally split (train, val, test), or the like, instead of class folders."
    ),
]
GroupBy = Annotated[
    str,
    typer.Option(
        "--group-by",
        help="What a split never parts, beside images that look alike: folder for the folders beside those of the classes, a "
        "regular expression for what it finds in the paths, such as 'patient(\\d+)'. none parts look-alikes too.",
    ),
]

PathColumn = Annotated[str | None, typer.Option(metavar="NAME", help="Column of --labels with the files.")]
LabelColumn = Annotated[str | None, typer.Option(metavar="NAME", help="Column of --labels with the classes.")]
SplitColumn = Annotated[str | None, typer.Option(metavar="NAME", help="Column of --labels with the splits.")]
GroupColumn = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Column of --labels with what never parts: images of one patient, scene or camera."),
]
LayoutOption = Annotated[
    LayoutName,
    typer.Option(
        "--layout",
        help="auto goes by the names of folders; classes: those in DATA are the classes, whatever they are called; nested: the "
        "folders in those are.",
    ),
]
LabelFromName = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="Read each class off the file's name, not its folder: the regular expression's group `label` or first one, such "
        r"as '^(\D+?)[ ._(-]*\d' for cat.12.jpg.",
    ),
]
SkipClass = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Go on without a class. Repeat it for several.")]
StorageUrl = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="URL",
        help="Database of shared studies, such as postgresql://user:password@host/database. The environment variable "
        "TLSEARCH_STORAGE does the same, without showing the password to whoever lists processes.",
    ),
]
StudyName = Annotated[
    list[str] | None, typer.Option("--study", metavar="NAME", help="Study in --storage. Repeat it for several, side by side.")
]
CacheDir = Annotated[
    Path | None, typer.Option(help="Folder of decoded images and activations.  [default: the user's cache folder]")
]


def _share(param: typer.CallbackParam, points: float | None) -> float | None:
    """Points as a fraction.

    Raises:
        OptionError: It is no number of points.
    """
    if points is not None and not 0 <= points <= 100:
        raise OptionError(f"{param.opts[0]} must be from 0 to 100 points, got {points:g}.")
    return None if points is None else points / 100


Care = Annotated[
    float | None,
    typer.Option(
        "--care",
        metavar="POINTS",
        callback=_share,
        help="Difference in score that matters: of techniques that cost no more, the quickest is recommended.  [default: 0.5]",
    ),
]


def at_least(low: int, most: int = 10**9) -> Callable[[typer.CallbackParam, int | None], int | None]:
    """Refuses smaller and larger numbers in our own words: Typer's do not say what was got."""

    def check(param: typer.CallbackParam, value: int | None) -> int | None:
        if value is not None and value < low:
            raise OptionError(f"{param.opts[0]} must be a whole number of at least {low}, got {value}.")
        if value is not None and value > most:
            raise OptionError(f"{param.opts[0]} must be a whole number of at most {most:,}, got {value:,}.")
        return value

    return check


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
    return _number_or_auto("--workers", text, 1, 256)


def parse_confirm(text: str) -> int | Literal["auto"]:
    """The number of seeds asked for, or ``auto``.

    Raises:
        OptionError: It is neither a number from 0 to 1,000 nor ``auto``.
    """
    number = _number_or_auto("--confirm", text, 0, 1000)
    return "auto" if number is None else number


def parse_folds(text: str) -> int | Literal["auto"]:
    """The number of folds asked for, or ``auto``; errors as of `check_folds`."""
    from ..search.data.split import check_folds

    return check_folds(text)


def _number_or_auto(option: str, text: str, low: int, most: int) -> int | None:
    if text == "auto":
        return None
    # Python refuses to read numbers of thousands of digits.
    if text.isdecimal() and len(text) < 10 and low <= int(text) <= most:
        return int(text)
    raise OptionError(f"{option} must be auto or a number from {low} to {most:,}, got {text}.")


def parse_cluster(address: str | None, cpus: int | None, gpus: float | None) -> RayCluster | None:
    """The cluster to train on; None for this machine.

    Raises:
        OptionError: One of them is out of bounds, or resources are asked for without a cluster.
    """
    if address is not None:
        from ..search.workers.ray.cluster import RayCluster

        return RayCluster(address=address, cpus_per_trial=cpus or 1, gpus_per_trial=gpus or 0)
    if cpus is not None or gpus is not None:
        raise OptionError("--cpus-per-trial and --gpus-per-trial are for --ray. On this machine --workers decides.")
    return None
