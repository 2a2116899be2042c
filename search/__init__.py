"""How it is tried: data, engines, training in worker processes, studies on disk, models taken out of them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data import Dataset, open_arrays, open_dataset, open_folder
    from .export.export import Export, export_model
    from .options import Budget
    from .planning.warm_start import read_warm_start
    from .predict.predictor import Predictor
    from .storage.address import parse_storage
    from .storage.shared.studies import SharedStudy
    from .study import Study

_MODULES = {
    "Budget": "options",
    "Dataset": "data",
    "Export": "export.export",
    "Predictor": "predict.predictor",
    "SharedStudy": "storage.shared.studies",
    "Study": "study",
    "export_model": "export.export",
    "open_arrays": "data",
    "open_dataset": "data",
    "open_folder": "data",
    "parse_storage": "storage.address",
    "read_warm_start": "planning.warm_start",
}

__all__ = [
    "Budget",
    "Dataset",
    "Export",
    "Predictor",
    "SharedStudy",
    "Study",
    "export_model",
    "open_arrays",
    "open_dataset",
    "open_folder",
    "parse_storage",
    "read_warm_start",
]


def __getattr__(name: str) -> Any:
    # A study needs Optuna, which the command line's help should not wait for.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
