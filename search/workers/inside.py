"""What runs inside a worker process: it receives messages, computes or trains, and answers."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import signal
import sys
import traceback
from collections.abc import Collection, Generator, Iterator, Mapping
from multiprocessing.connection import Connection

from ...spaces.errors import TlsearchError
from ..activations.cache_plan import cuts_that_pay
from ..activations.extract import Extractor
from ..machine.devices import backend_name, current_device, is_out_of_memory, pin, set_up_keras
from ..machine.last_words import LastWords
from ..machine.parent import end_with_parent
from ..training.stage import DivergedError
from ..training.trainer import Outcome, Trainer
from ..trial import Measurement
from .messages import (
    Begin,
    ComputeFeatures,
    Continue,
    Extract,
    Extracted,
    Failed,
    Features,
    FromWorker,
    Measured,
    Ready,
    Task,
    ToWorker,
    Train,
    Trained,
)
from .network_cache import cached_network


def serve(
    connection: Connection, environment: Mapping[str, str], threads: int, words: LastWords, gpu: str | None = None
) -> None:
    """Answers messages until the pipe closes. Runs as the main function of a process of its own.

    Args:
        connection: The worker's end of the pipe.
        environment: Variables of the main process: the fork server's are those of when it started.
        threads: Processor cores that this worker may keep busy.
        words: Takes what libraries write to the standard streams.
        gpu: The one that it sees; None leaves that to the backend.
    """
    words.take_standard_streams()
    os.environ.clear()
    os.environ.update(environment)
    # Ctrl-C reaches the whole process group; what becomes of a running trial is for the main process to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    prepare(threads, gpu)
    inside = Inside(threads)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            message = connection.recv()
            connection.send(inside.answer(message))


def prepare(threads: int, gpu: str | None = None) -> None:
    """Imports Keras, which takes most of the time of starting, and sets it up for so many threads and a GPU as in `serve`."""
    pin(gpu, os.environ)
    # Pieces of a batch side by side keep cores busy, one operation spread over them does not.
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    os.environ["TF_NUM_INTEROP_THREADS"] = str(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import_keras()
    import keras
    from threadpoolctl import threadpool_limits

    # NumPy's BLAS was loaded before; were every worker to use every core, they would wait for each other.
    threadpool_limits(threads)

    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    keras.config.disable_traceback_filtering()
    set_up_keras()


def import_keras() -> None:
    """Imports Keras as workers need it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if platform.machine().lower() in ("x86_64", "amd64"):
        # TensorFlow uses oneDNN by itself only where the processor has instructions for neural networks. Without them too a
        # step takes a fifth to a third less time, most of it spared in the depthwise convolutions.
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # What Keras and TensorFlow import where it is installed, for what no worker uses: a third of the time that importing takes.
    with _hidden({"sklearn", "jax"} - {backend_name()}):
        import keras  # noqa: F401


@contextlib.contextmanager
def _hidden(packages: Collection[str]) -> Iterator[None]:
    """Packages that are not imported yet are not found meanwhile."""
    hidden = dict.fromkeys(name for name in packages if name not in sys.modules)
    sys.modules.update(hidden)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


class Inside:
    """Answers each message with exactly one, whatever carries the messages."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._tools: tuple[Extractor, Trainer] | None = None
        self._training: Generator[Measurement, None, Outcome] | None = None

    def answer(self, message: ToWorker) -> FromWorker:
        """Does what a message asks for; an exception ends the task, not the worker, unless it cannot even begin."""
        try:
            return self._begin(message) if isinstance(message, Begin) else self._do(message)
        except TlsearchError as error:
            return Failed(str(error), cause=error)
        except DivergedError as error:
            return Failed(str(error))
        except Exception as error:
            if isinstance(message, Begin):
                raise
            if is_out_of_memory(error):
                return Failed("out of memory", details=traceback.format_exc(), spent=True)
            summary = (str(error).strip().splitlines() or [""])[0]
            return Failed(f"{type(error).__name__}: {summary}"[:500], details=traceback.format_exc())

    def _begin(self, begin: Begin) -> Ready:
        context = begin.context
        network = cached_network(context)
        device = current_device()
        threads = self._threads if device.name == "CPU" else None
        extractor = Extractor(context, network, threads=threads)
        trainer = Trainer(context.dataset, network, extractor.inputs_for, context.metric, threads=threads)
        self._tools = extractor, trainer
        return Ready(cuts_that_pay(extractor.networks[begin.folded], begin.first_layers), device)

    def _do(self, message: Task | Continue) -> FromWorker:
        assert self._tools is not None, "Begin comes first"
        extractor, trainer = self._tools
        if isinstance(message, Extract):
            return Extracted(extractor.shard(message.work, message.shard))
        if isinstance(message, ComputeFeatures):
            return Features(extractor.features(message.rows))
        if isinstance(message, Train):
            self._training = trainer.train(message.job, message.cached_cuts)
            return self._train_epoch(self._training)
        assert self._training is not None, "Train comes first"
        if message.go_on:
            return self._train_epoch(self._training)
        self._training.close()
        return Trained(None)

    def _train_epoch(self, training: Generator[Measurement, None, Outcome]) -> Measured | Trained:
        try:
            return Measured(next(training))
        except StopIteration as end:
            self._training = None
            return Trained(end.value)
