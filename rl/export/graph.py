"""A policy as an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nn.checkpoint import replacing
from nn.typing import Array
from rl.distribution import DISTRIBUTION, installing
from rl.errors import UserError
from rl.export.policy import Policy

OPSET, IR_VERSION = 17, 8  # of 2022, which every current runtime reads
FLOAT, INT64, BOOL, DOUBLE = 1, 7, 9, 11  # ONNX's numbers of float32, int64, bool and float64
_NEVER = np.array(-np.inf, np.float32)  # the output of an action that is not allowed

Arrays = dict[str, Array]


class Graph:
    """Nodes and constants, named in their order."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, operator: str, *inputs: str | Array, **attributes: Any) -> str:
        """Adds a node, and a constant for each array among its inputs; returns its output."""
        from onnx import helper

        names = [self._named(each) for each in inputs]
        result = f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [result], **attributes))
        return result

    def _named(self, given: str | Array) -> str:
        from onnx import numpy_helper

        if isinstance(given, str):
            return given
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(given), name))
        return name


def _normalize(g: Graph, x: str, a: Arrays) -> str:
    """In float64, as in the lab: the difference of two large numbers may be small."""
    x = g("Div", g("Sub", g("Cast", x, to=DOUBLE), a["mean"]), a["deviation"])
    return g("Cast", g("Clip", x, -a["limit"], a["limit"]), to=FLOAT)


def _layer_norm(g: Graph, x: str, a: Arrays) -> str:
    x = g("Sub", x, g("ReduceMean", x, axes=[1]))
    variance = g("ReduceMean", g("Mul", x, x), axes=[1])
    normal = g("Div", x, g("Sqrt", g("Add", variance, a["epsilon"])))
    return g("Add", g("Mul", normal, a["gain"]), a["biases"])


def _bins(g: Graph, x: str, a: Arrays) -> str:
    x = g("Floor", g("Mul", g("Sub", x, a["low"]), a["scale"]))
    return g("Min", g("Max", x, np.float32(0.0)), a["most"])


def _row(g: Graph, x: str, a: Arrays) -> str:
    row = g("Cast", g("MatMul", x, a["strides"]), to=INT64)
    return g("Gather", a["table"].astype(np.float32), row, axis=0)


def _scale(g: Graph, x: str, a: Arrays) -> str:
    x = _converted(g, x, {"like": a["middle"]}) if a["middle"].dtype != np.float32 else x
    x = g("Add", g("Mul", x, a["reach"]), a["middle"])
    return g("Min", g("Max", x, a["low"]), a["high"])


def _converted(g: Graph, x: str, a: Arrays) -> str:
    return g("Cast", x, to=_element_type(a["like"]))


def _element_type(array: Any) -> int:
    """ONNX's number of an array's dtype."""
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(array.dtype))


def _argmax_each(g: Graph, x: str, a: Arrays) -> str:
    """The argmax of each component's outputs."""
    starts, ends = [0, *a["firsts"].tolist()], [*a["firsts"].tolist(), np.iinfo(np.int64).max]
    parts = [g("Slice", x, *(np.array([each]) for each in (*pair, 1)))
             for pair in zip(starts, ends, strict=True)]  # fmt: skip
    return g("Concat", *(g("ArgMax", part, axis=1, keepdims=1) for part in parts), axis=1)


def _offset(g: Graph, x: str, a: Arrays) -> str:
    start = a["start"]
    x = g("Reshape", x, np.array([-1, *start.shape]))
    return _converted(g, g("Add", x, start.astype(np.int64)), {"like": start})


def _mask_combinations(g: Graph, x: str, a: Arrays) -> str:
    needed = g("Gather", g("Cast", "mask", to=FLOAT), a["places"], axis=1)
    mask = g("Cast", g("ReduceMin", needed, axes=[2], keepdims=0), to=BOOL)
    return g("Where", mask, x, _NEVER)


def _flat(g: Graph, x: str) -> str:
    return g("Flatten", x, axis=1)


def _frames(g: Graph, x: str, a: Arrays) -> str:
    x = g("Reshape", x, np.array([-1, *a["shape"]], np.int64))
    return g("Transpose", x, perm=[0, *(1 + a["order"]).tolist()])


def _picture(g: Graph, x: str, a: Arrays) -> str:
    return _flat(g, _frames(g, g("Mul", x, a["scale"]), a))


def _under_kernel(operator: str) -> Callable[[Graph, str, Arrays], str]:
    """The nodes of an operation on the patches of a picture."""

    def nodes(g: Graph, x: str, a: Arrays) -> str:
        sides = {"kernel_shape": [int(a["size"])] * 2, "strides": [int(a["stride"])] * 2,
                 "pads": [int(a["padding"])] * 4}  # fmt: skip
        own = (a["filters"], a["biases"]) if operator == "Conv" else ()
        x = g("Reshape", x, np.array([-1, *a["shape"]], np.int64))
        return _flat(g, g(operator, x, *own, **sides))

    return nodes


# The nodes of each operation on x [B, n], given the arrays of the step.
NODES: dict[str, Callable[[Graph, str, Arrays], str]] = {
    "normalize": _normalize,
    "frames": _frames,
    "cut": lambda g, x, a: g("Slice", x, a["starts"], a["ends"], np.array([3, 4])),
    "grey": lambda g, x, a: g("ReduceSum", g("Mul", x, a["weights"]), np.array([2])),
    "columns": lambda g, x, a: g("MatMul", x, a["weights"]),
    "rows": lambda g, x, a: g("MatMul", a["weights"], x),
    "flat": lambda g, x, a: _flat(g, x),
    "picture": _picture,
    "conv": _under_kernel("Conv"),
    "max_pool": _under_kernel("MaxPool"),
    "dense": lambda g, x, a: g("Gemm", x, a["weights"], a["biases"]),
    "layer_norm": _layer_norm,
    "affine": lambda g, x, a: g("Add", g("Mul", x, a["scale"]), a["shift"]),
    "identity": lambda g, x, a: x,
    "sigmoid": lambda g, x, a: g("Sigmoid", x),
    "tanh": lambda g, x, a: g("Tanh", x),
    "relu": lambda g, x, a: g("Relu", x),
    "leaky_relu": lambda g, x, a: g("Max", x, g("Mul", x, a["slope"])),
    "elu": lambda g, x, a: g("Elu", x),
    "softplus": lambda g, x, a: g("Softplus", x),
    "silu": lambda g, x, a: g("Mul", x, g("Sigmoid", x)),
    "softmax": lambda g, x, a: g("Softmax", x, axis=1),
    "bins": _bins,
    "row": _row,
    "select": lambda g, x, a: g("Gather", x, a["entries"], axis=1),
    "clip": lambda g, x, a: g("Clip", x, np.float32(-1.0), np.float32(1.0)),
    "scale": _scale,
    "round": lambda g, x, a: g("Round", x),
    "convert": _converted,
    "argmax": lambda g, x, a: g("Add", g("ArgMax", x, axis=1, keepdims=0), a["first"]),
    "argmax_each": _argmax_each,
    "argmax_row": lambda g, x, a: g("Gather", a["table"], g("ArgMax", x, axis=1, keepdims=0)),
    "offset": _offset,
    "reshape": lambda g, x, a: g("Reshape", x, np.array([-1, *a["shape"]], np.int64)),
    "mask": lambda g, x, a: g("Where", "mask", x, _NEVER),
    "mask_combinations": _mask_combinations,
}


def write_graph(policy: Policy, title: str, file: Path) -> list[Path]:
    """Writes a graph from `observation` [B, n] to `action` [B, ...]; returns the file.

    For an environment with masks it takes a boolean `mask` [B, A] too.

    Raises:
        UserError: ONNX is not installed.
        OSError: the file cannot be written.
    """
    try:
        import onnx
    except ImportError:
        remedy = f"{installing('onnx')}; --format numpy needs nothing"
        raise UserError(f"the format onnx needs ONNX: {remedy}") from None
    model = _model(policy, title)
    onnx.checker.check_model(model)
    with replacing(file) as stream:
        stream.write(model.SerializeToString())
    return [file]


def _model(policy: Policy, title: str) -> Any:
    from onnx import TensorProto, helper

    graph, x = Graph(), "observation"
    for step in policy.steps:
        x = NODES[step.name](graph, x, step.arrays)
    graph.nodes[-1].output[0] = "action"
    inputs: list[tuple[str, int, Any]] = [("observation", TensorProto.FLOAT, ["B", policy.size])]
    if policy.masks:
        inputs.append(("mask", TensorProto.BOOL, ["B", policy.masks]))
    shape = ["B", *policy.like.shape]
    words = f"{title}: from {policy.sees}, to {policy.gives}"
    return helper.make_model(
        helper.make_graph(
            graph.nodes, "policy",
            [helper.make_tensor_value_info(*each) for each in inputs],
            [helper.make_tensor_value_info("action", _element_type(policy.like), shape)],
            graph.constants,
        ),
        producer_name=DISTRIBUTION, doc_string=words, ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )  # fmt: skip
