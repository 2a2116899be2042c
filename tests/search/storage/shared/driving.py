"""A driver in a process of its own, whose workers train nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from types import SimpleNamespace

import numpy as np

from tlsearch.search.events import Warned
from tlsearch.search.phases import confirm, training
from tlsearch.search.phases.progress import Progress
from tlsearch.search.storage.address import parse_storage
from tlsearch.search.storage.shared import connection, leases
from tlsearch.search.storage.shared.studies import SharedStudy
from tlsearch.search.storage.store import StudyStore
from tlsearch.spaces.space import SearchSpace

from ...fakes import FakePool, confirmer, searcher

SPAWN = multiprocessing.get_context("spawn")
LABELS = np.arange(16) % 2


def good(job):
    return round(0.5 + (job.seed % 997) / 2000, 6)


class Driver:
    """A process that searches and confirms. What it says is a `Warned`'s text, or how it ended.

    ``seconds`` is what a trial takes; ``lease`` and ``patience`` are as in `leases` and `connection`.
    """

    def __init__(self, url, total, *, seconds=0.05, lease=2.0, patience=60.0, confirm=0, stuck_at=None, name="photos"):
        self.heard, theirs = SPAWN.Pipe(duplex=False)
        options = {"seconds": seconds, "lease": lease, "patience": patience, "confirm": confirm, "stuck_at": stuck_at}
        self.process = SPAWN.Process(target=drive, args=(theirs, url, name, total, options), daemon=True)
        self.process.start()
        theirs.close()
        self.said = []

    def wait_for(self, words, timeout=60):
        """Until it says something with these words."""
        deadline = time.monotonic() + timeout
        while not any(words in said for said in self.said):
            assert self.heard.poll(max(0.0, deadline - time.monotonic())), f"never said {words!r}, but {self.said}"
            self.said.append(self.heard.recv())

    def join(self, timeout=90):
        """Until it ends, and how."""
        self.wait_for("ended", timeout)
        self.process.join(10)
        return self.said[-1]

    def kill(self):
        self.process.kill()
        self.process.join()


def drive(says, url, name, total, options):
    hurry(**options)
    # Where the tests run in the background of a shell they are started with SIGINT ignored, and so would this process be.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    place = SharedStudy(parse_storage(url), name)
    begun = []

    def result(job):
        begun.append(job)
        says.send(f"trains {len(begun)}")
        if len(begun) == options["stuck_at"]:
            time.sleep(600)
        time.sleep(options["seconds"])
        return good(job)

    def listener(event):
        if isinstance(event, Warned):
            says.send(event.message)

    try:
        store = StudyStore.open(place)
        pool = FakePool(result, count=2, epochs=2, predictions=np.tile(np.float32([0.2, 0.8]), (16, 1)))
        with store.hold(listener):
            if not Progress.of(store.trials(), SearchSpace(), total).complete:
                searcher(store, total, listener=listener).run(pool)
            data = SimpleNamespace(labels=LABELS, test=np.arange(16), folds=(), fold=lambda number: data)
            if options["confirm"]:
                confirmer(store, data, options["confirm"], listener=listener).run(pool)
        says.send("ended well")
    except Exception as error:
        says.send(f"ended with {type(error).__name__}: {error}")
        raise


def hurry(lease, patience, **_):
    """Shorter times than anybody would wait for in a test."""
    training.POLL_SECONDS = confirm.POLL_SECONDS = 0.2
    leases.LEASE_SECONDS = lease
    connection.PATIENCE = patience
    if "TLSEARCH_TEST_ELSEWHERE" in os.environ:
        leases.known_dead = lambda owner: False
