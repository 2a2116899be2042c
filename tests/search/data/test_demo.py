import runpy
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlsearch.search.data import demo
from tlsearch.search.data.demo import TEST_PER_CLASS, VARIANTS, Variant, write_demo
from tlsearch.search.data.drawing import TARGET_SHAPES
from tlsearch.spaces.errors import OptionError

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


def test_large_is_ten_times_small():
    assert VARIANTS["large-similar"].classes == VARIANTS["small-similar"].classes
    assert VARIANTS["large-similar"].train_per_class == 10 * VARIANTS["small-similar"].train_per_class


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


def test_an_unknown_variant_is_named(tmp_path):
    with pytest.raises(OptionError, match=r"--demo must be one of small-similar, .*, got huge"):
        write_demo("huge", tmp_path)
