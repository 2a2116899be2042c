"""What was learned: one summary of a study, and the reports that draw from it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answer.summary import Summary, summarize

__all__ = ["Summary", "summarize"]


def __getattr__(name: str) -> Any:
    # Reading a study needs Optuna, which the command line's help should not wait for.
    if name in __all__:
        from .answer import summary

        return getattr(summary, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
