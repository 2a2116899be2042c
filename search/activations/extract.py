"""The frozen pass: computes the activations at all wanted cuts in one pass over the images."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...spaces.backbone.folding import fold
from ...spaces.backbone.forward import Forward, compile_forward, forward_rows
from ...spaces.backbone.network import IMAGE, POOL, Network
from ...spaces.recipe import Recipe
from ..context import Context
from ..machine.shards import Shards
from ..training.inputs import CachedInputs, Inputs, PixelInputs, PooledInputs, flatten, view_of
from .blocks import BLOCKS
from .cache import ActivationCache, DamagedEntryError, EntryKey, shard_rows, shards_of
from .passes import Pass, passes


class Extractor:
    """Computes activations in one worker, and opens cached ones.

    Args:
        context: What the search trains on.
        network: The backbone, BatchNorm not folded.
        threads: As in `compile_forward`.

    Attributes:
        networks: The backbone, by whether BatchNorm is folded.
    """

    def __init__(self, context: Context, network: Network, *, threads: int | None = 1) -> None:
        self._context, self._threads = context, threads
        self.networks = {False: network, True: fold(network)}
        self._cache = ActivationCache(context.cache)
        self._prefixes: dict[tuple[bool, tuple[int, ...]], Forward] = {}
        self._opened: dict[EntryKey, Shards] = {}

    def shard(self, work: Pass, shard: int) -> dict[EntryKey, int]:
        """Computes and writes one shard of every entry of ``work``, and returns their checksums.

        Raises:
            OSError: The disk is full or the cache cannot be written.
        """
        rows = work.rows[shard_rows(shard, len(work.rows))]
        context, network = self._context, self.networks[work.folded]
        # Every tensor at any of the cuts, each once; a cut may have several.
        steps = sorted({index for cut in work.cuts for index in network.frontier(cut)})
        prefix = (work.folded, tuple(steps))
        if prefix not in self._prefixes:
            self._prefixes[prefix] = compile_forward(network, steps, threads=self._threads)
        outputs = forward_rows(
            self._prefixes[prefix], lambda some: view_of(context.dataset, some, work.view, context.seed), rows, self._threads
        )
        tensors = dict(zip(steps, outputs, strict=True))
        flat = {cut: flatten([tensors[index] for index in network.frontier(cut)]) for cut in work.cuts}
        return {key: self._cache.write_shard(key, shard, flat[key.cut]) for key in work.keys(context)}

    def features(self, rows: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        """The output of each of `BLOCKS` of the folded network, averaged over its positions, ``(len(rows), channels)``."""
        return forward_rows(self._blocks, lambda some: self._context.dataset.images()[some], rows, self._threads)

    def inputs_for(self, recipe: Recipe, cached_cuts: Collection[int], test: bool) -> Inputs:
        """The recipe's inputs, from the cache where its cut is among ``cached_cuts``, else from pixels.

        A head that is trained for hundreds of passes gets its features in memory where the cache has none.

        Args:
            recipe: What is to be trained.
            cached_cuts: Cuts whose entries are complete.
            test: Whether the test split is wanted too.
        """
        network = self.networks[recipe.batch_norm == "folded"]
        cut = network.cut_for(recipe.first_trained_layer)
        if cut == IMAGE or cut not in cached_cuts:
            return self._pooled if recipe.trains_path else PixelInputs(self._context.dataset, self._context.seed)
        wanted = passes(self._context, "search", [cut], folded=recipe.batch_norm == "folded", augment=recipe.augment)
        if test:
            wanted += passes(self._context, "test", [cut], folded=recipe.batch_norm == "folded", augment=False)
        entries: dict[int, list[tuple[NDArray[np.int64], Shards]]] = {}
        for work in wanted:
            entries.setdefault(work.view, []).append((work.rows, self._open(work)))
        return CachedInputs(network, cut, entries)

    @cached_property
    def _pooled(self) -> PooledInputs:
        dataset, network = self._context.dataset, self.networks[True]
        forward = compile_forward(network, [POOL], threads=self._threads)
        shape = (len(dataset.labels), network.step(POOL).shape[0])
        return PooledInputs(PixelInputs(dataset, self._context.seed), forward, shape, self._threads)

    @cached_property
    def _blocks(self) -> Forward:
        network = self.networks[True]
        steps = [network.step(layer).index for layer in BLOCKS.values()]
        return compile_forward(network, steps, averaged=True, threads=self._threads)

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
