"""Which GPUs there are and who gets which: decided from lists, for there is no GPU where these tests run."""

import os
import stat
import types

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.search.machine.devices import (
    Device,
    check_backend,
    choose_policy,
    current_device,
    find_gpus,
    is_out_of_memory,
    machine_memory,
    pin,
    plan_workers,
    visible_gpus,
)
from tlsearch.spaces.errors import OptionError

from ...platforms import require

TWO = """GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-11111111-aaaa-bbbb-cccc-000000000000)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-22222222-aaaa-bbbb-cccc-000000000000)
"""
DIVIDED = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-11111111-aaaa-bbbb-cccc-000000000000)
  MIG 3g.20gb     Device  0: (UUID: MIG-33333333-aaaa-bbbb-cccc-000000000000)
  MIG 3g.20gb     Device  1: (UUID: MIG-44444444-aaaa-bbbb-cccc-000000000000)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-22222222-aaaa-bbbb-cccc-000000000000)
"""


def never():
    raise AssertionError("the driver is not asked where the environment says which")


def test_the_driver_says_which_gpus_there_are():
    assert [name[:5] for name in visible_gpus({}, lambda: TWO)] == ["GPU-1", "GPU-2"]
    assert visible_gpus({}, lambda: "") == ()
    assert visible_gpus({}, lambda: "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.") == ()


def test_the_parts_of_a_divided_gpu_are_used_in_its_place():
    assert [name[:5] for name in visible_gpus({}, lambda: DIVIDED)] == ["MIG-3", "MIG-4", "GPU-2"]


@pytest.mark.parametrize(("variable", "expected"), [
    ("", ()), ("-1", ()), ("0", ("0",)), ("1,0", ("1", "0")), ("2, GPU-7", ("2", "GPU-7")),
    ("0,-1,1", ("0",)), ("0,,1", ("0",)),
])  # fmt: skip
def test_the_environment_goes_before_the_driver(variable, expected):
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": variable}, never) == expected


@pytest.mark.parametrize(("asked", "cores", "affordable", "gpus", "expected"), [
    (None, 16, 40, ("a", "b"), (2, 8, ("a", "b"))),                 # one worker a GPU, however many cores
    (None, 16, 1, ("a", "b"), (1, 16, ("a",))),                     # memory of the machine for one
    (None, 4, 0, ("a",), (1, 4, ("a",))),
    (5, 16, 40, ("a", "b"), (5, 3, ("a", "b", "a", "b", "a"))),     # a fraction of a GPU each
    (1, 16, 40, ("a", "b"), (1, 16, ("a",))),
    (None, 64, 99, tuple("abcdefghijklmnopqrst"), (16, 4, tuple("abcdefghijklmnop"))),
    (None, 8, 40, (), (8, 1, ())),
])  # fmt: skip
def test_workers_are_planned_for_what_there_is(asked, cores, affordable, gpus, expected):
    assert plan_workers(asked, cores=cores, affordable=affordable, gpus=gpus) == expected


@given(st.integers(1, 60), st.integers(1, 9))
def test_gpus_are_shared_as_evenly_as_can_be(workers, gpus):
    _, _, own = plan_workers(workers, cores=8, affordable=8, gpus=[str(place) for place in range(gpus)])
    loads = [own.count(str(place)) for place in range(gpus)]
    assert sum(loads) == workers and max(loads) - min(loads) <= 1


def test_a_worker_sees_its_gpu_alone_and_takes_memory_as_it_needs_it():
    environment = {"CUDA_VISIBLE_DEVICES": "0,1"}
    pin("1", environment)
    assert environment == {
        "CUDA_VISIBLE_DEVICES": "1", "TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }  # fmt: skip
    own = {"CUDA_VISIBLE_DEVICES": "0,1", "TF_FORCE_GPU_ALLOW_GROWTH": "false", "XLA_PYTHON_CLIENT_PREALLOCATE": "true"}
    kept = dict(own)
    pin(None, own)
    assert own == kept, "what the user has set stays"


@pytest.mark.parametrize(("capabilities", "policy"), [
    ([], "float32"), ([(9, 0)], "mixed_float16"), ([(7, 5)], "mixed_float16"), ([(6, 1)], "float32"), ([None], "mixed_float16"),
    ([(9, 0), (6, 1)], "float32"),
])  # fmt: skip
def test_half_precision_where_every_gpu_has_it(capabilities, policy):
    assert choose_policy(capabilities) == policy


def test_here_is_no_gpu():
    assert current_device() == Device("tensorflow", "CPU", "float32")


@pytest.fixture
def listing(tmp_path, monkeypatch):
    """A machine whose driver lists two GPUs."""
    require("/bin/sh")
    command = tmp_path / "nvidia-smi"
    command.write_text(f"#!/bin/sh\ncat <<'END'\n{TWO}END\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    find_gpus.cache_clear()
    yield command
    find_gpus.cache_clear()


@pytest.mark.slow
def test_a_backend_without_gpus_uses_none_whatever_the_driver_lists(listing):
    assert find_gpus() == ()


def test_a_driver_that_fails_lists_nothing(listing):
    listing.write_text("#!/bin/sh\necho 'Driver/library version mismatch'; exit 18\n")
    assert find_gpus() == ()


def test_a_backend_that_is_none_or_missing_is_refused_at_once(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    with pytest.raises(OptionError, match="KERAS_BACKEND must be one of tensorflow, jax, torch, got theano"):
        check_backend()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(OptionError, match="KERAS_BACKEND must be installed, got jax"):
        check_backend()


@pytest.mark.parametrize(("error", "expected"), [
    (MemoryError(), True), (type("ResourceExhaustedError", (Exception,), {})("OOM"), True),
    (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory."), True),
    (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 4 bytes"), True), (RuntimeError("shape"), False),
])  # fmt: skip
def test_every_backends_out_of_memory_is_known(error, expected):
    assert is_out_of_memory(error) is expected


def test_names_of_gpus_come_from_the_backend(monkeypatch):
    import tensorflow as tf

    details = {"device_name": "NVIDIA H100", "compute_capability": (9, 0)}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [types.SimpleNamespace(name="GPU:0")])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    assert current_device() == Device("tensorflow", "NVIDIA H100", "float32")


@pytest.mark.parametrize(("file", "text", "expected"), [
    ("memory.max", "100000000\n", 100_000_000),
    ("memory/memory.limit_in_bytes", "100000000\n", 100_000_000),
    ("memory.max", "max\n", None),
    ("memory/memory.limit_in_bytes", "9223372036854771712\n", None),
    ("memory.max", "", None),
    ("other", "1\n", None),
])  # fmt: skip
def test_a_container_has_no_more_memory_than_its_limit(tmp_path, file, text, expected):
    path = tmp_path / "sys/fs/cgroup" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert machine_memory(tmp_path) == (expected or psutil.virtual_memory().total)
