"""What may be tried: recipes, the search space, and the models that they describe."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .presets import Preset, load_preset
from .ranges import Between, Fixed, OneOf
from .recipe import Recipe, Technique
from .space import SearchSpace

if TYPE_CHECKING:
    from .backbone.spec import BackboneSpec
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
    # These two need NumPy and KerasTuner, which the command line's help should not wait for.
    modules = {"BackboneSpec": ".backbone.spec", "TransferHyperModel": ".hypermodel"}
    if name not in modules:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(modules[name], __name__), name)
