"""Passes over the images, each of which fills some entries of the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...spaces.backbone.network import POOL
from ..context import Context
from ..data.augment import VIEWS
from .cache import EntryKey, digest_of_rows


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over some images: their rows, the view of them, and the cuts whose activations it stores."""

    rows: NDArray[np.int64]
    view: int
    folded: bool
    cuts: tuple[int, ...]

    def keys(self, context: Context) -> list[EntryKey]:
        """The entries that the pass fills, in the order of its cuts."""
        rows = digest_of_rows(self.rows)
        return [
            EntryKey(
                images=context.dataset.images_digest,
                rows=rows,
                weights=context.weights_fingerprint,
                alpha=context.backbone.alpha,
                cut=cut,
                folded=self.folded or cut > POOL,
                view=self.view,
                dtype=context.cache_dtype,
            )
            for cut in self.cuts
        ]


def passes(context: Context, rows: str, cuts: Sequence[int], *, folded: bool, augment: bool) -> list[Pass]:
    """The passes that fill the entries of ``cuts``: over the ``search`` rows, in every view, or over the ``test`` rows."""
    if rows == "test":
        return [Pass(context.dataset.test, 0, folded, tuple(cuts))]
    views = range(1, VIEWS) if augment else ()
    return [
        Pass(context.search_rows(), 0, folded, tuple(cuts)),
        *(Pass(context.dataset.train, view, folded, tuple(cuts)) for view in views),
    ]
