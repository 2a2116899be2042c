"""How far the frozen network's features already tell a data set's classes apart, block by block: the depth profile.

At each block's output, averaged over its positions, an image is classified by the `NEIGHBOURS` training images most like it
(cosine similarity, leaving itself out). Simple k-nearest neighbours on frozen features foretold how well transfer learning
works better than any of 23 metrics in 42,000 experiments (Matsoukas et al. 2025, arXiv 2503.18528).

Early blocks know edges and textures, late ones the things that the weights were trained to name. Where the accuracy is highest
at the end, the data set's classes are told apart by what the weights know: it is similar to what they come from. Where it is
highest earlier, the last blocks are for something else, and should be trained: from the layer behind the peak on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...spaces.backbone.spec import BackboneSpec, weights_fingerprint
from ..activations.blocks import BLOCKS
from ..activations.cache import SHARD_ROWS
from ..context import Context
from ..data.dataset import Dataset
from ..depth_profile import NEIGHBOURS, DepthPoint, DepthProfile
from ..events import Listener, PhaseAdvanced, PhaseEnded, PhaseStarted, Warned, ignore
from ..machine.paths import cache_root
from ..seeds import derive
from ..workers.messages import Begin, ComputeFeatures, Features
from ..workers.pool import TaskFailedError, WorkerPool
from ..workers.processes import ProcessPool, choose_workers
from .profile_cache import ProfileCache

MOST_IMAGES = 2000
"""Training images that are measured at most, in the proportions of the classes: an accuracy is then known within 2.2 points."""

_LAST = 2
"""Points that count as the network's end: block 16 and the convolution behind it, which often differ by less than an image."""

_RESAMPLES = 1000
"""A share near 0.9 is then known within 0.02."""


def measure_profile(pool: WorkerPool, context: Context, listener: Listener) -> DepthProfile | None:
    """The depth profile of the training images or a sample of them, from the cache or computed by workers that are ready.

    Returns:
        None, with a warning, if a worker cannot compute it.
    """
    rows = _rows(context)
    cache = ProfileCache(context, rows)
    if (kept := cache.get()) is not None:
        return kept
    began = time.monotonic()
    listener(PhaseStarted("profile", len(rows)))
    features = _features(pool, rows, listener)
    if features is None:
        return None
    found = profile_of(features, context.dataset.labels[rows])
    cache.keep(found)
    listener(PhaseEnded("profile", time.monotonic() - began))
    return found


def profile_alone(
    dataset: Dataset,
    backbone: BackboneSpec,
    *,
    seed: int = 0,
    cache_dir: Path | None = None,
    workers: int | None = None,
    listener: Listener = ignore,
) -> DepthProfile | None:
    """`measure_profile` without a study: it starts workers of its own.

    Args:
        dataset: Whose training split is profiled; its image size must be the backbone's.
        backbone: Which MobileNetV2.
        seed: Of the sample.
        cache_dir: Folder of the caches, as in `open_folder`.
        workers: Parallel processes; None chooses by cores and memory.
        listener: Receives the events.

    Raises:
        WeightsError: The weights cannot be found or loaded.
    """
    context = _context(dataset, backbone, seed, cache_dir)
    if (kept := kept_profile(context)) is not None:
        return kept
    with _pool(context, workers) as pool:
        return measure_profile(pool, context, listener)


def features_alone(
    dataset: Dataset,
    backbone: BackboneSpec,
    rows: NDArray[np.int64],
    *,
    seed: int = 0,
    cache_dir: Path | None = None,
    listener: Listener = ignore,
) -> list[NDArray[np.float32]] | None:
    """Pooled outputs of `BLOCKS`, each ``(n, channels)``, without a study; errors and other arguments as of `profile_alone`.

    Args:
        dataset: Of the images; its image size must be the backbone's.
        backbone: Which MobileNetV2.
        rows: Of the images.
        seed: Of the study that it might be for.
        cache_dir: Folder of the caches, as in `open_folder`.
        listener: Receives the events; a warning where there are no features.
    """
    began = time.monotonic()
    listener(PhaseStarted("profile", len(rows)))
    with _pool(_context(dataset, backbone, seed, cache_dir)) as pool:
        found = _features(pool, rows, listener)
    listener(PhaseEnded("profile", time.monotonic() - began))
    return found


def _context(dataset: Dataset, backbone: BackboneSpec, seed: int, cache_dir: Path | None) -> Context:
    weights = backbone.locate()
    cache = cache_root(cache_dir) / "activations"
    return Context(dataset, backbone, weights, weights_fingerprint(backbone, weights), cache, seed, "accuracy")


@contextmanager
def _pool(context: Context, workers: int | None = None) -> Iterator[WorkerPool]:
    """Workers that are ready."""
    with ProcessPool(*choose_workers(workers)) as pool:
        pool.begin(Begin(context, (), folded=True))
        pool.wait_until_ready()
        yield pool


def kept_profile(context: Context) -> DepthProfile | None:
    """The depth profile of a context's training images if it is in the cache, else None."""
    return ProfileCache(context, _rows(context)).get()


def profile_of(features: Sequence[NDArray[np.floating]], labels: NDArray[np.int64]) -> DepthProfile:
    """The profile of the pooled outputs of `BLOCKS`, each ``(n, channels)``, of images with these labels, ``(n,)``."""
    from scipy.stats import binomtest

    right = np.stack([nearest_agree(block, labels) for block in features], axis=1)
    points = []
    for (block, layer), hits in zip(BLOCKS.items(), right.sum(axis=0), strict=True):
        interval = binomtest(int(hits), len(labels)).proportion_ci(method="wilson")
        points.append(DepthPoint(layer, block, float(hits / len(labels)), (float(interval.low), float(interval.high))))
    # Resamples of the images, the same for all blocks; among equal blocks the last is the peak.
    weights = np.random.default_rng(0).multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=_RESAMPLES)
    peaks = (weights @ right.astype(np.int64))[:, ::-1].argmax(axis=1)
    chance = float(np.bincount(labels).max() / len(labels))
    return DepthProfile(tuple(points), len(labels), chance, float((peaks < _LAST).mean()))


def nearest_agree(features: NDArray[np.floating], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether k-nearest neighbours give each image its own label, ``(n,)``; the nearer neighbours break a tie."""
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import normalize

    # In a class of few images most of more neighbours would always be of other classes.
    count = max(1, min(NEIGHBOURS, len(labels) // (int(labels.max()) + 1) - 1))
    # At length 1 the nearest by Euclid's distance are those by cosine, and found in half the time.
    finder = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(normalize(features))
    neighbours = finder.kneighbors(return_distance=False)
    votes = np.zeros((len(labels), labels.max() + 1))
    for rank in range(count):
        # Nearer ones weigh more, all together by less than one vote.
        votes[np.arange(len(labels)), labels[neighbours[:, rank]]] += 1 - rank / count**2
    return np.asarray(votes.argmax(axis=1) == labels)


def _rows(context: Context) -> NDArray[np.int64]:
    """The training images that are measured."""
    return sample(context.dataset.train, context.dataset.labels, context.seed)


def sample(rows: NDArray[np.int64], labels: NDArray[np.int64], seed: int, most: int = MOST_IMAGES) -> NDArray[np.int64]:
    """A stratified sample of at most ``most`` of the rows, in ascending order."""
    if len(rows) <= most:
        return rows
    shuffled = np.random.default_rng(derive(seed, 8)).permutation(rows)
    own = labels[shuffled]
    depth = np.empty(len(rows))
    for label in np.unique(own):
        members = np.flatnonzero(own == label)
        depth[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.sort(shuffled[np.argsort(depth, kind="stable")[:most]])


def _features(pool: WorkerPool, rows: NDArray[np.int64], listener: Listener) -> list[NDArray[np.float32]] | None:
    """Each block's pooled output of ``rows``, ``(n, channels)``; None, with a warning, where a worker cannot compute it."""
    tasks = [ComputeFeatures(at, rows[at : at + SHARD_ROWS]) for at in range(0, len(rows), SHARD_ROWS)]
    parts: dict[int, list[NDArray[np.float32]]] = {}
    try:
        for task, answer in pool.map(tasks):
            assert isinstance(answer, Features)
            parts[task.first] = answer.blocks
            listener(PhaseAdvanced("profile", sum(len(part[0]) for part in parts.values())))
    except TaskFailedError as error:
        listener(Warned(f"How similar the images are to those of the weights was not measured ({error})."))
        return None
    return [np.concatenate(block) for block in zip(*(parts[at] for at in sorted(parts)), strict=True)]
