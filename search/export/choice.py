"""Which of a study's models is exported, and the images that it came from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ...spaces.errors import StudyError
from ...spaces.recipe import Technique
from ...spaces.space import SearchSpace
from ..data import Dataset, open_folder
from ..data.demo import write_demo
from ..events import Listener
from ..machine.paths import cache_root
from ..settings import StudySettings
from ..storage.models import KeptModel, kept_model
from ..storage.store import StudyStore
from ..trial import CompleteTrial


def finalist_of(store: StudyStore, technique: Technique) -> CompleteTrial:
    """A technique's best complete trial.

    Raises:
        StudyError: The study does not try the technique, or no trial of it was completed.
    """
    tried = SearchSpace.from_dict(store.settings.space).techniques
    if technique not in tried:
        raise StudyError(f"--technique must be one that the study tried ({', '.join(tried)}), got {technique}.")
    found = store.finalists()
    if technique not in found:
        raise StudyError(
            f"{store.place} has no completed trial of {technique} yet. Go on with the same run command, or with more --trials."
        )
    return found[technique]


def confirmed_model(store: StudyStore, technique: Technique) -> KeptModel:
    """The model that the study keeps of a technique's finalist.

    Raises:
        StudyError: There is none: the finalist is not confirmed, or its file is damaged.
    """
    finalist = finalist_of(store, technique)
    kept = kept_model(store.files, technique)
    if kept is None or kept.trial != finalist.number:
        confirmed = any(c.trial == finalist.number for c in store.confirmations())
        why = "an earlier version of tlsearch confirmed it" if confirmed else "its best trial has not been confirmed"
        remedy = "" if confirmed else "Run the same command again with --confirm 3, or train it anew: "
        raise StudyError(f"{store.place} keeps no model of {technique}: {why}. {remedy or 'Train it anew: '}export --refit.")
    return kept


def model_id(settings: StudySettings, model: KeptModel) -> str:
    """Tells one trained model from another, whatever format it is in: 16 hexadecimal digits."""
    identity = [settings.created, settings.data.fingerprint, settings.weights_fingerprint, model.facts()]
    return hashlib.blake2b(json.dumps(identity, sort_keys=True).encode(), digest_size=8).hexdigest()


def study_folder(settings: StudySettings, data: Dataset | Path | str | None, cache_dir: Path | None) -> Path:
    """The folder of a study's images, which may not be there; the arguments are those of `study_data`."""
    name = data.path if isinstance(data, Dataset) else str(data or settings.data.path)
    if name.startswith("demo:"):
        return write_demo(name.removeprefix("demo:"), cache_root(cache_dir))
    return Path(name).expanduser()


def study_data(
    settings: StudySettings, data: Dataset | Path | str | None, cache_dir: Path | None, listener: Listener
) -> Dataset:
    """The data set that a study was made for.

    Args:
        settings: The study's.
        data: The data set itself or its folder; None for the folder that the study names.
        cache_dir: As in `open_folder`.
        listener: Receives progress events of decoding.

    Raises:
        DataError: The folder is not there, or cannot be read.
        StudyError: It holds other images than the study was made for.
    """
    if isinstance(data, Dataset):
        where = data.path
    elif settings.data.in_memory:
        raise StudyError(
            "an export is checked on the study's images, which were arrays: export it in Python, where "
            "export_model(…, data=open_arrays(…)) gives them again."
        )
    else:
        name = settings.data.path
        folder = study_folder(settings, data, cache_dir)
        if not folder.is_dir():
            raise StudyError(
                f"an export is checked on the study's images, which are not in {folder} (no such folder from here). "
                "Name their folder with --data."
            )
        where = str(folder)
        data = open_folder(
            folder,
            size=settings.size,
            seed=settings.seed,
            cache_dir=cache_dir,
            listener=listener,
            name=name,
            labels=settings.data.labels or None,
            folds=settings.data.folds,
            **settings.data.understood,
        )
    if data.fingerprint != settings.data.fingerprint:
        raise StudyError(
            f"an export is checked on the study's images, but those in {where} are others, or are split "
            "otherwise. Name the folder that still holds them with --data, or search again."
        )
    return data
