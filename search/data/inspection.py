"""What is in a folder of images, and what is wrong with it, though it may not be fit to be searched on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack, get_args

from ...spaces.errors import DataError
from ..events import Listener, ignore
from ..machine.paths import cache_root
from ..settings import SkippedFile
from .dataset import SIZE, Dataset, Reading, open_folder, read_as
from .folder import Candidate, Layout, printable
from .groups import group_rows, likely_pairs
from .images import decode_all
from .labels import count_unnamed
from .readers import UnreadableImageError, open_image
from .splits import Split

if TYPE_CHECKING:
    from ..statistics.expectation import Expectation

MOST_MEASURED = 2000
"""Files whose headers are read for their sizes: a second's work, and the median of more is the same."""

Kind = Literal["across classes", "across splits", "within a split"]
"""Of duplicates, the worst first: a wrong label, a leak, a waste."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Files that show the same.

    Attributes:
        kind: The worst that can be said of them.
        files: Relative to the folder, in order.
        labels: Their classes, in order, each once.
    """

    kind: Kind
    files: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A label that is probably wrong.

    Attributes:
        file: Relative to the folder.
        label: What it says.
        likely: What it probably is.
        probability: Of that, by a model that has not seen the image.
    """

    file: str
    label: str
    likely: str
    probability: float


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the image files are.

    Attributes:
        measured: Files that were looked at.
        width, height: Smallest, median and largest, pixels.
        formats: Files of each format, the most frequent first.
        file_bytes: Of all image files.
    """

    measured: int
    width: tuple[int, int, int]
    height: tuple[int, int, int]
    formats: tuple[tuple[str, int], ...]
    file_bytes: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """A folder, looked at.

    Attributes:
        path: As the user named it.
        layout: What it holds.
        given: Split folders that it has; empty where the splits are left to be made.
        found: Usable images by class and by split as they lie in the folder, ``{class: {split: images}}``.
        duplicates: Groups of files of the same picture, the worst kind first.
        lookalikes: Groups of different pictures that show the same, the worst kind first; of files of one picture the first.
        skipped: Files that a search leaves out, and why.
        remarks: Files that a search uses though there is something odd about them, and what, ``{path: remark}``.
        depth: Bits that the 16-bit greyscale images use; 0 where there are none.
        sizes: Of the images; None where none can be read.
        dataset: As a search would use it; None where it cannot.
        problem: Why it cannot; empty where it can.
        doubts: Labels that are probably wrong, the most doubtful first; None where they were not checked.
        unnamed: Pictures in the folder that the file of labels does not name.
        expected: What to expect of each technique; None where nothing is known of it.
    """

    path: str
    layout: Layout
    given: tuple[Split, ...]
    found: dict[str, dict[Split, int]]
    duplicates: tuple[Duplicates, ...]
    lookalikes: tuple[Duplicates, ...]
    skipped: tuple[SkippedFile, ...]
    remarks: dict[str, str]
    depth: int
    sizes: Sizes | None
    dataset: Dataset | None
    problem: str
    doubts: tuple[Doubt, ...] | None = None
    unnamed: int = 0
    expected: Expectation | None = None


def inspect_folder(
    path: Path | str,
    *,
    seed: int = 0,
    cache_dir: Path | None = None,
    listener: Listener = ignore,
    **reading: Unpack[Reading],
) -> Inspection:
    """Looks at a folder; changes nothing in it. What it decodes serves a later search of the same size.

    Args:
        path: The folder.
        seed: Of the split, where the folder leaves one to be made.
        cache_dir: Folder of the caches, as in `open_folder`.
        listener: Receives progress events.
        **reading: See `Reading` and `LayoutOptions`.

    Raises:
        DataError: There is no such folder, or there are no images in class folders.
        OptionError: The cache folder cannot be written.
    """
    held = read_as(path, reading)
    decoded = decode_all(
        held.root, held.candidates, reading.get("size", SIZE), cache_root(cache_dir) / "images", None, listener
    )
    dataset, problem = None, ""
    try:
        dataset = open_folder(path, seed=seed, cache_dir=cache_dir, listener=listener, **reading)
    except DataError as error:
        problem = str(error)
    usable = [(file, digest) for file, digest in zip(held.candidates, decoded.pixels, strict=True) if digest is not None]
    pairs = likely_pairs(decoded.folder, [file for file, _ in usable], reading, listener)
    unreadable = [
        SkippedFile(printable(file.path), reason)
        for file, reason in zip(held.candidates, decoded.reasons, strict=True)
        if reason is not None
    ]
    found: dict[str, Counter[Split]] = {file.label: Counter() for file in held.candidates}
    for file, _ in usable:
        found[file.label][file.split] += 1
    return Inspection(
        path=str(path),
        layout=held,
        given=tuple(split for split in get_args(Split) if split in held.splits and split != "all"),
        found={label: dict(counts) for label, counts in sorted(found.items())},
        duplicates=duplicates(usable),
        lookalikes=lookalikes(usable, pairs),
        skipped=dataset.skipped if dataset else (*held.skipped, *unreadable),
        remarks={printable(file.path): text for file, text in zip(held.candidates, decoded.remarks, strict=True) if text},
        depth=decoded.depth,
        sizes=measure(held.root, [file for file, _ in usable]),
        dataset=dataset,
        problem=problem,
        unnamed=count_unnamed(held),
    )


def duplicates(files: Sequence[tuple[Candidate, str]]) -> tuple[Duplicates, ...]:
    """Groups of files of the same picture, given with the digests of their pixels."""
    groups: dict[str, list[Candidate]] = {}
    for file, digest in files:
        groups.setdefault(digest, []).append(file)
    return _told(groups.values())


def lookalikes(files: Sequence[tuple[Candidate, str]], pairs: Sequence[tuple[int, int]]) -> tuple[Duplicates, ...]:
    """Groups of different pictures that show the same.

    Args:
        files: With the digests of their pixels.
        pairs: Places of files that show the same.
    """
    groups: dict[int, dict[str, Candidate]] = {}
    for (file, digest), group in zip(files, group_rows(len(files), pairs).tolist(), strict=True):
        groups.setdefault(group, {}).setdefault(digest, file)
    return _told([*group.values()] for group in groups.values())


def _told(groups: Iterable[list[Candidate]]) -> tuple[Duplicates, ...]:
    kinds: tuple[Kind, ...] = get_args(Kind)
    found = []
    for group in groups:
        if len(group) > 1:
            labels = sorted({file.label for file in group})
            splits = {file.split for file in group}
            kind: Kind = "across classes" if len(labels) > 1 else "across splits" if len(splits) > 1 else "within a split"
            found.append(Duplicates(kind, tuple(sorted(file.path for file in group)), tuple(labels)))
    return tuple(sorted(found, key=lambda group: (kinds.index(group.kind), group.files)))


def measure(root: Path, files: Sequence[Candidate]) -> Sizes | None:
    """Sizes by the files' headers: of all, or of evenly chosen ones where there are many."""
    step = -(-len(files) // MOST_MEASURED) or 1
    widths: list[int] = []
    heights: list[int] = []
    formats: Counter[str] = Counter()
    for file in files[::step]:
        try:
            with (root / file.path).open("rb") as opened, open_image(opened) as image:
                widths.append(image.width)
                heights.append(image.height)
                formats[str(image.format)] += 1
        except (OSError, SyntaxError, UnreadableImageError):
            # It has been decoded, now or by an earlier run, and has gone or changed since.
            continue
    if not widths:
        return None
    return Sizes(
        len(widths),
        _spread(widths),
        _spread(heights),
        tuple(sorted(formats.items(), key=lambda item: (-item[1], item[0]))),
        sum(file.size for file in files),
    )


def _spread(values: list[int]) -> tuple[int, int, int]:
    ordered = sorted(values)
    return ordered[0], ordered[len(ordered) // 2], ordered[-1]
