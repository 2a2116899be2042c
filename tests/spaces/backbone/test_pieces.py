import numpy as np
import pytest
import tensorflow as tf

from tlsearch.spaces.backbone.pieces import in_pieces


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("rows", [0, 1, 4, 5, 8, 21])
def test_pieces_make_the_whole(rows, threads):
    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None,), tf.float32), tf.TensorSpec((None, 2), tf.float32)])
    def whole(left, right):
        def compute(tensors):
            return [2 * tensors[0], tensors[0][:, None] + tensors[1]]

        return in_pieces(compute, [left, right], outputs=2, most=4, threads=threads)

    left = np.arange(rows, dtype=np.float32)
    right = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
    loops = [op for op in whole.get_concrete_function().graph.get_operations() if "While" in op.type]
    assert [loop.get_attr("parallel_iterations") for loop in loops] == ([] if threads == 1 else [threads])
    doubled, added = whole(left, right)
    np.testing.assert_array_equal(doubled, 2 * left)
    np.testing.assert_array_equal(added, left[:, None] + right)


def test_a_piece_has_at_most_so_many_rows():
    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None,), tf.float32)])
    def sizes(rows):
        def compute(tensors):
            size = tf.size(tensors[0])
            return [tf.fill([size], tf.cast(size, tf.float32))]

        return in_pieces(compute, [rows], outputs=1, most=4, threads=2)

    (found,) = sizes(np.zeros(10, np.float32))
    assert found.numpy().tolist() == [4] * 8 + [2] * 2
