"""Fails where a new version of Ray has changed what `private` relies on."""

import pytest

pytest.importorskip("ray")

from ray._private import worker

from tlsearch.search.workers.ray.private import silence_nodes


def test_ray_still_has_the_switch_that_silences_its_nodes(monkeypatch, capsys):
    monkeypatch.setattr(worker, "_worker_logs_enabled", True)
    said = {"pid": "raylet", "ip": "10.0.0.1", "lines": ["a node was lost"], "is_err": False, "task_name": "", "actor_name": ""}
    worker.print_worker_logs({**said, "job": None}, worker.sys.stdout)
    assert "a node was lost" in capsys.readouterr().out, "Ray prints in another way: see `private`"

    silence_nodes()
    worker.print_worker_logs({**said, "job": None}, worker.sys.stdout)
    assert capsys.readouterr().out == "", "Ray\u2019s private switch has gone: see `private`"
