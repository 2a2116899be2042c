import pytest

from tlsearch.search.settings import differences

from .factory import settings


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 1}, "the seed was 0, now 1"),
        ({"size": 96}, "the image size was 160, now 96"),
        ({"weights_fingerprint": "x"}, "the weights were imagenet"),
        ({"engine": "keras-tuner"}, "the engine was optuna, now keras-tuner"),
        ({"space": {**settings().space, "dropout": 0.5}}, "the space's dropout was"),
    ],
)
def test_differences_are_named(changes, words):
    (found,) = differences(settings(), settings(**changes))
    assert words in found


def test_name_date_and_version_are_no_difference():
    assert differences(settings(), settings(name="b", created="later", version="9")) == []
