"""The inside of a worker process: takes tasks from a pipe, trains or extracts, and answers."""

from __future__ import annotations

import logging
import os
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection

from ..spaces.backbone import load_network
from ..spaces.errors import TlsearchError
from ..spaces.folding import fold
from .blocks import BlockPooler
from .cache_plan import cuts_that_pay
from .devices import current_device, is_out_of_memory, pin, set_up_keras
from .extract import Extractor
from .last_words import LastWords
from .messages import (
    Begin,
    Continue,
    Extract,
    Extracted,
    Failed,
    FromWorker,
    Measured,
    Pool,
    Pooled,
    Ready,
    Train,
    Trained,
)
from .parent import end_with_parent
from .train import DivergedError, Trainer


def serve(connection: Connection, threads: int, words: LastWords, gpu: str | None = None) -> None:
    """Answers tasks until the pipe closes. Runs as the main function of a process of its own.

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
    try:
        begin = connection.recv()
        worker = _Worker(connection, begin, threads)
        while True:
            worker.answer(connection.recv())
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def import_keras(threads: int, gpu: str | None = None) -> None:
    """The slow part of starting: done while the main process is still decoding.

    Args:
        threads: Processor cores that this process may keep busy.
        gpu: As in `serve`.
    """
    pin(gpu, os.environ)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)
    os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import keras

    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    keras.config.disable_traceback_filtering()
    set_up_keras()


class _Worker:
    def __init__(self, connection: Connection, begin: Begin, threads: int) -> None:
        self._connection = connection
        context = begin.context
        try:
            network = load_network(context.backbone, context.weights)
            self._extractor = Extractor(context, network)
            device, folded = current_device(), fold(network)
            self._pooler = BlockPooler(folded, context.dataset)
            in_pieces = threads == 1 and device.name == "CPU"
            self._trainer = Trainer(context.dataset, network, self._extractor.inputs_for, context.metric, in_pieces)
            values_at = cuts_that_pay(folded if begin.folded else network, begin.first_layers)
            self._send(Ready(values_at, device))
        except TlsearchError as error:
            self._send(Failed(str(error), cause=error))

    def answer(self, task: Extract | Pool | Train) -> None:
        """Does one task and sends its end; an exception in it ends the task, not the worker."""
        run: Callable[[], FromWorker]
        if isinstance(task, Extract):
            run = lambda: Extracted(task.work, task.shard, self._extractor.shard(task.work, task.shard))  # noqa: E731
        elif isinstance(task, Pool):
            run = lambda: Pooled(task.first, self._pooler.features(task.rows))  # noqa: E731
        else:
            run = lambda: self._train(task)  # noqa: E731
        try:
            message = run()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except DivergedError as error:
            message = Failed(str(error))
        except TlsearchError as error:
            message = Failed(str(error), cause=error)
        except Exception as error:
            if is_out_of_memory(error):
                self._send(Failed("out of memory", traceback=traceback.format_exc(), spent=True))
                return
            summary = (str(error).strip().splitlines() or [""])[0]
            message = Failed(f"{type(error).__name__}: {summary}"[:500], traceback=traceback.format_exc())
        self._send(message)

    def _train(self, task: Train) -> FromWorker:
        self._extractor.cached_cuts = task.cached_cuts
        training = self._trainer.train(task.job)
        while True:
            try:
                measurement = next(training)
            except StopIteration as end:
                return Trained(task.ticket, end.value)
            self._send(Measured(task.ticket, measurement))
            answer = self._connection.recv()
            assert isinstance(answer, Continue)
            if not answer.go_on:
                training.close()
                return Trained(task.ticket, None)

    def _send(self, message: FromWorker) -> None:
        self._connection.send(message)
