import time

import pytest

from tlsearch.search.planning import probe as probe_module
from tlsearch.search.planning.probe import WAIT_SECONDS, NoProbeError, anchors, probe, recipe_of
from tlsearch.spaces.backbone.spec import BackboneSpec
from tlsearch.spaces.errors import WeightsError
from tlsearch.spaces.presets import load_preset
from tlsearch.spaces.ranges import Fixed, OneOf
from tlsearch.spaces.recipe import LAYERS, Technique
from tlsearch.spaces.space import SearchSpace


@pytest.mark.parametrize(
    ("space", "layers"),
    [
        (SearchSpace(fine_tune_at=OneOf((54, 98, 134))), (0, 54, 134, LAYERS)),
        (SearchSpace(fine_tune_at=Fixed(100)), (0, 100, LAYERS)),
        (SearchSpace(techniques=(Technique.FULL,)), (0, LAYERS)),
        (SearchSpace(techniques=(Technique.FROZEN,)), (LAYERS,)),
    ],
)
def test_few_layers_are_measured(space, layers):
    assert anchors(space) == layers
    assert [recipe_of(space, layer).first_trained_layer for layer in layers] == list(layers)


def test_recipes_are_of_the_space():
    space = load_preset("post").space.replace(batch_norm=Fixed("inference"))
    recipe = recipe_of(space, 100)
    assert (recipe.batch_size, recipe.batch_norm, recipe.fine_tune_at) == (128, "inference", 100)
    assert recipe_of(SearchSpace().replace(batch_size=Fixed(4096)), 0).batch_size == 256, "not all of the memory"


def test_a_script_without_a_main_guard_is_not_measured(monkeypatch):
    monkeypatch.setattr(probe_module, "has_main_guard", lambda: False)
    with pytest.raises(NoProbeError, match="__main__"):
        probe(BackboneSpec(0.35, 32, "random"), SearchSpace(), [], weights=None, workers=1, threads=1)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.trains
def test_measures_two_processes_side_by_side(make_folder):
    root = make_folder({"cats": 8})
    files = sorted(root.rglob("*.png"))
    space = SearchSpace(fine_tune_at=OneOf((98, 134)))
    speeds = probe(BackboneSpec(0.35, 64, "imagenet"), space, files, weights=None, workers=2, threads=1)
    assert set(speeds.train) == set(speeds.trace) == {0, 98, 134, LAYERS}
    assert speeds.train[0] > speeds.train[98] > speeds.train[134] > speeds.train[LAYERS] > 0
    assert speeds.train[0] > speeds.forward > 0 and speeds.decode > 0 and speeds.start > 0
    assert set(speeds.cuts) == {0, 98, 134, LAYERS} and speeds.passed(0) > speeds.passed(98)


@pytest.mark.slow
@pytest.mark.trains
def test_damaged_weights_end_it_at_once(tmp_path):
    file = tmp_path / "weights.h5"
    file.write_bytes(b"no weights")
    began = time.monotonic()
    with pytest.raises(WeightsError, match="cannot be read"):
        probe(BackboneSpec(0.35, 32, str(file)), SearchSpace(), [], weights=file, workers=2, threads=1)
    assert time.monotonic() - began < WAIT_SECONDS, "one process waited for another"
