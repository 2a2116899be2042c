"""The extract phase: all workers fill the activation cache together, shard by shard."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from ...spaces.space import SearchSpace
from ..activations.cache import ActivationCache, EntryKey, shard_rows, shards_of
from ..activations.cache_plan import entry_bytes, plan_cache, planned_passes
from ..activations.eviction import default_limit, make_room, planning_room, reserving, using
from ..activations.passes import Pass
from ..context import Context
from ..events import Listener, PhaseAdvanced, PhaseEnded, PhaseStarted, Warned
from ..machine.paths import folder_bytes
from ..workers.messages import Extract, Extracted
from ..workers.pool import TaskFailedError, WorkerPool


class CacheFiller:
    """Context manager that fills the cache entries of every cut in a space, and protects them from eviction.

    Args:
        values_at: How many values one image's activations have, by cut: see `Ready`.
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
        """Computes the missing entries that fit within the limit and on the disk.

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
            with self._cache.filling(keys, on_wait=self._say_waiting) as missing:
                if missing:
                    self._fill(planned, set(missing))
        except OSError as error:
            self._give_up(error.strerror or str(error))
        self._pool.share([key for key in keys if self._cache.has(key)])
        return frozenset(cut for cut in self._values_at if all(self._cache.has(key) for key in keys if key.cut == cut))

    def _fill(self, planned: list[Pass], missing: set[EntryKey]) -> None:
        folder = self._context.cache
        with planning_room(folder):
            plan = plan_cache(self._context, planned, missing, self._values_at, self._limit)
            for key in missing:
                if key.cut not in plan.fitting:
                    self._cache.discard(key)
            begun = sum(folder_bytes(folder / key.name) for key in missing)
            make_room(folder, sum(plan.sizes[cut] for cut in plan.fitting) - begun, self._limit)
            wanted = {key for key in missing if key.cut in plan.fitting}
            sizes = entry_bytes(self._context, planned, self._values_at)
            self._block.enter_context(reserving(self._cache, {key: sizes[key] for key in wanted}))
        if too_large := plan.sizes.keys() - plan.fitting:
            self._listener(
                Warned(
                    f"Activations at {len(too_large)} of {len(plan.sizes)} cuts do not fit in the cache "
                    f"({self._limit / 1e9:.1f} GB; --cache-limit): those trials train from pixels."
                )
            )
        work = []
        for one in planned:
            own = [key for key in one.keys(self._context) if key in wanted]
            # Pooled features are one entry, folded or not: the first pass that has them fills it.
            wanted -= set(own)
            if own:
                work.append(Pass(one.rows, one.view, one.folded, tuple(key.cut for key in own)))
        if work:
            self._extract(work)

    def _extract(self, work: Sequence[Pass]) -> None:
        """Has the workers compute the missing shards of these passes, until all are there or one fails."""
        began = time.monotonic()
        rows = {key: len(one.rows) for one in work for key in one.keys(self._context)}
        checksums: dict[EntryKey, dict[int, int]] = {}
        tasks: list[Extract] = []
        for one in work:
            found = self._resume(one)
            checksums |= found
            done = next(iter(found.values())).keys()
            tasks += [Extract(one, shard) for shard in shards_of(len(one.rows)) if shard not in done]
        total = sum(len(one.rows) for one in work)
        advanced = total - sum(map(_rows_of, tasks))
        self._listener(PhaseStarted("extract", total, advanced))
        try:
            for task, answer in self._pool.map(tasks, at_cache=True):
                assert isinstance(answer, Extracted)
                for key, checksum in answer.checksums.items():
                    checksums[key][task.shard] = checksum
                advanced += _rows_of(task)
                self._listener(PhaseAdvanced("extract", advanced))
        except TaskFailedError as error:
            self._listener(Warned(f"Activations are not cached ({error}): trials train from pixels."))
        for key, by_shard in checksums.items():
            if len(by_shard) == len(shards_of(rows[key])):
                self._cache.complete(key, rows[key], [by_shard[shard] for shard in sorted(by_shard)])
            else:
                self._cache.discard(key)
        self._listener(PhaseEnded("extract", time.monotonic() - began))

    def _resume(self, work: Pass) -> dict[EntryKey, dict[int, int]]:
        """The checksums of the shards that all entries of a pass have; shards that only some have are dropped."""
        found = {key: self._cache.finished(key, len(work.rows)) for key in work.keys(self._context)}
        done = set.intersection(*(set(checksums) for checksums in found.values()))
        for key, checksums in found.items():
            for shard in set(checksums) - done:
                self._cache.drop(key, shard, checksums.pop(shard))
        return found

    def _passes(self, rows: str) -> list[Pass]:
        return planned_passes(self._context, self._space, self._values_at, rows)

    def _say_waiting(self) -> None:
        self._listener(Warned("Waiting for another search that computes the same activations."))

    def _give_up(self, reason: str) -> None:
        self._usable = False
        self._listener(Warned(f"Activations are not cached ({reason}): trials train from pixels."))


def _rows_of(task: Extract) -> int:
    return len(task.work.rows[shard_rows(task.shard, len(task.work.rows))])
