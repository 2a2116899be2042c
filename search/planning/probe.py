"""Measures for about two seconds how fast this machine decodes, computes the frozen pass and trains. For ``--dry-run``.

As many processes as a search would have workers measure at the same time, each set up like a worker, so that the measurement
includes how much they slow each other down. Importing Keras and building the network take additional time, as in a search.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from threading import BrokenBarrierError
from typing import Any

import numpy as np

from ...spaces.backbone.folding import fold
from ...spaces.backbone.forward import compile_forward, images_a_call
from ...spaces.backbone.network import IMAGE, Network
from ...spaces.backbone.spec import BackboneSpec, load_network
from ...spaces.recipe import LAYERS, Recipe, Technique
from ...spaces.space import SearchSpace
from ..activations.cache_plan import cuts_that_pay
from ..data.decode_pool import decode_chunks, has_main_guard
from ..machine.parent import end_with_parent
from ..training.models.shelf import ModelShelf
from ..workers.inside import prepare

SECONDS = 0.4
"""How long each of the five measurements takes: two seconds in all."""

WAIT_SECONDS = 120.0
"""How long to wait for the slowest process to be ready: importing TensorFlow from a cold disk took 40 s here."""

_MOST_IMAGES = 256
"""Largest batch that is measured: a larger one takes as long for each image, and more memory."""

HEAD_STEPS = 50
"""Steps in one measured call of a head, as an epoch on 1,600 images has: most of the time goes into the call itself."""


class NoProbeError(Exception):
    """This machine could not be measured; the message is the reason in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The sizes of a network's parts, from which times are estimated.

    Attributes:
        cuts: First trained layer → the cut it trains from; `IMAGE` if it trains from pixels.
        values_at: See `cuts_that_pay`.
        values: Index of a step → how many values it computes for one image.
    """

    cuts: Mapping[int, int]
    values_at: Mapping[int, int]
    values: Mapping[int, int]

    def passed(self, first: int, last: int = LAYERS + 1) -> int:
        """How many values the steps from ``first`` to ``last`` (exclusive) compute for one image."""
        return sum(values for index, values in self.values.items() if first <= index < last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speeds(Costs):
    """Also how many seconds a process takes for each kind of work while the other processes do the same.

    Attributes:
        start: To import Keras and build the network.
        decode: To decode an image file; 0 if there was none to decode.
        forward: To compute an image's activations in the frozen network.
        train: First trained layer → a training step, for each image; `LAYERS` stands for a head alone.
        trace: First trained layer → building and tracing the model.
    """

    start: float
    decode: float
    forward: float
    train: Mapping[int, float]
    trace: Mapping[int, float]


def probe(
    backbone: BackboneSpec,
    space: SearchSpace,
    files: Sequence[Path],
    *,
    weights: Path | None,
    workers: int,
    threads: int,
    gpus: Sequence[str] = (),
) -> Speeds:
    """Measures this machine, and loads the weights as a search does.

    Args:
        backbone: Which MobileNetV2.
        space: What may be tried.
        files: Some images of the data set, of which as many are decoded as time allows.
        weights: File of its weights; None for random ones, which are as fast.
        workers: How many processes measure; this and the next two as `choose_workers` gives them.
        threads: Cores that each process may keep busy.
        gpus: The GPU of each process; empty if they are to use none.

    Raises:
        NoProbeError: A process died, or this is a script without ``if __name__ == "__main__"``.
        WeightsError: As `load_network` says.
    """
    if not has_main_guard():
        raise NoProbeError('the script has no `if __name__ == "__main__"`')
    context = get_context("spawn")
    barrier = context.Barrier(workers)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare, initargs=(barrier,))
    try:
        futures = [
            pool.submit(_measure, time.time(), backbone, weights, space, files[place::workers], threads, gpu)
            for place, gpu in enumerate(gpus or [None] * workers)
        ]
        return _mean([future.result() for future in futures])
    except (BrokenProcessPool, BrokenBarrierError) as error:
        raise NoProbeError("a process that measures died or was too slow to start") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _mean(speeds: Sequence[Speeds]) -> Speeds:
    return dataclasses.replace(
        speeds[0],
        start=fmean(one.start for one in speeds),
        decode=fmean(one.decode for one in speeds),
        forward=fmean(one.forward for one in speeds),
        train={layer: fmean(one.train[layer] for one in speeds) for layer in speeds[0].train},
        trace={layer: fmean(one.trace[layer] for one in speeds) for layer in speeds[0].trace},
    )


_barrier: Any = None


def _prepare(barrier: Any) -> None:
    global _barrier
    _barrier = barrier
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def _measure(
    launched: float,
    backbone: BackboneSpec,
    weights: Path | None,
    space: SearchSpace,
    files: Sequence[Path],
    threads: int,
    gpu: str | None,
) -> Speeds:
    prepare(threads, gpu)
    network = load_network(backbone, weights)
    folded = fold(network)
    kept = folded if space.foldings[-1] else network
    costs = _costs(kept, space)
    start = time.time() - launched
    own = threads if gpu is None else None
    images = np.random.default_rng(0).integers(0, 256, (images_a_call(own), backbone.size, backbone.size, 3), np.uint8)
    steps_wanted = sorted({step for cut in costs.values_at for step in kept.frontier(cut)})
    forward = compile_forward(folded, steps_wanted, threads=own)
    forward(images)
    shelf = ModelShelf(network, 2, threads=own)
    steps, trace = {}, {}
    for layer in anchors(space):
        began = time.perf_counter()
        steps[layer] = _training(shelf, kept, space, layer)
        trace[layer] = time.perf_counter() - began
    _barrier.wait(WAIT_SECONDS)
    return Speeds(
        cuts=costs.cuts,
        values_at=costs.values_at,
        values=costs.values,
        start=start,
        decode=_decode(files, backbone.size),
        forward=_timed(lambda: forward(images)) / len(images),
        train={layer: _timed(step) / trained for layer, (step, trained) in steps.items()},
        trace=trace,
    )


def costs_of(backbone: BackboneSpec, space: SearchSpace, weights: Path | None) -> Costs:
    """The sizes alone, without measuring anything.

    Raises:
        WeightsError: As `load_network` says.
    """
    network = load_network(backbone, weights)
    return _costs(fold(network) if space.foldings[-1] else network, space)


def _costs(network: Network, space: SearchSpace) -> Costs:
    return Costs(
        cuts={layer: network.cut_for(layer) for layer in (*space.cuts, LAYERS)},
        values_at=cuts_that_pay(network, space.cuts),
        values={step.index: int(np.prod(step.shape)) for step in network.steps},
    )


def anchors(space: SearchSpace) -> tuple[int, ...]:
    """First trained layers whose training steps are measured; times between them are interpolated."""
    tuned = [layer for layer in space.cuts if layer]
    ends = {tuned[0], tuned[-1]} if tuned else set()
    return (*sorted({layer for layer in space.cuts if not layer} | ends), LAYERS)


def recipe_of(space: SearchSpace, layer: int) -> Recipe:
    """A recipe of a space that trains from ``layer`` on."""
    mode: Any = "folded" if space.foldings[-1] else space.ranges["batch_norm"].options()[0]
    size = min(int(space.ranges["batch_size"].options()[0]), _MOST_IMAGES)
    technique = {0: Technique.FULL, LAYERS: Technique.FROZEN}.get(layer, Technique.FINE_TUNE)
    return Recipe(
        technique=technique,
        learning_rate=1e-4,
        batch_size=size,
        batch_norm=mode,
        fine_tune_at=layer if technique is Technique.FINE_TUNE else None,
    )


def _training(shelf: ModelShelf, network: Network, space: SearchSpace, layer: int) -> tuple[Callable[[], Any], int]:
    """A function that trains a model that has been traced, and on how many images each call of it trains."""
    recipe = recipe_of(space, layer)
    cut = network.cut_for(layer)
    shapes = [(network.size, network.size, 3)] if cut == IMAGE else network.shapes_at(cut)
    dtype = np.dtype(np.uint8 if cut == IMAGE else np.float16)
    count = HEAD_STEPS if layer == LAYERS else 1
    model = shelf.take(recipe, cut, dtype)
    model.reset(recipe, 0, None)
    tensors = [np.ones((count, recipe.batch_size, *shape), dtype) for shape in shapes]
    labels = np.zeros((count, recipe.batch_size), np.int64)
    weights = np.ones((count, recipe.batch_size), np.float32)
    rates = np.full(count, recipe.learning_rate, np.float32)

    def train() -> Any:
        return model.train(tensors, labels, weights, rates)

    train()
    return train, count * recipe.batch_size


def _decode(files: Sequence[Path], size: int) -> float:
    """Mean seconds to decode a file; 0 if there is none."""
    # The first result includes starting the process that decodes: the first file comes twice, and only its second time counts.
    chunks = enumerate([file] for file in (*files[:1], *files))
    with contextlib.closing(decode_chunks(chunks, size, 1)) as results:
        began, done = time.perf_counter(), -1
        for done, _ in enumerate(results):
            if done == 0:
                began = time.perf_counter()
            elif time.perf_counter() - began > SECONDS:
                break
        return (time.perf_counter() - began) / done if done > 0 else 0.0


def _timed(call: Callable[[], Any]) -> float:
    """Mean seconds of a call, over as many calls as there is time for and at least two."""
    began, calls = time.perf_counter(), 0
    while calls < 2 or time.perf_counter() - began < SECONDS:
        call()
        calls += 1
    return (time.perf_counter() - began) / calls
