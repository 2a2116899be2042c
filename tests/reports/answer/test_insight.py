import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.reports.answer.insight import confusion_of, similarity_of
from tlsearch.search.activations.blocks import BLOCKS
from tlsearch.search.depth_profile import DepthPoint, DepthProfile
from tlsearch.spaces.space import SearchSpace


def profile(accuracies, last_share, images=200, chance=0.5):
    """One whose accuracy is 0.6 but for the blocks named."""
    known = {block: accuracies.get(block, 0.6) for block in BLOCKS}
    points = (DepthPoint(BLOCKS[block], block, value, (value - 0.05, value + 0.05)) for block, value in known.items())
    return DepthProfile(tuple(points), images, chance, last_share)


def test_a_peak_at_the_end_says_similar():
    found = similarity_of(profile({"top": 0.9}, 0.97))
    assert (found.profile.label, found.profile.suggested_cut, found.profile.knn_accuracy) == ("similar", None, 0.9)
    assert found.profile.corrected == pytest.approx(0.8)
    assert found.sentence == (
        "The images are similar to what the weights were trained on: frozen features tell the classes apart best at the "
        "network's end, where the 5 nearest of 200 training images name 90.0% right (the most frequent class alone 50.0%), in "
        "97.0% of resamples."
    )


def test_an_earlier_peak_says_different_and_where_to_cut():
    found = similarity_of(profile({"block_8": 0.9}, 0.01))
    assert (found.profile.label, found.profile.suggested_cut) == ("different", BLOCKS["block_8"] + 1)
    assert found.sentence == (
        "The images are different from what the weights were trained on: frozen features tell the classes apart best at "
        "block_8, where the 5 nearest of 200 training images name 90.0% right (60.0% at the network's end), in 99.0% of "
        f"resamples, so that fine-tuning from layer {found.profile.suggested_cut} on suggests itself."
    )


def test_a_cut_that_the_space_does_not_have_names_the_one_that_stands_for_it():
    found = similarity_of(profile({"block_6": 0.9}, 0.0), SearchSpace())
    assert found.profile.suggested_cut == 63
    assert found.sentence.endswith("from layer 63 on suggests itself (the nearest that the search may try is 54).")
    frozen_only = similarity_of(profile({"block_6": 0.9}, 0.0), SearchSpace(techniques=("frozen",)))
    assert frozen_only.sentence.endswith("from layer 63 on suggests itself.")


UNSURE = "Whether the images are similar to what the weights were trained on cannot be told"


@pytest.mark.parametrize(
    ("measured", "sentence"),
    [
        (
            profile({"block_13": 0.8, "top": 0.79}, 0.4),
            f"{UNSURE}: frozen features tell the classes apart best at block_13, where the 5 nearest of 200 training images "
            "name 80.0% right (79.0% at the network's end), but only 40.0% of resamples have the best at the end, where 90.0% "
            "would be needed for similar and 10.0% for different.",
        ),
        (
            profile({"top": 0.8}, 0.7),
            f"{UNSURE}: frozen features tell the classes apart best at the network's end, where the 5 nearest of 200 training "
            "images name 80.0% right, but only 70.0% of resamples have the best at the end, where 90.0% would be needed for "
            "similar and 10.0% for different.",
        ),
        *(
            (
                profile({"top": 0.6 + above}, 1.0, chance=0.55 + above),
                f"{UNSURE}: at no block do frozen features tell the classes apart better than chance, the 5 nearest of 200 "
                f"training images naming {60 + 100 * above:.1f}% right at best ({55 + 100 * above:.1f}% by chance).",
            )
            for above in (0.0, 0.1)
        ),
    ],
    ids=["resamples disagree", "resamples doubt the end", "chance", "just chance"],
)
def test_what_cannot_be_told_is_not(measured, sentence):
    found = similarity_of(measured)
    assert (found.profile.label, found.profile.suggested_cut) == ("uncertain", None)
    assert found.sentence == sentence


def probabilities(predicted, classes):
    return np.eye(classes, dtype=np.float32)[np.asarray(predicted)]


def test_confusion_is_summed_over_seeds():
    labels = np.array([0, 0, 1, 1, 1])
    seeds = np.stack([probabilities([0, 1, 1, 1, 0], 3), probabilities([0, 1, 1, 2, 0], 3)])
    found = confusion_of(seeds, labels, 3)
    assert found.matrix == ((2, 2, 0), (2, 3, 1), (0, 0, 0))
    assert found.recall[:2] == (0.5, 0.5) and math.isnan(found.recall[2])
    assert found.most_confused == ((0, 1, 2), (1, 0, 2), (1, 2, 1))


def test_nothing_confused_is_not_spoken_of():
    found = confusion_of(probabilities([0, 1], 2)[None], np.array([0, 1]), 2)
    assert found.most_confused == () and found.recall == (1, 1)


def test_five_pairs_are_named_the_most_frequent_first_and_of_equals_the_first():
    labels = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    found = confusion_of(probabilities([1, 2, 3, 0, 3, 3, 2, 1], 4)[None], labels, 4)
    assert found.most_confused == ((2, 3, 2), (0, 1, 1), (0, 2, 1), (1, 0, 1), (1, 3, 1))


@given(st.integers(0, 2**32), st.integers(2, 6), st.integers(1, 40), st.integers(1, 3))
def test_a_confusion_counts_every_image_once_a_seed(seed, classes, images, seeds):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, images)
    predicted = rng.integers(0, classes, (seeds, images))
    found = confusion_of(np.stack([probabilities(one, classes) for one in predicted]), labels, classes)
    assert np.sum(found.matrix) == seeds * images
    assert np.trace(found.matrix) == (predicted == labels).sum()
    counts = [images for *_, images in found.most_confused]
    assert counts == sorted(counts, reverse=True) and len(counts) <= 5
    assert all(true != other for true, other, _ in found.most_confused)
