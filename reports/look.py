"""A folder of images, looked at: what `inspect` does."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ..search.data.dataset import Reading
from ..search.data.inspection import Inspection, inspect_folder
from ..search.events import Listener
from ..search.statistics.expectation import expect
from .answer.insight import Similarity, similarity_of
from .files.inspection import inspection_json
from .terminal.drawing import plain
from .terminal.inspection import InspectionReport

if TYPE_CHECKING:
    from ..spaces.backbone.spec import BackboneSpec


def look(
    path: Path | str,
    *,
    seed: int,
    backbone: BackboneSpec,
    similarity: bool,
    doubts: bool,
    cache_dir: Path | None,
    listener: Listener,
    **reading: Unpack[Reading],
) -> tuple[Inspection, Similarity | None]:
    """Looks at a folder, says what to expect of it and, where that is asked for, measures its similarity.

    Args:
        path: The folder.
        seed: Of the split.
        backbone: What a search would use.
        similarity: Whether it is measured.
        doubts: Whether the labels are checked.
        cache_dir: Folder of the caches.
        listener: Receives progress events.
        **reading: See `Reading` and `LayoutOptions`.

    Raises:
        DataError: There are no images.
        OptionError: An option is out of its range.
        WeightsError: The weights cannot be found.
    """
    if similarity or doubts:
        backbone.locate()
    found = inspect_folder(path, seed=seed, cache_dir=cache_dir, listener=listener, **reading)
    dataset = found.dataset
    if dataset is None:
        return found, None
    profile = None
    # Both bring scikit-learn and the workers, which a mere look does without.
    if doubts:
        from ..search.phases.label_check import check_labels

        checked = check_labels(dataset, backbone, seed=seed, cache_dir=cache_dir, listener=listener)
        found = dataclasses.replace(found, doubts=checked)
    if similarity:
        from ..search.phases.profile import profile_alone

        profile = profile_alone(dataset, backbone, seed=seed, cache_dir=cache_dir, listener=listener)
    found = dataclasses.replace(found, expected=expect(dataset.settings(), profile, backbone.weights))
    return found, similarity_of(profile) if profile else None


def render(found: Inspection, similarity: Similarity | None, output_format: str) -> str:
    """The report as ``json``, ``html`` or ``terminal``: what the terminal shows, without its colours."""
    if output_format == "json":
        return inspection_json(found, similarity)
    if output_format == "terminal":
        return plain(InspectionReport(found, similarity))
    from .html.contact import render_contact

    return render_contact(found, similarity)
