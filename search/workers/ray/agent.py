"""What runs once on every node beside its workers: finds or takes the data, and looks after their processes."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Generator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...activations.cache import ActivationCache, EntryKey
from ...activations.eviction import default_limit, make_room, planning_room, using
from ...machine.paths import atomic_write, cache_root, remove_dead_drafts
from ..watchdog import processor_seconds

NODE_CACHE_VARIABLE = "TLSEARCH_NODE_CACHE_DIR"
"""Names a node's own folder of caches, such as one on a fast disk: it is used even where the driver's can be seen."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file of the driver's that a node needs.

    Attributes:
        source: Where the driver has it.
        target: Where it goes on a node that has it not, below the node's folder of caches. Its name follows from what it holds.
        size: Bytes.
        digest: BLAKE2b of 16 bytes; None where size and name tell enough.
    """

    source: Path
    target: str
    size: int
    digest: str | None = None

    def is_at(self, path: Path) -> bool:
        """Whether the file at a path is this one."""
        try:
            return path.stat().st_size == self.size and (self.digest is None or digest_of(path) == self.digest)
        except OSError:
            return False


def _receive(path: Path) -> Generator[None, NDArray[np.uint8] | str, None]:
    """Receives a file: is sent its chunks and at last the digest of them all, and only then does the file appear.

    Raises:
        OSError: The file cannot be written, or the digest is not that of the chunks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_dead_drafts(path)
    digest = hashlib.blake2b(digest_size=16)
    with atomic_write(path) as file:
        while not isinstance(chunk := (yield), str):
            file.write(chunk.data)
            digest.update(chunk.data)
        if digest.hexdigest() != chunk:
            raise OSError(f"{path.name} arrived altered")


class NodeAgent:
    """Keeps what a node needs of the driver's, and says how its workers are."""

    def __init__(self) -> None:
        self._arriving: dict[str, Generator[None, NDArray[np.uint8] | str, None]] = {}
        self._used = ExitStack()
        self._filling = ExitStack()
        self._raylet = os.getppid()

    def alive(self) -> bool:
        """Whether the node still belongs to the cluster: its raylet, which starts every process here, is there."""
        return os.getppid() == self._raylet

    def settle(self, cache: Path, identity: str, own: bool) -> tuple[Path, bool]:
        """Decides on the node's folder of caches, and says whether it is the driver's.

        Args:
            cache: The driver's.
            identity: What the driver's file of that name in there holds.
            own: Whether this is the driver's node.

        Raises:
            OptionError: The folder cannot be written.
        """
        chosen = os.environ.get(NODE_CACHE_VARIABLE)
        shared = own or (not chosen and _holds(cache / IDENTITY, identity))
        self._root = cache if shared else cache_root(chosen)
        self._cache = ActivationCache(self._root / "activations")
        return self._root, shared

    def find(self, wanted: Wanted, shared: bool) -> Path | None:
        """The path of a file on this node, which may be the driver's own if ``shared``; None if it has to be sent."""
        for path in (wanted.source, self._root / wanted.target) if shared else (self._root / wanted.target,):
            if wanted.is_at(path):
                return path
        return None

    def lock_entries(self, keys: Sequence[EntryKey], size: int, limit: int | None) -> list[EntryKey]:
        """Holds the right to write entries until `unlock_entries`, protects them for good, and gives those that are missing.

        They take ``size`` bytes in all, and room is made for them within ``limit``, a `Context.cache_limit`.
        """
        self._used.enter_context(using(self._cache, keys))
        missing = self._filling.enter_context(self._cache.filling(keys))
        if missing:
            folder = self._cache.folder
            with planning_room(folder):
                make_room(folder, size, default_limit(folder) if limit is None else limit)
        return missing

    def unlock_entries(self) -> None:
        """Lets others write again."""
        self._filling.close()

    def receive(self, target: str, chunk: NDArray[np.uint8], first: bool) -> None:
        """Takes the next bytes of a file, or its first.

        Raises:
            OSError: The disk is full or cannot be written.
        """
        if first:
            if cut_off := self._arriving.pop(target, None):
                cut_off.close()
            self._arriving[target] = _receive(self._root / target)
            next(self._arriving[target])
        self._arriving[target].send(chunk)

    def finish(self, target: str, digest: str) -> Path:
        """Makes a received file visible under its name, and gives its path.

        Raises:
            OSError: It is not what was sent.
        """
        with suppress(StopIteration):
            self._arriving.pop(target).send(digest)
        return self._root / target

    def processor_seconds(self, pids: Sequence[int]) -> dict[int, float]:
        """Processor time that processes of this node have used."""
        return {pid: processor_seconds(pid) for pid in pids}


IDENTITY = "identity"
"""Name of a file in a folder of caches, which holds what no other folder's does."""


def identity_of(cache: Path) -> str:
    """What tells this folder of caches from all others, made where there is none; empty where the folder cannot be written."""
    file = cache / IDENTITY
    try:
        with suppress(FileExistsError), file.open("x") as new:
            new.write(secrets.token_hex(16))
        return file.read_text()
    except OSError:
        return ""


def _holds(file: Path, text: str) -> bool:
    try:
        return file.read_text() == text
    except (OSError, UnicodeDecodeError):
        return False


def digest_of(path: Path) -> str:
    """BLAKE2b of 16 bytes of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
