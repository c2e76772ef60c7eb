"""A tensor's summary: statistics, and the entries themselves where they are few."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from gradmagic.core.records import Histogram, Summary

SMALL = 1024  # entries: as many are kept one by one
_SMALLEST, _GREATEST = 1e-120, 1e150  # whose squares are ordinary numbers of float64
CACHED = 1 << 15  # entries that the processor's cache holds, with room to spare
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


def summarize_briefly(tensor: Any) -> Summary:
    """A summary; of a large tensor the norm alone, which takes a tenth of the time."""
    try:
        array = np.asarray(memoryview(tensor))
    except (TypeError, ValueError, BufferError):  # sparse, ragged, bfloat16, on other devices
        return summarize(tensor)
    if array.size <= SMALL or array.dtype.kind != "f":
        return summarize(tensor)
    flat = array.reshape(-1)
    with np.errstate(over="ignore"):  # einsum converts a few entries at a time, without threads
        squares = float(np.einsum("i,i->", flat, flat, dtype=np.float64))
    if not math.isfinite(squares):
        return summarize(tensor)
    dtype = str(getattr(tensor.dtype, "name", tensor.dtype))
    return Summary(tuple(array.shape), dtype, size=array.size, norm=math.sqrt(squares))


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
    measured = _measure_finite(flat) or _measure(flat)
    if not measured.finite:
        return Summary(
            shape,
            dtype,
            layout,
            size,
            values,
            zeros=measured.zeros,
            nans=measured.nans,
            infs=measured.infs,
            rows=rows,
        )
    index = tuple(int(i) for i in np.unravel_index(measured.largest, array.shape))
    low, high = measured.low, measured.high
    return Summary(
        shape=shape,
        dtype=dtype,
        layout=layout,
        size=size,
        values=values,
        norm=measured.norm,
        mean=measured.total / measured.finite,
        low=low,
        high=high,
        zeros=measured.zeros,
        nans=measured.nans,
        infs=measured.infs,
        largest=(index, _readable(flat[measured.largest]).item()),
        histogram=_count_bins(flat, low, high) if values is None else None,
        tiles=_pick_tiles(array, layout),
        rows=rows,
    )


class _Measured(NamedTuple):
    """Statistics of an array's finite entries; ``largest`` is where the one furthest from 0 is."""

    finite: int
    low: float
    high: float
    total: float
    norm: float
    zeros: int
    largest: int
    nans: int = 0
    infs: int = 0


def _measure_finite(flat: np.ndarray) -> _Measured | None:
    """What :func:`_measure` finds, quickly; None where not all is finite, or squares overflow."""
    if flat.dtype.kind != "f" or not flat.size:
        return None
    low, high = float(flat.min()), float(flat.max())  # (NaN where there is one)
    peak = max(abs(low), abs(high))
    if not (peak == 0 or _SMALLEST < peak < _GREATEST):
        return None
    ends = [int(flat.argmax())] if high == peak else []
    ends += [int(flat.argmin())] if -low == peak else []
    return _Measured(
        finite=flat.size,
        low=low,
        high=high,
        total=float(flat.sum(dtype=np.float64)),
        # (einsum converts a few entries at a time, and starts no threads)
        norm=math.sqrt(float(np.einsum("i,i->", flat, flat, dtype=np.float64))),
        zeros=int(flat.size - np.count_nonzero(flat)),
        largest=min(ends),
    )


def _measure(flat: np.ndarray) -> _Measured:
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
    scale, largest, furthest = 0.0, 0, -1.0
    for start in range(0, flat.size, CHUNK):
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
        if peak > furthest:
            where = int(np.argmax(np.where(np.isfinite(chunk), np.abs(chunk), -1.0)))
            largest, furthest = start + where, peak
    norm = scale * math.sqrt(squares)
    return _Measured(finite, low, high, total, norm, zeros, largest, nans, infs)


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
    counts = np.zeros(BINS + 1, np.int64)
    for start in range(0, flat.size, CACHED):
        chunk = _measurable(flat[start : start + CACHED])
        share = (chunk[np.isfinite(chunk)] - low) / (high - low)
        counts += np.bincount((share * BINS).astype(int), minlength=BINS + 1)
    counts[-2] += counts[-1]  # the largest entries belong into the last bin
    return Histogram(counts[:-1], np.linspace(low, high, BINS + 1))


def _pick_tiles(array: np.ndarray, layout: str) -> np.ndarray | None:
    """The first planes of a convolution kernel [height, width, in, out]."""
    kernel = layout == "dense" and array.ndim == 4 and 1 < max(array.shape[:2]) <= TILE_SIDE
    if not kernel or array.dtype.kind == "c" or not array.size:
        return None
    planes = array.reshape(*array.shape[:2], -1)[:, :, :TILES]
    return np.moveaxis(_readable(planes), 2, 0).astype(np.float64)
