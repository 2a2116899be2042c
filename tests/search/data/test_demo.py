import dataclasses
import runpy
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlsearch.reports.answer.dataset import size_of
from tlsearch.search.data import demo
from tlsearch.search.data.demo import TEST_PER_CLASS, VARIANTS, Variant, write_demo
from tlsearch.search.data.drawing import TARGET_SHAPES
from tlsearch.search.data.split import VAL_SHARE
from tlsearch.search.events import PhaseEnded, PhaseStarted
from tlsearch.spaces.errors import OptionError

from ...reports.factory import settings

SCRIPTS = Path(__file__).parents[3] / "scripts"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return write_demo("small-similar", tmp_path_factory.mktemp("cache"))


def test_a_few_hundred_pictures_of_every_class(small):
    classes = VARIANTS["small-similar"].classes
    assert sorted(folder.name for folder in (small / "train").iterdir()) == sorted(classes)
    assert len(list(small.glob("train/*/*.png"))) == 50 * len(classes)
    assert len(list(small.glob("test/*/*.png"))) == TEST_PER_CLASS * len(classes)
    with Image.open(next(small.glob("train/*/*.png"))) as picture:
        assert (picture.size, picture.mode) == ((96, 96), "RGB")


def test_no_picture_is_drawn_twice(small):
    pictures = {path.read_bytes() for path in small.rglob("*.png")}
    assert len(pictures) == len(list(small.rglob("*.png")))


def test_the_weights_have_never_seen_the_target_classes():
    source = runpy.run_path(str(SCRIPTS / "source_task.py"))["SHAPES"]
    assert len(source) == 14
    for target in TARGET_SHAPES.values():
        assert not any(target.shape == other.shape and np.allclose(target, other) for other in source.values())


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_number_draws_the_same_picture(variant):
    chosen = VARIANTS[variant]
    for name in chosen.classes:
        once, again, other = (np.asarray(chosen.draw(name, np.random.default_rng([1, seed]))) for seed in (5, 5, 6))
        np.testing.assert_array_equal(once, again)
        assert (once != other).any()


@pytest.mark.parametrize("variant", VARIANTS)
def test_sets_are_as_large_as_they_are_called(variant):
    chosen, other = VARIANTS[variant], VARIANTS[variant.replace("large", "small")]
    images = len(chosen.classes) * chosen.train_per_class
    training = images - round(images * VAL_SHARE)
    data = dataclasses.replace(settings().data, classes=chosen.classes, train=training)
    assert size_of(data) == variant.partition("-")[0] and chosen.classes == other.classes


def test_drawn_once(small, monkeypatch):
    monkeypatch.setattr(demo, "_draw_all", lambda *_: pytest.fail("drawn again"))
    assert write_demo("small-similar", small.parents[1]) == small


def test_two_processes_may_ask_at_once(tmp_path, monkeypatch):
    def draw(name, rng):
        return Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))

    monkeypatch.setattr(demo, "VARIANTS", {"tiny": Variant(("a", "b"), draw, 3)})
    found = []
    threads = [threading.Thread(target=lambda: found.append(write_demo("tiny", tmp_path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len(set(found)) == 1
    assert [path.name for path in (tmp_path / "demo").iterdir()] == [found[0].name]


def test_a_drawing_that_breaks_off_leaves_nothing(tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_draw_all", stop)
    with pytest.raises(KeyboardInterrupt):
        write_demo("small-similar", tmp_path)
    assert list((tmp_path / "demo").iterdir()) == []


def test_drawing_says_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "VARIANTS", {"tiny": Variant(("a", "b"), lambda *_: Image.new("RGB", (8, 8)), 3)})
    events = []
    write_demo("tiny", tmp_path, events.append)
    assert events[0] == PhaseStarted("draw", 106)
    assert [event.done for event in events[1:-1]] == [50, 53, 103, 106] and isinstance(events[-1], PhaseEnded)


def test_an_unknown_variant_is_named(tmp_path):
    with pytest.raises(OptionError, match=r"--demo must be one of small-similar, .*, got huge"):
        write_demo("huge", tmp_path)
