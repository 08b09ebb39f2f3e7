"""Networks of the same layers side by side, in one stack of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nn.initializers import Initializer
from nn.layers import Dense, Layer, Pass
from nn.network import Network
from nn.typing import Array


class BlockDensePass(Pass):
    """One product of stacks of matrices each way: [K, m, n] times [K, n, B]."""

    def __init__(self, layer: BlockDense, x: Array, dx: Array | None) -> None:
        super().__init__(layer, x, dx)
        blocks = (layer.members, -1, x.shape[1])
        self._inputs, self._dinputs = self._x.reshape(blocks), self._dx.reshape(blocks)
        self._outputs, self._dz = self._y.reshape(blocks), self.doutput.reshape(blocks)
        self._weights, self._bias = layer.weights, layer.biases[:, None]
        self._dweights, self._dbias = layer.blocks(layer.gradients), layer.gradients[-1]

    def forward(self, training: bool) -> None:
        np.matmul(self._weights.transpose(0, 2, 1), self._inputs, out=self._outputs)
        np.add(self._y, self._bias, out=self._y)

    def backward(self) -> None:
        np.matmul(self._inputs, self._dz.transpose(0, 2, 1), out=self._dweights)
        np.add.reduce(self.doutput, axis=1, out=self._dbias)
        self.backward_to_input()

    def backward_to_input(self) -> Array:
        np.matmul(self._weights, self._dz, out=self._dinputs)
        return self._dx


class BlockDense(Dense):
    """z_k = W_k^T x_k + b_k for K members, whose features follow one another.

    Its parameters are the W_k one after the other, then the biases: [n + 1, K m] in all.

    Args:
        inputs: K n features.
        outputs: K m units.
        initializer: of each W_k [n, m].
        bias_initializer: of each b_k.
        members: K.
    """

    passes: type[Pass] = BlockDensePass

    def __init__(
        self,
        inputs: int,
        outputs: int,
        initializer: Initializer,
        bias_initializer: Initializer,
        members: int,
    ) -> None:
        super().__init__(inputs, outputs, initializer, bias_initializer)
        self.members = members
        self.weight_size = inputs * outputs // members
        self.size = self.weight_size + outputs

    def initialize(self, rng: np.random.Generator) -> None:
        _, inputs, outputs = self.weights.shape
        for weights, biases in zip(
            self.weights, self.biases.reshape(self.members, -1), strict=True
        ):
            weights[:] = self._initializer(inputs, outputs, rng)
            biases[:] = self._bias_initializer(inputs, outputs, rng)

    def blocks(self, values: Array) -> Array:
        """The weights' part [K, n, m] of parameters or gradients [n + 1, K m], a view."""
        return values[:-1].reshape(self.members, self.inputs // self.members, -1)

    @property
    def weights(self) -> Array:
        """W [K, n, m], a view."""
        return self.blocks(self.parameters)

    @property
    def matrix(self) -> Array:
        """The weights as those of one dense layer [K n, K m], 0 between members."""
        members, inputs, outputs = self.weights.shape
        whole = np.zeros((members, inputs, members, outputs), self.parameters.dtype)
        each = np.arange(members)
        whole[each, :, each] = self.weights
        return whole.reshape(self.inputs, self.outputs)


class Ensemble(Network):
    """K networks that see the same inputs, and share nothing else but convolutional layers.

    Of pictures all members see the same features: they are heads of one trunk (Osband et al. 2016).

    Args:
        sizes: the input, then the units of all members together in each layer, multiples of K. The
            outputs of one member follow those of another.
        hidden: as for `Network`.
        output: likewise.
        members: K.
        settings: those of `Network` but normalization and noise.

    Raises:
        ValueError: as for `Network`, or a size is no multiple of K.
    """

    def __init__(
        self, sizes: Sequence[Any], *activations: Any, members: int, **settings: Any
    ) -> None:
        if any(size % members for size in sizes[1:]):
            raise ValueError(f"{members} members need multiples of that in each layer, not {sizes}")
        self.members = members
        super().__init__(sizes, *activations, **settings)

    def _dense_layers(
        self,
        number: int,
        inputs: int,
        outputs: int,
        initializer: Initializer,
        bias_initializer: Initializer,
    ) -> list[Layer]:
        members = self.members
        if number:
            return [BlockDense(inputs, outputs, initializer, bias_initializer, members)]
        each = _each(members, initializer), _each(members, bias_initializer)
        return [Dense(inputs, outputs, *each)]

    def _more(self) -> dict[str, Any]:
        return {"members": self.members}

    def beside(self, other: Ensemble) -> Ensemble:
        """An ensemble of the members of both, this one's first, each on the trunk that it had."""
        sizes = [one + more for one, more in zip(self.sizes[1:], other.sizes[1:], strict=True)]
        both = Ensemble(
            (self.picture or self.sizes[0], *sizes), self.hidden, self.output,
            members=self.members + other.members, pixel_scale=self.pixel_scale,
            channels_first=self.channels_first,
            conv=[replace(one, filters=one.filters + more.filters)
                  for one, more in zip(self.conv, other.conv, strict=True)],
        )  # fmt: skip
        pairs = list(zip(self.weights, other.weights, strict=True))
        seen = len(self.conv) + 1  # the layers without blocks; only the first has the same inputs
        both.weights = [
            np.hstack(pairs[0]),
            *(_block_diagonal(*pair) for pair in pairs[1:seen]),
            *(np.concatenate(pair) for pair in pairs[seen:]),
        ]
        both.biases = [np.hstack(pair) for pair in zip(self.biases, other.biases, strict=True)]
        return both


def _block_diagonal(one: Array, more: Array) -> Array:
    """Two matrices corner to corner, and zeros elsewhere."""
    rows, columns = one.shape
    whole = np.zeros((rows + len(more), columns + more.shape[1]), one.dtype)
    whole[:rows, :columns], whole[rows:, columns:] = one, more
    return whole


def _each(members: int, initializer: Initializer) -> Initializer:
    """An initializer of the members' weights or biases side by side, each by itself."""

    def initialize(fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
        each = fan_out // members
        return np.concatenate([initializer(fan_in, each, rng) for _ in range(members)], axis=-1)

    return initialize
