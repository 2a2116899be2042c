"""What becomes of workers and their data on nodes that come, go and fill up; nothing is trained, and no cluster is there."""

import contextlib
import hashlib
import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("ray")

from tlsearch.search.activations.cache import ActivationCache
from tlsearch.search.activations.passes import passes
from tlsearch.search.context import Context
from tlsearch.search.events import NodesChanged, Warned
from tlsearch.search.machine.devices import Device
from tlsearch.search.machine.paths import folder_bytes
from tlsearch.search.training.trainer import Job
from tlsearch.search.workers.messages import Begin, ComputeFeatures, Failed, Features, Ready, Train, Trained
from tlsearch.search.workers.pool import Died, TrainingRuns
from tlsearch.search.workers.ray import agent, node, pool
from tlsearch.search.workers.ray import worker as ray_worker
from tlsearch.search.workers.ray.actor import Home
from tlsearch.spaces.backbone.network import POOL
from tlsearch.spaces.backbone.spec import BackboneSpec, weights_fingerprint
from tlsearch.spaces.errors import SearchFailedError
from tlsearch.spaces.recipe import Recipe

from ...factory import striped_dataset
from .fake import OWN, FakeRay

SPEC = BackboneSpec(0.35, 32, "starter")
HEAD = Recipe(technique="frozen", learning_rate=1e-2, epochs=2, batch_size=8)


class FakeTraining:
    """An actor that does each task at once, or answers it as a test has it."""

    answers = staticmethod(lambda actor, message: Trained(None) if isinstance(message, Train) else Features([]))

    def __init__(self, threads, environment):
        self.threads = threads

    def home(self):
        return Home(self.actor.node, id(self))

    def warm_up(self):
        pass

    def answer(self, message):
        if isinstance(message, Begin):
            self.context = message.context
            return Ready({POOL + 1: 1280}, Device("tensorflow"))
        self.actor.ray.answered.append(self.actor.node)
        return FakeTraining.answers(self, message)


@pytest.fixture
def context(tmp_path):
    (tmp_path / "driver").mkdir()
    weights = SPEC.locate()
    folder = tmp_path / "driver" / "activations"
    return Context(striped_dataset(tmp_path), SPEC, weights, weights_fingerprint(SPEC, weights), folder, 0, "accuracy")


@pytest.fixture
def start(monkeypatch, tmp_path, context):
    """Starts a pool on nodes, each with so many places; those named in ``apart`` do not see the driver's folder."""
    pools = contextlib.ExitStack()
    monkeypatch.setattr(ray_worker, "TrainingActor", FakeTraining)
    monkeypatch.setattr(pool, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(FakeTraining, "answers", FakeTraining.answers)

    def start(nodes, apart=(), count=None):
        ray, heard = FakeRay(nodes), []

        class Agent(agent.NodeAgent):
            def settle(self, *arguments):
                with monkeypatch.context() as patched:
                    if self.actor.node in apart:
                        patched.setenv(agent.NODE_CACHE_VARIABLE, str(tmp_path / self.actor.node))
                    return super().settle(*arguments)

            def receive(self, target, chunk, first):
                ray.sent.append((self.actor.node, target))
                super().receive(target, chunk, first)

        for module in (pool, node, ray_worker):
            monkeypatch.setattr(module, "ray", ray)
        for module in (pool, node):
            monkeypatch.setattr(module, "on_node", lambda node_id: SimpleNamespace(node_id=node_id))
        monkeypatch.setattr(node, "NodeAgent", Agent)
        monkeypatch.setattr(pool, "living_nodes", ray.living_nodes)
        cluster = SimpleNamespace(
            connected=contextlib.nullcontext, trials_at_once=lambda: sum(nodes.values()), cpus_per_trial=1, spelled="1 CPU",
            resources={"CPU": 1, "GPU": 0, "memory": 1},
        )  # fmt: skip
        workers = pools.enter_context(pool.RayPool(cluster, count, heard.append))
        workers.begin(Begin(context, (), folded=True))
        return SimpleNamespace(pool=workers, ray=ray, heard=heard, answered=ray.answered)

    with pools:
        yield start


class Runs(TrainingRuns):
    """So many training runs; one that is lost with its node is trained again."""

    def __init__(self, count):
        self.waiting = [Train(ticket, Job(HEAD, 1, head_seed=2), frozenset()) for ticket in range(count)]
        self.takers, self.ends = {}, []

    def next_run(self, worker):
        if not self.waiting:
            return None
        run = self.waiting.pop(0)
        self.takers[run.ticket] = worker
        return run

    def goes_on(self, run, measurement):
        raise AssertionError("nothing is measured")

    def ended(self, run, end):
        self.ends.append((self.takers[run.ticket], run.ticket, end))
        if isinstance(end, Died) and end.with_node:
            self.waiting.append(run)


def train(pool, count):
    """Has the pool train so many runs; gives who trained each, and what came of it."""
    runs = Runs(count)
    pool.train(runs)
    return runs.ends


def fill_cache(started, count):
    """Has the pool do so many tasks at the cache; gives the nodes that did them."""
    before = len(started.answered)
    tasks = [ComputeFeatures(number, np.arange(1)) for number in range(count)]
    assert sorted(task.first for task, _ in started.pool.map(tasks, at_cache=True)) == list(range(count))
    return started.answered[before:]


def placed(heard):
    return [{state.name: len(state.workers) for state in event.nodes} for event in heard if isinstance(event, NodesChanged)]


def everyone_ready(pool):
    while not all(worker.ready for worker in pool.workers):
        pool.wait_until_ready()


def test_as_many_workers_as_fit_named_after_their_nodes(start):
    started = start({OWN: 1, "b": 2})
    everyone_ready(started.pool)
    assert sorted(worker.name for worker in started.pool.workers) == ["node-1/worker-1", "node-2/worker-1", "node-2/worker-2"]
    ends = train(started.pool, 7)
    assert placed(started.heard)[-1] == {"node-1": 1, "node-2": 2}
    assert sorted(task for _, task, _ in ends) == list(range(7)) and len({name for name, _, _ in ends}) == 3


def test_nodes_that_share_the_folder_are_sent_nothing(start, context):
    started = start({OWN: 1, "b": 1})
    everyone_ready(started.pool)
    assert started.ray.sent == []
    begun = [actor.object.context for actor in started.ray.actors if hasattr(actor.object, "context")]
    paths = (context.cache, context.weights, context.dataset.images_folder)
    assert [(one.cache, one.weights, one.dataset.images_folder) for one in begun] == [paths, paths]
    assert all(worker.at_cache for worker in started.pool.workers)


def test_a_node_apart_is_sent_each_file_once(start, context, tmp_path):
    started = start({"b": 2, OWN: 1}, apart={"b"})
    everyone_ready(started.pool)
    cache = ActivationCache(context.cache)
    (work,) = passes(context, "search", [POOL + 1], folded=True, augment=False)
    (key,) = work.keys(context)
    values = np.random.default_rng(0).normal(size=(len(work.rows), 1280))
    cache.complete(key, len(values), [cache.write_shard(key, 0, values)])
    for _ in range(2):
        started.pool.share([key])

    own = tmp_path / "b"
    begun = next(actor.object.context for actor in started.ray.actors if actor.node == "b" and hasattr(actor.object, "context"))
    assert begun.cache == own / "activations" and own in begun.dataset.images_folder.parents and own in begun.weights.parents
    np.testing.assert_array_equal(begun.dataset.images()[:], context.dataset.images()[:])
    assert all(own in file.parents for file in begun.dataset.images().files)
    assert weights_fingerprint(SPEC, begun.weights) == context.weights_fingerprint
    rows = np.arange(len(values))
    np.testing.assert_array_equal(ActivationCache(begun.cache).open(key).take(rows), cache.open(key).take(rows))
    assert folder_bytes(begun.cache / key.name) == folder_bytes(context.cache / key.name)
    assert not list(own.rglob("*.tmp"))
    chunks = [target for _, target in started.ray.sent]
    assert len(chunks) == len(set(chunks)) == 3 + 1 + 1 + 2 and {node for node, _ in started.ray.sent} == {"b"}


def test_a_node_that_comes_later_is_given_what_was_shared_before(start, context, tmp_path):
    started = start({OWN: 1}, apart={"late"}, count=2)
    started.pool.wait_until_ready()
    cache = ActivationCache(context.cache)
    (work,) = passes(context, "search", [POOL + 1], folded=True, augment=False)
    (key,) = work.keys(context)
    cache.complete(key, 1, [cache.write_shard(key, 0, np.zeros((1, 1280)))])
    started.pool.share([key])
    started.ray.nodes["late"] = 1
    for worker in started.pool.workers:
        if worker.node is None:
            worker.restart()  # Ray's own scheduler would place it; the fake one looks once
    everyone_ready(started.pool)
    assert ActivationCache(tmp_path / "late" / "activations").has(key)


def test_only_workers_at_the_cache_fill_it(start):
    started = start({"b": 2, OWN: 1}, apart={"b"})
    everyone_ready(started.pool)
    assert fill_cache(started, 5) == [OWN] * 5


def test_where_none_is_helpers_are_started_on_the_drivers_node(start, monkeypatch):
    monkeypatch.setattr(pool, "choose_workers", lambda asked: (3, 1, ()))
    started = start({"b": 2, OWN: 0}, apart={"b"})
    started.pool.wait_until_ready()
    for _ in range(2):
        assert fill_cache(started, 9) == [OWN] * 9
    assert len(started.pool.workers) == 2 and {name for name, _, _ in train(started.pool, 3)} <= {
        "node-2/worker-1",
        "node-2/worker-2",
    }
    assert sum(actor.node == OWN and isinstance(actor.object, FakeTraining) for actor in started.ray.actors) == 3
    assert all("node-1" not in names for names in placed(started.heard))


def test_a_worker_that_dies_alone_costs_its_task(start):
    started = start({OWN: 1, "b": 1})
    everyone_ready(started.pool)
    struck = []

    def strike(training, message):
        if not struck:
            struck.append(training)
            started.ray.kill(training.actor)
            raise pool.RayError("Worker exit detail: Worker exits. Some common causes include: many.")
        return Trained(None)

    FakeTraining.answers = staticmethod(strike)
    ends = train(started.pool, 4)
    (died,) = [message for _, _, message in ends if isinstance(message, Died)]
    assert died == Died("the worker process died: killed, crashed or out of memory; Ray says: Worker exits.")
    assert len(ends) == 4 and not any(isinstance(event, Warned) for event in started.heard)
    everyone_ready(started.pool)
    assert sorted(worker.name for worker in started.pool.workers) == ["node-1/worker-1", "node-2/worker-1"]


def test_a_node_that_is_lost_is_said_and_its_workers_come_up_elsewhere(start):
    started = start({OWN: 2, "b": 1})
    everyone_ready(started.pool)

    def strike(training, message):
        if training.actor.node == "b":
            del started.ray.nodes["b"]
            raise pool.RayError("gone")
        return Trained(None)

    FakeTraining.answers = staticmethod(strike)
    started.ray.nodes[OWN] = 3
    ends = train(started.pool, 4)
    (lost,) = [end for end in ends if isinstance(end[2], Died)]
    assert lost[0] == "node-2/worker-1" and lost[2] == Died("node-2 (10.0.0.2) was lost", with_node=True)
    assert sorted(task for _, task, message in ends if isinstance(message, Trained)) == list(range(4))
    everyone_ready(started.pool)
    train(started.pool, 1)
    assert [event.message for event in started.heard if isinstance(event, Warned)] == [
        "node-2 (10.0.0.2) was lost; what it was training is trained again."
    ]
    assert placed(started.heard)[-1] == {"node-1": 3}


def test_a_node_that_cannot_take_the_data_is_done_without(start, tmp_path):
    (tmp_path / "b").write_text("a file where a folder must be made")
    started = start({OWN: 1, "b": 2}, apart={"b"})
    started.pool.wait_until_ready()
    started.pool.share([])
    assert len(started.pool.workers) == 1
    (said,) = [event.message for event in started.heard if isinstance(event, Warned)]
    assert said.startswith("node-2 (10.0.0.2) cannot take the data: the cache folder must be writable") and "not used" in said
    assert {name for name, _, _ in train(started.pool, 3)} == {"node-1/worker-1"}


def test_without_any_usable_node_the_search_ends(start, tmp_path):
    (tmp_path / "b").write_text("a file where a folder must be made")
    started = start({"b": 1, OWN: 0}, apart={"b"})
    with pytest.raises(SearchFailedError, match="no node can be used; the last one: node-2"):
        started.pool.wait_until_ready()


def test_a_cluster_without_room_is_waited_for_with_patience(start, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(pool.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(pool.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + 10))
    monkeypatch.setattr(FakeRay, "wait", lambda self, refs, **_: (now.__setitem__(0, now[0] + 10), ([], refs))[1])
    started = start({OWN: 0}, count=1)
    with pytest.raises(SearchFailedError, match="no room for a trial for 10 minutes"):
        started.pool.wait_until_ready()
    assert [event.message for event in started.heard] == ["Waiting for a node with room for a trial (1 CPU)."]


def test_what_keeps_workers_from_beginning_is_raised(start, monkeypatch):
    monkeypatch.setattr(
        FakeTraining, "answer", lambda self, message: Failed("no weights", cause=SearchFailedError("no weights"))
    )
    with pytest.raises(SearchFailedError, match="no weights"):
        start({OWN: 1}).pool.wait_until_ready()


def test_closing_ends_every_actor(start):
    started = start({"b": 1, OWN: 0}, apart={"b"})
    started.pool.wait_until_ready()
    fill_cache(started, 1)
    started.pool.close()
    assert all(actor.gone for actor in started.ray.actors)


def test_a_file_that_arrives_altered_is_not_kept(tmp_path, context):
    receiver = agent.NodeAgent()
    receiver.settle(tmp_path / "own", "", True)
    receiver.receive("images/x/00000.npy", np.arange(10, dtype=np.uint8), True)
    with pytest.raises(OSError, match="arrived altered"):
        receiver.finish("images/x/00000.npy", "0" * 32)
    assert [path for path in (tmp_path / "own").rglob("*") if path.is_file()] == []


def test_a_file_that_was_cut_off_starts_anew(tmp_path):
    receiver = agent.NodeAgent()
    receiver.settle(tmp_path, "", True)
    half, whole = np.arange(10, dtype=np.uint8), np.arange(20, dtype=np.uint8)
    receiver.receive("a/b.npy", half, True)
    receiver.receive("a/b.npy", whole[:12], True)
    receiver.receive("a/b.npy", whole[12:], False)
    digest = hashlib.blake2b(whole.tobytes(), digest_size=16).hexdigest()
    assert receiver.finish("a/b.npy", digest).read_bytes() == whole.tobytes()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.npy"]


def test_the_drivers_folder_is_told_from_another_of_the_same_path(tmp_path):
    identity = agent.identity_of(tmp_path)
    assert agent.identity_of(tmp_path) == identity
    receiver = agent.NodeAgent()
    assert receiver.settle(tmp_path, identity, False) == (tmp_path, True)
    root, shared = receiver.settle(tmp_path, "0" * 32, False)
    assert not shared and str(root) == os.environ["TLSEARCH_CACHE_DIR"]


def test_weights_of_another_content_are_not_taken_for_those_asked_for(tmp_path):
    file = tmp_path / "weights.h5"
    file.write_bytes(b"old")
    wanted = agent.Wanted(file, "weights/w.h5", 3, digest=agent.digest_of(file))
    assert wanted.is_at(file)
    file.write_bytes(b"new")
    assert not wanted.is_at(file) and replace(wanted, digest=None).is_at(file)
