"""Searches on a real Ray cluster: a head and two more raylets on this machine, each a node of its own with its own cache."""

import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager

import psutil
import pytest
from PIL import Image

from tlsearch.search.storage.store import StudyStore
from tlsearch.search.trial import CompleteTrial, FailedTrial

from ..platforms import needs
from ..search.factory import striped_dataset
from .test_run import command, tlsearch

pytest.importorskip("ray")

pytestmark = [pytest.mark.trains, pytest.mark.slow, needs("signal.SIGKILL", "os.sched_getaffinity")]
TRIALS = 6
OPTIONS = [
    *("--weights", "starter", "--alpha", 0.35, "--size", 32, "--space", "smoke"),
    *("--technique", "fine-tune", "--technique", "full"),
    *("--epochs", 20, "--no-early-stopping", "--no-prune", "--algorithm", "random", "--trials", TRIALS, "--confirm", 1),
]  # fmt: skip
STORE = 80 << 20


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    dataset = striped_dataset(home)
    for number, (pixels, label) in enumerate(zip(dataset.images()[:], dataset.labels, strict=True)):
        folder = home / "photos" / dataset.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return home


class Cluster:
    """A head without cores, and nodes of one core that do not share the driver's folder of caches."""

    def __init__(self, home):
        from ray.cluster_utils import Cluster

        self._home = home
        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address = self._cluster.address
        self.caches, self.nodes = [], []

    def add_node(self, **variables):
        self.caches.append(self._home / f"node-cache-{len(self.caches)}")
        own = {"TLSEARCH_NODE_CACHE_DIR": str(self.caches[-1]), **variables}
        self.nodes.append(self._cluster.add_node(num_cpus=1, object_store_memory=STORE, env_vars=own))

    def kill_node(self, number):
        """As when the plug is pulled: its raylet is gone at once."""
        raylet = self.nodes.pop(number).all_processes["raylet"][0].process
        raylet.kill()
        raylet.wait()

    def shutdown(self):
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def cluster(home):
    cluster = Cluster(home)
    try:
        cluster.add_node()
        cluster.add_node()
        yield cluster
    finally:
        cluster.shutdown()


@pytest.fixture(scope="module")
def local(home, tmp_path_factory):
    """The scores, by slot, that this machine gives; each worker on one core, as on the nodes."""
    cores = len(os.sched_getaffinity(0))
    cache = tmp_path_factory.mktemp("local-cache")
    tlsearch("run", "photos", *OPTIONS, "--workers", cores, "--study", "local", "--cache-dir", cache, cwd=home)
    found = scores(home / "local")
    assert len(found) == TRIALS
    return found


def scores(study):
    return {trial.seed: trial.score for trial in StudyStore.open(study).trials() if isinstance(trial, CompleteTrial)}


@contextmanager
def searching(home, study, *options):
    """A search under way, and its lines."""
    run = command("run", "photos", *OPTIONS, "--study", study, *options)
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(run, cwd=home, **streams, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process, start):
    seen = []
    for line in process.stderr:
        seen.append(line)
        if line.startswith(start):
            return seen
    raise AssertionError("".join(seen))


def actors():
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if "ray::TrainingActor" in " ".join(process.info["cmdline"] or ())
    ]


def test_a_node_that_is_killed_costs_its_trial_one_retry(home, cluster, local):
    with searching(home, "study", "--ray", cluster.address) as process:
        before = wait_for(process, f"[2/{TRIALS}]")
        cluster.kill_node(0)
        rest = process.stderr.read()
        assert process.wait(60) == 0, rest
    assert any(re.match(r"2 nodes, 2 workers: node-2 \(.*\) 1, node-3 \(.*\) 1", line) for line in before), before
    (lost,) = re.findall(r"(node-[23]) \(.*\) was lost; what it was training is trained again", rest)
    trials = StudyStore.open(home / "study").trials()
    assert scores(home / "study") == local
    others = [trial for trial in trials if not isinstance(trial, CompleteTrial)]
    assert all(isinstance(trial, FailedTrial) and trial.interrupted and lost in trial.error for trial in others)
    assert len(others) <= 1 and {trial.worker for trial in others} <= {f"{lost}/worker-1"}
    assert {trial.worker for trial in trials} == {"node-2/worker-1", "node-3/worker-1"}
    # What nodes need they were given once.
    for cache in cluster.caches:
        assert len(list(cache.glob("images/*/index.json"))) == 1 and list(cache.glob("activations/*/entry.json"))
    assert not actors()


def test_a_driver_that_is_killed_leaves_nothing_behind_and_is_resumed(home, cluster, local):
    while len(cluster.nodes) < 2:
        cluster.add_node()
    with searching(home, "killed", "--ray", cluster.address) as process:
        wait_for(process, f"[3/{TRIALS}]")
        assert len(actors()) >= 2
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    deadline = time.monotonic() + 60
    while left := actors():
        assert time.monotonic() < deadline, left
        time.sleep(0.2)
    done = scores(home / "killed")
    assert 3 <= len(done) < TRIALS
    again = tlsearch("run", "photos", *OPTIONS, "--study", "killed", "--ray", cluster.address, cwd=home)
    assert f"{len(done)} of them done before" in again.stderr
    assert scores(home / "killed") == local


def test_a_cluster_of_its_own_ends_with_the_driver(home, local):
    with searching(home, "own", "--ray", "local") as process:
        wait_for(process, f"[1/{TRIALS}]")
        # Ray's own two agents of a node follow by themselves, a minute after they have lost their head.
        family = [
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if child.name() not in ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
        ]
        names = {child.name().partition(".")[0] for child in family}
        assert names >= {"gcs_server", "raylet", "ray::TrainingActor", "ray::NodeAgent"}
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive
    tlsearch("run", "photos", *OPTIONS, "--study", "own", "--ray", "local", cwd=home)
    assert scores(home / "own") == local


def test_what_no_node_can_give_is_refused_before_anything_is_decoded(home, cluster):
    refused = tlsearch("run", "photos", *OPTIONS, "--ray", cluster.address, "--gpus-per-trial", 2, cwd=home, code=2)
    assert re.search(
        r"a trial needs 1 CPU, 2 GPUs and 1\.5 GB of memory on one node; the largest of the cluster's nodes", refused.stderr
    )
    assert "decoding" not in refused.stderr


def test_a_node_with_another_version_is_named(home, cluster):
    other = home / "other"
    (other / "tlsearch").mkdir(parents=True)
    (other / "tlsearch" / "__init__.py").write_text("__version__ = '0.0.1'")
    cluster.add_node(PYTHONPATH=str(other))
    try:
        refused = tlsearch("run", "photos", *OPTIONS, "--ray", cluster.address, cwd=home, code=2)
    finally:
        cluster.kill_node(-1)
    assert "every node must have the same tlsearch" in refused.stderr and "got 0.0.1 on" in refused.stderr
