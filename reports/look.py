"""A folder of images, looked at: what `inspect` does."""

from __future__ import annotations

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
    cache_dir: Path | None,
    listener: Listener,
    **reading: Unpack[Reading],
) -> tuple[Inspection, Similarity | None]:
    """Looks at a folder and, where it is asked for and the folder can be searched on, measures its similarity.

    Args:
        path: The folder.
        seed: Of the split.
        similarity: Width multiplier and weights to measure it with; None to leave it.
        cache_dir: Folder of the caches.
        listener: Receives progress events.
        **reading: See `Reading` and `LayoutOptions`.

    Raises:
        DataError: There are no images.
        OptionError: An option is out of its range.
        WeightsError: The weights cannot be found.
    """
    from ..spaces.backbone.spec import BackboneSpec

    size = reading.get("size", SIZE)
    backbone = BackboneSpec(alpha=similarity[0], size=size, weights=similarity[1]) if similarity else None
    if backbone:
        backbone.locate()
    found = inspect_folder(path, seed=seed, cache_dir=cache_dir, listener=listener, **reading)
    if backbone is None or found.dataset is None:
        return found, None
    # Brings scikit-learn and the workers, which a mere look does without.
    from ..search.phases.profile import profile_alone

    profile = profile_alone(found.dataset, backbone, seed=seed, cache_dir=cache_dir, listener=listener)
    return found, None if profile is None else similarity_of(profile)


def render(found: Inspection, similarity: Similarity | None, output_format: str) -> str:
    """The report as ``json``, ``html`` or ``terminal``: what the terminal shows, without its colours."""
    if output_format == "json":
        return inspection_json(found, similarity)
    if output_format == "terminal":
        return plain(InspectionReport(found, similarity))
    from .html.contact import render_contact

    return render_contact(found, similarity)
