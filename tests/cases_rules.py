"""Ops and inputs for the rules: each kind of shape, on both sides of each kink, and with ties."""

import itertools

import numpy as np
import tensorflow as tf

RANDOM = np.random.default_rng(5)


def draw(*shape, low=-2.0, high=2.0):
    """Numbers of two decimals, so that a written sum can be computed again; none is 0."""
    numbers = np.round(RANDOM.uniform(low, high, shape), 2)
    return np.where(numbers == 0, 0.37, numbers)


def ints(*values):
    return np.array(values, np.int32) if len(values) != 1 else np.array(values[0], np.int32)


def positive(*shape):
    return draw(*shape, low=0.2, high=3.0)


def within(*shape):
    return draw(*shape, low=-0.9, high=0.9)


def spd(n):
    matrix = RANDOM.uniform(-1, 1, (n, n))
    return matrix @ matrix.T + n * np.eye(n)


TIES = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
STEP = np.array([-1.5, -0.5, 0.0, 0.5, 6.0, 7.0])  # on both sides of every kink, and on it
IMAGE = draw(2, 5, 4, 2)
POOL = {"ksize": [1, 2, 2, 1], "strides": [1, 2, 1, 1], "padding": "SAME"}
CONV = {"strides": [1, 2, 2, 1], "padding": "SAME"}

CASES = [
    *(
        (op, [x], {})
        for op in [
            "Neg",
            "Square",
            "Reciprocal",
            "Inv",
            "Exp",
            "Expm1",
            "Sin",
            "Cos",
            "Tan",
            "Sinh",
            "Cosh",
            "Tanh",
            "Asinh",
            "Atan",
            "Erf",
            "Erfc",
            "Sigmoid",
            "Softplus",
            "Softsign",
            "Relu",
            "Relu6",
            "LeakyRelu",
            "Elu",
            "Selu",
            "Abs",
            "Sign",
            "Identity",
            "Digamma",
            "Lgamma",
            "L2Loss",
            "Softmax",
            "LogSoftmax",
        ]
        for x in (draw(2, 3), positive(4))
    ),
    *((op, [positive(2, 3)], {}) for op in ["Sqrt", "Rsqrt", "Log", "Log1p"]),
    *((op, [within(2, 3)], {}) for op in ["Asin", "Acos", "Atanh", "Erfinv"]),
    ("Acosh", [1 + positive(3)], {}),
    ("Ndtri", [draw(3, low=0.1, high=0.9)], {}),
    *(
        (op, [STEP], {})
        for op in ["Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Abs", "Sign", "Softsign"]
    ),
    ("LeakyRelu", [STEP], {"alpha": 0.3}),
    ("Square", [np.array(3.0)], {}),
    ("EnsureShape", [draw(2, 3)], {"shape": [None, 3]}),
    ("CheckNumerics", [draw(3)], {"message": "found"}),
    # two numbers, broadcast in every way
    *(
        (op, [left(*a), left(*b)], {})
        for op, left in {
            **dict.fromkeys(
                [
                    "AddV2",
                    "Add",
                    "Sub",
                    "Mul",
                    "MulNoNan",
                    "RealDiv",
                    "Div",
                    "DivNoNan",
                    "Maximum",
                    "Minimum",
                    "SquaredDifference",
                    "Atan2",
                    "Xdivy",
                ],
                draw,
            ),
            **dict.fromkeys(["Pow", "Xlogy", "Xlog1py", "FloorMod"], positive),
        }.items()
        for a, b in (
            ((2, 3), (2, 3)),
            ((2, 3), (3,)),
            ((2, 1), (4, 1, 3)),
            ((), (6,)),
            ((2, 3), ()),
        )
    ),
    *((op, [TIES, np.array([2.0, 2.0, 3.0])], {}) for op in ("Maximum", "Minimum")),
    ("DivNoNan", [draw(3), np.array([0.0, 2.0, 0.0])], {}),
    ("MulNoNan", [draw(3), np.array([0.0, 2.0, 0.0])], {}),
    ("Pow", [np.array([-2.0, 0.0, 2.0]), np.array([2.0, 2.0, 3.0])], {}),
    *((op, [np.array([0.0, 1.5, 0.0]), positive(3)], {}) for op in ("Xlogy", "Xlog1py", "Xdivy")),
    ("SelectV2", [np.array([[True], [False]]), draw(2, 3), draw(3)], {}),
    ("Select", [np.array([True, False]), draw(2, 3), draw(2, 3)], {}),
    ("Select", [np.array([[True, False]]), draw(1, 2), draw(1, 2)], {}),
    ("ClipByValue", [np.array([-2.0, -1.0, 0.3, 1.0, 1.5]), np.array(-1.0), np.array(1.0)], {}),
    ("BiasAdd", [draw(2, 4, 3), draw(3)], {}),
    ("BiasAdd", [draw(2, 3, 4, 2), draw(3)], {"data_format": "NCHW"}),
    ("AddN", [[draw(2, 3), draw(2, 3), draw(2, 3)]], {}),
    # products
    *(
        (
            "MatMul",
            [draw(*((3, 2) if a else (2, 3))), draw(*((4, 3) if b else (3, 4)))],
            {"transpose_a": a, "transpose_b": b},
        )
        for a, b in itertools.product((False, True), repeat=2)
    ),
    *(
        (
            "BatchMatMulV2",
            [draw(*x, *((3, 2) if a else (2, 3))), draw(*y, *((4, 3) if b else (3, 4)))],
            {"adj_x": a, "adj_y": b},
        )
        for a, b in itertools.product((False, True), repeat=2)
        for x, y in (((), ()), ((2,), (2,)), ((3, 1), (2,)), ((), (2, 1)))
    ),
    ("BatchMatMul", [draw(2, 2, 3), draw(2, 3, 1)], {}),
    ("BatchMatMulV3", [draw(2, 2, 3), draw(3, 1)], {"Tout": "float64"}),
    *(
        ("Einsum", [[draw(*shape) for shape in shapes]], {"equation": equation})
        for equation, shapes in (
            ("ij,jk->ik", ((2, 3), (3, 4))),
            ("abc,cde->abde", ((2, 2, 3), (3, 2, 2))),
            ("aecd,abcd->acbe", ((2, 3, 2, 2), (2, 4, 2, 2))),
            ("ij->ji", ((2, 3),)),
            ("ij->i", ((2, 3),)),
            ("i,j->", ((3,), (4,))),
            ("ij,kj->i", ((2, 3), (4, 3))),
        )
    ),
    # along axes
    *(
        (op, [x, axes], {"keep_dims": keep})
        for op in ["Sum", "Mean", "Max", "Min", "Prod", "EuclideanNorm"]
        for x, axes in (
            (TIES, ints(1)),
            (TIES, np.array([0, 1], np.int32)),
            (draw(2, 3, 2), np.array([-1, 0], np.int32)),
            (draw(3), np.array([0], np.int32)),
        )
        for keep in (False, True)
    ),
    ("Prod", [np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 1.0]]), ints(1)], {}),
    *(
        (op, [positive(2, 4), ints(axis)], {"exclusive": exclusive, "reverse": reverse})
        for op in ("Cumsum", "Cumprod")
        for axis in (0, -1)
        for exclusive, reverse in itertools.product((False, True), repeat=2)
    ),
    ("Cumprod", [np.array([2.0, 0.0, 3.0]), ints(0)], {}),
    *(
        (
            f"Segment{name}",
            [np.array([[1.0, 2.0], [1.0, 5.0], [3.0, 4.0]]), np.array([0, 0, 1], np.int32)],
            {},
        )
        for name in ["Sum", "Mean", "Max", "Min", "Prod"]
    ),
    *(
        (
            f"UnsortedSegment{name}",
            [
                np.array([[1.0, 2.0], [1.0, 5.0], [3.0, 4.0], [2.0, 0.5]]),
                np.array([1, 1, 0, -1], np.int32),
                ints(3),
            ],
            {},
        )
        for name in ["Sum", "Max", "Min", "Prod"]
    ),
    ("TopKV2", [draw(2, 5), ints(3)], {}),
    # losses
    ("SoftmaxCrossEntropyWithLogits", [draw(3, 4), np.eye(4)[[1, 0, 3]]], {}),
    (
        "SoftmaxCrossEntropyWithLogits",
        [draw(2, 3), np.array([[0.2, 0.3, 0.5], [0.6, 0.4, 0.0]])],
        {},
    ),
    ("SparseSoftmaxCrossEntropyWithLogits", [draw(3, 4), np.array([1, 0, 3], np.int32)], {}),
    # moves
    ("Cast", [draw(2, 3)], {"DstT": tf.float32}),
    ("Reshape", [draw(2, 3), np.array([3, -1], np.int32)], {}),
    ("ExpandDims", [draw(2, 3), ints(-1)], {}),
    ("Squeeze", [draw(2, 1, 3)], {}),
    ("Squeeze", [draw(1, 2, 1)], {"axis": [-1]}),
    ("ConcatV2", [[draw(2, 3), draw(2, 1)], ints(-1)], {}),
    ("ConcatV2", [[draw(2, 3), draw(1, 3), draw(2, 3)], ints(0)], {}),
    ("Pack", [[draw(2, 3), draw(2, 3)]], {"axis": -1}),
    ("Pack", [[draw(), draw(), draw()]], {}),
    ("IdentityN", [[draw(2), draw(3)]], {}),
    ("Split", [ints(1), draw(2, 4)], {"num_split": 2}),
    ("SplitV", [draw(2, 4), np.array([1, 3], np.int32), ints(-1)], {"num_split": 2}),
    ("Unpack", [draw(2, 3)], {"num": 3, "axis": 1}),
    ("Slice", [draw(3, 4), np.array([1, 0], np.int32), np.array([2, -1], np.int32)], {}),
    (
        "StridedSlice",
        [
            draw(4, 5),
            np.array([3, 0], np.int32),
            np.array([0, 4], np.int32),
            np.array([-1, 2], np.int32),
        ],
        {"end_mask": 1},
    ),
    (
        "StridedSlice",
        [draw(4, 5), *(np.array(v, np.int32) for v in ([0, 0, 2], [0, 0, 3], [1, 1, 1]))],
        {"ellipsis_mask": 1, "new_axis_mask": 2, "shrink_axis_mask": 4},
    ),
    ("Pad", [draw(2, 3), np.array([[1, 0], [2, 1]], np.int32)], {}),
    ("PadV2", [draw(2, 3), np.array([[1, 0], [2, 1]], np.int32), np.array(1.0)], {}),
    *(
        ("MirrorPad", [draw(3, 3), np.array([[1, 2], [2, 1]], np.int32)], {"mode": mode})
        for mode in ("REFLECT", "SYMMETRIC")
    ),
    ("Transpose", [draw(2, 3, 4), np.array([2, 0, 1], np.int32)], {}),
    ("ReverseV2", [draw(2, 3), np.array([-1], np.int32)], {}),
    ("ReverseSequence", [draw(2, 4), np.array([2, 3], np.int64)], {"seq_dim": 1, "batch_dim": 0}),
    ("Roll", [draw(2, 4), ints(1), ints(1)], {}),
    ("SpaceToDepth", [draw(1, 4, 4, 1)], {"block_size": 2}),
    ("DepthToSpace", [draw(1, 2, 2, 4)], {"block_size": 2}),
    ("SpaceToBatchND", [draw(1, 3, 2), np.array([2], np.int32), np.array([[1, 0]], np.int32)], {}),
    ("BatchToSpaceND", [draw(2, 2, 2), np.array([2], np.int32), np.array([[1, 0]], np.int32)], {}),
    ("Tile", [draw(2, 3), np.array([2, 3], np.int32)], {}),
    ("BroadcastTo", [draw(2, 1), np.array([4, 2, 3], np.int32)], {}),
    ("Fill", [np.array([2, 3], np.int32), np.array(1.5)], {}),
    ("ResizeNearestNeighbor", [IMAGE, np.array([7, 3], np.int32)], {}),
    ("ResizeBilinear", [IMAGE, np.array([7, 3], np.int32)], {"half_pixel_centers": True}),
    ("ResizeBicubic", [IMAGE, np.array([7, 3], np.int32)], {"half_pixel_centers": True}),
    (
        "ExtractImagePatches",
        [IMAGE],
        {
            "ksizes": [1, 2, 2, 1],
            "strides": [1, 1, 2, 1],
            "rates": [1, 1, 1, 1],
            "padding": "VALID",
        },
    ),
    ("Diag", [draw(3)], {}),
    ("DiagPart", [draw(3, 3)], {}),
    ("MatrixDiag", [draw(2, 3)], {}),
    ("MatrixDiagPart", [draw(2, 3, 3)], {}),
    ("MatrixDiagV3", [draw(2, 3), ints(1), ints(-1), ints(-1), np.array(0.5)], {}),
    ("MatrixDiagPartV3", [draw(3, 4), ints(1), np.array(0.5)], {}),
    ("MatrixBandPart", [draw(3, 4), ints(1), ints(0)], {}),
    ("MatrixSetDiag", [draw(2, 3, 3), draw(2, 3)], {}),
    ("MatrixSetDiagV3", [draw(3, 3), draw(2), ints(1)], {}),
    ("GatherV2", [draw(4, 3), np.array([[0, 2], [2, 2]], np.int32), ints(0)], {}),
    ("GatherV2", [draw(2, 4, 3), np.array([1, 1, 0], np.int32), ints(-1)], {}),
    ("GatherV2", [draw(2, 4, 3), np.array([[1, 1], [0, 3]], np.int32), ints(1)], {"batch_dims": 1}),
    ("GatherV2", [draw(3, 4), np.array([2, 0, 2], np.int32), ints(1)], {"batch_dims": 1}),
    ("GatherV2", [draw(2, 2, 4), np.array([[2, 2], [0, 3]], np.int32), ints(2)], {"batch_dims": 2}),
    ("GatherV2", [draw(4, 3), ints(2), ints(0)], {}),
    ("Gather", [draw(4, 3), np.array([1, 1], np.int32)], {}),
    ("GatherNd", [draw(3, 4, 2), np.array([[0, 1], [2, 3], [0, 1]], np.int32)], {}),
    (
        "ScatterNd",
        [np.array([[1], [3], [1]], np.int32), draw(3, 2), np.array([4, 2], np.int32)],
        {},
    ),
    *(
        (f"TensorScatter{name}", [draw(4, 2), np.array([[1], [3]], np.int32), draw(2, 2)], {})
        for name in ("Update", "Add", "Sub")
    ),
    # networks
    ("Conv2D", [IMAGE, draw(3, 2, 2, 3)], CONV),
    (
        "Conv2D",
        [IMAGE, draw(2, 2, 2, 1)],
        {
            "strides": [1, 1, 1, 1],
            "padding": "EXPLICIT",
            "explicit_paddings": [0, 0, 1, 0, 0, 1, 0, 0],
            "data_format": "NHWC",
        },
    ),
    (
        "DepthwiseConv2dNative",
        [IMAGE, draw(2, 2, 2, 2)],
        {"strides": [1, 1, 1, 1], "padding": "VALID"},
    ),
    (
        "Conv3D",
        [draw(1, 3, 3, 3, 1), draw(2, 2, 2, 1, 2)],
        {"strides": [1, 1, 1, 1, 1], "padding": "VALID"},
    ),
    (
        "Conv2DBackpropInput",
        [np.array([2, 5, 4, 2], np.int32), draw(3, 2, 2, 3), draw(2, 3, 2, 3)],
        CONV,
    ),
    ("Conv2DBackpropFilter", [IMAGE, np.array([3, 2, 2, 3], np.int32), draw(2, 3, 2, 3)], CONV),
    (
        "Conv3DBackpropInputV2",
        [np.array([1, 3, 3, 3, 1], np.int32), draw(2, 2, 2, 1, 2), draw(1, 2, 2, 2, 2)],
        {"strides": [1] * 5, "padding": "VALID"},
    ),
    (
        "Conv3DBackpropFilterV2",
        [draw(1, 3, 3, 3, 1), np.array([2, 2, 2, 1, 2], np.int32), draw(1, 2, 2, 2, 2)],
        {"strides": [1] * 5, "padding": "VALID"},
    ),
    (
        "DepthwiseConv2dNativeBackpropInput",
        [np.array([2, 5, 4, 2], np.int32), draw(2, 2, 2, 2), draw(2, 4, 3, 4)],
        {"strides": [1] * 4, "padding": "VALID"},
    ),
    (
        "DepthwiseConv2dNativeBackpropFilter",
        [IMAGE, np.array([2, 2, 2, 2], np.int32), draw(2, 4, 3, 4)],
        {"strides": [1] * 4, "padding": "VALID"},
    ),
    ("MaxPool", [IMAGE], POOL),
    ("MaxPool", [np.round(IMAGE / 2)], POOL),
    ("AvgPool", [IMAGE], POOL),
    (
        "AvgPool3D",
        [draw(1, 3, 3, 3, 1).astype(np.float32)],
        {"ksize": [1, 2, 2, 2, 1], "strides": [1] * 5, "padding": "VALID"},
    ),
    ("AvgPoolGrad", [np.array([2, 5, 4, 2], np.int32), draw(2, 3, 4, 2)], POOL),
    ("Cross", [draw(2, 3), draw(2, 3)], {}),
    # second derivatives
    *(
        (op, [positive(2, 3), draw(2, 3)], {})
        for op in ["SigmoidGrad", "TanhGrad", "ReciprocalGrad", "InvGrad", "SqrtGrad", "RsqrtGrad"]
    ),
    *(
        (op, [draw(6), STEP], {})
        for op in ["ReluGrad", "Relu6Grad", "LeakyReluGrad", "SoftplusGrad", "EluGrad", "SeluGrad"]
    ),
    ("BiasAddGrad", [draw(2, 4, 3)], {}),
    (
        "StridedSliceGrad",
        [np.array([4], np.int32), *(np.array([v], np.int32) for v in (1, 4, 2)), draw(2)],
        {},
    ),
    ("MirrorPadGrad", [draw(4, 5), np.array([[1, 1], [1, 1]], np.int32)], {"mode": "REFLECT"}),
]

# Rules in words and as a formula; numbers would not fit on a line.
WORDED = [
    (
        "MaxPool3D",
        [np.round(draw(1, 3, 3, 3, 1) / 2).astype(np.float32)],
        {"ksize": [1, 2, 2, 2, 1], "strides": [1] * 5, "padding": "VALID"},
    ),
    ("CumulativeLogsumexp", [draw(4), ints(0)], {}),
    (
        "MaxPoolGrad",
        [IMAGE, tf.nn.max_pool(IMAGE, 2, 2, "VALID").numpy(), draw(2, 2, 2, 2)],
        {"ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "VALID"},
    ),
    ("LRN", [IMAGE.astype(np.float32)], {}),
    *(
        (
            op,
            [IMAGE.astype(np.float32), *(np.ones(2, np.float32) for _ in range(4))],
            {"is_training": False},
        )
        for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
    ),
    ("MatrixInverse", [spd(3)], {}),
    ("MatrixDeterminant", [spd(3)], {}),
    ("LogMatrixDeterminant", [spd(3)], {}),
    ("Cholesky", [spd(3)], {}),
    ("MatrixSolve", [spd(3), draw(3, 2)], {}),
    ("MatrixTriangularSolve", [np.tril(spd(3)), draw(3, 2)], {}),
    ("Qr", [spd(3)], {}),
    ("Svd", [spd(3)], {}),
    ("SelfAdjointEigV2", [spd(3)], {}),
    # without a gradient
    *(
        (op, [draw(2, 3)], {})
        for op in [
            "StopGradient",
            "Floor",
            "Ceil",
            "Round",
            "Rint",
            "IsNan",
            "IsInf",
            "IsFinite",
            "Where",
            "Shape",
            "Size",
            "Rank",
            "ZerosLike",
            "OnesLike",
        ]
    ),
    *(
        (op, [draw(3), draw(3)], {})
        for op in ["FloorDiv", "Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual"]
    ),
    *((op, [draw(2, 3), ints(1)], {}) for op in ("ArgMax", "ArgMin")),
    ("OneHot", [np.array([0, 2], np.int32), ints(3), np.array(1.0), np.array(0.0)], {}),
    ("Range", [np.array(0.0), np.array(3.0), np.array(1.0)], {}),
]


def average(x):
    return (x + x.T) / 2


def mirror(x):
    return np.tril(x) + np.tril(x, -1).T


def halve(x):
    return np.tril(x) - np.diag(np.diag(x)) / 2


def normalize_backwards(g, x, scale):
    deviation = np.sqrt(x.var(axis=(0, 1, 2)) + 1e-3)
    normal = (x - x.mean(axis=(0, 1, 2))) / deviation
    mean = lambda part: part.mean(axis=(0, 1, 2))  # noqa: E731
    return scale / deviation * (g - mean(g) - normal * mean(g * normal))


def normalize_locally_backwards(g, x, z, radius=1, bias=1.0, alpha=0.5, beta=0.5):
    near = np.abs(np.subtract.outer(range(x.shape[-1]), range(x.shape[-1]))) <= radius
    s = bias + alpha * (x**2) @ near
    return g * s**-beta - 2 * alpha * beta * x * ((g * z / s) @ near)


FORMULAS = [  # the formula of a slot whose numbers are not written, by NumPy
    ("MatrixInverse", [spd(3)], {}, 0, lambda g, x, z: -z.T @ g @ z.T),
    ("MatrixDeterminant", [spd(3)], {}, 0, lambda g, x, z: g * z * np.linalg.inv(x).T),
    ("LogMatrixDeterminant", [spd(3)], {}, 0, lambda g, x, z: g * np.linalg.inv(x).T),
    (
        "Cholesky",
        [spd(3)],
        {},
        0,
        lambda g, x, z: average(np.linalg.inv(z).T @ halve(z.T @ g) @ np.linalg.inv(z)),
    ),
    ("MatrixSolve", [spd(3), draw(3, 2)], {}, 0, lambda g, a, b, z: -np.linalg.solve(a.T, g) @ z.T),
    ("MatrixSolve", [spd(3), draw(3, 2)], {}, 1, lambda g, a, b, z: np.linalg.solve(a.T, g)),
    (
        "MatrixTriangularSolve",
        [np.tril(spd(3)), draw(3, 2)],
        {},
        0,
        lambda g, a, b, z: -np.tril(np.linalg.solve(a.T, g) @ z.T),
    ),
    (
        "MatrixTriangularSolve",
        [np.tril(spd(3)), draw(3, 2)],
        {},
        1,
        lambda g, a, b, z: np.linalg.solve(a.T, g),
    ),
    (
        "Qr",
        [draw(3, 3)],
        {},
        0,
        lambda g, x, q: (g + q @ mirror(-g.T @ q)) @ np.linalg.inv(q.T @ x).T,
    ),
    (
        "SelfAdjointEigV2",
        [spd(3)],
        {},
        0,
        lambda g, x, e: np.linalg.eigh(x)[1] @ np.diag(g) @ np.linalg.eigh(x)[1].T,
    ),
    (
        "Svd",
        [draw(3, 3)],
        {},
        0,
        lambda g, x, s: np.linalg.svd(x)[0] @ np.diag(g) @ np.linalg.svd(x)[2],
    ),
    (
        "CumulativeLogsumexp",
        [draw(4), ints(0)],
        {},
        0,
        lambda g, x, axis, z: np.array(
            [sum(g[j] * np.exp(x[i] - z[j]) for j in range(i, 4)) for i in range(4)]
        ),
    ),
    (
        "LRN",
        [IMAGE.astype(np.float32)],
        {"depth_radius": 1, "bias": 1.0, "alpha": 0.5, "beta": 0.5},
        0,
        normalize_locally_backwards,
    ),
    *(
        (
            "FusedBatchNormV3",
            [
                IMAGE.astype(np.float32),
                positive(2).astype(np.float32),
                np.zeros(2, np.float32),
                *[np.zeros(0, np.float32)] * 2,
            ],
            {"epsilon": 1e-3},
            slot,
            formula,
        )
        for slot, formula in (
            (0, lambda g, x, scale, offset, m, v, z: normalize_backwards(g, x, scale)),
            (
                1,
                lambda g, x, scale, offset, m, v, z: (g * (z - offset) / scale).sum(axis=(0, 1, 2)),
            ),
            (2, lambda g, *_: g.sum(axis=(0, 1, 2))),
        )
    ),
]
