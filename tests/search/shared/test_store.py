"""A study in a real PostgreSQL: what is kept there is what was recorded, and Optuna reads it."""

import optuna
import pytest
from sqlalchemy import make_url

from tlsearch.search.shared.address import SharedStudy, parse_storage
from tlsearch.search.store import StudyStore

from ..factory import complete, failed, measurement, pruned, recipe, settings, values
from ..test_store import add, without_times


@pytest.fixture
def place(database):
    return SharedStudy(parse_storage(database), "photos")


@pytest.fixture
def store(place):
    return StudyStore.create(place, settings())


def test_gives_back_what_was_recorded(store, place):
    trials = [complete(0), pruned(1, "fine-tune"), failed(2, "full", curve=(measurement(1, 0.5, val_loss=float("nan")),))]
    for trial in trials:
        add(store, trial, str(trial.recipe.technique))
    again = StudyStore.open(place)
    assert [repr(without_times(trial)) for trial in again.trials()] == [repr(without_times(trial)) for trial in trials]
    assert again.settings == settings() and again.values()[1] == values("fine-tune")


def test_optuna_opens_it_as_it_is(store, database):
    add(store, complete(0))
    number = store.start(values("fine-tune"), recipe("fine-tune"), seed=9).number
    store.measure(number, measurement(1, 0.61))
    url = make_url(database).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    # Optuna fills in templates.
    study = optuna.load_study(study_name="photos", storage=url.replace("{", "{{").replace("}", "}}"))
    assert study.best_value == 0.8 and study.best_params == values()
    assert study.trials[1].intermediate_values == {1: 0.61}
    study._storage._backend.engine.dispose()
