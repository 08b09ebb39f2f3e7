"""Layers over one flat parameter vector, and backpropagation through them."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from nn.activations import Activation, Identity, make_activation
from nn.convolution import Conv2D, JoinPass
from nn.data import PIECE
from nn.initializers import BIAS_INITIALIZERS, Initializer, make_initializer
from nn.layers import Activate, Affine, Dense, Layer, Pass
from nn.noisy import SIGMA, NoisyDense
from nn.normalization import BatchRenorm, LayerNorm
from nn.pictures import (
    Convolution,
    Picture,
    conv_layers,
    convolutions,
    examples_at_once,
    picture_of,
)
from nn.regularization import Dropout
from nn.settings import SettingError
from nn.typing import Array, State

Net = TypeVar("Net", bound="Network")

_WORKSPACES = 8  # batch sizes whose arrays are kept


class Network:
    """A stack of layers and its passes, as a learning loop uses them.

    All parameters are one flat vector, `parameters` [P], and their gradients another,
    `gradients` [P]; the layers hold views. An optimizer step is a few passes over one vector, and
    copying, averaging or saving a network is one operation. So are the running averages of batch
    renormalization, `statistics`.

    Args:
        sizes: units of each layer, from the input to the output, such as (8, 128, 128, 4). With
            `conv` the first is the picture's (height, width, channels), ((84, 84, 4), 512, 6).
        hidden: activation of the hidden layers, by name or as an object.
        output: activation of the last layer, likewise.
        initializer: of the weights, by name or as a function.
        bias_initializer: of the biases, likewise.
        pixel_scale: factor of a picture's numbers, such as 1 / 255 of bytes.
        channels_first: whether pictures come as [B, channels, height, width].
        joined: numbers that come with a picture, such as an action: the dense layers see them
            behind the flattened picture. An input is then a row of both, [B, picture + joined].
        conv: the convolutional layers that come first, each a `Convolution` or a mapping of its
            settings, {"filters": 32, "size": 8, "stride": 4}; then the picture is flattened. What
            follows concerns the dense layers alone.
        dropout: share of each hidden layer's outputs that training drops, in [0, 1).
        layer_norm: whether each hidden layer is normalized before its activation.
        batch_norm: whether the inputs of each layer, the network's own too, are renormalized over
            the batch: `BatchRenorm`, by the batch itself in a forward pass with `training`. Its
            settings stand for True.
        noisy: whether the weights have learned noise: `NoisyDense`; `draw_noise` turns it on. A
            number is the noise's sigma_0, and True stands for 0.5.
        seed: an integer or a generator, of the initial weights and of dropout.
        dtype: float32, or float64 for checking gradients.

    Raises:
        ValueError: fewer than two sizes, a size below 1, an unknown name, another dtype, a picture
            without `conv` or the reverse, or a kernel that is larger than its picture.

    Attributes:
        sizes: the first is the number of inputs, also of a picture and what is joined to it.
        picture: height, width and channels of the input; None if it is no picture.
        conv: the convolutional layers.
    """

    _keeps_logits = False  # whether the output's pre-activation is kept, for a cost made for it

    def __init__(
        self,
        sizes: Sequence[Any],
        hidden: str | Activation = "relu",
        output: str | Activation = "identity",
        *,
        initializer: str | Initializer = "he",
        bias_initializer: str | Initializer = "zero",
        conv: Sequence[Convolution | Mapping[str, Any]] = (),
        pixel_scale: float = 1.0,
        channels_first: bool = False,
        joined: int = 0,
        dropout: float = 0.0,
        layer_norm: bool = False,
        batch_norm: bool | BatchRenorm.Settings = False,
        noisy: bool | float = False,
        seed: int | np.random.Generator | None = None,
        dtype: Any = np.float32,
    ) -> None:
        self.conv = convolutions(conv)
        self.picture, self.sizes = _sizes(sizes, bool(self.conv), joined)
        self.pixel_scale, self.channels_first, self.joined = pixel_scale, channels_first, joined
        if self.picture:
            *sides, channels = self.picture
            self._shape = (channels, *sides) if channels_first else (*sides, channels)
        # The shape of one input.
        self._example = self._shape if self.picture and not joined else self.sizes[:1]
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, not {np.dtype(dtype)}")
        self.hidden, self.output = make_activation(hidden), make_activation(output)
        self.dropout, self.noisy = dropout, noisy
        self.layer_norm = layer_norm
        self.batch_norm = BatchRenorm.Settings() if batch_norm is True else batch_norm
        self.rng = np.random.default_rng(seed)
        self.layers = self._stack(
            make_initializer(initializer), make_initializer(bias_initializer, BIAS_INITIALIZERS)
        )
        self._at_once = examples_at_once(self.layers, PIECE)  # examples of a pass over many
        self._bind_layers(dtype)
        for layer in self.layers:
            layer.initialize(self.rng)
        self._noisy_layers = [layer for layer in self.layers if isinstance(layer, NoisyDense)]
        self._workspaces: dict[tuple[int, ...], _Workspace] = {}
        self._latest: _Workspace | None = None
        self._scratch: Array | None = None

    def _stack(self, initializer: Initializer, bias_initializer: Initializer) -> list[Layer]:
        layers: list[Layer] = []
        if self.picture:
            layers += conv_layers(
                self.picture, self.conv, self.hidden, initializer, bias_initializer, self.joined
            )
        inputs = layers[-1].outputs if layers else self.sizes[0]
        for number, outputs in enumerate(self.sizes[1:-1]):
            layers += self._dense_layers(number, inputs, outputs, initializer, bias_initializer)
            inputs = outputs
            if self.layer_norm:
                layers.append(LayerNorm(outputs))
            layers += _activate(outputs, self.hidden)
            if self.dropout:
                layers.append(Dropout(outputs, self.dropout, self.rng))
        number, outputs = len(self.sizes) - 2, self.sizes[-1]
        layers += self._dense_layers(number, inputs, outputs, initializer, bias_initializer)
        return layers + _activate(outputs, self.output, self._keeps_logits)

    def _dense_layers(
        self,
        number: int,
        inputs: int,
        outputs: int,
        initializer: Initializer,
        bias_initializer: Initializer,
    ) -> list[Layer]:
        """The dense layer of this number, from 0, and what normalizes before."""
        parts = inputs, outputs, initializer, bias_initializer
        sigma_0 = SIGMA if self.noisy is True else self.noisy
        dense = NoisyDense(*parts, sigma_0) if self.noisy else Dense(*parts)
        return [BatchRenorm(inputs, self.batch_norm), dense] if self.batch_norm else [dense]

    def _bind_layers(self, dtype: Any) -> None:
        total = sum(layer.size for layer in self.layers)
        self.parameters, self.gradients = np.zeros(total, dtype), np.zeros(total, dtype)
        self._is_weight = np.zeros(total, dtype)
        self.statistics = np.zeros(sum(layer.statistics_size for layer in self.layers), dtype)
        start = first = 0
        for layer in self.layers:
            end, last = start + layer.size, first + layer.statistics_size
            layer.bind(
                self.parameters[start:end], self.gradients[start:end], self.statistics[first:last]
            )
            self._is_weight[start : start + layer.weight_size] = 1.0
            start, first = end, last

    def draw_noise(self, rng: np.random.Generator) -> None:
        """Draws the noise of the next forward passes, if the network is noisy."""
        for layer in self._noisy_layers:
            layer.draw(rng)

    def still(self) -> None:
        """Ends the noise: the next forward passes use the means of the weights."""
        for layer in self._noisy_layers:
            layer.still()

    @property
    def units(self) -> int:
        """Numbers that a pass keeps of an example, twice: units, and the patches under filters."""
        convolutions = (layer for layer in self.layers if isinstance(layer, Conv2D))
        return sum(self.sizes) + sum(each.outputs + each.gathered for each in convolutions)

    @property
    def mean_sigma(self) -> float:
        """The mean scale of a noisy network's noise (Fortunato et al. 2018, figure 3)."""
        sigmas = [np.abs(layer.sigma).ravel() for layer in self._noisy_layers]
        return float(np.concatenate(sigmas).mean())

    def forward(self, x: Array, training: bool = False) -> Array:
        """The outputs [B, n_out] for inputs [B, n_in].

        The result is a view which the next `forward` of the same batch size overwrites.

        Args:
            x: inputs; pictures are [B, height, width, channels], or flattened.
            training: whether dropout applies, and a batch is normalized by its own statistics.

        Raises:
            ValueError: x does not have that shape.
        """
        whole = self._enter(x).whole
        whole.forward(training)
        return whole.output

    def backward(self, gradient: Array) -> Array:
        """Backpropagates dC/doutput [B, n_out] through the latest `forward`.

        Overwrites `gradients` with dC/dparameters and returns them.

        Raises:
            ValueError: the gradient does not have the output's shape.
        """
        if gradient.shape != self.output_gradient.shape:
            raise ValueError(
                f"the gradient must have the output's shape, {list(self.output_gradient.shape)}, "
                f"not {list(gradient.shape)}"
            )
        np.copyto(self.output_gradient, gradient)
        return self.backpropagate()

    def backpropagate(self) -> Array:
        """`backward` from the gradient that the caller has written into `output_gradient`."""
        assert self._latest is not None, "backpropagate needs a forward before it"
        self._latest.whole.backward()
        return self.gradients

    def latest_passes(self) -> list[tuple[Layer, Pass]]:
        """Each layer up to the cost with its pass of the latest `forward`."""
        assert self._latest is not None, "no passes before the first forward"
        return list(zip(self.layers, self._latest.to_cost.passes, strict=False))

    def input_gradient(self, gradient: Array) -> Array:
        """dC/dx [B, n_in] for dC/doutput [B, n_out], through the latest `forward`.

        Of pictures it is [B, height, width, channels], and with numbers joined to them it is that
        of these alone [B, joined]. A view which the next pass overwrites. It is faster than
        `backward`, since it skips the weights' gradients; `gradients` is undefined afterwards.
        """
        np.copyto(self.output_gradient, gradient)
        assert self._latest is not None
        dx = self._latest.whole.backward_to_input()
        if self.picture is None or self.joined:
            return dx
        if self.pixel_scale != 1:
            dx *= self.pixel_scale
        return self._as_given(dx.T)

    def _as_given(self, inputs: Array) -> Array:
        """Pictures within the engine [C H W, B] as their axes are given, the examples first."""
        assert self.picture
        height, width, channels = self.picture
        pictures = inputs.reshape(channels, height, width, -1)
        return pictures.transpose((3, 0, 1, 2) if self.channels_first else (3, 1, 2, 0))

    @property
    def output_gradient(self) -> Array:
        """Where dC/doutput [B, n_out] of the latest `forward` goes; `backward` overwrites it."""
        assert self._latest is not None, "the output's gradient needs a forward before it"
        return self._latest.whole.gradient

    @property
    def _affine(self) -> list[Affine]:
        return [layer for layer in self.layers if isinstance(layer, Affine)]

    @property
    def weights(self) -> list[Array]:
        """The layers' weights [inputs, outputs], views; settable as a list of arrays."""
        return [layer.weights for layer in self._affine]

    @weights.setter
    def weights(self, values: Sequence[Array]) -> None:
        _assign("weights", self.weights, values)

    @property
    def biases(self) -> list[Array]:
        """The layers' biases [outputs], views; settable as a list of arrays."""
        return [layer.biases for layer in self._affine]

    @biases.setter
    def biases(self, values: Sequence[Array]) -> None:
        _assign("biases", self.biases, values)

    def copy(self: Net) -> Net:
        """A network of the same layers with equal parameters of its own."""
        twin = type(self)(
            (self.picture or self.sizes[0], *self.sizes[1:]), self.hidden, self.output,
            conv=self.conv, pixel_scale=self.pixel_scale, channels_first=self.channels_first,
            joined=self.joined, dropout=self.dropout, layer_norm=self.layer_norm,
            batch_norm=self.batch_norm, noisy=self.noisy, dtype=self.parameters.dtype,
            **self._more(),
        )  # fmt: skip
        twin.restore(self.state())
        return twin

    def _more(self) -> dict[str, Any]:
        """Further settings of a subclass's constructor."""
        return {}

    def polyak_update(self, other: Network, tau: float) -> None:
        """p <- (1 - tau) p + tau p_other: copies at 1, else a moving average.

        The average is Polyak and Juditsky's (1992), as Lillicrap et al. (2016) use it for targets.
        """
        if self._scratch is None:
            self._scratch = np.empty_like(self.parameters)
        _average(self.parameters, other.parameters, tau, self._scratch)
        if self.batch_norm:
            _average(self.statistics, other.statistics, tau, self._scratch[: self.statistics.size])

    def state(self) -> State:
        """What `restore` needs."""
        state: State = {"sizes": list(self.sizes), "parameters": self.parameters.copy()}
        state |= self._of_pictures()
        if self.batch_norm:
            state["statistics"] = self.statistics.copy()
        return {**state, "rng": self.rng.bit_generator.state} if self._draws else state

    def restore(self, state: State) -> None:
        """Restores a saved state.

        Raises:
            ValueError: the state is of a network with other layers.
        """
        if list(state["sizes"]) != list(self.sizes):
            raise ValueError(
                f"the saved network has layers {tuple(state['sizes'])}, this one {self.sizes}"
            )
        if any(state.get(key) != value for key, value in self._of_pictures().items()):
            raise ValueError("the saved network has other convolutional layers than this one")
        if state["parameters"].shape != self.parameters.shape:
            raise ValueError(
                f"the saved network has {len(state['parameters'])} parameters, this one "
                f"{len(self.parameters)}"
            )
        if self.batch_norm:
            if "statistics" not in state:
                raise ValueError("the saved network has no batch_norm, and this one has")
            np.copyto(self.statistics, state["statistics"])
        np.copyto(self.parameters, state["parameters"])
        if self._draws:
            self.rng.bit_generator.state = state["rng"]

    def _of_pictures(self) -> State:
        """What `state` says of convolutional layers."""
        if self.picture is None:
            return {}
        conv = [dict(vars(each)) for each in self.conv]
        joined = {"joined": self.joined} if self.joined else {}
        return {"picture": list(self.picture), "conv": conv, "pixel_scale": self.pixel_scale,
                "channels_first": self.channels_first, **joined}  # fmt: skip

    @property
    def _draws(self) -> bool:
        """Whether `rng` is used after the initial weights."""
        return bool(self.dropout or self.noisy)

    def _enter(self, x: Array) -> _Workspace:
        """The workspace for inputs x, which are copied into it."""
        if self.picture and not self.joined and x.ndim == 2 and x.shape[1] == self.sizes[0]:
            x = x.reshape(-1, *self._shape)
        workspace = self._workspaces.get(x.shape) or self._allocate(x)
        self._latest = workspace
        if self.joined:
            np.copyto(workspace.joined, x[:, -self.joined :].T)
            x = x[:, : -self.joined].reshape(-1, *self._shape)
        np.copyto(workspace.x, x.T)
        if self.pixel_scale != 1:
            np.multiply(workspace.inputs, self.pixel_scale, out=workspace.inputs)
        return workspace

    def _allocate(self, x: Array) -> _Workspace:
        if x.ndim < 2 or x.shape[1:] != self._example or not len(x):
            kind = "pictures" if len(self._example) > 1 else "examples x features"
            wanted = ", ".join(map(str, self._example))
            raise ValueError(f"the input must be {kind}, [B, {wanted}], not {list(x.shape)}")
        while len(self._workspaces) >= _WORKSPACES:
            del self._workspaces[next(iter(self._workspaces))]
        workspace = _Workspace(self.layers, len(x), self.parameters.dtype, self._keeps_logits)
        if self.picture:
            workspace.x = self._as_given(workspace.inputs).T
        self._workspaces[x.shape] = workspace
        return workspace


def _sizes(sizes: Any, convolves: bool, joined: int) -> tuple[Picture | None, tuple[int, ...]]:
    """The picture among the sizes, if one is first, and all of them as numbers.

    Raises:
        ValueError: they are not two or more, one is not positive, or a picture does not go with
            convolutional layers.
    """
    picture, numbers = None, tuple[int, ...]()
    try:
        first, *others = tuple(sizes) or (None,)
        picture = picture_of(first)
        first = math.prod(picture) + operator.index(joined) if picture else first
        numbers = tuple(map(operator.index, (first, *others)))
    except TypeError:  # not whole numbers, or not several
        pass
    if len(numbers) < 2 or min(numbers) < 1:
        raise ValueError(f"sizes must be two or more layers of at least 1 unit, not {sizes}")
    if convolves and not picture:
        raise SettingError("conv", "needs a picture: let the first of sizes be (height, width, "
                           f"channels), not {numbers[0]}")  # fmt: skip
    if picture and not convolves:
        raise SettingError("conv", f"needs a layer, since the input is a picture, {picture}; a "
                           f"dense network sees it flattened, as {numbers[0]} inputs")  # fmt: skip
    if joined < 0 or (joined and not picture):
        raise SettingError("joined", f"must be the number of inputs beside a picture, not {joined}")
    return picture, numbers


def _average(values: Array, others: Array, tau: float, scratch: Array) -> None:
    """v <- (1 - tau) v + tau v_other; at 1 it copies exactly."""
    if tau == 1:
        np.copyto(values, others)
        return
    np.subtract(others, values, out=scratch)
    np.multiply(scratch, tau, out=scratch)
    np.add(values, scratch, out=values)


def _assign(name: str, views: list[Array], values: Sequence[Array]) -> None:
    shapes = [list(np.shape(value)) for value in values]
    if shapes != [list(view.shape) for view in views]:
        raise ValueError(
            f"{name} must have the shapes {[list(view.shape) for view in views]}, not {shapes}"
        )
    for view, value in zip(views, values, strict=True):
        view[...] = value


def _activate(units: int, activation: Activation, keeps_z: bool = False) -> list[Layer]:
    if type(activation) is Identity:
        return []
    return [Activate(units, activation, keeps_z)]


class _Path:
    """The passes of consecutive layers, from the first on."""

    def __init__(self, passes: list[Pass]) -> None:
        self.passes, self._backward = passes, passes[::-1]
        last = passes[-1]
        self.output, self.gradient = last.output[:-1].T, last.doutput.T  # [B, n]
        # To the input, which stands behind the picture if something is joined to that.
        joins = [number for number, each in enumerate(passes) if isinstance(each, JoinPass)]
        self._to_input = passes[joins[0] if joins else 0 :][::-1]

    def forward(self, training: bool) -> None:
        for each in self.passes:
            each.forward(training)

    def backward(self) -> None:
        for each in self._backward:
            each.backward()

    def backward_to_input(self) -> Array:
        for each in self._to_input:
            gradient = each.backward_to_input()
        return gradient.T


class _Workspace:
    """The passes of all layers over the arrays of one batch size.

    Attributes:
        x: the input [n_in, B]; of pictures with the axes of a transposed batch.
        inputs: the same as a plain matrix [n_in, B].
        joined: where the numbers that are joined to pictures go [k, B]; set if there are any.
        whole: the path to the output.
        to_cost: the path to the cost's prediction: the output, or its pre-activation if the cost is
            made for the output's activation.
    """

    joined: Array

    def __init__(self, layers: list[Layer], batch: int, dtype: Any, keeps_logits: bool) -> None:
        x, dx = np.ones((layers[0].inputs + 1, batch), dtype), None
        self.x = self.inputs = x[:-1]
        passes: list[Pass] = []
        for layer in layers:
            passes.append(layer.at(x, dx))
            x, dx = passes[-1].output, passes[-1].doutput
            if isinstance(passes[-1], JoinPass):
                self.joined = passes[-1].joined
        self.whole = _Path(passes)
        self.to_cost = _Path(passes[:-1]) if keeps_logits else self.whole
