"""Where training gets its batches from: pooled features, cached activations at a cut, or pixels.

All three have one interface, so training need not know which it gets.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...spaces.backbone.network import IMAGE, POOL, Network
from ..data.augment import view as augmented_view
from ..data.dataset import Dataset
from ..machine.shards import Shards


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
