"""What a search is asked for: what it is made of, and how much it may spend."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict

from ..spaces.backbone.spec import BackboneSpec
from ..spaces.space import SearchSpace
from .context import Context
from .data.dataset import Dataset
from .machine.paths import cache_root
from .settings import CacheType, WarmStart
from .statistics.chances import CARE
from .trial import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much a search may spend.

    Attributes:
        trials: The study's total, over all of its runs.
        seconds: Wall time of this run, confirmation included; None for no limit.
        confirm: Seeds that each technique's finalist is trained again with; 0 leaves the test split unread, ``auto`` trains as
            many as the recommendation needs.
        care: Difference in score that matters, in the metric's unit; ``auto`` goes by it.
        close_arms: Whether a technique whose trials can hardly change the recommendation any more gets no more of them.
    """

    trials: int = 20
    seconds: float | None = None
    confirm: int | Literal["auto"] = "auto"
    care: float = CARE
    close_arms: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What a search is made of, beside its images.

    Attributes:
        backbone: Which MobileNetV2.
        space: What may be tried.
        engine: ``optuna`` or ``keras-tuner``.
        algorithm: One of the engine's.
        metric: What selection goes by.
        seed: Of proposals, weights and orders. The split has its own, given to `open_folder`.
        cache_dir: Folder of the caches, as in `open_folder`.
        cache_dtype: How activations are kept on disk.
        cache_limit: Bytes that all activations there may take; None for a share of the free disk.
        warm_start: As `read_warm_start` gives it; None for none, or for what the study was started from. An ``algorithm``
            that enumerates the space does not use it.
    """

    backbone: BackboneSpec
    space: SearchSpace = field(default_factory=SearchSpace)
    engine: str = "optuna"
    algorithm: str = "tpe"
    metric: Metric = "accuracy"
    seed: int = 0
    cache_dir: Path | None = None
    cache_dtype: CacheType = "float16"
    cache_limit: int | None = None
    warm_start: WarmStart | None = None

    def context(self, data: Dataset, weights: Path | None, weights_fingerprint: str) -> Context:
        """What workers need to begin; arguments as of `Context`."""
        return Context(
            dataset=data,
            backbone=self.backbone,
            weights=weights,
            weights_fingerprint=weights_fingerprint,
            cache=cache_root(self.cache_dir) / "activations",
            seed=self.seed,
            metric=self.metric,
            cache_dtype=self.cache_dtype,
            cache_limit=self.cache_limit,
        )


class SearchKeywords(TypedDict, total=False):
    """The attributes of `SearchOptions`, as keyword arguments."""

    backbone: BackboneSpec
    space: SearchSpace
    engine: str
    algorithm: str
    metric: Metric
    seed: int
    cache_dir: Path | None
    cache_dtype: CacheType
    cache_limit: int | None
    warm_start: WarmStart | None
