"""Takes a study's model out as a file that needs no tlsearch: written, loaded in its runtime, checked against the original."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict, Unpack

from ... import __version__
from ...spaces.backbone.resizing import with_resize
from ...spaces.backbone.spec import BackboneSpec, load_network
from ...spaces.backbone.trained import deployable_model, trained_model
from ...spaces.errors import OptionError, StudyError
from ...spaces.quiet import import_keras
from ...spaces.recipe import Technique
from ..data.dataset import Dataset
from ..data.images import depth_of
from ..events import Listener, ignore
from ..predict import metadata as meta
from ..predict.formats import Format, Quantize, check_installed, choose_format
from ..predict.predictor import Predictor
from ..seeds import derive
from ..settings import StudySettings
from ..storage.base import StudyPlace
from ..storage.models import KeptModel, kept_model
from ..storage.store import StudyStore
from .choice import confirmed_model, finalist_of, model_id, study_data, study_folder
from .parity import IMAGES, ORIGINALS, Parity, held_out, measure, measure_originals
from .refit import refitted
from .target import check_target, place
from .write import REPRESENTATIVE, write_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A model file that was written.

    Attributes:
        path: Of the file, or of the folder of a SavedModel.
        metadata: What it says of itself, also in the file ``beside`` it.
        parity: What it is worth.
        concern: What should make one look twice before using it; empty where all is as it should be.
    """

    path: Path
    metadata: meta.Metadata
    parity: Parity
    concern: str

    @property
    def beside(self) -> Path:
        """The JSON file beside the model: the metadata and what was measured."""
        return meta.beside(self.path)


class FileOptions(TypedDict, total=False):
    """How the file of an export is written.

    Attributes:
        format: ``keras``, ``tflite``, ``onnx`` or ``saved-model``; None, the default, goes by the suffix of ``out``.
        quantize: ``none``, the default, and for ``tflite`` also ``float16`` and ``int8``.
        with_resize: Whether the model squashes images of any size itself; by default it takes them squashed.
        force: Whether to overwrite what is there; by default an error.
    """

    format: Format | None
    quantize: Quantize
    with_resize: bool
    force: bool


def export_model(
    study: StudyPlace | Path | str,
    out: Path | str,
    *,
    technique: Technique | str,
    refit: bool = False,
    data: Dataset | Path | str | None = None,
    cache_dir: Path | None = None,
    listener: Listener = ignore,
    **file: Unpack[FileOptions],
) -> Export:
    """Exports the model that a study keeps of a technique: of its finalist, the seed that did best on validation.

    Pixels from 0 to 255 go in, RGB, uint8 or float, ``(n, size, size, 3)`` or, with the resize, ``(n, height, width, 3)``;
    probabilities come out. A ``.tflite`` takes one image at a time. BatchNorm is folded into the convolutions. The file is
    there whole or not at all.

    Args:
        study: Its folder, or its name and database.
        out: File to write, or the folder of a SavedModel.
        technique: Whose model; ``summarize(study).verdict.recommended`` is the one that a report recommends.
        refit: Train the recipe on training and validation images first. Of a study in folds it is always trained first, on all
            images but some to stop by.
        data: The study's images, where its own path no longer leads to them, or they are arrays.
        cache_dir: As in `open_folder`.
        listener: Receives the progress of decoding.
        **file: ``format``, ``quantize``, ``with_resize`` and ``force``: see `FileOptions`.

    Raises:
        StudyError: The study is no study, has no such model, or its images have changed.
        OptionError: ``out`` cannot be written or is there already, or an extra is not installed.
        DataError: The images cannot be read.
    """
    out = Path(out)
    quantize, resizes = file.get("quantize", "none"), file.get("with_resize", False)
    form = choose_format(out, file.get("format"), quantize, with_resize=resizes)
    check_installed(form)
    check_target(out, form, force=file.get("force", False))
    store = StudyStore.open(study)
    model = chosen_model(store, _technique(technique), refit=refit)
    dataset = study_data(store.settings, data, cache_dir, listener)
    if model.refit:
        model = refitted(store, model, dataset, cache_dir, listener)
    about = describe(store, model, form, quantize, depth=depth_of(dataset.images_folder), resizes=resizes)
    folder = study_folder(store.settings, data, cache_dir)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as drafts:
            draft = Path(drafts) / out.name
            parity = _write_and_measure(store, model, dataset, folder, draft, about)
            full = {**about, "measured": dataclasses.asdict(parity)}
            meta.beside(draft).write_text(json.dumps(full, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            place(draft, out)
            place(meta.beside(draft), meta.beside(out))
    except OSError as error:
        raise OptionError(f"OUT must be a place that can be written, got {out} ({error.strerror or error}).") from error
    return Export(path=out, metadata=full, parity=parity, concern=parity.concern(quantize))


def chosen_model(store: StudyStore, technique: Technique, *, refit: bool) -> KeptModel:
    """The model that an export is made of; one that is to be refitted, with the weights from before that, or none.

    A study in folds keeps no model of them: its model is always refitted.

    Raises:
        StudyError: The study has no such model.
    """
    if not refit and store.settings.data.folds == 1:
        return confirmed_model(store, technique)
    finalist = finalist_of(store, technique)
    kept = kept_model(store.files, technique, refit=True) if store.settings.data.folds > 1 else None
    if kept is not None and (kept.trial, kept.recipe) == (finalist.number, finalist.recipe):
        return kept
    try:
        return dataclasses.replace(confirmed_model(store, technique), refit=True)
    except StudyError:
        # Made before models were kept, or not confirmed: the trial itself says how long to train.
        return KeptModel(
            recipe=finalist.recipe,
            trial=finalist.number,
            seed=derive(store.settings.seed, 0, 2, 0),
            order=0,
            epoch=finalist.best_epoch,
            val_score=finalist.score,
            weights=(),
            refit=True,
        )


def describe(
    store: StudyStore, model: KeptModel, form: Format, quantize: Quantize, *, depth: int = 16, resizes: bool = False
) -> dict[str, Any]:
    """What an export says of itself, fit for JSON; ``depth`` is that by which 16-bit greyscale images were scaled."""
    settings = store.settings
    return {
        "schema": meta.SCHEMA,
        "tlsearch": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": model_id(settings, model),
        "format": form,
        "quantize": quantize,
        "classes": list(settings.data.classes),
        "input": {
            "size": settings.size,
            "resize": resizes,
            "channels": "RGB",
            "range": [0, 255],
            "layout": "NHWC",
            "depth": depth,
        },
        "output": "probabilities",
        "backbone": {"name": "MobileNetV2", "alpha": settings.alpha, "weights": Path(settings.weights).name},
        "technique": str(model.recipe.technique),
        "recipe": model.recipe.as_dict(),
        "trained_on": _trained_on(settings, model),
        "trial": model.trial,
        "seed": model.seed,
        "epoch": model.epoch,
        "metric": settings.metric,
        "validation_score": model.val_score,
        "study": {"name": settings.name, "created": settings.created, "seed": settings.seed, "tlsearch": settings.version},
        # The folder's name alone: a path tells strangers about the machine.
        "data": {
            "name": Path(settings.data.path).name,
            "fingerprint": settings.data.fingerprint,
            "train": settings.data.train,
            "val": settings.data.val,
            "test": settings.data.test,
            "folds": settings.data.folds,
        },
    }


def _trained_on(settings: StudySettings, model: KeptModel) -> str:
    if settings.data.folds > 1:
        return "training images of all folds"
    return "training and validation images" if model.refit else "training images"


def _write_and_measure(
    store: StudyStore, model: KeptModel, dataset: Dataset, folder: Path, draft: Path, about: meta.Metadata
) -> Parity:
    import_keras()
    settings, form = store.settings, about["format"]
    # The weights are the study's own: the file of the pretrained ones need not be there any more.
    network = load_network(BackboneSpec(settings.alpha, settings.size, "random"), None)
    arguments = (model.recipe, network, len(settings.data.classes), model.weights)
    pixels = dataset.images()
    try:
        trained, deployable = trained_model(*arguments), deployable_model(*arguments)
    except ValueError as error:
        raise StudyError(f"the model that {store.place} keeps of {model.recipe.technique} is damaged. Use --refit.") from error
    if about["input"]["resize"]:
        deployable = with_resize(deployable)
    write_model(deployable, draft, form, about["quantize"], pixels[held_out(dataset.train, REPRESENTATIVE)])
    meta.embed(draft, form, about)
    # Of folds, all images are test images, and all but those of validation were trained on.
    rows = held_out(dataset.val if dataset.folds else dataset.test, IMAGES)
    predictor = Predictor(draft)
    parity = measure(draft, predictor, trained.predict_on_batch, pixels[rows], dataset.labels[rows])
    if not predictor.resizes:
        return parity
    few = held_out(rows, ORIGINALS)
    expected = trained.predict_on_batch(pixels[few])
    return dataclasses.replace(
        parity, original=measure_originals(predictor, [folder / dataset.files[row] for row in few], expected)
    )


def _technique(name: Technique | str) -> Technique:
    if name not in tuple(Technique):
        raise OptionError(f"technique must be one of {', '.join(Technique)}, got {name}.")
    return Technique(name)
