"""Turns a run's options into what it will do: the one place that decides defaults which depend on each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...spaces.backbone.spec import BackboneSpec
from ...spaces.errors import DataError, OptionError, TlsearchError
from ...spaces.presets import Preset, load_preset
from ...spaces.ranges import Fixed, OneOf
from ...spaces.recipe import Technique
from ...spaces.space import SearchSpace
from ..data.dataset import Dataset, Reading, open_folder
from ..data.demo import write_demo
from ..data.survey import Survey, survey_folder
from ..engines import check_algorithm
from ..events import Listener, ignore
from ..machine.devices import check_backend
from ..machine.paths import cache_root
from ..options import SearchOptions
from ..settings import WarmStart
from ..storage.base import StudyPlace
from ..storage.places import place_of
from ..training.trainer import PATIENCE
from .options import RunOptions

DATA_SIZE, DATA_ALPHA = 160, 1.0
"""Image side and width of the backbone for a user's own images: MobileNetV2's standard width, at a size a CPU can train."""

DEMO_SIZE, DEMO_ALPHA = 96, 0.35
"""The same for the built-in pictures: what they are drawn at, and what the ``starter`` weights are for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do.

    Attributes:
        options: As they were given.
        folder: Of the images; None for a built-in set.
        study: Folder of the study, or its name and database.
        search: What the study is opened with, except the warm start, which `read_warm_start` reads.
        warm_start: Places of the studies whose best recipes are tried first.
        patience: As in `Study.run`.
    """

    options: RunOptions
    folder: Path | None
    study: StudyPlace
    search: SearchOptions
    warm_start: tuple[StudyPlace, ...]
    patience: int | None

    def check_folders(self) -> None:
        """Checks what would otherwise end the run only after its images are decoded.

        Raises:
            StudyError: The study's folder holds something else, or cannot be made.
            StorageError: Its database refuses.
            WeightsError: The file of the weights does not exist.
        """
        self.study.check(fresh=self.options.fresh)
        # ImageNet's weights may have to be downloaded; the images are checked before that.
        if self.search.backbone.weights != "imagenet":
            self.search.backbone.locate()

    def read_warm_start(self, listener: Listener) -> WarmStart | None:
        """What the study starts from, or what it was started from if it exists; None without a warm start.

        Args:
            listener: Receives a warning for each recipe that had to be changed.

        Raises:
            StudyError: A study cannot be read or has no completed trial, or this study was started from others.
            OptionError: The studies leave a technique of this space without a recipe.
        """
        if not self.warm_start:
            return None
        from .warm_start import read_warm_start, resumed_warm_start

        if self.study.exists() and not self.options.fresh:
            return resumed_warm_start(self.warm_start, self.study.settings().warm_start)
        return read_warm_start(self.warm_start, self.search.space, within=self.study, listener=listener)

    def survey(self) -> Survey:
        """What names and sizes tell about the data set; no image is opened.

        Raises:
            DataError: They tell that it cannot be searched on.
        """
        folder, name = self._data()
        return survey_folder(folder, cache_dir=self.search.cache_dir, name=name, **self._reading())

    def open_data(self, listener: Listener) -> Dataset:
        """The data set, decoded.

        Raises:
            DataError: The folder cannot be searched on.
        """
        folder, name = self._data(listener)
        search = self.search
        return open_folder(
            folder, seed=search.seed, cache_dir=search.cache_dir, listener=listener, name=name, **self._reading()
        )

    def _data(self, listener: Listener = ignore) -> tuple[Path, str | None]:
        """The folder of images, and what reports call it instead."""
        if self.folder is not None:
            return self.folder, None
        demo = self.options.demo
        return write_demo(demo, cache_root(self.search.cache_dir), listener), f"demo:{demo}"

    def _parts_lookalikes(self) -> bool:
        """Whether pictures that look alike need not stay on one side of a split.

        The drawings of the built-in set are different ones; and a study that was begun so, as all were in earlier versions,
        goes on so.
        """
        goes_on = not self.options.fresh and not self.options.layout_options.get("group_by") and self.study.exists()
        return self.folder is None or (goes_on and not self.study.settings().data.lookalikes)

    def _reading(self) -> Reading:
        options = self.options
        return {
            "size": self.search.backbone.size,
            "labels": options.labels,
            **options.layout_options,
            **({"group_by": "none"} if self._parts_lookalikes() else {}),
            "folds": options.folds,
        }


def plan_run(options: RunOptions) -> Plan:
    """Checks options against each other and fills in what was left out.

    Without a folder of images, paths in the ``labels`` file are relative to that file's own folder.

    Raises:
        OptionError, SpaceError: An option is out of range or contradicts another.
    """
    check_backend()
    folder, name = options.data, f"demo-{options.demo}"
    if folder is not None:
        name = _name(folder)
    elif options.labels is not None:
        folder, name = options.labels.parent, options.labels.stem
    is_demo = folder is None
    storage = options.storage
    study = place_of(options.study or (name if storage else Path("runs") / name), storage)
    preset = load_preset(options.space, earlier=not options.fresh and _begun_earlier(study))
    backbone = BackboneSpec(
        alpha=_first(options.alpha, None if is_demo else preset.alpha, DEMO_ALPHA if is_demo else DATA_ALPHA),
        size=_first(options.size, None if is_demo else preset.size, DEMO_SIZE if is_demo else DATA_SIZE),
        weights=options.weights or ("starter" if is_demo else "imagenet"),
    )
    algorithm = check_algorithm(options.engine, options.algorithm)
    if options.warm_start and algorithm == "grid":
        raise OptionError(
            "--warm-start needs an algorithm that can be told where to begin, got grid, which tries every recipe of the space "
            "in its own order. Leave --warm-start out, or name another --algorithm."
        )
    return Plan(
        options=options,
        folder=folder,
        study=study,
        search=SearchOptions(
            backbone=backbone,
            space=_space(preset, options),
            engine=options.engine,
            algorithm=algorithm,
            metric=options.metric,
            seed=options.seed,
            cache_dir=options.cache_dir,
            cache_dtype=options.cache_dtype,
            cache_limit=options.cache_limit,
        ),
        warm_start=tuple(place_of(one, storage, folders_first=True) for one in options.warm_start),
        patience=PATIENCE if options.early_stopping and preset.early_stopping else None,
    )


def _begun_earlier(study: StudyPlace) -> bool:
    """Whether there is a study that was begun by version 0.1.0, which knew no schedules."""
    try:
        return study.exists() and "schedule" not in study.settings().space
    except (OSError, TlsearchError):
        # `Plan.check_folders` says what is wrong with it.
        return False


def _space(preset: Preset, options: RunOptions) -> SearchSpace:
    """The preset's space, narrowed by the options."""
    changes: dict[str, Any] = {}
    if options.techniques:
        changes["techniques"] = tuple(Technique(name) for name in options.techniques)
    if layers := options.fine_tune_at:
        if Technique.FINE_TUNE not in changes.get("techniques", preset.space.techniques):
            raise OptionError('--fine-tune-at belongs to technique "fine-tune", which is not asked for. Leave it out.')
        changes["fine_tune_at"] = Fixed(layers[0]) if len(layers) == 1 else OneOf(tuple(layers))
    if options.epochs is not None:
        changes |= {"epochs": dict.fromkeys(Technique, options.epochs), "head_epochs": options.epochs, "least_steps": Fixed(0)}
    for name in ("batch_size", "batch_norm", "class_weight"):
        if (value := getattr(options, name)) is not None:
            changes[name] = Fixed(value)
    if options.augment:
        changes["augment"] = Fixed(True)
    return preset.space.replace(**changes)


def _name(folder: Path) -> str:
    try:
        # The root of the file system has none.
        return folder.expanduser().resolve().name or "root"
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"DATA must be a folder of images, got {folder} ({error}). Check the path.") from error


def _first(*values: Any) -> Any:
    """The first that is not None."""
    return next(value for value in values if value is not None)
