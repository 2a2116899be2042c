"""Every engine and algorithm over the promises that `Engine` makes."""

import json
import math
import statistics
from collections import Counter

import pytest

from tlsearch.search.engines import ALGORITHMS, WAIT, make_engine
from tlsearch.search.engines.fair_start import LEAST, deal, fair_start
from tlsearch.search.planning.warm_start import fit
from tlsearch.spaces.errors import OptionError
from tlsearch.spaces.presets import load_preset
from tlsearch.spaces.ranges import Fixed, OneOf
from tlsearch.spaces.recipe import Technique
from tlsearch.spaces.space import SearchSpace

from ..search.factory import recipe

EVERY = [(engine, algorithm) for engine, algorithms in ALGORITHMS.items() for algorithm in algorithms]
SLOW = ("keras-tuner", "bayesian")  # its model is fitted anew for each proposal
every_engine = pytest.mark.parametrize(
    ("name", "algorithm"), [pytest.param(*pair, marks=pytest.mark.slow if pair == SLOW else ()) for pair in EVERY]
)
TRIALS = 10
SPACE = SearchSpace()


def new(name, algorithm, space=SPACE, seed=3):
    return make_engine(name, algorithm, space, seed=seed, maximize=True)


def score_of(number, values):
    """A made-up result; every fourth trial fails."""
    return None if number % 4 == 3 else 0.5 + 0.3 * (values["technique"] == "full") + 0.001 * number


def drive(engine, trials=TRIALS, first=0, in_flight=2, log=None):
    """Proposes and observes as a search with ``in_flight`` workers does, the later one ending first."""
    running, proposed = [], []
    number = first
    while number < trials or running:
        values = engine.propose(number) if number < trials and len(running) < in_flight else WAIT
        if values is None:
            break
        if values is not WAIT:
            running.append((number, values))
            proposed.append(values)
            if log is not None:
                log.append(("adopt", number, values))
            number += 1
            continue
        assert running, "an engine may not wait for nothing"
        ended, ended_values = running.pop()
        engine.observe(ended, score_of(ended, ended_values))
        if log is not None:
            log.append(("observe", ended, score_of(ended, ended_values)))
    return proposed


@every_engine
def test_proposes_exactly_the_trials_asked_for_within_the_space(name, algorithm, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    proposed = drive(new(name, algorithm))
    assert len(proposed) == TRIALS
    for values in proposed:
        SPACE.recipe(values)  # raises where a value is missing or out of range
        plain = {key: value for key, value in values.items() if key != "epochs"}
        assert plain == SPACE.active(values), "inactive parameters are left out"
        assert json.loads(json.dumps(values)) == values
        assert all(type(value) in (str, int, float, bool) for value in values.values())
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


@every_engine
def test_same_seed_same_proposals_other_seed_others(name, algorithm):
    first = drive(new(name, algorithm))
    assert drive(new(name, algorithm)) == first
    if not (name == "keras-tuner" and algorithm == "grid"):  # KerasTuner's grid has one order
        assert drive(new(name, algorithm, seed=4)) != first


@every_engine
def test_a_resumed_search_goes_on_as_if_it_had_not_been_cut_off(name, algorithm):
    log = []
    expected = drive(new(name, algorithm), log=log)
    cut = next(place for place, event in enumerate(log) if event[0] == "adopt" and event[1] == 8)
    engine = new(name, algorithm)
    running = {}
    for kind, number, what in log[:cut]:
        if kind == "adopt":
            engine.adopt(number, what)
            running[number] = what
        else:
            engine.observe(number, what)
            del running[number]
    assert engine.propose(8) == expected[8]


@every_engine
def test_takes_values_that_it_did_not_propose(name, algorithm):
    engine = new(name, algorithm)
    if engine.exhaustive:
        pytest.skip("an engine that enumerates the space is given nothing")
    technique = {"technique": "full", "full/learning_rate": 1e-4, "head_units": 0, "dropout": 0.0}
    for number in range(3):
        engine.adopt(number, {**technique, "full/learning_rate": 1e-4 * (1 + number)})
        engine.observe(number, 0.9)
    assert len(drive(engine, trials=10, first=3)) == 7


@every_engine
def test_goes_on_from_a_warm_start(name, algorithm):
    """What a study was started from is adopted like the rest of the fair start, and the engine goes on behind it."""
    if (engine := new(name, algorithm)).exhaustive:
        pytest.skip("an engine that enumerates the space is given nothing")
    warm = [fit(recipe(technique, learning_rate=7e-4, dropout=0.3), SPACE)[0] for technique in Technique]
    design = fair_start(SPACE, 12, 3, warm=warm)
    assert design[:3] == warm and len(design) == LEAST
    for number, values in enumerate(design):
        engine.adopt(number, values)
        engine.observe(number, score_of(number, values))
    proposed = drive(engine, trials=len(design) + 2, first=len(design))
    assert len(proposed) == 2
    for values in proposed:
        SPACE.recipe(values)
    if algorithm != "hyperband":  # which trains a recipe again with more epochs
        assert not {SPACE.recipe(values) for values in proposed} & {SPACE.recipe(values) for values in design}


@every_engine
def test_nothing_but_failures_does_not_end_it(name, algorithm):
    engine = new(name, algorithm)
    for number in range(6):
        assert engine.propose(number) not in (None, WAIT)
        engine.observe(number, None)


@every_engine
def test_a_finite_space_ends_when_every_recipe_was_tried(name, algorithm):
    if algorithm == "hyperband":
        pytest.skip("Hyperband proposes a recipe again with more epochs")
    space = load_preset("post").space
    proposed = drive(new(name, algorithm, space))
    assert len({space.recipe(values) for values in proposed}) == len(proposed) == 2


FINITE = SPACE.replace(
    learning_rates=dict.fromkeys(Technique, OneOf((1e-4, 1e-3))), fine_tune_at=OneOf((98, 100, 116, 134)),
    head_units=Fixed(0), dropout=Fixed(0.0),
)  # fmt: skip
"""Of two recipes frozen, two full, and eight of fine-tuning."""


@every_engine
@pytest.mark.parametrize("space", [SPACE, FINITE], ids=["endless", "finite"])
def test_what_a_dry_run_says_of_the_techniques_is_what_runs(name, algorithm, space):
    if space is FINITE and algorithm == "hyperband":
        pytest.skip("Hyperband proposes a recipe again with more epochs")
    engine, trials = new(name, algorithm, space), 12 if (name, algorithm) == SLOW else 18
    design = [] if engine.exhaustive else fair_start(space, trials, 3)
    for number, values in enumerate(design):
        engine.adopt(number, values)
        engine.observe(number, score_of(number, values))
    tried = [*design, *drive(engine, trials=trials, first=len(design), in_flight=3)]
    assert Counter(values["technique"] for values in tried) == Counter(deal(space, trials))


def test_hyperband_trains_many_a_little_and_few_long():
    epochs = [values["epochs"] for values in drive(new("keras-tuner", "hyperband"), trials=60)]
    assert min(epochs) < max(epochs) <= 20


def test_learns_which_rate_is_better_and_gives_every_technique_its_turns():
    engine = new("optuna", "tpe")
    proposed = []
    for number in range(100):
        proposed.append(engine.propose(number))
        engine.observe(number, 1 - abs(math.log10(rate_of(proposed[-1]) / 3e-4)))
    assert Counter(values["technique"] for values in proposed) == {"frozen": 22, "fine-tune": 45, "full": 33}
    for technique, by_chance in (("frozen", 0.64), ("fine-tune", 0.40), ("full", 0.34)):
        rates = [rate_of(values) for values in proposed if values["technique"] == technique]
        apart = [abs(math.log10(rate / 3e-4)) for rate in rates]
        assert statistics.mean(apart[-len(apart) // 2 :]) < 0.75 * by_chance


def rate_of(values):
    return values[f"{values['technique']}/learning_rate"]


def test_unknown_names_are_refused():
    with pytest.raises(OptionError, match="--engine must be one of optuna, keras-tuner, got hyperopt"):
        make_engine("hyperopt", "tpe", SPACE, seed=0, maximize=True)
    with pytest.raises(OptionError, match=r"--algorithm of engine optuna must be one of tpe, .* got bayesian"):
        make_engine("optuna", "bayesian", SPACE, seed=0, maximize=True)
