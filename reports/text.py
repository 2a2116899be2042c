"""Text from a user's files and settings, made fit to be shown."""

from __future__ import annotations

import unicodedata

from ..spaces.recipe import Recipe, Technique


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


def score(value: float, metric: str) -> str:
    """A value of a metric."""
    return f"{value:.3f}" if metric == "log_loss" else percent(value)


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 90:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def describe(recipe: Recipe, *, technique: bool = False) -> str:
    """A recipe's settings in a few words; those that every trial shares are left out."""
    parts = [str(recipe.technique)] if technique else []
    if recipe.technique is Technique.FINE_TUNE:
        parts.append(f"from layer {recipe.fine_tune_at}")
    parts.append(f"lr {recipe.learning_rate:.1e}".replace("e-0", "e-"))
    parts.append(f"head {recipe.head_layers} × {recipe.head_units}" if recipe.head_units else "head: output layer only")
    if recipe.dropout:
        parts.append(f"dropout {recipe.dropout:g}")
    if recipe.augment:
        parts.append("augmented")
    return ", ".join(parts)
