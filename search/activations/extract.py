"""The frozen pass: computes the activations at all wanted cuts in one pass over the images."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from ...spaces.backbone.folding import fold
from ...spaces.backbone.forward import Forward, compile_forward, forward_rows
from ...spaces.backbone.network import IMAGE, POOL, Network
from ...spaces.recipe import Recipe
from ..context import Context
from ..machine.shards import Shards
from ..training.inputs import CachedInputs, Inputs, PixelInputs, PooledInputs, flatten, view_of
from .cache import ActivationCache, DamagedEntryError, EntryKey, shard_rows, shards_of
from .passes import Pass, passes


class Extractor:
    """Computes activations in one worker, and opens cached ones.

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
        self._pooled: PooledInputs | None = None

    def shard(self, work: Pass, shard: int) -> dict[EntryKey, int]:
        """Computes and writes one shard of every entry of ``work``, and returns their checksums.

        Raises:
            OSError: The disk is full or the cache cannot be written.
        """
        rows = work.rows[shard_rows(shard, len(work.rows))]
        flat = self._compute(work, rows)
        keys = work.keys(self._context)
        return {key: self._cache.write_shard(key, shard, flat[key.cut]) for key in keys}

    def inputs_for(self, recipe: Recipe, cached_cuts: Collection[int], test: bool) -> Inputs:
        """The recipe's inputs, from the cache where its cut is among ``cached_cuts``, else from pixels.

        A head that is trained for hundreds of passes gets its features in memory where the cache has none.

        Args:
            recipe: What is to be trained.
            cached_cuts: Cuts whose entries are complete.
            test: Whether the test split is wanted too.
        """
        network = self._networks[recipe.batch_norm == "folded"]
        cut = network.cut_for(recipe.first_trained_layer)
        if cut == IMAGE or cut not in cached_cuts:
            pixels = PixelInputs(self._context.dataset, self._context.seed)
            return self._pooled_inputs(pixels) if recipe.trains_path else pixels
        wanted = passes(self._context, "search", [cut], folded=recipe.batch_norm == "folded", augment=recipe.augment)
        if test:
            wanted += passes(self._context, "test", [cut], folded=recipe.batch_norm == "folded", augment=False)
        entries: dict[int, list[tuple[NDArray[np.int64], Shards]]] = {}
        for work in wanted:
            entries.setdefault(work.view, []).append((work.rows, self._open(work)))
        return CachedInputs(network, cut, entries)

    def _pooled_inputs(self, pixels: PixelInputs) -> PooledInputs:
        if self._pooled is None:
            network = self._networks[True]
            forward = compile_forward(network, [POOL], threads=self._threads)
            shape = (len(self._context.dataset.labels), network.step(POOL).shape[0])
            self._pooled = PooledInputs(pixels, forward, shape, self._threads)
        return self._pooled

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
        """The function that computes every wanted tensor, and the indices of each cut's tensors among its outputs."""
        network = self._networks[work.folded]
        steps = sorted({index for cut in work.cuts for index in network.frontier(cut)})
        places = {cut: [steps.index(index) for index in network.frontier(cut)] for cut in work.cuts}
        key = (work.folded, tuple(steps))
        if key not in self._prefixes:
            self._prefixes[key] = compile_forward(network, steps, threads=self._threads)
        return self._prefixes[key], places
