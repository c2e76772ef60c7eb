"""Rules of convolutions, pooling and normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradmagic.core.i18n import N_
from gradmagic.core.rules.linear import make_linear, run_op, weigh_outputs
from gradmagic.core.rules.rule import Call, Index, Rule, SlotRule, Terms, take

if TYPE_CHECKING:
    from collections.abc import Callable

_SIZES = take("sizes", N_("It only says a shape: no gradient."))

_IMAGE = N_("Each pixel gets, from every place where the kernel met it, weight times gradient.")
_KERNEL = N_("Each weight gets, from every place where it was used, pixel times gradient, summed.")


def _convolve(op: str, function: str) -> Rule:
    return Rule(
        op,
        (
            make_linear("x", _IMAGE, f"dL/d{{x}} = {function}_transpose(dL/d{{z}}, {{w}})"),
            make_linear("w", _KERNEL, "dL/d{w} = Σ patches({x})ᵀ @ dL/d{z}"),
        ),
        N_("The kernel is shared by all places, so its gradient is a sum over all of them."),
    )


def _transpose_convolution(op: str, function: str) -> Rule:
    return Rule(
        op,
        (
            _SIZES,
            make_linear("w", _KERNEL, "dL/d{w} = Σ patches(dL/d{z})ᵀ @ {x}"),
            make_linear(
                "x",
                N_("The transposed convolution turns round: the gradient is convolved."),
                f"dL/d{{x}} = {function}(dL/d{{z}}, {{w}})",
            ),
        ),
    )


def _differentiate_kernel(op: str, function: str) -> Rule:
    return Rule(
        op,
        (
            make_linear(
                "x",
                N_("Each pixel gets, from every weight that it met, gradient times gradient."),
                f"dL/d{{x}} = {function}_transpose({{y}}, dL/d{{z}})",
            ),
            _SIZES,
            make_linear(
                "y",
                N_("The gradient of a kernel's gradient is a convolution again."),
                f"dL/d{{y}} = {function}({{x}}, dL/d{{z}})",
            ),
        ),
    )


_CONVOLUTIONS = (
    _convolve("Conv2D", "conv2d"),
    _convolve("Conv3D", "conv3d"),
    _convolve("DepthwiseConv2dNative", "depthwise_conv2d"),
    _transpose_convolution("Conv2DBackpropInput", "conv2d"),
    _transpose_convolution("Conv3DBackpropInputV2", "conv3d"),
    _transpose_convolution("DepthwiseConv2dNativeBackpropInput", "depthwise_conv2d"),
    _differentiate_kernel("Conv2DBackpropFilter", "conv2d"),
    _differentiate_kernel("Conv3DBackpropFilterV2", "conv3d"),
    _differentiate_kernel("DepthwiseConv2dNativeBackpropFilter", "depthwise_conv2d"),
)


def _find_winners(call: Call, index: Index) -> Terms | None:
    """The upstream gradients of the windows whose maximum is the entry, as TensorFlow chose it.

    The second derivative's op looks up, for each window, the entry that its maximum was taken from.
    """
    x, z = call.take_input(0), call.take_output()
    entry = np.zeros(x.shape)
    entry[index] = 1
    return weigh_outputs(call, run_op("MaxPoolGradGrad", call, [x, z, entry]))


def _pool_largest(op: str, find: Callable[[Call, Index], Terms | None] | None = None) -> Rule:
    slot = SlotRule(
        "x",
        N_("The largest entry of each window gets its gradient; all others get 0."),
        "dL/d{x} = Σ dL/d{z} · [{x} is the largest of its window]",
        find_terms=find,
    )
    note = N_("An entry that wins in several windows gets the sum; of equal ones only one wins.")
    return Rule(op, (slot,), note)


_POOLS = (
    _pool_largest("MaxPool", _find_winners),
    _pool_largest("MaxPool3D"),  # its second derivative breaks ties in another way
    *(
        Rule(
            op,
            (
                make_linear(
                    "x",
                    N_(
                        "Every entry of a window gets the gradient divided by n, the window's size."
                    ),
                    "dL/d{x} = Σ dL/d{z} / n",
                ),
            ),
        )
        for op in ("AvgPool", "AvgPool3D")
    ),
    Rule(
        "MaxPoolGrad",
        (
            SlotRule(
                "x", _FLAT := N_("A small change of it changes nothing here: 0."), "dL/d{x} = 0"
            ),
            SlotRule("y", _FLAT, "dL/d{y} = 0"),
            make_linear(
                "g",
                N_("The gradient is taken from where each window's maximum stood."),
                "dL/d{g} = gather(dL/d{z}, largest)",
            ),
        ),
    ),
    Rule(
        "AvgPoolGrad",
        (
            take("shape", N_("It only says a shape: no gradient.")),
            make_linear(
                "g", N_("The gradient is averaged over each window."), "dL/d{g} = avg_pool(dL/d{z})"
            ),
        ),
    ),
)

_STATISTICS = N_("Running statistics are counted along, and get no gradient.")


def _normalize(op: str) -> Rule:
    return Rule(
        op,
        (
            SlotRule(
                "x",
                N_(
                    "The gradient is scaled; in training its mean over the batch, and its part "
                    "along the normalised input, are taken out."
                ),
                "dL/d{x} = {scale}/σ · (dL/d{z} − mean(dL/d{z}) − x̂ · mean(dL/d{z} · x̂))",
            ),
            SlotRule(
                "scale",
                N_("The sum over the batch of gradient times normalised input."),
                "dL/d{scale} = Σ dL/d{z} · x̂",
            ),
            SlotRule(
                "offset",
                N_("The sum of the gradients over the batch."),
                "dL/d{offset} = Σ dL/d{z}",
            ),
            take("mean", _STATISTICS),
            take("variance", _STATISTICS),
        ),
        N_("x̂ = (x − mean)/σ. Outside training mean and σ are fixed, and only scale/σ is left."),
    )


_NORMALISATIONS = (
    *(_normalize(op) for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")),
    Rule(
        "LRN",
        (
            SlotRule(
                "x",
                N_(
                    "The gradient is scaled down, minus the part that flows through the neighbours."
                ),
                "dL/d{x} = dL/d{z} · s^(−β) − 2αβ · {x} · Σ dL/d{z} · {z} / s",
            ),
        ),
        N_("s = bias + α · Σ of the neighbouring channels' squares."),
    ),
)

RULES = (*_CONVOLUTIONS, *_POOLS, *_NORMALISATIONS)
