"""The options of a run as the user gave them: None for what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...spaces.recipe import BatchNorm, ClassWeight
from ..options import Budget
from ..settings import CacheType, LayoutOptions
from ..storage.address import Storage
from ..trial import Metric

if TYPE_CHECKING:
    from ..workers.ray.cluster import RayCluster


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of `tlsearch run`, which `plan_run` checks against each other.

    Attributes:
        data: Folder of the images; None for the folder of ``labels``, or for the built-in set.
        demo: Variant of the built-in set.
        labels: CSV file that names the images and their classes; None for class folders.
        layout_options: How the folder of images is to be understood.
        folds: As in `Reading`.
        study: Folder of the study, or its name in ``storage``.
        storage: Database of shared studies; None for folders.
        fresh: Whether an existing study is to be deleted.
        space: A preset's name or a TOML file, which the next seven narrow.
        techniques, fine_tune_at, epochs, batch_size, augment, batch_norm, class_weight: As in a `Recipe`.
        size, alpha, weights: As in a `BackboneSpec`.
        warm_start: Studies whose best recipes are tried first.
        early_stopping: Whether training may end before its last epoch, if the preset lets it.
        budget: What may be spent.
        workers, ray, prune: As in `Study.run`.
        engine, algorithm, metric, seed, cache_dir, cache_dtype, cache_limit: As in `SearchOptions`.
    """

    data: Path | None = None
    demo: str = "small-similar"
    labels: Path | None = None
    layout_options: LayoutOptions = field(default_factory=LayoutOptions)
    folds: int | Literal["auto"] = 1
    study: Path | None = None
    storage: Storage | None = None
    fresh: bool = False
    space: str = "default"
    techniques: Sequence[str] = ()
    fine_tune_at: Sequence[int] = ()
    epochs: int | None = None
    batch_size: int | None = None
    augment: bool = False
    batch_norm: BatchNorm | None = None
    class_weight: ClassWeight | None = None
    size: int | None = None
    alpha: float | None = None
    weights: str | None = None
    warm_start: Sequence[Path] = ()
    early_stopping: bool = True
    budget: Budget = field(default_factory=Budget)
    workers: int | None = None
    ray: RayCluster | None = None
    prune: bool = True
    engine: str = "optuna"
    algorithm: str | None = None
    metric: Metric = "accuracy"
    seed: int = 0
    cache_dir: Path | None = None
    cache_dtype: CacheType = "float16"
    cache_limit: int | None = None
