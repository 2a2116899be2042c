"""From a run's options to what it will do: the defaults that depend on each other, decided in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...spaces.backbone.spec import BackboneSpec
from ...spaces.errors import DataError, OptionError
from ...spaces.presets import load_preset
from ...spaces.ranges import Fixed, OneOf
from ...spaces.recipe import Technique
from ...spaces.space import SearchSpace
from ..data import Dataset, open_folder
from ..data.demo import write_demo
from ..data.survey import Survey, survey_folder
from ..engines import check_algorithm
from ..events import Listener
from ..machine.devices import check_backend
from ..machine.paths import cache_root
from ..settings import WarmStart
from ..storage.address import Storage
from ..storage.base import StudyPlace
from ..storage.places import place_of

DATA_SIZE, DATA_ALPHA = 160, 1.0
"""Image side and width of the backbone for a user's own images: MobileNetV2's standard width, at a size a CPU can train."""

DEMO_SIZE, DEMO_ALPHA = 96, 0.35
"""The same for the built-in pictures: what they are drawn at, and what the ``starter`` weights are for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do.

    Attributes:
        folder: Of the images; None for a built-in set.
        demo: Variant of the built-in set that is used where there is no folder.
        study: Folder of the study, or its name and database.
        early_stopping: Whether training may end before its last epoch.
        labels: CSV file that names the images and their classes; None for class folders.
        follow_symlinks: Whether links that leave the folder of images are followed.
        warm_start: Places of the studies whose best recipes are tried first.
    """

    folder: Path | None
    demo: str
    study: StudyPlace
    space: SearchSpace
    backbone: BackboneSpec
    engine: str
    algorithm: str
    early_stopping: bool
    labels: Path | None = None
    follow_symlinks: bool = False
    warm_start: tuple[StudyPlace, ...] = ()

    def check_folders(self, *, fresh: bool) -> None:
        """Finds what would end the run only after its images are decoded.

        Args:
            fresh: Whether a study that is there is to be deleted.

        Raises:
            StudyError: The study's folder holds something else, or cannot be made.
            StorageError: Its database refuses.
            WeightsError: The file of the weights does not exist.
        """
        self.study.check(fresh=fresh)
        # ImageNet's may have to be downloaded, which the folder of images should be worth first.
        if self.backbone.weights != "imagenet":
            self.backbone.locate()

    def read_warm_start(self, *, fresh: bool, listener: Listener) -> WarmStart | None:
        """What the study starts from, or was started from where it exists; None where that is not asked for.

        Args:
            fresh: Whether a study that is there is to be deleted.
            listener: Told what is not taken over as it was.

        Raises:
            StudyError: A study cannot be read or has nothing to start from, or this one was started from others.
            OptionError: They do not serve this space.
        """
        if not self.warm_start:
            return None
        from .warm_start import read_warm_start, resumed_warm_start

        if self.study.exists() and not fresh:
            return resumed_warm_start(self.warm_start, self.study.settings().warm_start)
        return read_warm_start(self.warm_start, self.space, within=self.study, listener=listener)

    def survey(self, *, cache_dir: Path | None) -> Survey:
        """The data set as names and sizes tell it; no image is opened.

        Raises:
            DataError: It cannot be searched on, as far as they tell.
        """
        folder, name = self._data(cache_dir)
        return survey_folder(
            folder,
            size=self.backbone.size,
            cache_dir=cache_dir,
            name=name,
            labels=self.labels,
            follow_symlinks=self.follow_symlinks,
        )

    def _data(self, cache_dir: Path | None) -> tuple[Path, str | None]:
        """The folder of images, and its name where reports are to call it by another."""
        if self.folder is not None:
            return self.folder, None
        return write_demo(self.demo, cache_root(cache_dir)), f"demo:{self.demo}"

    def open_data(self, *, seed: int, cache_dir: Path | None, listener: Listener) -> Dataset:
        """The data set, decoded.

        Raises:
            DataError: The folder cannot be searched on.
        """
        folder, name = self._data(cache_dir)
        return open_folder(
            folder,
            size=self.backbone.size,
            seed=seed,
            cache_dir=cache_dir,
            listener=listener,
            name=name,
            labels=self.labels,
            follow_symlinks=self.follow_symlinks,
        )


def plan_run(
    folder: Path | None,
    *,
    demo: str,
    study: Path | None,
    storage: Storage | None = None,
    space: str,
    techniques: Sequence[str] = (),
    fine_tune_at: Sequence[int] = (),
    epochs: int | None = None,
    batch_size: int | None = None,
    size: int | None = None,
    alpha: float | None = None,
    weights: str | None = None,
    augment: bool = False,
    batch_norm: str | None = None,
    class_weight: str | None = None,
    engine: str = "optuna",
    algorithm: str | None = None,
    labels: Path | None = None,
    follow_symlinks: bool = False,
    warm_start: Sequence[Path] = (),
) -> Plan:
    """Checks options against each other and fills in what was left out.

    Without a folder, the paths in ``labels`` start from the folder that it lies in.

    Raises:
        OptionError, SpaceError: An option is out of range or contradicts another.
    """
    check_backend()
    preset = load_preset(space)
    changes: dict[str, Any] = {}
    if techniques:
        changes["techniques"] = tuple(Technique(name) for name in techniques)
    if fine_tune_at:
        chosen = changes.get("techniques", preset.space.techniques)
        if Technique.FINE_TUNE not in chosen:
            raise OptionError('--fine-tune-at belongs to technique "fine-tune", which is not asked for. Leave it out.')
        changes["fine_tune_at"] = Fixed(fine_tune_at[0]) if len(fine_tune_at) == 1 else OneOf(tuple(fine_tune_at))
    if epochs is not None:
        changes |= {"epochs": dict.fromkeys(Technique, epochs), "head_epochs": epochs}
    fixed = {"batch_size": batch_size, "batch_norm": batch_norm, "class_weight": class_weight}
    changes |= {name: Fixed(value) for name, value in fixed.items() if value is not None}
    if augment:
        changes["augment"] = Fixed(True)
    name = f"demo-{demo}"
    if folder is not None:
        name = _name(folder)
    elif labels is not None:
        folder, name = labels.parent, labels.stem
    is_demo = folder is None
    backbone = BackboneSpec(
        alpha=_first(alpha, None if is_demo else preset.alpha, DEMO_ALPHA if is_demo else DATA_ALPHA),
        size=_first(size, None if is_demo else preset.size, DEMO_SIZE if is_demo else DATA_SIZE),
        weights=weights or ("starter" if is_demo else "imagenet"),
    )
    algorithm = check_algorithm(engine, algorithm)
    if warm_start and algorithm == "grid":
        raise OptionError(
            "--warm-start needs an algorithm that can be told where to begin, got grid, which tries every recipe of the space "
            "in its own order. Leave --warm-start out, or name another --algorithm."
        )
    return Plan(
        folder=folder,
        demo=demo,
        study=place_of(study or (name if storage else Path("runs") / name), storage),
        space=preset.space.replace(**changes),
        backbone=backbone,
        engine=engine,
        algorithm=algorithm,
        early_stopping=preset.early_stopping,
        labels=labels,
        follow_symlinks=follow_symlinks,
        warm_start=tuple(place_of(one, storage, folders_first=True) for one in warm_start),
    )


def _name(folder: Path) -> str:
    try:
        # The root of the file system has none.
        return folder.expanduser().resolve().name or "root"
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"DATA must be a folder of images, got {folder} ({error}). Check the path.") from error


def _first(*values: Any) -> Any:
    """The first that is not None."""
    return next(value for value in values if value is not None)
