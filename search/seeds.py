"""Seeds derived from the study's one seed, so that each use is independent of how many came before it."""

from __future__ import annotations

import numpy as np


def derive(seed: int, *path: int) -> int:
    """A seed from 1 to 2³¹ − 1 for the use that ``path`` names (never 0, which KerasTuner takes for "random")."""
    (word,) = np.random.SeedSequence([seed, *path]).generate_state(1)
    return int(word) % (2**31 - 1) + 1
