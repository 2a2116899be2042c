"""A recipe as a Keras model: the backbone, a head on its pooled features, and the optimizer that the recipe asks for."""

from __future__ import annotations

from typing import Any

from ..recipe import Recipe
from .folding import fold
from .network import IMAGE, POOL, Network


def network_for(recipe: Recipe, network: Network) -> Network:
    """``network`` as the recipe trains it: without BatchNorm layers when they are to be folded."""
    return fold(network) if recipe.batch_norm == "folded" else network


def build_head(recipe: Recipe, features: int, classes: int) -> Any:
    """A ``keras.Model`` from pooled features ``(n, features)`` to logits ``(n, classes)``.

    ``recipe.head_layers`` Dense layers of ``recipe.head_units`` with ReLU, dropout, and the output layer.
    """
    import keras

    inputs = x = keras.Input((features,), name="features")
    for number in range(recipe.head_layers):
        x = keras.layers.Dense(recipe.head_units, activation="relu", name=f"head_{number + 1}")(x)
    if recipe.dropout:
        x = keras.layers.Dropout(recipe.dropout, name="head_dropout")(x)
    # In float32 also where the others compute in half precision: Keras' guide to mixed precision.
    return keras.Model(inputs, keras.layers.Dense(classes, dtype="float32", name="logits")(x), name="head")


def build_trained_part(recipe: Recipe, network: Network, classes: int, *, start: int) -> Any:
    """What trains under ``recipe``, from the cut at ``start`` to logits ``(n, classes)``; the layers below are left out.

    Args:
        recipe: Its technique decides which layers train.
        network: As `network_for` gives it.
        classes: Number of classes.
        start: ``network.cut_for(recipe.first_trained_layer)``, or `IMAGE` to start from pixels.
    """
    import keras

    if start > POOL:
        return build_head(recipe, network.step(POOL).shape[0], classes)
    backbone = network.build(
        start,
        POOL + 1,
        first_trained_layer=recipe.first_trained_layer,
        batch_norm=recipe.batch_norm,
        name="backbone",
    )
    head = build_head(recipe, network.step(POOL).shape[0], classes)
    return keras.Model(backbone.input, head(backbone.output))


def build_model(recipe: Recipe, network: Network, classes: int) -> Any:
    """The whole model, from images ``(n, size, size, 3)``, pixels from 0 to 255, to probabilities ``(n, classes)``.

    It is compiled for the recipe's main stage. The backbone's layers keep their names, so that ``network_for(…).thaw`` works.

    Args:
        recipe: What to build.
        network: As `load_network` gives it, BatchNorm not folded.
        classes: Number of classes.
    """
    part = build_trained_part(recipe, network_for(recipe, network), classes, start=IMAGE)
    model = with_probabilities(part, f"mobilenet_v2_{recipe.technique.replace('-', '_')}")
    compile_model(model, recipe)
    return model


def with_probabilities(part: Any, name: str) -> Any:
    """A model of that name which gives probabilities where ``part`` gives logits."""
    import keras

    return keras.Model(part.input, keras.layers.Softmax(name="probabilities")(part.output), name=name)


def compile_model(model: Any, recipe: Recipe) -> None:
    """Compiles a model of `build_model` for whole-number labels. Call it again after layers are frozen or thawed."""
    model.compile(
        optimizer=make_optimizer(recipe),
        loss=cross_entropy(recipe, from_logits=False),
        metrics=["accuracy"],
        jit_compile=False,
    )


def make_optimizer(recipe: Recipe, *, penalized: bool = False) -> Any:
    """The recipe's optimizer at its main stage's learning rate, otherwise with Keras' defaults.

    Weight decay is decoupled from the gradient, as in AdamW, and spares biases and BatchNorm's parameters.

    Args:
        recipe: What is to be trained.
        penalized: Whether the optimizer has a variable ``penalty``, an L2 penalty of the kernels that is 0 at first.
    """
    import keras

    kind = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}[recipe.optimizer]
    if penalized:
        kind = type(f"Penalized{kind.__name__}", (_Penalized, kind), {})
    optimizer = kind(recipe.learning_rate, weight_decay=recipe.weight_decay or None)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


class _Penalized:
    """An optimizer of Keras that adds an L2 penalty's gradient to that of the loss."""

    def build(self, variables: Any) -> None:
        super().build(variables)  # type: ignore[misc]
        self.penalty = self.add_variable((), name="penalty")  # type: ignore[attr-defined]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if len(variable.shape) > 1:
            gradient = gradient + self.penalty * variable
        super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]


def cross_entropy(recipe: Recipe, *, from_logits: bool) -> Any:
    """The recipe's loss, for whole-number labels."""
    import keras

    if not recipe.label_smoothing:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)

    def smoothed(labels: Any, predicted: Any) -> Any:
        targets = keras.ops.one_hot(keras.ops.reshape(labels, (-1,)), predicted.shape[-1])
        return keras.losses.categorical_crossentropy(
            targets, predicted, from_logits=from_logits, label_smoothing=recipe.label_smoothing
        )

    return smoothed
