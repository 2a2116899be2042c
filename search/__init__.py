"""How it is tried: data, engines, training in worker processes, studies on disk."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data import Dataset, open_folder
    from .study import Budget, Study

__all__ = ["Budget", "Dataset", "Study", "open_folder"]


def __getattr__(name: str) -> Any:
    # A study needs Optuna, which the command line's help should not wait for.
    if name in ("Budget", "Study"):
        from . import study

        return getattr(study, name)
    if name in ("Dataset", "open_folder"):
        from . import data

        return getattr(data, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
