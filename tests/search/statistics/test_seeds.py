"""When two seeds that disagree call for a third; `test_confirmation_plan` plays whole plans."""

from collections import Counter

import numpy as np
import pytest

from tlsearch.search.statistics.bootstrap import resample
from tlsearch.search.statistics.seeds import look
from tlsearch.spaces.recipe import Technique

IMAGES = 150
SECONDS = {Technique.FROZEN: 1.0, Technique.FINE_TUNE: 10.0}


def looked(frozen, fine_tune, *, care=0.005, images=IMAGES):
    """What is added where the seeds of two techniques are right on so many images, all seeds on the same ones first."""
    right = {Technique.FROZEN: frozen, Technique.FINE_TUNE: fine_tune}
    predictions = {
        technique: np.stack([np.where(np.arange(images)[:, None] < one, [0.9, 0.1], [0.1, 0.9]) for one in seeds]).astype(
            np.float32
        )
        for technique, seeds in right.items()
    }
    labels = np.zeros(images, np.int64)
    resampled = resample(predictions, labels, "accuracy", resamples=1000)
    return look(resampled, images, "accuracy", SECONDS, Counter({t: len(s) for t, s in right.items()}), care)[1]


def test_two_seeds_that_disagree_get_a_third():
    """Its regret alone, small since seeds seldom differ much, would end the confirmation with an interval that says nothing."""
    assert looked([120, 120], [120, 132]) == Counter([Technique.FINE_TUNE])


def test_seeds_that_agree_do_not():
    assert looked([105, 105], [126, 126]) is None


@pytest.mark.parametrize(
    "case",
    [
        {"frozen": [60, 60], "fine_tune": [120, 132]},  # whatever the seeds do, the rival is far behind
        {"frozen": [120, 120], "fine_tune": [120, 132], "care": 0.5},
        {"frozen": [24, 24], "fine_tune": [24, 30], "images": 30},
    ],
)
def test_a_third_that_could_change_nothing_is_not_trained(case):
    assert looked(**case) is None
