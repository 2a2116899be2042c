"""Refits a finalist: its recipe is trained on training and validation images together, for a model to be used, not compared.

With nothing left to validate on, no epoch can be chosen. The main stage trains as far into its schedule as the kept model was
trained; the head that it starts from is trained up to the penalty that is best most often, or the epoch with the lowest loss.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from ...spaces.backbone.spec import BackboneSpec, weights_fingerprint
from ...spaces.errors import SearchFailedError, StudyError, WeightsError
from ...spaces.space import SearchSpace
from ..context import Context
from ..data.dataset import Dataset
from ..events import Listener
from ..machine.paths import cache_root
from ..phases.extract import CacheFiller
from ..settings import StudySettings
from ..storage.models import KeptModel, keep, kept_model
from ..storage.store import StudyStore
from ..training.trainer import Job, Outcome
from ..workers.messages import Begin, Train, Trained
from ..workers.pool import TaskFailedError
from ..workers.processes import ProcessPool, choose_workers


def refitted(store: StudyStore, model: KeptModel, dataset: Dataset, cache_dir: Path | None, listener: Listener) -> KeptModel:
    """The model trained again on training and validation images; kept with the study, so that every format holds the same.

    Args:
        store: Of the study.
        model: The model to refit, marked as refitted; its weights are ignored.
        dataset: The study's.
        cache_dir: As in `open_folder`.
        listener: Receives the events of the frozen pass.

    Raises:
        WeightsError, StudyError: The pretrained weights are missing, or differ from the study's.
        SearchFailedError: Training failed.
    """
    there = kept_model(store.files, model.recipe.technique, refit=True)
    if there is not None and there.facts() == model.facts():
        return there
    context = _context(store.settings, dataset, cache_dir)
    # As far into its schedule as the model was kept; of a study in folds, as far as its validation images say.
    rounds = None if dataset.folds else model.epoch
    job = Job(model.recipe, model.seed, head_seed=model.seed, patience=None, rounds=rounds, keep=True)
    outcome = _train(context, SearchSpace.from_dict(store.settings.space), job, listener)
    assert outcome.weights is not None
    trained = dataclasses.replace(model, weights=outcome.weights)
    if dataset.folds:
        trained = dataclasses.replace(trained, epoch=outcome.best.epoch, val_score=outcome.best.score)
    keep(store.files, trained)
    return trained


def _context(settings: StudySettings, dataset: Dataset, cache_dir: Path | None) -> Context:
    backbone = BackboneSpec(settings.alpha, settings.size, settings.weights)
    try:
        weights = backbone.locate()
    except WeightsError as error:
        raise WeightsError(
            f"--refit starts from the study's pretrained weights, got {settings.weights}, which cannot be found. Put the file "
            "back where it was; for imagenet set KERAS_HOME as the search had it, or connect to a network."
        ) from error
    fingerprint = weights_fingerprint(backbone, weights)
    if fingerprint != settings.weights_fingerprint:
        raise StudyError(f"--refit starts from the study's pretrained weights, but {settings.weights} now holds others.")
    divided = bool(dataset.folds)
    if divided:
        dataset = dataclasses.replace(dataset, train=np.setdiff1d(dataset.train, dataset.val), folds=())
    else:
        # Still "validated" on the former validation images: they are trained on now, and cost less than all of them.
        dataset = dataclasses.replace(dataset, train=np.union1d(dataset.train, dataset.val))
    return Context(
        dataset=dataset,
        backbone=backbone,
        weights=weights,
        weights_fingerprint=fingerprint,
        cache=cache_root(cache_dir) / "activations",
        seed=settings.seed,
        metric=settings.metric if divided else "log_loss",
    )


def _train(context: Context, space: SearchSpace, job: Job, listener: Listener) -> Outcome:
    with ProcessPool(1, choose_workers(1)[1]) as pool:
        pool.begin(Begin(context, (job.recipe.first_trained_layer,), folded=job.recipe.batch_norm == "folded"))
        with CacheFiller(pool, context, space, pool.wait_until_ready().values_at, listener) as filler:
            run = Train(0, job, filler.fill("search"))
            try:
                ((_, end),) = pool.map([run])
            except TaskFailedError as error:
                raise SearchFailedError(f"training on all images failed: {error}.") from error
    assert isinstance(end, Trained) and end.outcome is not None
    return end.outcome
