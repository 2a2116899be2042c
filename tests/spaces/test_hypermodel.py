import keras_tuner
import numpy as np
import pytest

from tlsearch.spaces import SearchSpace, TransferHyperModel
from tlsearch.spaces.ranges import Fixed
from tlsearch.spaces.recipe import Technique
from tlsearch.spaces.schedule import learning_rates

SPACE = SearchSpace(
    fine_tune_at=Fixed(143),
    epochs=dict.fromkeys(Technique, 1),
    head_epochs=1,
    techniques=(Technique.FROZEN, Technique.FINE_TUNE),
).replace(head_units=Fixed(0), dropout=Fixed(0.0), batch_size=Fixed(8))


@pytest.mark.trains
@pytest.mark.parametrize(
    "kind", [keras_tuner.RandomSearch, pytest.param(keras_tuner.BayesianOptimization, marks=pytest.mark.slow)]
)
@pytest.mark.filterwarnings("ignore")  # of the tuners' own making
def test_works_in_a_stock_tuner(kind, tmp_path):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (16, 32, 32, 3)).astype(np.float32), np.arange(16) % 2
    hypermodel = TransferHyperModel(2, space=SPACE, size=32, alpha=0.35, weights="random")
    tuner = kind(hypermodel, objective="val_accuracy", max_trials=2, seed=1, directory=tmp_path, project_name="tl")
    tuner.search(images, labels, validation_data=(images, labels), verbose=0)
    (best,) = tuner.get_best_hyperparameters(1)
    assert SPACE.sample(best).technique in SPACE.techniques
    assert all(trial.score is not None for trial in tuner.oracle.trials.values())
    assert len(tuner.oracle.trials) == 2


@pytest.mark.trains
def test_fine_tuning_starts_from_a_trained_head():
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (16, 32, 32, 3)).astype(np.float32), np.arange(16) % 2
    hypermodel = TransferHyperModel(2, space=SPACE, size=32, alpha=0.35, weights="random")
    hp = keras_tuner.HyperParameters()
    SPACE.sample(hp)
    hp.values |= {"technique": "fine-tune", "fine-tune/learning_rate": 1e-4}
    model = hypermodel.build(hp)
    trained = len(model.trainable_variables)
    frozen = {layer.name: layer.get_weights() for layer in model.layers if layer.name.startswith("block_1_")}
    hypermodel.fit(hp, model, images, labels, verbose=0)
    # The first stage froze everything and the main stage thawed what the recipe says, no more.
    assert len(model.trainable_variables) == trained
    for name, weights in frozen.items():
        for before, after in zip(weights, model.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(before, after)
    # Two steps an epoch, by the recipe's schedule.
    recipe = SPACE.sample(hp)
    assert float(model.optimizer.learning_rate) == pytest.approx(learning_rates(recipe, 2 * recipe.epochs)[-1])
