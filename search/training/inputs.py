"""Where training gets its batches from: pooled features, cached activations at a cut, or pixels.

All three have one interface, so training need not know which it gets.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...spaces.backbone.forward import Forward, forward_rows
from ...spaces.backbone.network import IMAGE, POOL, Network
from ..data.augment import view as augmented_view
from ..data.dataset import Dataset
from ..machine.shards import Shards

SCALED_AT_ONCE = 4096
"""Images whose features are read at a time to find their mean and standard deviation: 20 MB."""

LEAST_DEVIATION = 1e-3
"""Added to each: a feature that is the same in every training image would become infinite in another."""


class Inputs(ABC):
    """Batches by row of the data set and by augmented view.

    Attributes:
        cut: Where the network is cut; `IMAGE` for pixels.
        trained_from: ``features``, ``activations`` or ``pixels``.
        dtype: Data type of the tensors.
        row_bytes: Bytes of one image's tensors.
    """

    cut: int
    trained_from: str
    dtype: np.dtype[Any]
    row_bytes: int

    @abstractmethod
    def batch(self, rows: NDArray[np.int64], view: int) -> list[NDArray[Any]]:
        """The tensors at the cut for the data set's ``rows``, each ``(len(rows), …)``; view 0 is the image itself."""


class PixelInputs(Inputs):
    """Images ``(n, size, size, 3)`` uint8, augmented when they are asked for."""

    def __init__(self, dataset: Dataset, seed: int) -> None:
        self.cut = IMAGE
        self.trained_from = "pixels"
        self.dtype = np.dtype(np.uint8)
        self.row_bytes = 3 * dataset.size**2
        self._dataset = dataset
        self._seed = seed

    def batch(self, rows: NDArray[np.int64], view: int) -> list[NDArray[Any]]:
        return [view_of(self._dataset, rows, view, self._seed)]


class CachedInputs(Inputs):
    """Activations at one cut.

    Args:
        network: Whose activations they are.
        cut: Where it is cut.
        entries: View → its entries: sorted rows of the data set, and their activations in that order.
    """

    def __init__(self, network: Network, cut: int, entries: Mapping[int, Sequence[tuple[NDArray[np.int64], Shards]]]) -> None:
        self.cut = cut
        self.trained_from = "features" if cut > POOL else "activations"
        self.dtype = entries[0][0][1].dtype
        self.row_bytes = network.values_at(cut) * self.dtype.itemsize
        self._shapes = network.shapes_at(cut)
        self._entries = entries

    def batch(self, rows: NDArray[np.int64], view: int) -> list[NDArray[Any]]:
        """See `Inputs`. Raises KeyError where no single entry holds all rows."""
        for held, activations in self._entries[view]:
            places = np.searchsorted(held, rows)
            if (places < len(held)).all() and (held[places] == rows).all():
                return unflatten(activations.take(places), self._shapes)
        raise KeyError(f"no entry of view {view} at cut {self.cut} holds all the rows asked for")


class PooledInputs(Inputs):
    """Pooled features kept in memory, each computed when it is first asked for: for a head where the cache has none.

    Args:
        pixels: The images.
        forward: From images to their pooled features.
        shape: Of all features, ``(images, features)``.
        threads: That ``forward`` was compiled for.
    """

    def __init__(self, pixels: PixelInputs, forward: Forward, shape: tuple[int, int], threads: int | None) -> None:
        self.cut = POOL + 1
        self.trained_from = "features"
        self.dtype = np.dtype(np.float32)
        self.row_bytes = shape[1] * self.dtype.itemsize
        self._pixels, self._forward, self._shape, self._threads = pixels, forward, shape, threads
        self._kept: dict[int, tuple[NDArray[np.float32], NDArray[np.bool_]]] = {}

    def batch(self, rows: NDArray[np.int64], view: int) -> list[NDArray[Any]]:
        if view not in self._kept:
            self._kept[view] = np.zeros(self._shape, np.float32), np.zeros(self._shape[0], bool)
        features, known = self._kept[view]
        if len(missing := np.unique(rows[~known[rows]])):
            (features[missing],) = forward_rows(
                self._forward, lambda some: self._pixels.batch(some, view)[0], missing, self._threads
            )
            known[missing] = True
        return [features[rows]]


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """Mean and standard deviation of each pooled feature over the training images, ``(features,)`` float32."""

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    @classmethod
    def of(cls, inputs: Inputs, rows: NDArray[np.int64]) -> Scaling:
        """The scaling of the features of ``rows``."""
        parts = (inputs.batch(rows[at : at + SCALED_AT_ONCE], 0)[0] for at in range(0, len(rows), SCALED_AT_ONCE))
        sums = [(part.sum(axis=0), np.square(part).sum(axis=0)) for part in (part.astype(np.float64) for part in parts)]
        mean, square = (np.sum(values, axis=0) / len(rows) for values in zip(*sums, strict=True))
        deviation = np.sqrt(np.maximum(square - mean**2, 0)) + LEAST_DEVIATION
        return cls(mean.astype(np.float32), deviation.astype(np.float32))

    def apply(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """Features ``(n, features)`` with mean 0 and standard deviation 1."""
        return np.asarray((features - self.mean) / self.deviation, np.float32)

    def fold(self, head: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The head that does to features what ``head`` does to standardised ones."""
        kernel = head[0] / self.deviation[:, None]
        return [kernel, head[1] - self.mean @ kernel, *head[2:]]


class StandardizedInputs(Inputs):
    """Pooled features, standardised."""

    def __init__(self, inputs: Inputs, scaling: Scaling) -> None:
        self.cut, self.trained_from, self.row_bytes = inputs.cut, inputs.trained_from, inputs.row_bytes
        self.dtype = np.dtype(np.float32)
        self._inputs, self._scaling = inputs, scaling

    def batch(self, rows: NDArray[np.int64], view: int) -> list[NDArray[Any]]:
        return [self._scaling.apply(*self._inputs.batch(rows, view))]


def view_of(dataset: Dataset, rows: NDArray[np.int64], view: int, seed: int) -> NDArray[np.uint8]:
    """The images of ``rows``, or an augmented view of them, ``(len(rows), size, size, 3)`` uint8."""
    images = dataset.images()[rows]
    return images if view == 0 else augmented_view(images, rows, view, seed)


def flatten(tensors: list[NDArray[Any]]) -> NDArray[Any]:
    """The tensors of a frontier side by side, ``(n, values)``; `unflatten` is its inverse."""
    flat = [tensor.reshape(len(tensor), -1) for tensor in tensors]
    return flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)


def unflatten(values: NDArray[Any], shapes: list[tuple[int, ...]]) -> list[NDArray[Any]]:
    """Splits ``(n, values)`` into tensors ``(n, *shape)``."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    parts = np.split(values, ends[:-1], axis=1)
    return [part.reshape(len(values), *shape) for part, shape in zip(parts, shapes, strict=True)]
