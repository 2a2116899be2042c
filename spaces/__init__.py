"""What may be tried: recipes, the search space, and the models that they describe."""

from typing import TYPE_CHECKING, Any

from .backbone import BackboneSpec
from .presets import Preset, load_preset
from .recipe import Recipe, Technique
from .space import Between, Fixed, OneOf, SearchSpace

if TYPE_CHECKING:
    from .hypermodel import TransferHyperModel

__all__ = [
    "BackboneSpec",
    "Between",
    "Fixed",
    "OneOf",
    "Preset",
    "Recipe",
    "SearchSpace",
    "Technique",
    "TransferHyperModel",
    "load_preset",
]


def __getattr__(name: str) -> Any:
    # The hypermodel alone needs KerasTuner, which takes seconds to import.
    if name == "TransferHyperModel":
        from .hypermodel import TransferHyperModel

        return TransferHyperModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
