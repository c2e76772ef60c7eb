"""Rules of ops that move, copy, cut or pad entries without computing anything."""

from __future__ import annotations

import numpy as np

from gradmagic.core.i18n import N_
from gradmagic.core.rules.linear import make_linear
from gradmagic.core.rules.rule import Call, Index, Rule, SlotRule, Terms, add_up, take

_AXES = N_("It only says which axes: no gradient.")
_FILLER = N_("It only fills the rest: TensorFlow passes it no gradient.")
_SHAPE = N_("It only says a shape: no gradient.")
_PLACES = N_("It only says which places: no gradient.")
_INDICES = N_("It only says which entries are taken; whole numbers have no gradient.")


def _move(
    op: str,
    formula: str,
    words: str,
    *others: tuple[str, str],
    first: int = 0,
    filler: tuple[int, ...] = (),
    outputs: tuple[str, ...] = ("z",),
) -> Rule:
    """An op with one input of data, in place ``first``, and others that only steer.

    ``filler`` is an input that gives the entries that come from nowhere.
    """
    slots = [take(symbol, said) for symbol, said in others]
    slots.insert(first, make_linear("x", words, f"dL/d{{x}} = {formula}", filler))
    return Rule(op, tuple(slots), outputs=outputs)


def _take_same(call: Call, index: Index) -> Terms:
    """The entry of the upstream gradient in the same place, counted through."""
    shape = call.take_raw(call.slot).shape
    return add_up(call.gradient.ravel()[int(np.ravel_multi_index(index, shape)) if index else 0])


def _take_index(call: Call, index: Index) -> Terms:
    return add_up(call.gradient[index])


def _take_cast(call: Call, index: Index) -> Terms | None:
    floats = call.take_raw(0).dtype.kind in "fV"
    return _take_same(call, index) if floats else None


def _keep(op: str, words: str, *others: tuple[str, str], formula: str = "dL/d{z}") -> Rule:
    """An op that keeps every entry and their order."""
    kept = SlotRule("x", words, f"dL/d{{x}} = {formula}", find_terms=_take_same)
    return Rule(op, (kept, *(take(symbol, said) for symbol, said in others)))


_UNCHANGED = N_("The gradient passes unchanged.")
_RESHAPED = N_("The gradient takes the shape of the input again; no number changes.")

_KEPT = (
    *(_keep(op, _UNCHANGED) for op in ("Identity", "EnsureShape", "CheckNumerics")),
    Rule(
        "ReadVariableOp",
        (
            SlotRule(
                "v",
                N_("Reading a variable passes the gradient on to the variable unchanged."),
                "dL/d{v} = dL/d{z}",
                find_terms=_take_index,
            ),
        ),
    ),
    Rule(
        "Cast",
        (
            SlotRule(
                "x",
                N_("The gradient passes unchanged, cast back to the input's kind of float."),
                "dL/d{x} = cast(dL/d{z})",
                find_terms=_take_cast,
            ),
        ),
        N_("Through a cast from or to whole numbers no gradient flows (None)."),
    ),
    _keep("Reshape", _RESHAPED, ("shape", _SHAPE), formula="reshape(dL/d{z})"),
    _keep("ExpandDims", _RESHAPED, ("axis", _AXES), formula="squeeze(dL/d{z})"),
    _keep("Squeeze", _RESHAPED, formula="reshape(dL/d{z})"),
)


def _take_from_concat(call: Call, index: Index) -> Terms:
    axis = int(call.take_raw(len(call.inputs) - 1))
    before = sum(call.take_raw(slot).shape[axis] for slot in range(call.slot))
    place = list(index)
    place[axis] += before
    return add_up(call.gradient[tuple(place)])


def _take_from_pack(call: Call, index: Index) -> Terms:
    axis = int(call.read("axis", 0)) % call.gradient.ndim
    return add_up(call.gradient[(*index[:axis], call.slot, *index[axis:])])


def _take_from_identities(call: Call, index: Index) -> Terms | None:
    upstream = call.upstream[call.slot]
    return None if upstream is None else add_up(np.asarray(upstream, np.float64)[index])


_JOINED = (
    Rule(
        "ConcatV2",
        (
            SlotRule(
                "x",
                N_("Each input gets back its own part of the gradient."),
                "dL/d{x} = split(dL/d{z})",
                find_terms=_take_from_concat,
            ),
            take("axis", _AXES),
        ),
        repeated=0,
    ),
    Rule(
        "Pack",
        (
            SlotRule(
                "x",
                N_("Each input gets back its own layer of the gradient."),
                "dL/d{x} = unstack(dL/d{z})",
                find_terms=_take_from_pack,
            ),
        ),
        repeated=0,
    ),
    Rule(
        "IdentityN",
        (SlotRule("x", _UNCHANGED, "dL/d{x} = dL/d{own}", find_terms=_take_from_identities),),
        repeated=0,
        outputs=(),
    ),
)

_PARTS = N_("The gradients of the parts are put together again.")

_CROPPED = N_("The gradient is cut to the input's place; what fell on the padding is dropped.")

_CUT = (
    _move("Split", "concat({all})", _PARTS, ("axis", _AXES), first=1, outputs=()),
    _move("SplitV", "concat({all})", _PARTS, ("sizes", _SHAPE), ("axis", _AXES), outputs=()),
    _move("Unpack", "stack({all})", _PARTS, outputs=()),
    *(
        _move(
            op,
            "pad(dL/d{z})",
            N_("The entries that were taken get their gradient; all others get 0."),
            *((symbol, _PLACES) for symbol in symbols),
        )
        for op, symbols in (
            ("Slice", ("begin", "size")),
            ("StridedSlice", ("begin", "end", "strides")),
        )
    ),
    _move("Pad", "slice(dL/d{z})", _CROPPED, ("paddings", _PLACES)),
    _move(
        "PadV2",
        "slice(dL/d{z})",
        _CROPPED,
        ("paddings", _PLACES),
        ("value", _FILLER),
        filler=(2,),
    ),
    _move(
        "MirrorPad",
        "Σ dL/d{z}",
        N_("An entry that was mirrored gets the sum over its images."),
        ("paddings", _PLACES),
    ),
)

_TURNED = (
    _move(
        "Transpose",
        "transpose(dL/d{z})",
        N_("The gradient is transposed back."),
        ("perm", _AXES),
    ),
    _move("ReverseV2", "reverse(dL/d{z})", N_("The gradient is reversed back."), ("axis", _AXES)),
    _move(
        "ReverseSequence",
        "reverse(dL/d{z})",
        N_("The gradient is reversed back."),
        ("lengths", _PLACES),
    ),
    _move(
        "Roll",
        "roll(dL/d{z})",
        N_("The gradient is rolled back by the same shift."),
        ("shift", _PLACES),
        ("axis", _AXES),
    ),
    *(
        _move(
            op,
            f"{back}(dL/d{{z}})",
            N_("The gradient's entries go back to where they came from."),
            *others,
        )
        for op, back, others in (
            ("SpaceToDepth", "depth_to_space", ()),
            ("DepthToSpace", "space_to_depth", ()),
            ("SpaceToBatchND", "batch_to_space", (("block", _SHAPE), ("paddings", _PLACES))),
            ("BatchToSpaceND", "space_to_batch", (("block", _SHAPE), ("crops", _PLACES))),
        )
    ),
)

_COPIED = N_("Each entry gets the sum of the gradients of its copies.")

_REPEATED = (
    _move("Tile", "Σ dL/d{z}", _COPIED, ("multiples", _SHAPE)),
    _move("BroadcastTo", "Σ dL/d{z}", _COPIED, ("shape", _SHAPE)),
    _move(
        "Fill",
        "Σ dL/d{z}",
        N_("The value gets the sum of the gradients of all entries that it filled."),
        ("shape", _SHAPE),
        first=1,
    ),
    _move("ResizeNearestNeighbor", "Σ dL/d{z}", _COPIED, ("size", _SHAPE)),
    *(
        _move(
            op,
            "Σ dL/d{z} · weight",
            N_("Each pixel gets the gradients of the pixels that it went into, times its share."),
            ("size", _SHAPE),
        )
        for op in ("ResizeBilinear", "ResizeBicubic")
    ),
    _move(
        "ExtractImagePatches",
        "Σ dL/d{z}",
        N_("Each pixel gets the sum of the gradients of all patches that it lies in."),
    ),
)

_DIAGONAL = N_("Entries on the diagonal get the gradient; all others get 0.")
_FROM_DIAGONAL = N_("Each entry gets the gradient of its place on the diagonal.")

_DIAGONALS = (
    _move("Diag", "diag_part(dL/d{z})", _FROM_DIAGONAL),
    _move("DiagPart", "diag(dL/d{z})", _DIAGONAL),
    _move("MatrixDiag", "diag_part(dL/d{z})", _FROM_DIAGONAL),
    _move("MatrixDiagPart", "diag(dL/d{z})", _DIAGONAL),
    _move(
        "MatrixDiagV3",
        "diag_part(dL/d{z})",
        _FROM_DIAGONAL,
        ("k", _PLACES),
        ("rows", _SHAPE),
        ("columns", _SHAPE),
        ("value", _FILLER),
        filler=(4,),
    ),
    _move(
        "MatrixDiagPartV3",
        "diag(dL/d{z})",
        _DIAGONAL,
        ("k", _PLACES),
        ("value", _FILLER),
        filler=(2,),
    ),
    _move(
        "MatrixBandPart",
        "band_part(dL/d{z})",
        N_("Inside the band the gradient passes unchanged; outside it is 0."),
        ("lower", _PLACES),
        ("upper", _PLACES),
    ),
    *(
        Rule(
            op,
            (
                make_linear(
                    "x",
                    N_("The gradient passes unchanged, with 0 where the diagonal was replaced."),
                    "dL/d{x} = set_diag(dL/d{z}, 0)",
                    zeroed=(1,),
                ),
                make_linear(
                    "diagonal", _FROM_DIAGONAL, "dL/d{diagonal} = diag_part(dL/d{z})", zeroed=(0,)
                ),
                *(take(symbol, _PLACES) for symbol in symbols),
            ),
        )
        for op, symbols in (("MatrixSetDiag", ()), ("MatrixSetDiagV3", ("k",)))
    ),
)


RULES = (*_KEPT, *_JOINED, *_CUT, *_TURNED, *_REPEATED, *_DIAGONALS)
