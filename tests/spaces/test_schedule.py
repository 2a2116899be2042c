import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsearch.spaces.recipe import Recipe
from tlsearch.spaces.schedule import learning_rates, schedule_callback


def recipe(schedule, rate=0.01):
    return Recipe(technique="frozen", learning_rate=rate, schedule=schedule)


def test_a_constant_rate_is_constant():
    assert learning_rates(recipe("constant"), 5).tolist() == [np.float32(0.01)] * 5


@given(st.integers(1, 5000), st.floats(1e-6, 1.0))
def test_a_cosine_rises_and_then_falls_within_its_bounds(steps, rate):
    rates = learning_rates(recipe("cosine", rate), steps)
    assert rates.shape == (steps,) and (rates > 0).all() and (rates <= np.float32(rate) * 1.0001).all()
    top = int(rates.argmax())
    assert top <= 0.1 * steps + 1
    assert (np.diff(rates[: top + 1]) > 0).all() and (np.diff(rates[top:]) <= 0).all()


def test_a_cosine_reaches_the_rate_and_ends_near_zero():
    rates = learning_rates(recipe("cosine"), 1000)
    assert rates.max() == pytest.approx(0.01, rel=1e-3)
    assert rates[0] == pytest.approx(0.01 / 101) and rates[-1] < 1e-6
    assert rates[550] == pytest.approx(0.005, rel=0.01)


@pytest.mark.trains
def test_keras_trains_by_the_same_rates():
    import keras

    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(float(self.model.optimizer.learning_rate))

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    images = np.zeros((12, 2), np.float32)
    callbacks = [schedule_callback(recipe("cosine")), Watch()]
    model.fit(images, images[:, :1], batch_size=4, epochs=3, verbose=0, callbacks=callbacks)
    assert seen == pytest.approx(learning_rates(recipe("cosine"), 9).tolist())
