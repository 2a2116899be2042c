"""Warm start: which recipes of other studies are taken, how they are fitted, and when they are tried."""

import itertools
import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlsearch.search.engines.by_technique import SHARES
from tlsearch.search.engines.fair_start import fair_start
from tlsearch.search.events import Warned, ignore
from tlsearch.search.planning.options import RunOptions
from tlsearch.search.planning.plan import plan_run
from tlsearch.search.planning.warm_start import _NOT_THE_RECIPES, fit, read_warm_start, resumed_warm_start
from tlsearch.search.storage.store import StudyStore
from tlsearch.search.trial import FailedTrial
from tlsearch.spaces.errors import DamagedStudyError, OptionError, StudyError
from tlsearch.spaces.presets import load_preset
from tlsearch.spaces.ranges import Between, Fixed, OneOf
from tlsearch.spaces.recipe import Technique
from tlsearch.spaces.space import SearchSpace

from ...reports.factory import store_of
from .. import factory
from ..factory import complete, pruned, recipe
from ..fakes import FakePool, searcher
from ..phases.test_search import good

SPACE = SearchSpace()
BEST = {
    "frozen": recipe("frozen", learning_rate=4e-3, head_units=128, head_layers=2, dropout=0.2),
    "fine-tune": recipe("fine-tune", learning_rate=2e-4, fine_tune_at=81),
    "full": recipe("full", learning_rate=6e-5, dropout=0.4),
}


def donor(path, techniques=tuple(BEST), best=BEST, **changes):
    """A study in which the second trial of each technique was the better one."""
    trials = []
    for technique in techniques:
        trials.append(complete(len(trials), technique, (0.6, 0.7)))
        trials.append(complete(len(trials), technique, (0.8, 0.9), recipe=best[technique]))
    return store_of(path, trials, changes).place.path


def recipes(warm, space=SPACE):
    return [space.recipe(one.values) for one in warm.recipes]


def same(fitted, original):
    """Whether a recipe was taken over as it was; how long it trains, and by which schedule, is the new study's."""
    new = dict.fromkeys(_NOT_THE_RECIPES - {"technique"})
    return [fitted.as_dict() | new for fitted in fitted] == [one.as_dict() | new for one in original]


def test_the_best_of_each_technique_is_taken(tmp_path):
    heard = []
    warm = read_warm_start([donor(tmp_path / "a")], SPACE, listener=heard.append)
    assert same(recipes(warm), BEST.values()) and heard == []
    assert [(one.technique, one.trial, one.score, one.data) for one in warm.recipes] == [
        ("frozen", 1, 0.9, "photos"),
        ("fine-tune", 3, 0.9, "photos"),
        ("full", 5, 0.9, "photos"),
    ]
    assert warm.studies == (str(tmp_path / "a"),)


def test_several_studies_give_as_many_of_each_technique(tmp_path):
    second = {technique: recipe(technique, learning_rate=5e-4) for technique in BEST}
    paths = [donor(tmp_path / "a"), donor(tmp_path / "b", ("frozen", "full"), second), donor(tmp_path / "c", ("frozen",))]
    heard = []
    warm = read_warm_start([*paths, paths[0]], SPACE, listener=heard.append)
    assert Counter(one.technique for one in warm.recipes) == dict.fromkeys(Technique, 1)
    assert {one.study for one in warm.recipes} == {str(tmp_path / "a")}
    assert [event.message.split(":")[0] for event in heard] == [
        "Of frozen the warm start has 2 recipes and of another technique 1",
        "Of full the warm start has 2 recipes and of another technique 1",
    ]


def test_studies_that_complete_each_other_serve_together(tmp_path):
    warm = read_warm_start([donor(tmp_path / "a", ("frozen", "full")), donor(tmp_path / "b", ("fine-tune",))], SPACE)
    assert same(recipes(warm), BEST.values())


def test_techniques_that_are_not_searched_are_left_out(tmp_path):
    space = SearchSpace(techniques=(Technique.FULL,))
    assert same(recipes(read_warm_start([donor(tmp_path / "a")], space), space), [BEST["full"]])


def test_what_another_space_does_not_have_is_the_nearest_and_said(tmp_path):
    space = SPACE.replace(
        learning_rates={**SPACE.learning_rates, Technique.FROZEN: Between(1e-4, 1e-3, log=True)},
        fine_tune_at=OneOf((54, 98)),
        head_units=Fixed(0),
        dropout=OneOf((0.0, 0.25)),
        optimizer=OneOf(("rmsprop",)),
        augment=Fixed(True),
    )
    heard = []
    frozen, fine_tuned, full = recipes(read_warm_start([donor(tmp_path / "a")], space, listener=heard.append), space)
    assert (frozen.learning_rate, frozen.head_units, frozen.head_layers, frozen.dropout) == (1e-3, 0, 0, 0.25)
    assert (fine_tuned.fine_tune_at, fine_tuned.learning_rate, fine_tuned.dropout) == (98, 2e-4, 0.0)
    assert all(one.optimizer == "rmsprop" and one.augment for one in (frozen, fine_tuned, full)) and full.dropout == 0.25
    assert all(isinstance(event, Warned) for event in heard)
    assert "learning_rate 0.004 → 0.001; head_units 128 → 0; head_layers 2 → 0; dropout 0.2 → 0.25" in heard[0].message
    assert "fine_tune_at 81 → 98; optimizer adam → rmsprop; augment False → True (fine-tune, trial 3" in heard[1].message


rates = st.floats(1e-6, 5.0)


@settings(max_examples=60)
@given(
    st.sampled_from(list(Technique)), rates, st.integers(1, 153), st.sampled_from([0, 16, 128, 4000]), st.floats(0, 0.99), rates
)
def test_any_recipe_fits_any_space_that_has_its_technique(technique, rate, cut, units, dropout, head_rate):
    own = recipe(
        technique, learning_rate=rate, head_units=units, head_layers=int(units > 0), dropout=dropout,
        head_learning_rate=head_rate, batch_size=cut, **({"fine_tune_at": cut} if technique is Technique.FINE_TUNE else {}),
    )  # fmt: skip
    spaces = [
        SPACE,
        SPACE.replace(head_units=OneOf((32, 64)), batch_size=Between(8, 64, 8), dropout=Between(0.0, 0.5)),
        SPACE.replace(learning_rates=dict.fromkeys(Technique, OneOf((1e-3, 1e-2))), head_learning_rate=Between(1e-4, 1e-2)),
    ]
    for space in spaces:
        values, changes = fit(own, space)
        fitted = space.recipe(values)
        assert fitted.technique is technique and space.active(values) == values
        assert json.loads(json.dumps(values)) == values
        assert fit(fitted, space) == (values, ())
        names = {change.split()[0] for change in changes}
        differing = {name for name, value in fitted.as_dict().items() if value != own.as_dict()[name]}
        assert names == differing - _NOT_THE_RECIPES
        lower = min(changes, default="", key=len)
        assert "→" in lower or not changes


def test_the_nearest_rate_is_nearest_by_ratio():
    space = SPACE.replace(learning_rates=dict.fromkeys(Technique, OneOf((1e-5, 1e-3))))
    assert fit(recipe("full", learning_rate=2e-4), space)[0]["full/learning_rate"] == 1e-3
    assert fit(recipe("full", learning_rate=5e-5), space)[0]["full/learning_rate"] == 1e-5


def test_a_study_without_the_techniques_is_refused(tmp_path):
    path = donor(tmp_path / "a", ("frozen", "fine-tune"))
    with pytest.raises(OptionError, match=r"got none of full in .*or search frozen and fine-tune alone with --technique"):
        read_warm_start([path], SPACE)
    with pytest.raises(OptionError, match=r"got none of full in .*completed trials of all of them\.$"):
        read_warm_start([path], SearchSpace(techniques=(Technique.FULL,)))


def test_an_empty_study_is_refused(tmp_path):
    with pytest.raises(StudyError, match=r"needs a study with completed trials, got .*new \(none has completed\)"):
        read_warm_start([store_of(tmp_path / "new").place.path], SPACE)
    with pytest.raises(StudyError, match="none has completed"):
        read_warm_start([store_of(tmp_path / "pruned", [pruned(0, "frozen")]).place.path], SPACE)


def test_a_damaged_or_missing_study_is_refused(tmp_path):
    path = donor(tmp_path / "a")
    (path / "study.db").write_bytes(b"no database")
    with pytest.raises(DamagedStudyError, match="is damaged"):
        read_warm_start([path], SPACE)
    with pytest.raises(StudyError, match="no such folder"):
        read_warm_start([tmp_path / "nowhere"], SPACE)


def test_no_study_starts_from_itself(tmp_path):
    path = donor(tmp_path / "a")
    with pytest.raises(OptionError, match="which is the one to be searched"):
        read_warm_start([path], SPACE, within=path)


def test_a_grid_takes_no_warm_start(tmp_path):
    for engine in ("optuna", "keras-tuner"):
        with pytest.raises(OptionError, match="--warm-start needs an algorithm that can be told where to begin, got grid"):
            plan_run(RunOptions(engine=engine, algorithm="grid", warm_start=[tmp_path]))


@settings(max_examples=30)
@given(st.integers(1, 60), st.integers(1, 4), st.one_of(st.none(), st.sampled_from([54, 100])))
def test_the_design_begins_with_the_warm_start_and_stays_balanced(trials, each, cut):
    warm = [fit(recipe(t, learning_rate=7e-4 * 0.8**k), SPACE)[0] for t in Technique for k in range(each)]
    asked = {SPACE.recipe(values) for values in warm}
    design = [SPACE.recipe(values) for values in fair_start(SPACE, trials, 5, cut, warm)]
    counts = Counter(one.technique for one in design)
    if len(design) > 3 * each:
        assert all(abs(counts[t] - len(design) * share / sum(SHARES.values())) <= 1.5 + each / 2 for t, share in SHARES.items())
    assert len(set(design)) == len(design) <= trials
    first = design[: 3 * each]
    assert set(first) <= asked and len(first) == min(trials, 3 * each)
    if trials >= 3 * (each + 1):
        proven = {SPACE.recipe(values) for values in fair_start(SPACE, 60, 5, cut)[:3]}
        assert proven <= set(design), "the proven settings keep their turn"


def test_a_warm_start_that_is_the_posts_setting_takes_one_turn():
    post = fair_start(SPACE, 20, 0)[:3]
    assert fair_start(SPACE, 20, 0, None, post) == fair_start(SPACE, 20, 0)


def test_a_technique_without_a_post_setting_is_not_behind():
    space = load_preset("post").space
    warm = [fit(recipe(technique, learning_rate=1e-3), space)[0] for technique in space.techniques]
    assert [space.recipe(values).technique for values in fair_start(space, 20, 0, None, warm)] == ["frozen", "fine-tune"]


@pytest.mark.parametrize(("engine", "algorithm"), [("optuna", "tpe"), ("keras-tuner", "hyperband")])
def test_a_search_that_was_cut_off_starts_from_the_same_without_the_others(tmp_path, engine, algorithm):
    warm = read_warm_start([donor(tmp_path / "a")], SPACE)
    own = {"engine": engine, "algorithm": algorithm, "warm_start": warm}
    whole = StudyStore.create(tmp_path / "whole", factory.settings(name="whole", **own))
    searcher(whole).run(FakePool(good, count=1))
    assert same([trial.recipe for trial in whole.trials()[:3]], BEST.values())

    cut = StudyStore.create(tmp_path / "cut", factory.settings(name="cut", **own))
    finished = itertools.count()

    def interrupt(job):
        if next(finished) == 1:
            raise KeyboardInterrupt
        return good(job)

    with pytest.raises(KeyboardInterrupt):
        searcher(cut).run(FakePool(interrupt, count=1))
    (tmp_path / "a").rename(tmp_path / "gone")
    searcher(StudyStore.open(cut.place.path)).run(FakePool(good, count=1))
    ended = [trial for trial in cut.trials() if not isinstance(trial, FailedTrial)]
    key = lambda trial: (trial.seed, trial.recipe.as_dict())  # noqa: E731
    assert sorted(map(key, ended), key=str) == sorted(map(key, whole.trials()), key=str)


def test_a_study_keeps_what_it_was_started_from(tmp_path):
    first, second = donor(tmp_path / "a"), donor(tmp_path / "b")
    warm = read_warm_start([first, second], SPACE)
    assert resumed_warm_start([second, first], warm) is warm, "their order no longer matters"
    with pytest.raises(StudyError, match=r"got --warm-start .*b for one that was started from .*a, .*b\. Leave"):
        resumed_warm_start([second], warm)
    with pytest.raises(StudyError, match="started from no other study"):
        resumed_warm_start([first], None)


def test_a_plan_reads_the_others_for_a_new_study_only(tmp_path):
    path = donor(tmp_path / "a")

    def read(*studies, fresh=False):
        return plan_run(RunOptions(study=tmp_path / "own", warm_start=studies, fresh=fresh)).read_warm_start(ignore)

    warm = read(path)
    StudyStore.create(tmp_path / "own", factory.settings(name="own", warm_start=warm))
    path.rename(tmp_path / "moved")
    assert read(path) == warm
    assert read() is None
    with pytest.raises(StudyError, match="keeps what it was started from"):
        read(tmp_path / "moved")
    again = read(tmp_path / "moved", fresh=True)
    assert [one.values for one in again.recipes] == [one.values for one in warm.recipes]
