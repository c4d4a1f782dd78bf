import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fernn.data.kth.video import area_sums


@given(st.integers(1, 9), st.integers(0, 20), st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_it_is_the_mean_over_the_area(size, more_rows, more_columns, seed):
    rows, columns = size + more_rows, size + more_columns
    images = np.random.default_rng(seed).integers(0, 256, (2, rows, columns), dtype=np.uint8)
    # every pixel as size x size smaller ones: then a cell is a block of rows x columns of them
    fine = np.repeat(np.repeat(images, size, axis=1), size, axis=2).astype(np.int64)
    blocks = fine.reshape(2, size, rows, size, columns).sum(axis=(2, 4))
    np.testing.assert_array_equal(area_sums(images, size), blocks)


def test_the_size_of_the_originals():
    image = np.zeros((1, 120, 160), np.uint8)
    image[0, 3, 7] = 200  # three quarters of its row 3 lie in cell row 0, column 7 is in cell column 1
    sums = area_sums(image, 32)
    assert sums.shape == (1, 32, 32)
    assert np.argwhere(sums[0]).tolist() == [[0, 1], [1, 1]]
    assert sums[0, 0, 1] == 3 * sums[0, 1, 1]
    assert sums[0, 0, 1] / (120 * 160) == pytest.approx(200 * 0.75 / (3.75 * 5))
    assert (area_sums(np.full((3, 120, 160), 255, np.uint8), 32) == 255 * 120 * 160).all()


@pytest.mark.parametrize("shape", [(31, 160), (120, 31), (120, 4097)])
def test_sizes_that_make_no_sense(shape):
    with pytest.raises(ValueError, match=rf"images of {shape[1]}x{shape[0]} pixels cannot be averaged down to 32x32"):
        area_sums(np.zeros((1, *shape), np.uint8), 32)
