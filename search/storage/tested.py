"""What of a study was tested: in one split, or fold by fold."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from ...spaces.recipe import Technique
from ..statistics.bootstrap import NO_TIES, Ties
from ..trial import Confirmation
from .store import StudyStore


def confirmed(store: StudyStore) -> dict[Technique, tuple[Confirmation, ...]]:
    """The confirmations of each technique's finalist, fold by fold; those of an earlier finalist say nothing of it.

    Folds in which a technique has none while another one has are left out: techniques are compared on the same images.
    """
    found: dict[Technique, tuple[Confirmation, ...]] = {}
    by_fold = []
    for fold in store.folds:
        stored, best = fold.confirmations(), fold.finalists()
        own = {technique: tuple(c for c in stored if c.trial == one.number) for technique, one in best.items()}
        by_fold.append({technique: confirmations for technique, confirmations in own.items() if confirmations})
    tested = {technique for own in by_fold for technique in own}
    for own in by_fold:
        for technique in Technique:
            if technique in own and (len(by_fold) == 1 or own.keys() == tested):
                found[technique] = (*found.get(technique, ()), *own[technique])
    return found


def ties_of(store: StudyStore, confirmations: Sequence[Confirmation]) -> Ties:
    """What ties the images of `StudyStore.stacked` together."""
    if store.settings.data.folds == 1 and store.notes.tied_images() is None:
        return NO_TIES
    first = {confirmation.fold: confirmation for confirmation in confirmations}
    counts = {fold: len(store.predictions(first[fold])[1]) for fold in sorted(first)}
    folds = np.concatenate([np.full(images, fold) for fold, images in counts.items()])
    groups, start = -1 - np.arange(len(folds)), 0
    of_fold = {own.fold: own for own in store.folds}
    for fold, images in counts.items():
        tied = of_fold[fold].notes.tied_images()
        if tied is not None and len(tied.numbers) == images:
            groups[start : start + images] = tied.numbers
        start += images
    alone = len(np.unique(groups)) == len(groups)
    return Ties(None if store.settings.data.folds == 1 else folds, None if alone else groups)


def test_files(store: StudyStore, folds: Collection[int] = (0,)) -> tuple[str, ...]:
    """The files of some folds' test images, in the order of `StudyStore.stacked`; empty where one does not record them."""
    found = [fold.notes.test_files() for fold in store.folds if fold.fold in folds]
    return tuple(file for own in found for file in own) if all(found) else ()
