"""optuna-dashboard over a study: its own storage, live, with user attributes that a person can read."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import numpy as np

from ..search.storage.records import record_of
from ..search.storage.store import StudyStore
from ..search.trial import Confirmation, FailedTrial
from ..spaces.errors import OptionError
from .text import describe, duration, literal, metric_name, score

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

LOOPBACK = "127.0.0.1"
"""The dashboard has no password and can delete what it shows: nobody but this machine's users reaches it."""


def serve(store: StudyStore, port: int, ready: Callable[[str], None]) -> None:
    """Serves the dashboard until Ctrl-C.

    Args:
        store: Of the study.
        port: To listen on, on loopback; 0 for any that is free.
        ready: Called with the address once the server answers.

    Raises:
        OptionError: optuna-dashboard is not installed, or the port is taken.
        KeyboardInterrupt: Ctrl-C.
    """
    try:
        from optuna_dashboard import wsgi
    except ImportError as error:
        raise OptionError(
            "the dashboard must be installed, got no optuna_dashboard in this environment. "
            "Install it with `pip install 'tlsearch[dashboard]'`, or in a checkout `pip install '.[dashboard]'`."
        ) from error
    app = wsgi(readable_storage(store))
    try:
        server = make_server(LOOPBACK, port, app, handler_class=_Quiet)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OptionError(f"--port must be a free port, got {port} ({reason}). Name another, or 0 for any.") from error
    with server:
        ready(f"http://{LOOPBACK}:{server.server_port}/dashboard/")
        server.serve_forever()


def readable_storage(store: StudyStore) -> RDBStorage:
    """The study's storage, whose trials tell in short what they were and how they did."""
    from optuna.storages import RDBStorage

    class Readable(RDBStorage):
        def get_all_trials(self, study_id: int, *arguments: Any, **options: Any) -> list[FrozenTrial]:
            trials = super().get_all_trials(study_id, *arguments, **options)
            if study_id != self.get_study_id_from_name(store.settings.name):
                return trials  # a shared database holds others, of other programs too
            confirmations = store.confirmations()
            return [readable(trial, confirmations, store) for trial in trials]

    return store.recorder.storage(Readable)


def readable(frozen: FrozenTrial, confirmations: tuple[Confirmation, ...], store: StudyStore) -> FrozenTrial:
    """A stored trial with attributes for people in place of those for programs."""
    metric, trial = store.settings.metric, record_of(frozen)
    attributes: dict[str, Any] = {"technique": str(trial.recipe.technique), "settings": describe(trial.recipe)}
    tested = [c.scores[metric] for c in confirmations if c.trial == trial.number]
    if tested:
        attributes[f"test {metric_name(metric)}"] = f"{score(float(np.mean(tested)), metric)} over {len(tested)} seeds"
    for name, shown in (("trainable_params", "trained parameters"), ("best_epoch", "best epoch"), ("head_c", "head's C")):
        if (value := getattr(trial, name, None)) is not None:
            attributes[shown] = value
    if hasattr(trial, "seconds"):
        attributes["time"] = duration(trial.seconds)
    if isinstance(trial, FailedTrial):
        attributes["error"] = literal(trial.error)
    shown_trial = copy.copy(frozen)
    shown_trial.user_attrs = attributes
    return shown_trial


class _Quiet(WSGIRequestHandler):
    """Does not write a line for every request."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""
