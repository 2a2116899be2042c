"""The inside of a worker process: takes messages, trains or extracts, and answers."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import traceback
from collections.abc import Generator
from multiprocessing.connection import Connection

from ...spaces.backbone.folding import fold
from ...spaces.backbone.spec import load_network
from ...spaces.errors import TlsearchError
from ..activations.blocks import BlockPooler
from ..activations.cache_plan import cuts_that_pay
from ..activations.extract import Extractor
from ..machine.devices import current_device, is_out_of_memory, pin, set_up_keras
from ..machine.last_words import LastWords
from ..machine.parent import end_with_parent
from ..training.trainer import DivergedError, Outcome, Trainer
from ..trial import Measurement
from .messages import (
    Begin,
    ComputeFeatures,
    Extract,
    Extracted,
    Failed,
    Features,
    FromWorker,
    Measured,
    Ready,
    ToWorker,
    Train,
    Trained,
)


def serve(connection: Connection, threads: int, words: LastWords, gpu: str | None = None) -> None:
    """Answers messages until the pipe closes. Runs as the main function of a process of its own.

    Args:
        connection: The worker's end of the pipe.
        threads: Processor cores that this worker may keep busy.
        words: Takes what libraries write to the standard streams.
        gpu: The one that it sees; None leaves that to the backend.
    """
    words.take_standard_streams()
    # Ctrl-C reaches the whole process group; what becomes of a running trial is for the main process to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    import_keras(threads, gpu)
    inside = Inside(threads)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            message = connection.recv()
            connection.send(inside.answer(message))


def import_keras(threads: int, gpu: str | None = None) -> None:
    """The slow part of starting: done while the main process is still decoding.

    Args:
        threads: Processor cores that this process may keep busy.
        gpu: As in `serve`.
    """
    pin(gpu, os.environ)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Pieces of a batch side by side keep cores busy, one operation spread over them does not.
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    os.environ["TF_NUM_INTEROP_THREADS"] = str(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import keras

    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    keras.config.disable_traceback_filtering()
    set_up_keras()


class Inside:
    """What a worker knows and does, whoever carries its messages: it answers each with exactly one.

    Args:
        threads: Processor cores that it may keep busy.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._training: tuple[int, Generator[Measurement, None, Outcome]] | None = None

    def answer(self, message: ToWorker) -> FromWorker:
        """Does what a message asks for; an exception in it ends the task, not the worker."""
        try:
            if isinstance(message, Begin):
                return self._begin(message)
            if isinstance(message, Extract):
                return Extracted(message.work, message.shard, self._extractor.shard(message.work, message.shard))
            if isinstance(message, ComputeFeatures):
                return Features(message.first, self._pooler.features(message.rows))
            if isinstance(message, Train):
                self._extractor.cached_cuts = message.cached_cuts
                self._training = (message.ticket, self._trainer.train(message.job))
                return self._train(True)
            return self._train(message.go_on)
        except TlsearchError as error:
            return Failed(str(error), cause=error)
        except DivergedError as error:
            return Failed(str(error))
        except Exception as error:
            if isinstance(message, Begin):
                # Without a beginning there is nothing to go on with.
                raise
            if is_out_of_memory(error):
                return Failed("out of memory", traceback=traceback.format_exc(), spent=True)
            summary = (str(error).strip().splitlines() or [""])[0]
            return Failed(f"{type(error).__name__}: {summary}"[:500], traceback=traceback.format_exc())

    def _begin(self, begin: Begin) -> Ready:
        context = begin.context
        network = load_network(context.backbone, context.weights)
        device, folded = current_device(), fold(network)
        threads = self._threads if device.name == "CPU" else None
        self._extractor = Extractor(context, network, threads=threads)
        self._pooler = BlockPooler(folded, context.dataset, threads=threads)
        self._trainer = Trainer(context.dataset, network, self._extractor.inputs_for, context.metric, threads=threads)
        return Ready(cuts_that_pay(folded if begin.folded else network, begin.first_layers), device)

    def _train(self, go_on: bool) -> Measured | Trained:
        """Trains to the end of the next epoch."""
        assert self._training is not None
        ticket, training = self._training
        if not go_on:
            training.close()
            return Trained(ticket, None)
        try:
            return Measured(ticket, next(training))
        except StopIteration as end:
            self._training = None
            return Trained(ticket, end.value)
