"""Which cluster to train on, and the connection to it. Why it cannot be used is raised before anything else is done."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from .... import __version__
from ....spaces.errors import OptionError
from ..pool import MEMORY_A_WORKER
from .private import silence_nodes

CONNECT_SECONDS = 5.0
"""For a connection to the head's address, which takes milliseconds where something listens there."""

ANSWER_SECONDS = 30.0
"""For a cluster's first answer, which takes 1 to 2 s where it is well."""

CHECK_SECONDS = 60.0
"""For the answer of each node's first process, which takes 1 s where it is well; one that is late is not waited for."""

_STORE_BYTES = 512 << 20
"""Object store of a cluster that this program starts: on one machine nothing but models passes through it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RayCluster:
    """A Ray cluster, and what a trial may take of it.

    Attributes:
        address: ``local`` for one on this machine that ends with this program, ``auto`` for the one that this machine belongs
            to, ``host:port`` for the one whose head that is; this machine must belong to it then, too.
        cpus_per_trial: Cores of a worker.
        gpus_per_trial: GPUs of a worker: a whole number, or a share of one.

    Raises:
        OptionError: One of them is none of these.
    """

    address: str
    cpus_per_trial: int = 1
    gpus_per_trial: float = 0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"auto|local|(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}", self.address):
            client = ""
            if "://" in self.address:
                client = " Its client protocol (ray://) is not supported: run tlsearch on a node of the cluster."
            raise OptionError(f"--ray must be auto, local or host:port, got {self.address}.{client}")
        if self.cpus_per_trial < 1:
            raise OptionError(f"--cpus-per-trial must be at least 1, got {self.cpus_per_trial}.")
        if not (0 <= self.gpus_per_trial < 1 or (self.gpus_per_trial % 1 == 0 and self.gpus_per_trial > 0)):
            raise OptionError(
                f"--gpus-per-trial must be a whole number, or a share of one GPU such as 0.5, got {self.gpus_per_trial:g}."
            )

    @property
    def resources(self) -> dict[str, float]:
        """What Ray reserves for a trial, in its words."""
        return {"CPU": self.cpus_per_trial, "GPU": self.gpus_per_trial, "memory": MEMORY_A_WORKER}

    @property
    def spelled(self) -> str:
        """The same for a person."""
        return _spelled(self.resources)

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Connects, and disconnects again; leaves a connection that this program has already as it is.

        Raises:
            OptionError: Ray is not installed, the address does not answer, another version runs there, or no node has the
                resources for one trial.
        """
        ray = _import_ray()
        if ray.is_initialized():
            yield
            return
        if self.address != "local":
            _check_reachable(self.address)
        self._connect(ray)
        try:
            if self.trials_at_once() == 0:
                raise OptionError(self._too_small())
            _check_versions([node for node in living_nodes() if _fitting(node, self.resources)])
            yield
        finally:
            ray.shutdown()

    def trials_at_once(self) -> int:
        """Trials that the cluster's living nodes have the resources for, whoever uses them at the moment."""
        return sum(_fitting(node, self.resources) for node in living_nodes())

    def _connect(self, ray: Any) -> None:
        own = {"include_dashboard": False, "object_store_memory": _STORE_BYTES} if self.address == "local" else {}
        # Ray replaces the handler by one that leaves running trials as they are.
        terminate = signal.getsignal(signal.SIGTERM)
        try:
            with warnings.catch_warnings():
                # Of what Ray will do in future versions where a process asks for no GPU.
                warnings.simplefilter("ignore", FutureWarning)
                ray.init(address=self.address, log_to_driver=False, logging_level=logging.ERROR, **own)
            silence_nodes()
        except (OSError, RuntimeError, ValueError) as error:
            raise OptionError(_unreachable(self.address, error)) from error
        finally:
            # Raised outside of the main thread: there Ray replaces none either.
            with suppress(ValueError):
                signal.signal(signal.SIGTERM, terminate)

    def _too_small(self) -> str:
        nodes = living_nodes()
        largest = max(nodes, key=lambda node: [node["Resources"].get(kind, 0) for kind in ("GPU", "CPU", "memory")])
        return (
            f"a trial needs {self.spelled} on one node; the largest of the cluster's nodes, "
            f"{largest['NodeManagerAddress']}, has {_spelled(largest['Resources'])}. "
            "Ask for less with --cpus-per-trial and --gpus-per-trial, or add a larger node."
        )


def living_nodes() -> list[dict[str, Any]]:
    """The nodes of the connected cluster, as Ray describes them."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def on_node(node_id: str) -> Any:
    """Schedules on this node or not at all."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node_id, soft=False)


def _fitting(node: Mapping[str, Any], resources: Mapping[str, float]) -> int:
    def fitting(available: float, need: float) -> int:
        # A share of a GPU is never cut across two.
        return int(available) * int(1 / need) if need < 1 else int(available / need)

    return min(fitting(node["Resources"].get(kind, 0), need) for kind, need in resources.items() if need)


def _spelled(resources: Mapping[str, float]) -> str:
    parts = []
    for kind in ("CPU", "GPU"):
        number = resources.get(kind, 0)
        if number or kind == "CPU":
            parts.append(f"{number:g} {kind}{'' if number == 1 else 's'}")
    return f"{', '.join(parts)} and {resources.get('memory', 0) / 1e9:.1f} GB of memory"


def _import_ray() -> Any:
    # Read when it is imported.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError as error:
        raise OptionError('--ray needs Ray, which is not installed. Install it: pip install "tlsearch[ray]"') from error
    return ray


def _check_reachable(address: str) -> None:
    """Tries the address in a process of its own: Ray waits for minutes for what does not answer, then ends the process."""
    if address != "auto":
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise OptionError(_unreachable(address, getattr(error, "strerror", None) or error)) from error
    command = [sys.executable, "-m", f"{__package__}.reachable", address]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise OptionError(_unreachable(address, f"no answer within {ANSWER_SECONDS:.0f} s")) from error
    try:
        reason = json.loads(done.stdout.splitlines()[-1])["error"]
    except (IndexError, ValueError, KeyError):
        reason = f"the attempt ended with exit code {done.returncode}"
    if reason is not None:
        raise OptionError(_unreachable(address, reason))


def _unreachable(address: str, reason: object) -> str:
    where = f"a Ray cluster at {address}"
    remedy = "Name the head's address as `ray status` shows it, on a machine that belongs to the cluster."
    if address == "auto":
        where, remedy = "this machine's Ray cluster", "Start one with `ray start --head`, or use --ray local."
    first_sentence = " ".join(str(reason).split()).split(". ")[0].rstrip(".")[:300]
    return f"--ray {address} must lead to {where}, but it cannot be used ({first_sentence}). {remedy}"


def _check_versions(nodes: list[dict[str, Any]]) -> None:
    """Raises an OptionError if a node has another version of tlsearch, or none."""
    import ray

    def version() -> str:
        # Travels by value: where tlsearch is missing, nothing of it could be found by name.
        import importlib

        try:
            return str(importlib.import_module("tlsearch").__version__)
        except ImportError as error:
            return f"none ({error})"

    remote = ray.remote(version)
    calls = {
        remote.options(num_cpus=0, max_retries=0, scheduling_strategy=on_node(node["NodeID"])).remote(): node for node in nodes
    }
    done, _ = ray.wait(list(calls), num_returns=len(calls), timeout=CHECK_SECONDS)
    for call in done:
        try:
            found = ray.get(call)
        except ray.exceptions.RayError:
            # The node went meanwhile.
            continue
        if found != __version__:
            raise OptionError(
                f"every node must have the same tlsearch, {__version__} here, got {found} on "
                f"{calls[call]['NodeManagerAddress']}. Install it there, in the environment that `ray start` runs in."
            )
