"""Summaries: statistics against NumPy's own in float64, and no copy of a large tensor."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from gradmagic.core.summary import CHUNK, SMALL, format_index, summarize


@pytest.mark.parametrize("size", [1, 7, SMALL, SMALL + 1, 3 * CHUNK + 5])
def test_statistics_are_numpys(size: int) -> None:
    array = np.random.default_rng(size).normal(3.0, 2.0, size).astype(np.float32)
    array[:: max(size // 5, 2)] = 0.0
    one = summarize(array)
    wide = array.astype(np.float64)
    assert one.norm == pytest.approx(np.linalg.norm(wide), rel=1e-12)
    assert one.mean == pytest.approx(wide.mean(), rel=1e-12)
    assert (one.low, one.high) == (wide.min(), wide.max())
    assert one.zeros == np.count_nonzero(wide == 0)
    index, value = one.largest
    assert (index, value) == ((int(np.abs(wide).argmax()),), wide[np.abs(wide).argmax()])
    assert (one.values is None) == (size > SMALL)
    if one.histogram is not None:
        assert one.histogram.counts.sum() == size


def test_what_is_not_finite_is_counted_and_left_out() -> None:
    array = np.array([[np.nan, np.inf, -np.inf], [2.0, -5.0, 0.0]], np.float32)
    one = summarize(array)
    assert (one.nans, one.infs, one.zeros) == (1, 2, 1)
    assert (one.low, one.high, one.largest) == (-5.0, 2.0, ((1, 1), -5.0))
    assert one.norm == pytest.approx(np.sqrt(29))
    nothing = summarize(np.full([3], np.nan))
    assert (nothing.nans, nothing.norm, nothing.largest) == (3, None, None)


def test_a_norm_of_huge_numbers_does_not_overflow() -> None:
    assert summarize(np.array([3e200, 4e200])).norm == pytest.approx(5e200)
    assert summarize(np.array([3e-200, 4e-200])).norm == pytest.approx(5e-200)


def test_a_norm_grows_with_the_chunks() -> None:
    rising = np.repeat([1.0, 2.0, 4.0], CHUNK)
    assert summarize(rising).norm == pytest.approx(np.linalg.norm(rising), rel=1e-12)


def test_a_large_array_is_not_copied() -> None:
    array = np.ones(20 * CHUNK, np.float32)
    tracemalloc.start()
    summarize(array)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < array.nbytes


def test_kinds_of_tensors(tf: Any) -> None:
    assert summarize(tf.constant(2.5)).largest == ((), 2.5)
    assert summarize(tf.Variable([1.0, 2.0])).values.tolist() == [1.0, 2.0]
    assert summarize(tf.constant([1, 2])).dtype == "int32"
    assert summarize(tf.constant(["a"])).values.tolist() == [b"a"]
    assert summarize(tf.cast([1.5], tf.bfloat16)).values.tolist() == [1.5]
    assert summarize(tf.constant([3 + 4j])).norm == 5.0
    assert summarize(tf.zeros([0, 3])).size == 0
    ragged = summarize(tf.ragged.constant([[1.0], [2.0, 3.0]]))
    assert (ragged.layout, ragged.shape, ragged.size) == ("ragged", (2, None), 3)
    slices = summarize(tf.IndexedSlices(tf.ones([2, 4]), tf.constant([7, 3]), tf.constant([10, 4])))
    assert (slices.layout, slices.shape, slices.rows) == ("slices", (10, 4), (7, 3))
    unknown = summarize(tf.IndexedSlices(tf.ones([2, 4]), tf.constant([7, 3])))
    assert unknown.shape == (None, 4)
    kernel = summarize(tf.random.normal([3, 3, 16, 32]))
    assert kernel.tiles.shape == (24, 3, 3)


def test_kept_values_cannot_be_changed() -> None:
    array = np.zeros(3)
    one = summarize(array)
    array[0] = 9
    assert one.values[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        one.values[0] = 1


def test_an_index_reads_as_in_python() -> None:
    assert (format_index(()), format_index((3, 0))) == ("", "[3, 0]")


@pytest.mark.parametrize("scale", [1.0, 1e-310, 1e300])
def test_the_bins_are_numpys(scale: float) -> None:
    array = np.random.default_rng(5).normal(size=70_000) * scale
    one = summarize(array).histogram
    counts, edges = np.histogram(array, len(one.counts), (array.min(), array.max()))
    assert np.array_equal(one.edges, edges)
    assert np.abs(one.counts - counts).sum() <= 4  # entries on an edge, by rounding
    assert one.counts.sum() == array.size


def test_the_largest_entry_is_the_first_of_its_size() -> None:
    assert summarize(np.array([0.0, -2.0, 2.0, -2.0], np.float32)).largest == ((1,), -2.0)
    assert summarize(np.array([0.0, 2.0, -2.0], np.float32)).largest == ((1,), 2.0)
