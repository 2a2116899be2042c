"""A node of the cluster as the driver knows it, and the way of the data to it.

A node that sees the driver's folder of caches uses it. Any other gets what it needs once, through Ray's object store, into a
folder of its own: pixels, weights, and each complete entry of activations, under names that follow from what they hold, so that
a later search finds them there. Files travel in chunks, so that neither side ever holds a whole one in memory.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError

from ....spaces.errors import TlsearchError
from ...activations.cache import EntryKey
from ...context import Context
from ...data.dataset import Dataset
from ...machine.paths import folder_bytes
from ..messages import Begin
from .agent import NodeAgent, Wanted, digest_of
from .cluster import on_node

CHUNK_BYTES = 16 << 20
"""Of a file on its way: large enough that a message costs nothing beside it (1 ms)."""

_IN_FLIGHT = 2
"""Chunks: one is written while the next one travels."""

_PING_SECONDS = 10.0
"""For an answer of a node's agent, which has nothing to do but write a chunk now and then."""


class UnusableNodeError(Exception):
    """A node is well but cannot take the data; its workers cannot be used."""


class Node:
    """A node that workers live on.

    Args:
        node_id: Ray's.
        name: ``node-1`` and so on; the driver's own is the first.
        address: Where it is.
        own: Whether the driver runs on it.

    Attributes:
        begin: The first message to its workers, with the paths that hold there; None until it is prepared.
        shares_cache: Whether it reads and writes the driver's folder of caches.
        prepared: Becomes done when everything that was asked for is there.
    """

    def __init__(self, node_id: str, name: str, address: str, *, own: bool) -> None:
        self.id = node_id
        self.name = name
        self.address = address
        self.own = own
        self.begin: Any = None
        self.shares_cache = own
        self.prepared: Future[None] | None = None
        self._lock = threading.Lock()
        self._entries: set[EntryKey] = set()
        options = {"num_cpus": 0, "max_restarts": -1, "scheduling_strategy": on_node(node_id)}
        self._agent = ray.remote(NodeAgent).options(**options).remote()
        self._asked: Any = None
        self._processor: dict[int, float] = {}

    def prepare(self, begin: Begin, identity: str, keys: Sequence[EntryKey], threads: ThreadPoolExecutor) -> None:
        """Starts to bring what is still missing, in one of the threads; `prepared` tells when and how that ends.

        Args:
            begin: The first message to every worker, with the driver's paths.
            identity: Of the driver's folder of caches, as `identity_of` gives it.
            keys: Complete entries of the driver's cache, which the node needs too.
            threads: Where the driver waits for the node.
        """
        self.prepared = threads.submit(self._prepare, begin, identity, tuple(keys))

    def is_lost(self) -> bool:
        """Whether the node, or the way to it, is gone."""
        try:
            return not ray.get(self._agent.alive.remote(), timeout=_PING_SECONDS)
        except (GetTimeoutError, RayError):
            return True

    def processor_seconds(self, pids: Sequence[int]) -> dict[int, float]:
        """Processor time that processes of the node have used, as far as it has told; never waits for it."""
        if self._asked is not None and ray.wait([self._asked], timeout=0)[0]:
            try:
                self._processor |= ray.get(self._asked)
            except RayError:
                # The workers' own answers say whether the node is lost.
                pass
            self._asked = None
        if self._asked is None:
            self._asked = self._agent.processor_seconds.remote(list(pids))
        return self._processor

    def leave(self) -> None:
        """Ends what runs on the node beside its workers."""
        ray.kill(self._agent)

    def _prepare(self, begin: Begin, identity: str, keys: Sequence[EntryKey]) -> None:
        with self._lock:
            try:
                if self.begin is None:
                    context = self._bring_context(begin.context, identity)
                    self.begin = ray.put(replace(begin, context=context))
                if not self.shares_cache:
                    self._bring_entries(begin.context, [key for key in keys if key not in self._entries])
            except RayTaskError as error:
                if not isinstance(error.cause, OSError | TlsearchError):
                    raise
                reason = getattr(error.cause, "strerror", None) or error.cause
                raise UnusableNodeError(f"{self.name} ({self.address}) cannot take the data: {reason}") from error

    def _bring_context(self, context: Context, identity: str) -> Context:
        root, self.shares_cache = ray.get(self._agent.settle.remote(context.cache.parent, identity, self.own))
        dataset = replace(context.dataset, images_folder=self._bring_images(context.dataset))
        weights = context.weights
        if weights is not None:
            fingerprint = context.weights_fingerprint
            target = f"weights/{fingerprint}{weights.suffix}"
            weights = self._bring(Wanted(weights, target, weights.stat().st_size, digest=fingerprint))
        return replace(context, dataset=dataset, weights=weights, cache=root / "activations")

    def _bring_images(self, dataset: Dataset) -> Path:
        """The folder of the decoded images on the node."""
        folder = dataset.images_folder
        index = folder / "index.json"
        # The same images can be spread over shards in several ways.
        target = f"images/{dataset.images_digest}-{digest_of(index)[:8]}"
        if not (self.shares_cache and ray.get(self._agent.find.remote(_wanted(index, target), True))):
            for shard in dataset.images().files:
                self._bring(_wanted(shard, target))
        return self._bring(_wanted(index, target)).parent

    def _bring(self, wanted: Wanted) -> Path:
        """The path of a file on the node, which has it now."""
        found: Path | None = ray.get(self._agent.find.remote(wanted, self.shares_cache))
        return found or self._send(wanted.source, wanted.target)

    def _bring_entries(self, context: Context, keys: Sequence[EntryKey]) -> None:
        size = sum(folder_bytes(context.cache / key.name) for key in keys)
        try:
            missing = ray.get(self._agent.lock_entries.remote(keys, size, context.cache_limit))
            for key in missing:
                try:
                    # What makes the entry complete comes last; what an earlier attempt has brought is there.
                    for file in sorted((context.cache / key.name).glob("*.npy")):
                        self._bring(_wanted(file, f"activations/{key.name}"))
                    self._bring(_wanted(context.cache / key.name / "entry.json", f"activations/{key.name}"))
                except FileNotFoundError:
                    # Damaged here, and removed: the node's workers compute it when they need it, as those here do.
                    continue
        finally:
            self._agent.unlock_entries.remote()
        self._entries.update(keys)

    def _send(self, source: Path, target: str) -> Path:
        digest = hashlib.blake2b(digest_size=16)
        under_way: deque[Any] = deque()
        first = True
        with source.open("rb") as file:
            while len(chunk := np.fromfile(file, np.uint8, CHUNK_BYTES)):
                digest.update(chunk.data)
                under_way.append(self._agent.receive.remote(target, chunk, first))
                first = False
                if len(under_way) >= _IN_FLIGHT:
                    ray.get(under_way.popleft())
        ray.get(list(under_way))
        path: Path = ray.get(self._agent.finish.remote(target, digest.hexdigest()))
        return path


def _wanted(file: Path, target: str) -> Wanted:
    return Wanted(file, f"{target}/{file.name}", file.stat().st_size)
