"""How far two studies on the same test split differ, technique by technique, with an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...search.statistics.bootstrap import percentile_interval, resample
from ...search.storage.store import StudyStore
from ...search.storage.tested import test_files, ties_of
from ...spaces.recipe import Technique
from .summary import Summary


@dataclass(frozen=True, slots=True)
class Difference:
    """Of one technique's test scores in two studies, the second less the first.

    Attributes:
        difference: In the metric's own sense: of ``log_loss``, less is better.
        ci95: Over images and seeds, by the paired bootstrap of `bootstrap`; None where the test images are not known to be the
            same in the same order.
    """

    difference: float
    ci95: tuple[float, float] | None


def difference(technique: Technique, first: Summary, other: Summary) -> Difference | None:
    """The difference in one technique; None where one of the studies has not tested it.

    Args:
        technique: Whose finalists are compared; their recipes may differ.
        first: The study that the other is compared with.
        other: Of the same metric, on the same data.
    """
    one, two = first.of(technique), other.of(technique)
    if one is None or two is None or one.test is None or two.test is None:
        return None
    observed = two.test.mean - one.test.mean
    stores = StudyStore.open(first.path), StudyStore.open(other.path)
    before, labels = stores[0].stacked(one.confirmations)
    after, other_labels = stores[1].stacked(two.confirmations)
    folds = [sorted({confirmation.fold for confirmation in own.confirmations}) for own in (one, two)]
    files = [test_files(store, own) for store, own in zip(stores, folds, strict=True)]
    if folds[0] != folds[1] or files[0] != files[1] or not np.array_equal(labels, other_labels):
        return Difference(observed, None)
    # What is resampled together is paired by image, whatever names the two have: these are places, not techniques.
    places = Technique.FROZEN, Technique.FULL
    found = resample(
        {places[0]: before, places[1]: after},
        labels,
        first.settings.metric,
        ties=ties_of(stores[0], one.confirmations),
        seed=first.settings.seed,
    )
    most = found[places[0]].highest
    return Difference(observed, percentile_interval(found[places[1]].minus(found[places[0]]), -most, most))
