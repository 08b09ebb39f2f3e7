"""The internals of a network as text, to trace backpropagation by hand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nn.convolution import Conv2D, MaxPool2D
from nn.layers import Activate, Affine, Layer
from nn.network import Network
from nn.noisy import NoisyDense
from nn.supervised import Supervised
from nn.typing import Array


class Text(str):
    """A text that an interactive session shows as it is printed."""

    __slots__ = ()
    __repr__ = str.__str__


def summary(net: Supervised) -> Text:
    """A row for each layer of the network: its parts, its outputs and its parameters."""
    rows = [("layer", "outputs", "parameters"), ("Input", str(net.sizes[0]), "")]
    rows += [(_name(layer), str(layer.outputs), f"{layer.size:,}") for layer in net.layers]
    rows.append(("total", "", f"{len(net.parameters):,}"))
    first, *widths = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = [
        "  ".join(
            [row[0].ljust(first), *(c.rjust(w) for c, w in zip(row[1:], widths, strict=True))]
        )
        for row in rows
    ]
    lines.insert(1, "-" * len(lines[0]))
    cost = f"cost {type(net.cost_function).__name__}, {net.parameters.dtype}"
    return Text("\n".join([*lines, cost]))


def describe_update(net: Network, x: Array, y: Array, cost: float) -> str:
    """The latest forward and backward pass, of x [B, n_in] and y [B, n_out].

    Layer by layer from the input: the parameters, their gradients, the outputs [B, n], and the
    cost's gradients with respect to those.
    """
    lines = [f"batch of {len(x)}, cost {cost:.6g}", *_array("x", x)]
    passes = net.latest_passes()
    for (layer, here), (_, after) in zip(passes, [*passes[1:], (None, None)], strict=True):
        lines.append(_name(layer))
        lines += _parameters(layer)
        # An activation overwrites its input, of which only the gradient is left.
        if after is None or after.output is not here.output:
            lines += _array("output", here.output[:-1].T)
        lines += _array("dC/doutput" if isinstance(layer, Affine) else "", here.doutput.T)
    return "\n".join([*lines, *_array("y", y), ""])


def _name(layer: Layer) -> str:
    kind = type(layer.activation if isinstance(layer, Activate) else layer).__name__
    if not isinstance(layer, (Conv2D, MaxPool2D)):
        return f"{kind} {layer.inputs} -> {layer.outputs}"
    k = layer.size_of_kernel
    before, after = ("x".join(map(str, each)) for each in (layer.shape, layer.output_shape))
    return f"{kind} {k}x{k} {before} -> {after}"


def _parameters(layer: Layer) -> Iterator[str]:
    if isinstance(layer, NoisyDense):
        yield from _array("mu, sigma", layer.parameters)
        yield from _array("dC/dthem", layer.gradients)
    elif layer.size:
        (*rows, last), (*slopes, last_slope) = layer.parameters, layer.gradients
        first = "weights" if isinstance(layer, Affine) else "gain"
        yield from _array(first, np.array(rows))
        yield from _array("bias", last)
        yield from _array(f"dC/d{first}", np.array(slopes))
        yield from _array("dC/dbias", last_slope)


def _array(name: str, values: Array) -> list[str]:
    """Indented lines; none without a name."""
    if not name:
        return []
    text = np.array2string(values, precision=4, suppress_small=True, max_line_width=100)
    first, *others = text.splitlines()
    return [f"  {name:<12}{first}", *(" " * 14 + line for line in others)]
