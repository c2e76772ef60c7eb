"""A tensor's summary: statistics, and the entries themselves where they are few."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradmagic.core.records import Histogram, Summary

SMALL = 1024  # entries: as many are kept one by one
CHUNK = 1 << 20  # entries looked at together, so that no statistic copies a large tensor
BINS = 48
TILES = 24  # planes of a large convolution kernel that are kept
TILE_SIDE = 11  # a kernel's height and width at most
ROWS = 12  # row numbers of IndexedSlices that are kept


def summarize(tensor: Any) -> Summary:
    """Summarize a tf.Tensor, tf.Variable, RaggedTensor, SparseTensor, IndexedSlices or array.

    Beyond the tensor itself this takes memory for ``CHUNK`` entries, whatever its size.
    """
    shape = _find_shape(tensor)
    dtype = _name_dtype(tensor)
    if hasattr(tensor, "flat_values"):  # RaggedTensor
        return _summarize_array(_as_array(tensor.flat_values), shape, dtype, "ragged")
    if hasattr(tensor, "indices") and hasattr(tensor, "dense_shape"):
        entries = _as_array(tensor.values)
        indices = _as_array(tensor.indices)
        if indices.ndim == 1:  # IndexedSlices
            rows = tuple(int(row) for row in indices[:ROWS])
            return _summarize_array(entries, shape, dtype, "slices", rows)
        return _summarize_array(entries, shape, dtype, "sparse")
    return _summarize_array(_as_array(tensor), shape, dtype, "dense")


def format_index(index: tuple[int, ...]) -> str:
    """``(3, 0)`` as Python would index it: ``[3, 0]``; nothing for a scalar."""
    return f"[{', '.join(map(str, index))}]" if index else ""


def _find_shape(tensor: Any) -> tuple[int | None, ...]:
    if getattr(tensor.shape, "rank", 0) is None:  # IndexedSlices that do not know how many rows
        return (None, *tensor.values.shape[1:])
    return tuple(tensor.shape)


def _name_dtype(tensor: Any) -> str:
    return str(getattr(tensor.dtype, "name", tensor.dtype))


def _as_array(tensor: Any) -> np.ndarray:
    """The tensor's entries, without a copy where its memory can be looked at."""
    if isinstance(tensor, np.ndarray):
        return tensor
    if hasattr(tensor, "handle"):  # a Variable
        tensor = tensor.value() if callable(tensor.value) else tensor.value
    try:
        return np.asarray(memoryview(tensor))
    except (TypeError, ValueError, BufferError):  # bfloat16, strings, other devices
        return np.asarray(tensor.numpy())


def _summarize_array(
    array: np.ndarray,
    shape: tuple[int | None, ...],
    dtype: str,
    layout: Any,
    rows: tuple[int, ...] | None = None,
) -> Summary:
    size = int(array.size)
    values = _readable(array).copy() if size <= SMALL else None
    if values is not None:
        values.setflags(write=False)
    if not _is_numeric(array):
        return Summary(shape, dtype, layout, size, values, rows=rows)
    flat = array.reshape(-1)
    low, high, total, squares, finite, zeros, nans, infs = (
        math.inf,
        -math.inf,
        0.0,
        0.0,
        0,
        0,
        0,
        0,
    )
    scale = 0.0
    largest: tuple[int, float] | None = None
    for start in range(0, size, CHUNK):
        chunk = _measurable(flat[start : start + CHUNK])
        zeros += int(chunk.size - np.count_nonzero(chunk))
        nan = int(np.count_nonzero(np.isnan(chunk)))
        inf = int(np.count_nonzero(np.isinf(chunk)))
        nans, infs = nans + nan, infs + inf
        kept = chunk[np.isfinite(chunk)] if nan or inf else chunk
        if not kept.size:
            continue
        finite += kept.size
        low, high = min(low, float(kept.min())), max(high, float(kept.max()))
        total += float(kept.sum())
        magnitude = np.abs(kept)
        peak = float(magnitude.max())
        if peak > scale:  # keep the sum of squares in units of the peak: no overflow
            squares *= (scale / peak) ** 2
            scale = peak
        if scale:
            squares += float(np.sum(np.square(magnitude / scale)))
        if largest is None or peak > largest[1]:
            where = int(np.argmax(np.where(np.isfinite(chunk), np.abs(chunk), -1.0)))
            largest = (start + where, peak)
    if not finite:
        return Summary(
            shape, dtype, layout, size, values, zeros=zeros, nans=nans, infs=infs, rows=rows
        )
    assert largest is not None
    index = tuple(int(i) for i in np.unravel_index(largest[0], array.shape))
    return Summary(
        shape=shape,
        dtype=dtype,
        layout=layout,
        size=size,
        values=values,
        norm=scale * math.sqrt(squares),
        mean=total / finite,
        low=low,
        high=high,
        zeros=zeros,
        nans=nans,
        infs=infs,
        largest=(index, _readable(flat[largest[0]]).item()),
        histogram=_count_bins(flat, low, high) if values is None else None,
        tiles=_pick_tiles(array, layout),
        rows=rows,
    )


def _is_numeric(array: np.ndarray) -> bool:
    # bfloat16 and the 8-bit floats are NumPy extension types of kind 'V' that convert to float
    return array.dtype.kind in "biufc" or (array.dtype.kind == "V" and array.dtype.names is None)


def _readable(array: Any) -> np.ndarray:
    """Extension floats (bfloat16, ...) as float32, which holds each of them exactly."""
    array = np.asarray(array)
    extension = array.dtype.kind == "V" and array.dtype.names is None
    return array.astype(np.float32) if extension else array


def _measurable(chunk: np.ndarray) -> np.ndarray:
    """Float64 entries to measure; the magnitudes of complex ones."""
    if chunk.dtype.kind == "c":
        return np.abs(chunk.astype(np.complex128))
    return _readable(chunk).astype(np.float64)


def _count_bins(flat: np.ndarray, low: float, high: float) -> Histogram | None:
    if low == high or not math.isfinite(high - low):
        return None
    counts = np.zeros(BINS, np.int64)
    edges = np.linspace(low, high, BINS + 1)
    for start in range(0, flat.size, CHUNK):
        chunk = _measurable(flat[start : start + CHUNK])
        counts += np.histogram(chunk[np.isfinite(chunk)], BINS, (low, high))[0]
    return Histogram(counts, edges)


def _pick_tiles(array: np.ndarray, layout: str) -> np.ndarray | None:
    """The first planes of a convolution kernel [height, width, in, out]."""
    kernel = layout == "dense" and array.ndim == 4 and 1 < max(array.shape[:2]) <= TILE_SIDE
    if not kernel or array.dtype.kind == "c" or not array.size:
        return None
    planes = array.reshape(*array.shape[:2], -1)[:, :, :TILES]
    return np.moveaxis(_readable(planes), 2, 0).astype(np.float64)
