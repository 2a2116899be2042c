"""What tests of several folders share: tiny folders of images, a cache of one's own, real photographs where there are some."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

from .platforms import require
from .postgres import Server, binaries

# Two slow cores are no reason to fail, and nothing is left in the checkout.
settings.register_profile("tlsearch", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tlsearch")

# Keras imports jax where it is installed, which sets a lower one: commands that tests run would inherit it and write notices.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
MakeFolder = Callable[[Mapping[str, int]], Path]


def pytest_configure(config: pytest.Config) -> None:
    """Files are handed to processes in their order: by their number of tests, the long searches would come last and alone."""
    config.option.loadscopereorder = False


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or fills the user's cache."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("TLSEARCH_CACHE_DIR", str(cache))
    return cache


@pytest.fixture
def pictures() -> Iterator[Image.Image]:
    """Pictures of 16 × 16 pixels, each another."""
    return (
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (16, 16, 3), np.uint8)) for number in itertools.count()
    )


@pytest.fixture
def make_folder(tmp_path: Path, pictures: Iterator[Image.Image]) -> MakeFolder:
    """Makes a data folder of so many different pictures in each folder: ``{"train/cats": 10, …}``."""

    def make(counts: Mapping[str, int]) -> Path:
        root = tmp_path / "photos"
        for folder, count in counts.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                next(pictures).save(root / folder / f"{number}.png")
        return root

    return make


@pytest.fixture
def real_data() -> Path:
    """What ``TLSEARCH_TEST_DATA`` names: ``data/`` with folders of real photographs, ``weights/`` with ImageNet's."""
    if not (folder := os.environ.get("TLSEARCH_TEST_DATA")):
        pytest.skip("TLSEARCH_TEST_DATA names no folder with data/ and weights/")
    return Path(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server, running; a test that stops it starts it again."""
    require("os.geteuid")
    if (programs := binaries()) is None:
        pytest.skip("PostgreSQL is not installed")
    server = Server(programs)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"tl{secrets.token_hex(4)}"
    postgres.sql(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")
