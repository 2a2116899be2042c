"""A folder of images, looked at: what `inspect` does."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Unpack

from ..search.data.dataset import SIZE, Reading
from ..search.data.inspection import Inspection, inspect_folder
from ..search.events import Listener
from .answer.insight import Similarity, similarity_of
from .files.inspection import inspection_json
from .terminal.drawing import plain
from .terminal.inspection import InspectionReport


def look(
    path: Path | str,
    *,
    seed: int,
    similarity: tuple[float, str] | None,
    doubts: tuple[float, str] | None = None,
    cache_dir: Path | None,
    listener: Listener,
    **reading: Unpack[Reading],
) -> tuple[Inspection, Similarity | None]:
    """Looks at a folder and, where it is asked for and the folder can be searched on, measures its similarity.

    Args:
        path: The folder.
        seed: Of the split.
        similarity: Width multiplier and weights to measure it with; None to leave it.
        doubts: The same to check the labels with.
        cache_dir: Folder of the caches.
        listener: Receives progress events.
        **reading: See `Reading` and `LayoutOptions`.

    Raises:
        DataError: There are no images.
        OptionError: An option is out of its range.
        WeightsError: The weights cannot be found.
    """
    from ..spaces.backbone.spec import BackboneSpec

    size, asked = reading.get("size", SIZE), similarity or doubts
    backbone = BackboneSpec(alpha=asked[0], size=size, weights=asked[1]) if asked else None
    if backbone:
        backbone.locate()
    found = inspect_folder(path, seed=seed, cache_dir=cache_dir, listener=listener, **reading)
    if backbone is None or found.dataset is None:
        return found, None
    # Bring scikit-learn and the workers, which a mere look does without.
    from ..search.phases.label_check import check_labels
    from ..search.phases.profile import profile_alone

    dataset = found.dataset
    if doubts:
        checked = check_labels(dataset, backbone, seed=seed, cache_dir=cache_dir, listener=listener)
        found = dataclasses.replace(found, doubts=checked)
    if not similarity:
        return found, None
    profile = profile_alone(dataset, backbone, seed=seed, cache_dir=cache_dir, listener=listener)
    return found, None if profile is None else similarity_of(profile)


def render(found: Inspection, similarity: Similarity | None, output_format: str) -> str:
    """The report as ``json``, ``html`` or ``terminal``: what the terminal shows, without its colours."""
    if output_format == "json":
        return inspection_json(found, similarity)
    if output_format == "terminal":
        return plain(InspectionReport(found, similarity))
    from .html.contact import render_contact

    return render_contact(found, similarity)
