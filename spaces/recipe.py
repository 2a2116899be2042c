"""One complete point of the search space: everything that training needs to know, checked when it is made."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, get_args

from .errors import SpaceError
from .ranges import is_finite

LAYERS = 154
"""Layers of MobileNetV2 without its top and without pooling, as Keras and the blog post count them."""

BatchNorm = Literal["folded", "inference", "train"]
Optimizer = Literal["adam", "rmsprop"]
Schedule = Literal["constant", "cosine"]
ClassWeight = Literal["none", "balanced"]

_CHOICES = {"optimizer": Optimizer, "batch_norm": BatchNorm, "class_weight": ClassWeight, "schedule": Schedule}


class Technique(StrEnum):
    """What trains; the order is from the cheapest to the dearest."""

    FROZEN = "frozen"
    FINE_TUNE = "fine-tune"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one model is trained. Backbone, image size and data belong to the study, the seed to the trial.

    Attributes:
        technique: What trains.
        learning_rate: Of the main stage.
        fine_tune_at: ``fine-tune`` only: ``base.layers[:fine_tune_at]`` stay frozen; 1 to 153.
        head_units: Units of each hidden Dense layer of the head; 0 for none.
        head_layers: Hidden Dense layers of the head, 1 to 3; 0 exactly when ``head_units`` is 0.
        dropout: Rate before the output layer, from 0 to below 1.
        optimizer: Of both stages.
        batch_size: Images a step.
        epochs: Most epochs of the main stage; early stopping may end it sooner.
        head_learning_rate: Of the first stage of ``fine-tune`` and ``full``, which trains the head on the frozen base.
        head_epochs: Most epochs of that first stage; 0 starts from an untrained head.
        augment: Train on flipped, rotated and zoomed views.
        batch_norm: How BatchNorm layers above the cut behave while they train.
        class_weight: ``balanced`` weighs each image by the inverse frequency of its class.
        schedule: Of the learning rate: ``constant``, or ``cosine``, which warms up and decays to 0.
        weight_decay: Decoupled from the gradient, as in AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101): each step shrinks
            the trained kernels by this times the learning rate.
        label_smoothing: Share of each label that is spread evenly over all classes.
        l2_path: Train heads on the frozen base with one L2 penalty after the other, each from the head that the one before
            left, on standardised features (Friedman, Hastie & Tibshirani 2010). ``epochs`` and
            ``head_epochs`` are then those of each penalty.
        least_steps: Steps of the main stage at least: where ``epochs`` make fewer, each passes over the images more than once.

    Raises:
        SpaceError: A field is out of its range, or contradicts the technique.
    """

    technique: Technique
    learning_rate: float
    fine_tune_at: int | None = None
    head_units: int = 0
    head_layers: int = 0
    dropout: float = 0.0
    optimizer: Optimizer = "adam"
    batch_size: int = 32
    epochs: int = 10
    head_learning_rate: float = 1e-3
    head_epochs: int = 10
    augment: bool = False
    batch_norm: BatchNorm = "folded"
    class_weight: ClassWeight = "none"
    schedule: Schedule = "constant"
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    l2_path: bool = False
    least_steps: int = 0

    def __post_init__(self) -> None:
        _one_of("technique", self.technique, tuple(Technique))
        # From JSON and TOML it comes as a plain string.
        object.__setattr__(self, "technique", Technique(self.technique))
        if self.technique is Technique.FINE_TUNE:
            check_fine_tune_at(self.fine_tune_at)
        elif self.fine_tune_at is not None:
            raise SpaceError(
                f'fine_tune_at belongs to technique "fine-tune" alone, got {self.fine_tune_at} with "{self.technique}". '
                "Leave it out."
            )
        if not (_is_number(self.weight_decay) and 0 <= self.weight_decay <= 100):
            raise SpaceError(f"weight_decay must be from 0 to 100, got {self.weight_decay!r}. Common values: 0.01 to 1.")
        for name in ("learning_rate", "head_learning_rate"):
            rate = getattr(self, name)
            if not (_is_number(rate) and 0 < rate <= 10):
                raise SpaceError(f"{name} must be above 0 and at most 10, got {rate!r}. Common values: 1e-5 to 1e-2.")
        for name, low, high in (
            ("head_units", 0, 8192),
            ("head_layers", 0, 3),
            ("batch_size", 1, 4096),
            ("epochs", 1, 10_000),
            ("head_epochs", 0, 10_000),
            ("least_steps", 0, 1_000_000),
        ):
            count = getattr(self, name)
            if not (isinstance(count, int) and not isinstance(count, bool) and low <= count <= high):
                raise SpaceError(f"{name} must be a whole number from {low} to {high}, got {count!r}.")
        if (self.head_units == 0) != (self.head_layers == 0):
            raise SpaceError(
                "head_units and head_layers must both be 0 or both be above 0, got "
                f"{self.head_units} units in {self.head_layers} layers. Use 0 and 0 for a head of one Dense layer."
            )
        for name in ("dropout", "label_smoothing"):
            share = getattr(self, name)
            if not (_is_number(share) and 0 <= share < 1):
                raise SpaceError(f"{name} must be at least 0 and below 1, got {share!r}.")
        for name, choices in _CHOICES.items():
            _one_of(name, getattr(self, name), get_args(choices))
        for name in ("augment", "l2_path"):
            if not isinstance(getattr(self, name), bool):
                raise SpaceError(f"{name} must be true or false, got {getattr(self, name)!r}.")

    @property
    def first_trained_layer(self) -> int:
        """Index into ``base.layers`` of the first layer that trains; `LAYERS` when none does."""
        if self.technique is Technique.FROZEN:
            return LAYERS
        return self.fine_tune_at or 0

    @property
    def trains_path(self) -> bool:
        """Whether its main stage trains a head along a path of L2 penalties."""
        return self.l2_path and self.technique is Technique.FROZEN

    @property
    def first_stage(self) -> Recipe | None:
        """The recipe that trains the head on the frozen base before the main stage; None where there is no such stage."""
        if self.technique is Technique.FROZEN or self.head_epochs == 0:
            return None
        return dataclasses.replace(
            self,
            technique=Technique.FROZEN,
            fine_tune_at=None,
            learning_rate=self.head_learning_rate,
            epochs=self.head_epochs,
            batch_norm="folded",
            # Penalties regularise a head of one layer better, and it can be solved.
            dropout=0.0 if self.l2_path and not self.head_layers else self.dropout,
        )

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping; `from_dict` is its inverse."""
        return {**dataclasses.asdict(self), "technique": str(self.technique)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Recipe:
        """The recipe of a mapping made by `as_dict`.

        Raises:
            SpaceError: A field is unknown, missing or out of range.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(fields) - known):
            raise SpaceError(f"a recipe has no field {', '.join(unknown)}. Known: {', '.join(sorted(known))}.")
        if missing := sorted({"technique", "learning_rate"} - set(fields)):
            raise SpaceError(f"a recipe needs {', '.join(missing)}.")
        return cls(**fields)


def check_fine_tune_at(layer: object) -> int:
    """``layer`` itself where it is a place to cut MobileNetV2 at.

    Raises:
        SpaceError: It is not a whole number from 1 to 153.
    """
    if isinstance(layer, int) and not isinstance(layer, bool) and 1 <= layer < LAYERS:
        return layer
    raise SpaceError(
        f"fine_tune_at must be between 1 and {LAYERS - 1} (MobileNetV2 has {LAYERS} layers), got {layer}. "
        'Use technique "full" to train every layer, "frozen" to train none.'
    )


def _one_of(name: str, got: object, choices: tuple[str, ...]) -> None:
    if got not in choices:
        raise SpaceError(f"{name} must be one of {', '.join(choices)}, got {got!r}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and is_finite(value)
