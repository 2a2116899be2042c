"""What a search trains on, in one value that every worker is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..spaces.backbone.spec import BackboneSpec
from .data.dataset import Dataset
from .settings import CacheType
from .trial import Metric


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that a worker needs to begin.

    Attributes:
        dataset: The images.
        backbone: Which MobileNetV2.
        weights: The file of its weights; None for random ones.
        weights_fingerprint: As `spaces.backbone.weights_fingerprint` gives it.
        cache: Folder of the activations.
        seed: Of the augmented views.
        metric: What the best epoch is chosen by.
        cache_dtype: Of the activations on disk.
        cache_limit: Bytes that the folder of the activations may take; None for a share of the free disk.
    """

    dataset: Dataset
    backbone: BackboneSpec
    weights: Path | None
    weights_fingerprint: str
    cache: Path
    seed: int
    metric: Metric
    cache_dtype: CacheType = "float16"
    cache_limit: int | None = None

    def search_rows(self) -> NDArray[np.int64]:
        """Rows that the search may see: training and validation."""
        return np.union1d(self.dataset.train, self.dataset.val)
