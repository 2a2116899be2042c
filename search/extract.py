"""The frozen pass: fills cache entries at every wanted cut in one pass over the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..spaces.backbone import BackboneSpec
from ..spaces.folding import fold
from ..spaces.network import IMAGE, POOL, Network
from ..spaces.recipe import Recipe
from .cache import (
    ActivationCache,
    DamagedEntryError,
    EntryKey,
    digest_of_rows,
    shard_rows,
    shards_of,
)
from .data.dataset import Dataset
from .forward import Forward, compile_forward, forward_rows
from .inputs import CachedInputs, Inputs, PixelInputs, flatten, view_of
from .settings import CacheType
from .shards import Shards
from .train import VIEWS


@dataclass(frozen=True, slots=True)
class Context:
    """What a search trains on; everything a worker needs to begin.

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
    metric: Any
    cache_dtype: CacheType = "float16"
    cache_limit: int | None = None

    def search_rows(self) -> NDArray[np.int64]:
        """Rows that the search may see: training and validation."""
        return np.union1d(self.dataset.train, self.dataset.val)


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over some images: their rows, the view of them, and the cuts whose activations it stores."""

    rows: NDArray[np.int64]
    view: int
    folded: bool
    cuts: tuple[int, ...]

    def keys(self, context: Context) -> list[EntryKey]:
        """The entries that the pass fills, in the order of its cuts."""
        rows = digest_of_rows(self.rows)
        return [
            EntryKey(
                images=context.dataset.images_digest,
                rows=rows,
                weights=context.weights_fingerprint,
                alpha=context.backbone.alpha,
                cut=cut,
                folded=self.folded or cut > POOL,
                view=self.view,
                dtype=context.cache_dtype,
            )
            for cut in self.cuts
        ]


def passes(context: Context, rows: str, cuts: Sequence[int], *, folded: bool, augment: bool) -> list[Pass]:
    """The passes that fill the entries of ``cuts``: over the ``search`` rows, in every view, or over the ``test`` rows."""
    if rows == "test":
        return [Pass(context.dataset.test, 0, folded, tuple(cuts))]
    views = range(1, VIEWS) if augment else ()
    return [
        Pass(context.search_rows(), 0, folded, tuple(cuts)),
        *(Pass(context.dataset.train, view, folded, tuple(cuts)) for view in views),
    ]


class Extractor:
    """Computes activations in one worker, and opens what has been computed.

    Args:
        context: What the search trains on.
        network: The backbone, BatchNorm not folded.
        threads: As in `compile_forward`.
    """

    def __init__(self, context: Context, network: Network, *, threads: int | None = 1) -> None:
        self._context, self._threads = context, threads
        self._networks = {False: network, True: fold(network)}
        self._cache = ActivationCache(context.cache)
        self._prefixes: dict[tuple[bool, tuple[int, ...]], Forward] = {}
        self._opened: dict[EntryKey, Shards] = {}
        self.cached_cuts: frozenset[int] = frozenset()

    def shard(self, work: Pass, shard: int) -> dict[EntryKey, int]:
        """Computes and writes one shard of every entry of ``work``; gives their checksums.

        Raises:
            OSError: The disk is full or the cache cannot be written.
        """
        rows = work.rows[shard_rows(shard, len(work.rows))]
        flat = self._compute(work, rows)
        keys = work.keys(self._context)
        return {key: self._cache.write_shard(key, shard, flat[key.cut]) for key in keys}

    def inputs_for(self, recipe: Recipe, test: bool) -> Inputs:
        """The recipe's cached inputs, or pixels where its cut is not cached."""
        network = self._networks[recipe.batch_norm == "folded"]
        cut = network.cut_for(recipe.first_trained_layer)
        pixels = PixelInputs(self._context.dataset, self._context.seed)
        if cut == IMAGE or cut not in self.cached_cuts:
            return pixels
        wanted = passes(self._context, "search", [cut], folded=recipe.batch_norm == "folded", augment=recipe.augment)
        if test:
            wanted += passes(self._context, "test", [cut], folded=recipe.batch_norm == "folded", augment=False)
        entries: dict[int, list[tuple[NDArray[np.int64], Shards]]] = {}
        for work in wanted:
            entries.setdefault(work.view, []).append((work.rows, self._open(work)))
        return CachedInputs(network, cut, entries)

    def _open(self, work: Pass) -> Shards:
        (key,) = work.keys(self._context)
        if key not in self._opened:
            try:
                self._opened[key] = self._cache.open(key)
            except DamagedEntryError:
                with self._cache.filling([key]) as missing:
                    if missing:
                        checksums = self._cache.finished(key, len(work.rows))
                        for shard in shards_of(len(work.rows)):
                            if shard not in checksums:
                                checksums[shard] = self.shard(work, shard)[key]
                        self._cache.complete(key, len(work.rows), [checksums[shard] for shard in sorted(checksums)])
                self._opened[key] = self._cache.open(key)
        return self._opened[key]

    def _compute(self, work: Pass, rows: NDArray[np.int64]) -> dict[int, NDArray[np.float32]]:
        prefix, places = self._prefix(work)
        whole = forward_rows(
            prefix, lambda some: view_of(self._context.dataset, some, work.view, self._context.seed), rows, self._threads
        )
        return {cut: flatten([whole[place] for place in places[cut]]) for cut in work.cuts}

    def _prefix(self, work: Pass) -> tuple[Forward, dict[int, list[int]]]:
        """What computes every tensor wanted, and each cut's places among its outputs."""
        network = self._networks[work.folded]
        steps = sorted({index for cut in work.cuts for index in network.frontier(cut)})
        places = {cut: [steps.index(index) for index in network.frontier(cut)] for cut in work.cuts}
        key = (work.folded, tuple(steps))
        if key not in self._prefixes:
            self._prefixes[key] = compile_forward(network, steps, threads=self._threads)
        return self._prefixes[key], places
