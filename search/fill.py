"""The extract phase: every worker helps to fill the cache, each with other shards."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from ..spaces.network import POOL
from ..spaces.space import SearchSpace
from .cache import ActivationCache, EntryKey, affordable, shards_of
from .events import Listener, PhaseAdvanced, PhaseEnded, PhaseStarted, Warned
from .extract import Context, Pass, passes
from .messages import Extract, Extracted, Failed, FromWorker, ToWorker
from .workers import Died, Worker, WorkerPool


def fill(
    pool: WorkerPool, context: Context, space: SearchSpace, rows: str, values_at: Mapping[int, int], listener: Listener
) -> frozenset[int]:
    """Fills the entries of every cut that the space can ask for, as far as they fit on the disk.

    Args:
        pool: Workers that are ready.
        context: What the search trains on.
        space: What may be tried.
        rows: ``search`` for training and validation images, ``test`` for the test split.
        values_at: Numbers that one image's activations have at each cut.
        listener: Told how far it is.

    Returns:
        The cuts whose entries are complete; recipes of other cuts train from pixels.
    """
    cache = ActivationCache(context.cache)
    planned = [
        work
        for folded in (space.foldings if set(values_at) - {POOL + 1} else (True,))
        for work in passes(context, rows, sorted(values_at), folded=folded, augment=space.augments)
    ]
    images = sum(len(work.rows) for work in planned)
    fitting = affordable({cut: 2 * values * images for cut, values in values_at.items()}, context.cache)
    if unaffordable := set(values_at) - fitting:
        listener(
            Warned(f"The disk is too full to cache activations at {len(unaffordable)} cuts: those trials train from pixels.")
        )
    planned = [Pass(work.rows, work.view, work.folded, tuple(c for c in work.cuts if c in fitting)) for work in planned]
    keys = [key for work in planned for key in work.keys(context)]
    with cache.filling(keys) as missing:
        if missing:
            _Filling(pool, context, cache, planned, set(missing), listener).run()
    return frozenset(cut for cut in fitting if all(cache.has(key) for key in keys if key.cut == cut))


class _Filling:
    def __init__(
        self,
        pool: WorkerPool,
        context: Context,
        cache: ActivationCache,
        planned: list[Pass],
        missing: set[EntryKey],
        listener: Listener,
    ) -> None:
        self._pool = pool
        self._cache = cache
        self._listener = listener
        self._context = context
        self._work = []
        for work in planned:
            cuts = tuple(key.cut for key in work.keys(context) if key in missing)
            if cuts:
                self._work.append(Pass(work.rows, work.view, work.folded, cuts))
        self._tasks = self._all_tasks()
        self._checksums: dict[EntryKey, dict[int, int]] = {key: {} for key in missing}
        self._rows = {key: len(work.rows) for work in self._work for key in work.keys(context)}
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
