"""How it is tried: data, engines, training in worker processes, studies on disk, models taken out of them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data import Dataset, open_folder
    from .export.export import Export, export_model
    from .planning.warm_start import read_warm_start
    from .predict.predictor import Predictor
    from .storage.address import parse_storage
    from .storage.shared.studies import SharedStudy
    from .study import Budget, Study

__all__ = [
    "Budget",
    "Dataset",
    "Export",
    "Predictor",
    "SharedStudy",
    "Study",
    "export_model",
    "open_folder",
    "parse_storage",
    "read_warm_start",
]


def __getattr__(name: str) -> Any:
    # A study needs Optuna, which the command line's help should not wait for.
    if name in ("Budget", "Study"):
        from . import study

        return getattr(study, name)
    if name in ("Dataset", "open_folder"):
        from . import data

        return getattr(data, name)
    if name in ("Export", "export_model"):
        from .export import export

        return getattr(export, name)
    if name == "SharedStudy":
        from .storage.shared.studies import SharedStudy

        return SharedStudy
    if name == "parse_storage":
        from .storage.address import parse_storage

        return parse_storage
    if name == "Predictor":
        from .predict.predictor import Predictor

        return Predictor
    if name == "read_warm_start":
        from .planning.warm_start import read_warm_start

        return read_warm_start
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
