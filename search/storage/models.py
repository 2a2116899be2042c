"""The models that a study keeps: for each technique the finalist's best seed by the validation split, and no other.

::

    runs/photos/models/
    ├── fine-tune.npz         the weights of the whole model, and how it came about
    └── fine-tune-refit.npz   the same recipe trained on training and validation images, once an export has asked for it

A technique's file is replaced when a seed does better, or when the search has found another finalist: so a study never
holds more than these, each as large as one MobileNetV2 (1.7 MB at α = 0.35, 9 MB at 1.0).
"""

from __future__ import annotations

import dataclasses
import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...spaces.backbone.trained import Weights
from ...spaces.errors import StudyError
from ...spaces.recipe import Recipe, Technique
from ..selection import better
from ..trial import Metric
from .base import StudyFiles
from .decoding import SCHEMA, RecordError, check_schema, convert, load, load_arrays

FOLDER = "models"
"""Of the study's files."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptModel:
    """A trained model, and how it came about.

    Attributes:
        recipe: What was trained.
        trial: Number of the trial whose recipe this is.
        seed: That it was trained with.
        order: Which of the confirmation's seeds that is, from 0.
        epoch: The epoch whose weights these are.
        val_score: The study's metric on the validation split.
        refit: Whether it was trained on the validation images too; ``val_score`` is then that of the model before.
        weights: Of the whole model, as `spaces.backbone.trained` takes them.
    """

    recipe: Recipe
    trial: int
    seed: int
    order: int
    epoch: int
    val_score: float
    refit: bool = False
    weights: Weights

    def facts(self) -> dict[str, Any]:
        """Everything but the weights, as JSON holds it."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "weights"}
        return {**fields, "recipe": self.recipe.as_dict()}


def model_name(technique: Technique, *, refit: bool = False) -> str:
    """The name of the file that a study keeps a technique's model in."""
    return f"{FOLDER}/{technique}{'-refit' if refit else ''}.npz"


def keep(files: StudyFiles, model: KeptModel) -> None:
    """Writes a model in place of the one that is there.

    Raises:
        StudyError: The study's folder cannot be written, or the disk is full.
    """
    name = model_name(model.recipe.technique, refit=model.refit)
    arrays: dict[str, Any] = {f"{number:04}": array for number, array in enumerate(model.weights)}
    arrays["facts"] = np.array(json.dumps({"schema": SCHEMA, **model.facts()}))
    content = io.BytesIO()
    np.savez(content, **arrays)
    files.write({name: content.getvalue()})


def keep_better(files: StudyFiles, model: KeptModel, metric: Metric) -> None:
    """Writes a model unless one of the same finalist is kept that validated better; a tie goes to the earlier seed."""
    try:
        there = kept_model(files, model.recipe.technique)
    except StudyError:
        there = None  # damaged: replaced
    if there is not None and there.trial == model.trial:
        earlier_tie = there.val_score == model.val_score and there.order < model.order
        if earlier_tie or better(metric, there.val_score, model.val_score):
            return
    keep(files, model)


def kept_model(files: StudyFiles, technique: Technique, *, refit: bool = False) -> KeptModel | None:
    """The model that a study keeps of a technique; None where there is none.

    Raises:
        StudyError: Its file is damaged.
    """
    name = model_name(technique, refit=refit)
    try:
        arrays = load_arrays(files.read(name))
        stored = load(str(arrays.pop("facts", "")).encode())
        check_schema(stored, files.where(name))
        return convert({**stored, "weights": [arrays[array] for array in sorted(arrays)]}, KeptModel)
    except FileNotFoundError:
        return None
    except (OSError, RecordError) as error:
        raise StudyError(
            f"the kept model {files.where(name)} is damaged. Restore it, or delete it and export with --refit, which trains "
            "it anew."
        ) from error


def kept_bytes(files: StudyFiles) -> int:
    """Bytes of all models that a study keeps."""
    return files.total_bytes(FOLDER)
