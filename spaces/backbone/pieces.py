"""A batch in pieces that are computed side by side: several small pieces keep cores busy, one large batch does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def in_pieces(
    compute: Callable[[list[Any]], Sequence[Any]], tensors: Sequence[Any], *, outputs: int, most: int, threads: int
) -> list[Any]:
    """Runs ``compute`` on pieces of ``tensors`` and returns its outputs for all rows.

    Args:
        compute: From tensors ``(n, …)`` to tensors ``(n, …)`` in float32. Called once, while a graph is traced.
        tensors: Its input, all with the same number of rows.
        outputs: How many tensors ``compute`` returns.
        most: The most rows of a piece.
        threads: How many pieces are computed at once. A single thread computes all rows as one piece.
    """
    import tensorflow as tf

    if threads == 1:
        return list(compute(list(tensors)))
    count = tf.maximum(1, -(-tf.shape(tensors[0])[0] // most))

    def one(piece: Any, found: Any) -> Any:
        rows = slice(piece * most, (piece + 1) * most)
        parts = compute([tensor[rows] for tensor in tensors])
        return piece + 1, [array.write(piece, part) for array, part in zip(found, parts, strict=True)]

    arrays = [tf.TensorArray(tf.float32, count, infer_shape=False) for _ in range(outputs)]
    found = tf.while_loop(lambda piece, _: piece < count, one, (0, arrays), parallel_iterations=threads)[1]
    return [array.concat() for array in found]
