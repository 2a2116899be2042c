"""The extract phase: every worker helps to fill the cache, each with other shards."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import numpy as np

from ..spaces.network import POOL
from ..spaces.space import SearchSpace
from .cache import ActivationCache, EntryKey, shards_of
from .events import Listener, PhaseAdvanced, PhaseEnded, PhaseStarted, Warned
from .eviction import affordable, default_limit, make_room, using
from .extract import Context, Pass, passes
from .messages import Extract, Extracted, Failed, FromWorker, ToWorker
from .workers import Died, Worker, WorkerPool


class CacheFiller:
    """Fills the entries of every cut that a space can ask for, and protects them while the block lasts.

    Args:
        pool: Workers that are ready.
        context: What the search trains on.
        space: What may be tried.
        values_at: Numbers that one image's activations have at each cut.
        listener: Told how far it is.
    """

    def __init__(
        self, pool: WorkerPool, context: Context, space: SearchSpace, values_at: Mapping[int, int], listener: Listener
    ) -> None:
        self._pool = pool
        self._context = context
        self._space = space
        self._values_at = values_at
        self._listener = listener
        self._cache = ActivationCache(context.cache)
        self._limit = default_limit(context.cache) if context.cache_limit is None else context.cache_limit
        self._block = ExitStack()
        self._usable = True

    def __enter__(self) -> CacheFiller:
        keys = [key for rows in ("search", "test") for work in self._passes(rows) for key in work.keys(self._context)]
        try:
            self._block.enter_context(using(self._cache, keys))
        except OSError as error:
            self._give_up(error.strerror or str(error))
        return self

    def __exit__(self, *_: object) -> None:
        self._block.close()

    def fill(self, rows: str) -> frozenset[int]:
        """Fills what is missing, as far as it fits within the limit and on the disk.

        Args:
            rows: ``search`` for training and validation images, ``test`` for the test split.

        Returns:
            The cuts whose entries are complete; recipes of other cuts train from pixels.
        """
        if not self._usable:
            return frozenset()
        planned = self._passes(rows)
        keys = [key for work in planned for key in work.keys(self._context)]
        try:
            with self._cache.filling(keys) as missing:
                if missing:
                    self._fill(planned, set(missing))
        except OSError as error:
            self._give_up(error.strerror or str(error))
        return frozenset(cut for cut in self._values_at if all(self._cache.has(key) for key in keys if key.cut == cut))

    def _fill(self, planned: list[Pass], missing: set[EntryKey]) -> None:
        sizes = self._missing_bytes(planned, missing)
        fitting = affordable(sizes, self._context.cache, self._limit)
        if too_large := set(sizes) - fitting:
            self._listener(
                Warned(
                    f"Activations at {len(too_large)} of {len(sizes)} cuts do not fit in the cache "
                    f"({self._limit / 1e9:.1f} GB; --cache-limit): those trials train from pixels."
                )
            )
        make_room(self._context.cache, sum(sizes[cut] for cut in fitting), self._limit)
        work = []
        for one in planned:
            own = [key for key in one.keys(self._context) if key in missing and key.cut in fitting]
            # Pooled features alone are the same entry, folded or not: the first pass that has them fills them.
            missing -= set(own)
            if own:
                work.append(Pass(one.rows, one.view, one.folded, tuple(key.cut for key in own)))
        if work:
            _Filling(self._pool, self._context, self._cache, work, self._listener).run()

    def _passes(self, rows: str) -> list[Pass]:
        cuts = sorted(self._values_at)
        # Pooled features alone are the same, folded or not.
        foldings = self._space.foldings if set(cuts) - {POOL + 1} else (True,)
        return [
            work
            for folded in foldings
            for work in passes(self._context, rows, cuts, folded=folded, augment=self._space.augments)
        ]

    def _missing_bytes(self, planned: list[Pass], missing: set[EntryKey]) -> dict[int, int]:
        """What each cut has still to write."""
        rows = {key: len(work.rows) for work in planned for key in work.keys(self._context) if key in missing}
        width = np.dtype(self._context.cache_dtype).itemsize
        sizes = dict.fromkeys(self._values_at, 0)
        for key, count in rows.items():
            sizes[key.cut] += count * self._values_at[key.cut] * width
        return sizes

    def _give_up(self, reason: str) -> None:
        self._usable = False
        self._listener(Warned(f"Activations are not cached ({reason}): trials train from pixels."))


class _Filling:
    def __init__(
        self,
        pool: WorkerPool,
        context: Context,
        cache: ActivationCache,
        work: list[Pass],
        listener: Listener,
    ) -> None:
        self._pool = pool
        self._cache = cache
        self._listener = listener
        self._work = work
        self._tasks = self._all_tasks()
        self._rows = {key: len(one.rows) for one in work for key in one.keys(context)}
        self._checksums: dict[EntryKey, dict[int, int]] = {key: {} for key in self._rows}
        self._done = 0
        self._broken = False

    def run(self) -> None:
        """Extracts until everything is there, or the disk is full."""
        began = time.monotonic()
        self._listener(PhaseStarted("extract", sum(len(work.rows) for work in self._work)))
        self._pool.drive(self._next, self._handle)
        for key, checksums in self._checksums.items():
            if len(checksums) == len(shards_of(self._rows[key])):
                self._cache.complete(key, self._rows[key], [checksums[shard] for shard in sorted(checksums)])
            else:
                self._cache.discard(key)
        self._listener(PhaseEnded("extract", time.monotonic() - began))

    def _all_tasks(self) -> Iterator[Extract]:
        for work in self._work:
            for shard in shards_of(len(work.rows)):
                yield Extract(work, shard)

    def _next(self, worker: Worker) -> Extract | None:
        return None if self._broken else next(self._tasks, None)

    def _handle(self, worker: Worker, task: ToWorker, message: FromWorker | Died) -> None:
        assert isinstance(task, Extract)
        if isinstance(message, Extracted):
            for key, checksum in message.checksums.items():
                self._checksums[key][task.shard] = checksum
            shards = shards_of(len(task.work.rows))
            per_shard = len(task.work.rows) / len(shards)
            self._done += round(per_shard)
            self._listener(PhaseAdvanced("extract", self._done))
        elif isinstance(message, Failed | Died) and not self._broken:
            self._broken = True
            self._listener(Warned(f"Activations are not cached ({message.error}): trials train from pixels."))
