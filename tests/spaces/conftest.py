import numpy as np
import pytest

from tlsearch.spaces.backbone.network import Network, Step
from tlsearch.spaces.backbone.spec import BackboneSpec, load_network


def with_random_statistics(network: Network) -> Network:
    """A network whose BatchNorm statistics are far from those of initialisation, so that folding has something to do."""
    rng = np.random.default_rng(0)

    def step_of(step: Step) -> Step:
        if step.kind != "BatchNormalization":
            return step
        shape = step.weights[0].shape
        weights = (
            rng.uniform(0.5, 1.5, shape).astype(np.float32),
            rng.normal(0, 0.2, shape).astype(np.float32),
            rng.normal(0, 0.2, shape).astype(np.float32),
            rng.uniform(0.5, 2.0, shape).astype(np.float32),
        )
        return Step(step.index, step.kind, step.config, step.inputs, step.shape, weights)

    return Network(network.size, tuple(step_of(step) for step in network.steps))


@pytest.fixture(scope="session")
def network() -> Network:
    """MobileNetV2, α = 0.35 at 32 px."""
    return with_random_statistics(load_network(BackboneSpec(0.35, 32, "random"), None))


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8).astype(np.float32)
