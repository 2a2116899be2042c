"""What `cache` says and deletes. What may be deleted is tested with the cache."""

import numpy as np
import pytest
from typer.testing import CliRunner

from tlsearch.cli import app
from tlsearch.search.activations.cache import ActivationCache, EntryKey
from tlsearch.search.activations.eviction import using

KEY = EntryKey(images="i", rows="r", weights="w", alpha=0.35, cut=98, folded=True, view=0)


@pytest.fixture
def root(tmp_path):
    """A cache of 2.1 MB of activations, 3 MB of images, 0.4 MB of profiles, 0.7 MB of networks, and something else."""
    cache = ActivationCache(tmp_path / "activations")
    cache.complete(KEY, 256, [cache.write_shard(KEY, 0, np.zeros((256, 4096), np.float32))])
    (tmp_path / "images" / "entry").mkdir(parents=True)
    (tmp_path / "images" / "entry" / "images.npy").write_bytes(bytes(3_000_000))
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "profile.json").write_bytes(bytes(400_000))
    (tmp_path / "networks").mkdir()
    (tmp_path / "networks" / "network.npz").write_bytes(bytes(700_000))
    (tmp_path / "notes.txt").write_text("not ours")
    return tmp_path


def tlsearch(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False).stdout


def test_says_where_it_is_and_how_large(root):
    said = tlsearch("cache", "info", "--cache-dir", root)
    assert str(root / "activations") in said and "2.1 MB" in said and "3.0 MB" in said and "--cache-limit" in said
    assert str(root / "profiles") in said and "0.4 MB" in said
    assert str(root / "networks") in said and "0.7 MB" in said


def test_deletes_what_can_be_made_again(root):
    assert "freed 6.2 MB" in tlsearch("cache", "clear", "--cache-dir", root)
    assert not ActivationCache(root / "activations").has(KEY) and not (root / "images").exists()
    assert not (root / "profiles").exists() and not (root / "networks").exists()
    assert (root / "notes.txt").exists()


def test_keeps_what_a_search_is_using(root):
    cache = ActivationCache(root / "activations")
    with using(cache, [KEY]):
        said = tlsearch("cache", "clear", "--cache-dir", root)
    assert "freed 0.0 MB" in said and "kept 2.1 MB of activations, and the images: a search is using them" in said
    assert cache.has(KEY) and (root / "images" / "entry" / "images.npy").exists()
