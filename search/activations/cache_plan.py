"""Which activations a search writes to disk, and how many bytes they take; for a run and for ``--dry-run``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...spaces.backbone.network import IMAGE, POOL, Network
from ...spaces.recipe import LAYERS
from ...spaces.space import SearchSpace
from ..context import Context
from .cache import EntryKey
from .eviction import affordable
from .passes import Pass, passes


def cuts_that_pay(network: Network, first_layers: Sequence[int]) -> dict[int, int]:
    """The cuts that these first trained layers ask for → how many values the activations of one image have there.

    Where activations are larger than the image, `Network.cut_for` gives `IMAGE`: such recipes train from pixels.

    Args:
        network: The backbone, folded if the recipes are.
        first_layers: `Recipe.first_trained_layer` of every recipe that may come, `LAYERS` left out.
    """
    cuts = {network.cut_for(layer) for layer in (*first_layers, LAYERS)} - {IMAGE}
    return {cut: network.values_at(cut) for cut in sorted(cuts)}


@dataclass(frozen=True, slots=True)
class CachePlan:
    """What is to be written to the cache.

    Attributes:
        sizes: Cut → bytes of its missing entries once they are complete.
        fitting: The cuts whose missing entries fit.
    """

    sizes: Mapping[int, int]
    fitting: frozenset[int]


def plan_cache(
    context: Context, planned: Sequence[Pass], missing: Collection[EntryKey], values_at: Mapping[int, int], limit: int
) -> CachePlan:
    """Decides which of the missing entries are written: the cheapest cuts first, within the limit.

    Args:
        context: What the search trains on.
        planned: As `planned_passes` gives them.
        missing: Those of their keys whose entries are not complete.
        values_at: As `cuts_that_pay` gives it.
        limit: Bytes of the whole cache.
    """
    sizes = bytes_of(context, planned, missing, values_at)
    fitting = affordable(sizes, context.cache, limit, replaced={key.name for key in missing})
    return CachePlan(sizes, frozenset(fitting))


def planned_passes(context: Context, space: SearchSpace, cuts: Collection[int], rows: str) -> list[Pass]:
    """The passes that fill the entries of ``cuts`` for every recipe of a space.

    Args:
        context: What the search trains on.
        space: What may be tried.
        cuts: Where the network is cut.
        rows: ``search`` for training and validation images, ``test`` for the test split.
    """
    # Pooled features alone are the same, folded or not.
    foldings = space.foldings if set(cuts) - {POOL + 1} else (True,)
    return [work for folded in foldings for work in passes(context, rows, sorted(cuts), folded=folded, augment=space.augments)]


def bytes_of(
    context: Context, planned: Sequence[Pass], wanted: Collection[EntryKey], values_at: Mapping[int, int]
) -> dict[int, int]:
    """Bytes on disk of the ``wanted`` entries of some passes, by cut; ``values_at`` as `cuts_that_pay` gives it."""
    sizes = dict.fromkeys(values_at, 0)
    for key, size in entry_bytes(context, planned, values_at).items():
        if key in wanted:
            sizes[key.cut] += size
    return sizes


def entry_bytes(context: Context, planned: Sequence[Pass], values_at: Mapping[int, int]) -> dict[EntryKey, int]:
    """Bytes on disk of every entry of some passes; ``values_at`` as `cuts_that_pay` gives it."""
    width = np.dtype(context.cache_dtype).itemsize
    return {key: len(work.rows) * values_at[key.cut] * width for work in planned for key in work.keys(context)}
