from dataclasses import replace

import numpy as np
import pytest

from tlsearch.search.context import Context
from tlsearch.search.workers import network_cache
from tlsearch.search.workers.network_cache import cached_network
from tlsearch.spaces.backbone.folding import fold
from tlsearch.spaces.backbone.spec import BackboneSpec, load_network, weights_fingerprint

from ..factory import striped_dataset

BACKBONE = BackboneSpec(0.35, 32, "starter")


@pytest.fixture
def context(tmp_path):
    weights = BACKBONE.locate()
    fingerprint = weights_fingerprint(BACKBONE, weights)
    return Context(striped_dataset(tmp_path), BACKBONE, weights, fingerprint, tmp_path / "activations", 0, "accuracy")


def unloadable(spec, path):
    raise AssertionError("it is in the cache")


def test_what_is_read_is_what_was_loaded(context, monkeypatch):
    built = cached_network(context)
    monkeypatch.setattr(network_cache, "load_network", unloadable)
    read, loaded = cached_network(context), load_network(BACKBONE, context.weights)
    for network in (built, read):
        for found, expected in zip(fold(network).steps, fold(loaded).steps, strict=True):
            assert (found.index, found.kind, found.inputs, found.shape) == (
                expected.index,
                expected.kind,
                expected.inputs,
                expected.shape,
            )
            assert all(map(np.array_equal, found.weights, expected.weights))
    # Layers are made of configurations that went through JSON.
    model = read.build(0, 155)
    assert all(map(np.array_equal, model.get_weights(), [array for step in loaded.steps for array in step.weights]))


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[: len(data) // 2], lambda data: b"\0" * len(data)])
def test_a_damaged_file_is_built_again(context, monkeypatch, damage):
    expected = cached_network(context)
    (file,) = (context.cache.parent / "networks").iterdir()
    file.write_bytes(damage(whole := file.read_bytes()))
    assert cached_network(context).steps[1].kind == expected.steps[1].kind
    assert file.read_bytes() == whole
    monkeypatch.setattr(network_cache, "load_network", unloadable)
    cached_network(context)


def test_other_weights_sizes_and_widths_are_others(context):
    paths = {
        network_cache._path(replace(context, **changed))
        for changed in (
            {},
            {"weights_fingerprint": "another"},
            {"backbone": replace(BACKBONE, size=64)},
            {"backbone": replace(BACKBONE, alpha=0.5, weights="random")},
        )
    }
    assert len(paths) == 4


def test_a_full_disk_keeps_no_one_from_training(context, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(network_cache, "atomic_write", full)
    assert cached_network(context).size == 32
