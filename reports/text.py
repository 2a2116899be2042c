"""Text from a user's files and settings, and numbers, made fit to be shown."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import Any, TypeVar

from rich import filesize

from ..spaces.recipe import Recipe, Technique

T = TypeVar("T")


def literal(text: str) -> str:
    r"""``text`` with everything that could act on a terminal or turn the direction of writing shown as an escape.

    Control, format and surrogate characters, line breaks among them, become ``\x1b`` or ``\u202e``.
    """
    return "".join(char if _harmless(char) else char.encode("unicode_escape", "surrogatepass").decode() for char in text)


def _harmless(char: str) -> bool:
    # Joiners make up emoji and the letters of several scripts.
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") or char in "\u200c\u200d"


def percent(value: float) -> str:
    """A fraction as a percentage with one decimal place."""
    return f"{100 * value:.1f}%"


def metric_name(metric: str) -> str:
    """A metric as one says it."""
    return {"balanced_accuracy": "balanced accuracy", "macro_f1": "macro F1", "log_loss": "log loss"}.get(metric, metric)


def score(value: float, metric: str) -> str:
    """A value of a metric."""
    return f"{value:.3f}" if metric == "log_loss" else percent(value)


def gap(value: float, metric: str) -> str:
    """A difference between two values of a metric, with its unit."""
    return f"{gap_number(value, metric)} {'nats' if metric == 'log_loss' else 'points'}"


def gap_number(value: float, metric: str) -> str:
    """A difference between two values of a metric, without its unit: percentage points, or nats of ``log_loss``."""
    number = f"{value:.3f}" if metric == "log_loss" else f"{100 * value:.1f}"
    # What rounds to zero has no sign.
    return number.replace("-", "−") if float(number) else number.lstrip("-")


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    if round(seconds) < 90:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 90:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def likely(probability: float) -> str:
    """A probability that is known to a few hundredths: ``86%``, ``above 99%``."""
    if not 0.01 <= probability <= 0.99:
        return "above 99%" if probability > 0.5 else "below 1%"
    return f"{probability:.0%}"


def file_size(number: float) -> str:
    """Bytes in decimal units: ``1.6 MB``."""
    return filesize.decimal(int(number))


def looks(number: int) -> str:
    """The verb of so many."""
    return "looks" if number == 1 else "look"


def count(number: int, noun: str) -> str:
    """``1 seed``, ``2 seeds``, ``2 classes``."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith('s') else 's'}"


def listed(names: Sequence[str], word: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return f" {word} ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def and_more(named: Sequence[str], most: int) -> str:
    """``a; b; and 3 more``: so many of ``named`` at most."""
    more = f"; and {len(named) - most:,} more" if len(named) > most else ""
    return "; ".join(named[:most]) + more


def thinned(values: Sequence[T], most: int) -> Sequence[T]:
    """At most ``most`` of the values, evenly spaced, with the last one."""
    every = max(1, math.ceil(len(values) / most))
    return values[::-every][::-1]


def rate(value: float) -> str:
    """A learning rate with two digits: ``0.0013``, ``4.7e-5``, ``1e-4``."""
    if value >= 0.001:
        return f"{value:.2g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def describe(recipe: Recipe, *, technique: bool = False) -> str:
    """A recipe's settings for one line of a table; what the space fixes for every trial is mostly left out."""
    parts = [str(recipe.technique)] if technique else []
    if recipe.technique is Technique.FINE_TUNE:
        parts.append(f"from layer {recipe.fine_tune_at}")
    parts.append(f"lr {rate(recipe.learning_rate)}")
    if recipe.head_units:
        parts.append(f"head {recipe.head_layers} × {recipe.head_units}")
    if recipe.dropout:
        parts.append(f"dropout {recipe.dropout:g}")
    if recipe.augment:
        parts.append("augmented")
    return ", ".join(parts)


def in_words(recipe: Recipe) -> str:
    """A recipe's settings as one would say them, without the technique's name."""
    parts = [f"learning rate {rate(recipe.learning_rate)}"]
    if recipe.technique is Technique.FINE_TUNE:
        parts.insert(0, f"trains from layer {recipe.fine_tune_at} on")
    if recipe.head_units:
        parts.append(f"{count(recipe.head_layers, 'hidden layer')} of {recipe.head_units} units")
    else:
        parts.append("no hidden layer")
    if recipe.dropout:
        parts.append(f"dropout {recipe.dropout:g}")
    if recipe.augment:
        parts.append("augmented images")
    return ", ".join(parts)


def spreadsheet_cell(value: Any) -> Any:
    """``value`` for a CSV file: text that a spreadsheet would take for a formula begins with an apostrophe."""
    if not isinstance(value, str):
        return value
    text = literal(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
