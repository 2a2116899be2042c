"""Whatever is wrong with a cluster, and what a trial may take of it; no cluster is there."""

import socket
import sys

import pytest

from tlsearch.search.workers.ray import cluster
from tlsearch.search.workers.ray.cluster import RayCluster
from tlsearch.spaces.errors import OptionError


def node(cpus, gpus=0, memory=64e9, address="10.0.0.1"):
    return {"NodeManagerAddress": address, "Resources": {"CPU": cpus, "GPU": gpus, "memory": memory}}


@pytest.mark.parametrize("address", ["auto", "local", "10.0.0.1:6379", "head.cluster:6379", "[fe80::1]:6379"])
def test_takes_addresses(address):
    assert RayCluster(address=address).address == address


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"address": "nonsense"}, "must be auto, local or host:port, got nonsense"),
        ({"address": "ray://head:10001"}, "run tlsearch on a node of the cluster"),
        ({"address": "auto", "cpus_per_trial": 0}, "--cpus-per-trial must be at least 1, got 0"),
        ({"address": "auto", "gpus_per_trial": 1.5}, "--gpus-per-trial must be a whole number, or a share .* got 1.5"),
        ({"address": "auto", "gpus_per_trial": -1}, "got -1"),
        ({"address": "auto", "gpus_per_trial": float("nan")}, "got nan"),
    ],
)
def test_refuses_with_what_was_got(options, message):
    with pytest.raises(OptionError, match=message):
        RayCluster(**options)


@pytest.mark.parametrize(
    ("cpus", "gpus", "nodes", "expected"),
    [
        (1, 0, [node(4), node(0), node(2)], 6),
        (3, 0, [node(4), node(8)], 3),
        (1, 1, [node(8, gpus=2), node(8)], 2),
        (1, 0.5, [node(8, gpus=2)], 4),
        (1, 0.7, [node(8, gpus=4)], 4),
        (1, 0.1, [node(64, gpus=1)], 10),
        (1, 0, [node(16, memory=3e9)], 2),
        (4, 0, [node(2), node(3)], 0),
    ],
)
def test_as_many_trials_at_once_as_each_node_has_room_for(monkeypatch, cpus, gpus, nodes, expected):
    monkeypatch.setattr(cluster, "living_nodes", lambda: nodes)
    assert RayCluster(address="auto", cpus_per_trial=cpus, gpus_per_trial=gpus).trials_at_once() == expected


def test_without_ray_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(OptionError, match=r'pip install "tlsearch\[ray\]"'), RayCluster(address="local").connected():
        pass


def test_a_port_where_nothing_listens_is_told_at_once():
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(OptionError, match=rf"--ray 127.0.0.1:{port} .* \(Connection refused\)"):
        RayCluster(address=f"127.0.0.1:{port}").connected().__enter__()


def test_something_else_that_listens_there_is_waited_for_no_longer_than_said(monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(OptionError, match="no answer within 0 s") as refused:
            RayCluster(address=address).connected().__enter__()
    assert "a machine that belongs to the cluster" in str(refused.value)
