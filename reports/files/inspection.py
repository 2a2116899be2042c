"""What `inspect` found in a folder of images, as JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from ...search.data.folder import printable
from ...search.data.inspection import Duplicates, Inspection, Sizes
from ...search.settings import DataSettings
from ..answer.dataset import imbalance, rule_of_thumb
from ..answer.insight import Similarity
from ..words.inspection import class_counts, warnings
from .json import expected_dict


def inspection_json(found: Inspection, similarity: Similarity | None) -> str:
    """A JSON object; what is not known is null."""
    columns, rows = class_counts(found)
    data: DataSettings | None = found.dataset.settings() if found.dataset else None
    told = {
        "path": found.path,
        "labels": str(found.layout.labels) if found.layout.labels else None,
        "ready": not found.problem,
        "problem": found.problem or None,
        "warnings": warnings(found),
        "given_splits": list(found.given),
        "classes": [dict(zip(columns, row, strict=True)) for row in rows],
        "sizes": _sizes(found.sizes) if found.sizes else None,
        "imbalance": imbalance(data) if data else None,
        "size": rule_of_thumb(data).size if data else None,
        "similarity": _similarity(similarity) if similarity else None,
        "expected": expected_dict(found.expected),
        "duplicates": [_group(group) for group in found.duplicates],
        "lookalikes": [_group(group) for group in found.lookalikes],
        "doubtful_labels": None
        if found.doubts is None
        else [{**dataclasses.asdict(one), "file": printable(one.file)} for one in found.doubts],
        "remarks": [{"path": path, "remark": remark} for path, remark in found.remarks.items()],
        "depth": found.depth or None,
        "skipped": [{"path": file.path, "reason": file.reason} for file in found.skipped],
    }
    return json.dumps(told, indent=2) + "\n"


def _group(group: Duplicates) -> dict[str, Any]:
    return {"kind": group.kind, "files": [printable(name) for name in group.files], "classes": list(group.labels)}


def _sizes(sizes: Sizes) -> dict[str, Any]:
    return {
        "measured": sizes.measured,
        "width": dict(zip(("min", "median", "max"), sizes.width, strict=True)),
        "height": dict(zip(("min", "median", "max"), sizes.height, strict=True)),
        "formats": dict(sizes.formats),
        "bytes": sizes.file_bytes,
    }


def _similarity(similarity: Similarity) -> dict[str, Any]:
    profile = similarity.profile
    return {
        "label": profile.label,
        "sentence": similarity.sentence,
        "knn_accuracy": profile.knn_accuracy,
        "suggested_cut": profile.suggested_cut,
        "depth_profile": [{"layer": p.layer, "block": p.block, "knn_accuracy": p.knn_accuracy} for p in profile.points],
    }
