"""Where training gets its batches from: pooled features, cached activations at a cut, or pixels.

All three have one interface, so training need not know which it gets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...spaces.backbone.network import IMAGE, POOL, Network
from ..data.augment import view as augmented_view
from ..data.dataset import Dataset
from ..machine.shards import Shards


class Inputs(Protocol):
    """Batches by row of the data set and by augmented view."""

    @property
    def cut(self) -> int:
        """Where the network is cut; `IMAGE` for pixels."""

    @property
    def trained_from(self) -> str:
        """``features``, ``activations`` or ``pixels``."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the tensors."""

    @property
    def row_bytes(self) -> int:
        """Bytes of one image's tensors."""

    def batch(self, rows: NDArray[np.int64], view: int) -> list[NDArray[Any]]:
        """The tensors at the cut for the data set's ``rows``, each ``(len(rows), …)``; view 0 is the image itself."""


@dataclass(frozen=True)
class PixelInputs:
    """Images ``(n, size, size, 3)`` uint8, augmented as they are asked for."""

    dataset: Dataset
    seed: int
    cut: int = IMAGE
    trained_from: str = "pixels"

    @property
    def dtype(self) -> np.dtype[Any]:
        """See `Inputs`."""
        return np.dtype(np.uint8)

    @property
    def row_bytes(self) -> int:
        """See `Inputs`."""
        return 3 * self.dataset.size**2

    def batch(self, rows: NDArray[np.int64], view: int) -> list[NDArray[Any]]:
        """See `Inputs`."""
        return [view_of(self.dataset, rows, view, self.seed)]


@dataclass(frozen=True)
class CachedInputs:
    """Activations at one cut.

    Attributes:
        network: Whose activations they are.
        cut: Where it is cut.
        entries: View → its entries: sorted rows of the data set, and their activations in that order.
    """

    network: Network
    cut: int
    entries: Mapping[int, Sequence[tuple[NDArray[np.int64], Shards]]]

    @property
    def trained_from(self) -> str:
        """See `Inputs`."""
        return "features" if self.cut > POOL else "activations"

    @property
    def dtype(self) -> np.dtype[Any]:
        """See `Inputs`."""
        return self.entries[0][0][1].dtype

    @property
    def row_bytes(self) -> int:
        """See `Inputs`."""
        return self.network.values_at(self.cut) * self.dtype.itemsize

    def batch(self, rows: NDArray[np.int64], view: int) -> list[NDArray[Any]]:
        """See `Inputs`. Raises KeyError where no single entry holds all rows."""
        for held, activations in self.entries[view]:
            places = np.searchsorted(held, rows)
            if (places < len(held)).all() and (held[places] == rows).all():
                return unflatten(activations.take(places), self.network.shapes_at(self.cut))
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
