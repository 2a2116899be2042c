"""What a run would do, with a probe that measures nothing: where it can be compared with what a run does."""

import dataclasses
import functools
import json

import pytest

from tlsearch.search.activations.cache import ActivationCache
from tlsearch.search.activations.cache_plan import planned_passes
from tlsearch.search.depth_profile import DepthProfile
from tlsearch.search.events import ignore
from tlsearch.search.options import Budget
from tlsearch.search.phases.profile_cache import ProfileCache
from tlsearch.search.planning import dry_run as dry_run_module
from tlsearch.search.planning.dry_run import dry_run
from tlsearch.search.planning.estimate import PROFILE_SECONDS
from tlsearch.search.planning.options import RunOptions
from tlsearch.search.planning.plan import plan_run
from tlsearch.search.planning.probe import NoProbeError, Speeds, anchors, costs_of
from tlsearch.spaces.backbone.network import POOL
from tlsearch.spaces.backbone.spec import load_network, weights_fingerprint
from tlsearch.spaces.errors import WeightsError
from tlsearch.spaces.recipe import LAYERS
from tlsearch.spaces.space import SearchSpace

pytestmark = pytest.mark.trains  # builds MobileNetV2


@pytest.fixture
def folder(make_folder):
    return make_folder({"train/cats": 30, "train/dogs": 20, "test/cats": 8, "test/dogs": 6})


@pytest.fixture
def plan(folder):
    return plan_run(RunOptions(data=folder, weights="starter", size=32, alpha=0.35, fine_tune_at=[54, 134, 143]))


@functools.cache
def _costs(backbone, space):
    return costs_of(backbone, SearchSpace.from_dict(json.loads(space)), None)


@pytest.fixture(autouse=True)
def no_probe(monkeypatch):
    """Takes a thousandth of a second for everything."""

    def measure(backbone, space, files, **options):
        layers, costs = dict.fromkeys(anchors(space), 1e-3), _costs(backbone, json.dumps(space.as_dict()))
        times = {"start": 1.0, "decode": 1e-3, "forward": 1e-3, "train": layers, "trace": layers}
        return Speeds(cuts=costs.cuts, values_at=costs.values_at, values=costs.values, **times)

    monkeypatch.setattr(dry_run_module, "probe", measure)


def look(plan, trials=6, **search):
    asked = dataclasses.replace(plan.search, **search)
    options = dataclasses.replace(plan.options, budget=Budget(trials=trials, confirm=1), workers=2)
    return dry_run(dataclasses.replace(plan, search=asked, options=options))


def test_reads_names_and_sizes_and_writes_nothing(plan, folder, own_cache):
    for path in folder.rglob("*.png"):
        path.write_bytes(b"no image")
    found = look(plan)
    assert found.dataset is None and len(found.survey.stand_in.train) + len(found.survey.stand_in.val) == 50
    assert found.survey.to_decode == 64 and found.survey.bytes_to_decode == 64 * 32 * 32 * 3
    assert [path for path in own_cache.rglob("*") if path.is_file()] == []


def test_sizes_are_those_of_the_activations(plan):
    found = look(plan)
    costs = _costs(plan.search.backbone, json.dumps(plan.search.space.as_dict()))
    assert {cut.cut: cut.bytes for cut in found.cuts} == {cut: 2 * 64 * values for cut, values in costs.values_at.items()}
    assert all(cut.kept and cut.missing == cut.bytes for cut in found.cuts)
    assert next(cut.layers for cut in found.cuts if cut.cut == POOL + 1) == (LAYERS,)
    assert found.from_pixels[0] == 0
    wide = look(plan, cache_dtype="float32")
    assert [cut.bytes for cut in wide.cuts] == [2 * cut.bytes for cut in found.cuts]


def test_what_does_not_fit_is_not_kept(plan):
    sizes = [cut.bytes for cut in look(plan).cuts]
    found = look(plan, cache_limit=sum(sizes[:-1]))
    assert [cut.kept for cut in found.cuts] == [True] * (len(sizes) - 1) + [False]
    assert found.forecast.search > look(plan).forecast.search
    assert not any(cut.kept for cut in look(plan, cache_limit=0).cuts)


def test_what_is_there_already_is_known(plan):
    """Once the images are decoded, the entries' names are too."""
    assert look(plan).dataset is None
    plan.open_data(ignore)
    found = look(plan)
    assert found.survey.to_decode == found.survey.bytes_to_decode == 0 and len(found.dataset.train) == 40
    cut = found.cuts[-1].cut
    weights = plan.search.backbone.locate()
    context = plan.search.context(found.dataset, weights, weights_fingerprint(plan.search.backbone, weights))
    cache = ActivationCache(context.cache)
    for part in ("search", "test"):
        for work in planned_passes(context, plan.search.space, [cut], part):
            for key in work.keys(context):
                (cache.folder / key.name).mkdir(parents=True)
                cache.complete(key, len(work.rows), [])
    assert [one.missing == 0 for one in look(plan).cuts] == [one.cut == cut for one in found.cuts]
    # With no room for more, what is there is kept.
    assert [one.kept for one in look(plan, cache_limit=0).cuts] == [one.cut == cut for one in found.cuts]
    before = look(plan).forecast.extract
    ProfileCache(context, found.dataset.train).keep(DepthProfile((), 40, 0.5, 1.0))
    assert look(plan).forecast.extract == pytest.approx(before - 40 * 1e-3 / 2 - PROFILE_SECONDS)


def test_a_space_with_fewer_recipes_than_trials(folder):
    post = plan_run(RunOptions(data=folder, space="post", size=32, alpha=0.35, weights="random"))
    assert look(post, trials=20).trials == 2


def test_where_it_cannot_be_measured_the_rest_is_said(plan, monkeypatch):
    def fail(*arguments, **options):
        raise NoProbeError("a process died")

    monkeypatch.setattr(dry_run_module, "probe", fail)
    found = look(plan)
    assert (found.forecast, found.unmeasured) == (None, "a process died") and found.cuts


@pytest.mark.parametrize("measured", [True, False])
def test_weights_are_loaded_before_there_is_a_plan(folder, tmp_path, monkeypatch, measured):
    """By the processes that measure, or here where none can."""
    file = tmp_path / "weights.h5"
    file.write_bytes(b"no weights")
    if not measured:
        monkeypatch.setattr(dry_run_module, "probe", _no_main_guard)
    else:
        monkeypatch.setattr(dry_run_module, "probe", lambda backbone, *_, weights, **__: load_network(backbone, weights))
    with pytest.raises(WeightsError, match=r"weights\.h5 must hold .* but cannot be read"):
        look(plan_run(RunOptions(data=folder, weights=str(file), size=32, alpha=0.35)))
    file.unlink()
    with pytest.raises(WeightsError, match="no such file"):
        look(plan_run(RunOptions(data=folder, weights=str(file), size=32, alpha=0.35)))


def _no_main_guard(*_, **__):
    raise NoProbeError("no main guard")


def test_imagenet_weights_that_are_not_there_are_no_error_and_not_downloaded(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    asked = plan_run(RunOptions(data=folder, size=32, alpha=0.35))
    found = look(asked)
    assert (found.to_download, found.without_network) == (asked.search.backbone.imagenet_file, None)
    assert list(tmp_path.glob("models/*")) == []
    other = found.to_download.with_name(found.to_download.name.replace("224", "96"))
    other.parent.mkdir()
    other.write_bytes(b"")
    assert look(asked).without_network == other
    other.rename(found.to_download)
    assert (look(asked).to_download, look(asked).without_network) == (None, None)


def test_what_is_larger_than_the_memory_is_read_in_blocks(plan):
    found = look(plan)
    assert found.in_blocks == {}
    small = dataclasses.replace(found, memory=2 * 40 * 32 * 32 * 3 - 1)
    assert "images" in small.in_blocks and "images" not in dataclasses.replace(found, memory=2 * 40 * 32 * 32 * 3).in_blocks
