"""What a run would do and how long it would take, as JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from ...search.planning.dry_run import DryRun
from ...search.planning.estimate import Forecast
from ..words.plan import concerns, image_counts, phases, purpose, uncached


def plan_json(found: DryRun) -> str:
    """A JSON object; sizes in bytes, times in seconds."""
    survey, labels = found.survey, found.plan.options.labels
    train, val, test, skipped = image_counts(found)
    told = {
        "schema": 1,
        "data": {
            "path": survey.stand_in.path,
            "labels": str(labels) if labels else None,
            "classes": list(survey.stand_in.classes),
            "train": train,
            "val": val,
            "test": test,
            "folds": len((found.dataset or survey.stand_in).folds) or 1,
            "exact": found.dataset is not None,
            "skipped": skipped,
        },
        "images": {
            "files": survey.images,
            "file_bytes": survey.file_bytes,
            "to_decode": survey.to_decode,
            "bytes_to_decode": survey.bytes_to_decode,
            "decoded_bytes": survey.pixel_bytes,
            "disk_free": found.disk_free,
        },
        "study": str(found.plan.study),
        "warm_start": [str(study) for study in found.plan.warm_start],
        "trials": found.trials,
        "confirm": found.plan.options.budget.confirm,
        "workers": found.workers,
        "cache": {
            "limit": found.limit,
            "cuts": [
                {"cut": cut.cut, "for": purpose(cut), "bytes": cut.bytes, "missing": cut.missing, "kept": cut.kept}
                for cut in found.cuts
            ],
            "not_kept": uncached(found),
        },
        "concerns": concerns(found),
        "expected": _expected(found, found.forecast) if found.forecast else None,
        "unmeasured": found.unmeasured or None,
    }
    return json.dumps(told, indent=2) + "\n"


def _expected(found: DryRun, forecast: Forecast) -> dict[str, Any]:
    return {
        "seconds": forecast.total,
        "phases": dict(phases(found)),
        "techniques": [dataclasses.asdict(one) for one in forecast.techniques],
    }
