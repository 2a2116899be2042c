"""Workers that are Ray actors on the nodes of a cluster.

Ray chooses where each comes up, waits for free resources, and tells when one dies; everything else is as with the processes of
one machine. A worker that died is started anew, on any node that has room: where its whole node went, on another.

The frozen pass writes into the driver's folder of caches: only workers whose nodes share that folder take part in it, or, where
none does, helpers on the driver's own node that do nothing else. What came of it then travels to the other nodes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import ray
from ray.exceptions import RayError, RayTaskError

from ....spaces.errors import DataError, SearchFailedError
from ...activations.cache import EntryKey
from ...events import Listener, NodesChanged, NodeState, Warned
from .. import watchdog
from ..messages import Begin, FromWorker
from ..pool import Answers, Died, NextTask, Worker, WorkerPool
from ..processes import choose_workers
from .actor import Home
from .agent import identity_of
from .cluster import RayCluster, living_nodes, on_node
from .node import Node, UnusableNodeError
from .worker import RayWorker, reason_of

PATIENCE_SECONDS = 600.0
"""Without a single worker that has a place: a cluster that is used by others may give one at any time, one that is gone will
not. Ray's own autoscaler takes a few minutes to start a node."""

_SAY_SO_SECONDS = 30.0
"""Without a place for a worker until a warning says what the search waits for."""

_LOOK_SECONDS = 0.2
"""Between two looks whether a node has been prepared, while one is."""

_SENDERS = 4
"""Nodes that are prepared at a time, each with two chunks in memory."""


class RayPool(WorkerPool):
    """Workers on a cluster.

    Each node is sent the first message with its own paths, once it has the data.

    Args:
        cluster: Which one, and what each worker may take of it.
        count: Workers; None for as many as the cluster has the resources for now. More wait until there are.
        listener: Receives `NodesChanged`, and warnings.

    Raises:
        OptionError: As `RayCluster.connected`.
    """

    workers: list[RayWorker]

    def __init__(self, cluster: RayCluster, count: int | None, listener: Listener) -> None:
        super().__init__(watchdog.Watchdog(processor=self._processor_seconds))
        self._cluster = cluster
        self._listener = listener
        self._begin: Begin | None = None
        self._identity = ""
        self._keys: list[EntryKey] = []
        self._nodes: dict[str, Node] = {}
        self._shown: tuple[NodeState, ...] = ()
        self._placed = time.monotonic()
        self._told = False
        self._helpers: list[RayWorker] = []
        self._block = ExitStack()
        self._block.enter_context(cluster.connected())
        self._threads = ThreadPoolExecutor(_SENDERS, "tlsearch-node")
        self._own = ray.get_runtime_context().get_node_id()
        others = sorted(node["NodeID"] for node in living_nodes() if node["NodeID"] != self._own)
        self._names = {node: f"node-{number}" for number, node in enumerate([self._own, *others], start=1)}
        resources = cluster.resources
        options = {"num_cpus": resources["CPU"], "num_gpus": resources["GPU"], "memory": resources["memory"]}
        count = max(1, cluster.trials_at_once()) if count is None else count
        self.workers = [RayWorker(f"worker-{n + 1}", options, cluster.cpus_per_trial) for n in range(count)]

    def begin(self, begin: Begin) -> None:
        self._begin, self._identity = begin, identity_of(begin.context.cache.parent)
        for node in self._nodes.values():
            self._prepare(node)

    def share(self, keys: Sequence[EntryKey]) -> None:
        self._keys += [key for key in keys if key not in self._keys]
        for node in self._nodes.values():
            self._prepare(node)
        for node in [*self._nodes.values()]:
            assert node.prepared is not None
            if (error := node.prepared.exception()) is not None:
                self._abandon(node, error)

    def _answers(self, next_task: NextTask, *, at_cache: bool) -> Answers:
        if not at_cache or any(worker.at_cache for worker in self.workers):
            yield from super()._answers(next_task, at_cache=at_cache)
            return
        if not self._helpers:
            # They need no resources of the cluster's: the driver's node may have been given none for trials.
            options = {"num_cpus": 0, "scheduling_strategy": on_node(self._own)}
            threads = self._cluster.cpus_per_trial
            count = max(1, choose_workers(None)[0] // threads)
            self._helpers = [RayWorker(f"driver-{number + 1}", options, threads) for number in range(count)]
        self.workers = [*self.workers, *self._helpers]
        try:
            yield from super()._answers(next_task, at_cache=True)
        finally:
            self.workers = [worker for worker in self.workers if worker not in self._helpers]

    def close(self) -> None:
        for worker in {*self.workers, *self._helpers}:
            worker.kill()
        for node in self._nodes.values():
            node.leave()
        # Without their agents, those that are still sending come to an end.
        self._threads.shutdown(cancel_futures=True)
        self._block.close()

    def _receive(self) -> Iterator[tuple[Worker, FromWorker | Died]]:
        self._settle()
        waiting = {worker.answer: worker for worker in self.workers if worker.answer is not None}
        seconds = _LOOK_SECONDS if any(worker.waits_for_data for worker in self.workers) else watchdog.TICK
        if not waiting:
            time.sleep(_LOOK_SECONDS)
            return
        if not ray.wait(list(waiting), num_returns=1, timeout=seconds)[0]:
            return
        done, _ = ray.wait(list(waiting), num_returns=len(waiting), timeout=0)
        for answer in done:
            worker = waiting[answer]
            if worker.answer != answer:
                # It was restarted because of what another one said.
                continue
            worker.answer = None
            try:
                message: FromWorker | Home = ray.get(answer)
            except RayError as error:
                yield worker, self._died(worker, error)
                continue
            if isinstance(message, Home):
                self._arrive(worker, message)
            else:
                yield worker, message

    def _settle(self) -> None:
        """Lets workers begin whose nodes have been prepared, and tells where everybody is."""
        for node in [*self._nodes.values()]:
            if node.prepared is None or not node.prepared.done():
                continue
            if (error := node.prepared.exception()) is not None:
                self._abandon(node, error)
                continue
            for worker in self._workers_on(node):
                if worker.waits_for_data:
                    worker.send(node.begin)
        self._show()
        self._await_places()

    def _arrive(self, worker: RayWorker, home: Home) -> None:
        if home.node not in self._nodes:
            self._nodes[home.node] = self._meet(home.node)
        node = self._nodes[home.node]
        taken = {other.name for other in self.workers if other is not worker}
        number = next(n for n in range(1, len(taken) + 2) if f"{node.name}/worker-{n}" not in taken)
        worker.arrive(node, home.pid, f"{node.name}/worker-{number}")

    def _meet(self, node_id: str) -> Node:
        """A node that a worker came up on for the first time."""
        own = node_id == self._own
        name = self._names.setdefault(node_id, f"node-{len(self._names) + 1}")
        address = next((node["NodeManagerAddress"] for node in living_nodes() if node["NodeID"] == node_id), "gone")
        node = Node(node_id, name, address, own=own)
        self._prepare(node)
        return node

    def _prepare(self, node: Node) -> None:
        if self._begin is not None:
            node.prepare(self._begin, self._identity, self._keys, self._threads)

    def _died(self, worker: RayWorker, error: RayError) -> Died:
        """What became of a worker, and of its node."""
        node = worker.node
        if node is not None and not worker.kill_reason and (node.id not in self._nodes or node.is_lost()):
            self._forget(node)
            return Died(f"{node.name} ({node.address}) was lost", with_node=True)
        return Died(worker.kill_reason or f"the worker process died: {reason_of(error)}")

    def _abandon(self, node: Node, error: BaseException) -> None:
        """Does without a node that could not be prepared.

        Raises:
            SearchFailedError: No other is left.
        """
        if isinstance(error, UnusableNodeError):
            # Ray would start a replacement on the same node again.
            self._listener(Warned(f"{error}. Its workers are not used."))
            for worker in self._workers_on(node):
                worker.kill()
                self.workers.remove(worker)
            del self._nodes[node.id]
            node.leave()
            if not self.workers:
                raise SearchFailedError(f"no node can be used; the last one: {error}.")
            return
        if isinstance(error, OSError):
            raise DataError(
                f"what nodes need must stay in the cache ({error}). Is something clearing it? Try again."
            ) from error
        if isinstance(error, RayTaskError) or not isinstance(error, RayError):
            raise error
        self._forget(node)
        for worker in self._workers_on(node):
            if worker.answer is None:
                worker.restart()

    def _workers_on(self, node: Node) -> list[RayWorker]:
        return [worker for worker in self.workers if worker.node is node]

    def _forget(self, node: Node) -> None:
        """Takes leave of a node that is lost."""
        if self._nodes.pop(node.id, None) is not None:
            self._listener(Warned(f"{node.name} ({node.address}) was lost; what it was training is trained again."))
            self._show()

    def _show(self) -> None:
        """Tells where the workers are, once all that have a place have begun."""
        training = [worker for worker in self.workers if worker.node is not None and worker not in self._helpers]
        names = {node: tuple(sorted(w.name for w in training if w.node is node)) for node in self._nodes.values()}
        ordered = sorted(names, key=lambda node: (len(node.name), node.name))
        states = tuple(NodeState(node.name, node.address, names[node]) for node in ordered if names[node])
        if states != self._shown and all(worker.ready for worker in training):
            self._shown = states
            self._listener(NodesChanged(states))

    def _await_places(self) -> None:
        """Tells what is being waited for where no worker has a place.

        Raises:
            SearchFailedError: It has lasted for too long.
        """
        now = time.monotonic()
        if any(worker.node is not None for worker in self.workers):
            self._placed, self._told = now, False
            return
        if now - self._placed > PATIENCE_SECONDS:
            raise SearchFailedError(
                f"the cluster has had no room for a trial for {PATIENCE_SECONDS / 60:.0f} minutes. "
                "What is finished is kept; the same command goes on."
            )
        if now - self._placed > _SAY_SO_SECONDS and not self._told:
            self._told = True
            self._listener(Warned(f"Waiting for a node with room for a trial ({self._cluster.spelled})."))

    def _processor_seconds(self, process: tuple[Node, int]) -> float:
        node, pid = process
        processes = [worker.process_id for worker in self._workers_on(node)]
        pids = [process[1] for process in processes if process is not None]
        return node.processor_seconds(pids).get(pid, 0.0)
