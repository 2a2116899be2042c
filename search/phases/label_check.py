"""Looks for wrong labels: what heads on frozen features say of images that they were not trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...spaces.backbone.spec import BackboneSpec
from ..data.dataset import Dataset
from ..data.inspection import Doubt
from ..events import Listener
from ..seeds import derive
from ..statistics.doubt import doubtful
from .profile import features_alone, sample

MOST_IMAGES = 20_000
"""That are looked at: some minutes of heads."""

_PARTS = 5

_STRENGTH = 0.01
"""C of the heads, in scikit-learn's sense: among the penalties that did best on frozen features of 1,280 values."""


def check_labels(
    dataset: Dataset, backbone: BackboneSpec, *, seed: int = 0, cache_dir: Path | None = None, listener: Listener
) -> tuple[Doubt, ...]:
    """Labels that are probably wrong, the most doubtful first; of the images of all splits, or a sample of them.

    Args:
        dataset: Whose labels are checked; its image size must be the backbone's.
        backbone: Which MobileNetV2.
        seed: Of the sample and the parts.
        cache_dir: Folder of the caches, as in `open_folder`.
        listener: Receives progress events; a warning where the features cannot be computed.

    Raises:
        WeightsError: The weights cannot be found or loaded.
    """
    rows = np.union1d(np.union1d(dataset.train, dataset.val), dataset.test)
    rows = sample(rows, dataset.labels, seed, MOST_IMAGES)
    features = features_alone(dataset, backbone, rows, seed=seed, cache_dir=cache_dir, listener=listener)
    if features is None:
        return ()
    groups = rows if dataset.groups is None else dataset.groups[rows]
    probabilities = _unseen(features[-1], dataset.labels[rows], groups, len(dataset.classes), seed)
    places, likely = doubtful(probabilities, dataset.labels[rows])
    return tuple(
        Doubt(
            file=dataset.files[rows[place]],
            label=dataset.classes[dataset.labels[rows[place]]],
            likely=dataset.classes[label],
            probability=float(probabilities[place, label]),
        )
        for place, label in zip(places.tolist(), likely.tolist(), strict=True)
    )


def _unseen(
    features: NDArray[np.floating], labels: NDArray[np.int64], groups: NDArray[np.int64], classes: int, seed: int
) -> NDArray[np.float64]:
    """Probabilities, ``(n, classes)``, each from a head that was trained on other groups of images."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    found = np.zeros((len(labels), classes))
    parts = StratifiedGroupKFold(_PARTS, shuffle=True, random_state=derive(seed, 10))
    for train, rest in parts.split(features, labels, groups):
        head = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, max_iter=300)).fit(
            features[train], labels[train]
        )
        found[np.ix_(rest, head.classes_)] = head.predict_proba(features[rest])
    return found
