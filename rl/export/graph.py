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

OPSET, IR_VERSION = 17, 8  # of 2022, which every runtime of today reads
FLOAT, DOUBLE = 1, 11  # the numbers that ONNX gives to float32 and float64

Arrays = dict[str, Array]


class Graph:
    """Nodes and constants, which are named as they come."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, operator: str, *inputs: str | Array, **attributes: Any) -> str:
        """Adds a node, and a constant for each input that is an array; returns what it gives."""
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
    """In float64, as the lab does: what is left of two large numbers may be small."""
    x = g("Div", g("Sub", g("Cast", x, to=DOUBLE), a["mean"]), a["deviation"])
    return g("Cast", g("Clip", x, -a["limit"], a["limit"]), to=FLOAT)


def _layer_norm(g: Graph, x: str, a: Arrays) -> str:
    x = g("Sub", x, g("ReduceMean", x, axes=[1]))
    variance = g("ReduceMean", g("Mul", x, x), axes=[1])
    normal = g("Div", x, g("Sqrt", g("Add", variance, a["epsilon"])))
    return g("Add", g("Mul", normal, a["gain"]), a["biases"])


def _scale(g: Graph, x: str, a: Arrays) -> str:
    x = _converted(g, x, {"like": a["middle"]}) if a["middle"].dtype != np.float32 else x
    x = g("Add", g("Mul", x, a["reach"]), a["middle"])
    return g("Min", g("Max", x, a["low"]), a["high"])


def _converted(g: Graph, x: str, a: Arrays) -> str:
    return g("Cast", x, to=_element_type(a["like"]))


def _element_type(array: Any) -> int:
    """What ONNX calls the type of an array's numbers."""
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(array.dtype))


# What is done with x [B, n], given the arrays of the step.
NODES: dict[str, Callable[[Graph, str, Arrays], str]] = {
    "normalize": _normalize,
    "dense": lambda g, x, a: g("Gemm", x, a["weights"], a["biases"]),
    "layer_norm": _layer_norm,
    "identity": lambda g, x, a: x,
    "sigmoid": lambda g, x, a: g("Sigmoid", x),
    "tanh": lambda g, x, a: g("Tanh", x),
    "relu": lambda g, x, a: g("Relu", x),
    "leaky_relu": lambda g, x, a: g("Max", x, g("Mul", x, a["slope"])),
    "elu": lambda g, x, a: g("Elu", x),
    "softplus": lambda g, x, a: g("Softplus", x),
    "silu": lambda g, x, a: g("Mul", x, g("Sigmoid", x)),
    "softmax": lambda g, x, a: g("Softmax", x, axis=1),
    "select": lambda g, x, a: g("Gather", x, a["entries"], axis=1),
    "clip": lambda g, x, a: g("Clip", x, np.float32(-1.0), np.float32(1.0)),
    "scale": _scale,
    "round": lambda g, x, a: g("Round", x),
    "convert": _converted,
    "argmax": lambda g, x, a: g("Add", g("ArgMax", x, axis=1, keepdims=0), a["first"]),
}


def write_graph(policy: Policy, title: str, file: Path) -> list[Path]:
    """Writes the graph, from `observation` [B, n] to `action` [B] or [B, k]; returns the file.

    Raises:
        UserError: ONNX is not installed.
        OSError: the file cannot be written.
    """
    try:
        import onnx
    except ImportError:
        raise UserError(
            f"the format onnx needs ONNX: {installing('onnx')}; --format numpy needs nothing"
        ) from None
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
    last = policy.steps[-1]
    kind = int(TensorProto.INT64)
    shape: list[str | None] = ["B"]
    if last.name != "argmax":
        like = last.arrays.get("like", last.arrays.get("middle"))
        kind, shape = _element_type(like), ["B", None]
    words = f"{title}: from {policy.sees}, to {policy.gives}"
    return helper.make_model(
        helper.make_graph(
            graph.nodes, "policy",
            [helper.make_tensor_value_info("observation", TensorProto.FLOAT, ["B", policy.size])],
            [helper.make_tensor_value_info("action", kind, shape)],
            graph.constants,
        ),
        producer_name=DISTRIBUTION, doc_string=words, ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )  # fmt: skip
