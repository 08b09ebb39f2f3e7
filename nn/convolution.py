"""Layers of pictures: convolution, maximum pooling, and what makes vectors of them.

A person gives pictures as observations come, [B, height, width, channels]. Inside the engine a
batch of them is [channels, height, width, B]: features x examples as everywhere (see `layers`), so
that activations, the row of ones and the dense layers are what they were, and to flatten a picture
costs nothing. With a kernel of k x k and P the patches under it at each of M places,

    forward     Z  = F^T P          P [C k k + 1, M B], the last row ones; F the filters above
    backward    dF = P dZ^T         dP = F dZ            their biases [C k k + 1, filters]

are one matrix product each, and Z [filters, M B] is the next layer's picture as it stands. With the
examples last, a patch's entries are copied in runs of B numbers, or of a row of places times B
where the stride is 1. With channels last and the examples first they would be runs of k C numbers,
12 in MinAtar's network: the copy of its patches takes six times as long then, and the products take
the same time.

The patches are gathered in one copy from a view of the picture in which they overlap. The picture's
gradient, a sum over the patches that a pixel is in, is k k additions of such views. The first layer
needs none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from nn.initializers import Initializer
from nn.layers import Affine, Layer, Pass
from nn.typing import Array

Shape = tuple[int, int, int]  # channels, height, width
_BUFFER = 1024  # numbers


@contextmanager
def _small_buffers() -> Iterator[None]:
    """Within, ufuncs go through strided arrays in pieces that fit into the innermost cache.

    NumPy's own pieces, of 8,192 numbers, take twice as long.
    """
    kept = np.setbufsize(_BUFFER)
    try:
        yield
    finally:
        np.setbufsize(kept)


def places(side: int, size: int, stride: int, padding: int) -> int:
    """At how many places a kernel of `size` lies within a padded side; 0 if it is too large."""
    return max(0, (side + 2 * padding - size) // stride + 1)


def _output_shape(shape: Shape, channels: int, size: int, stride: int, padding: int) -> Shape:
    """The shape of the picture that a kernel makes of one of `shape`.

    Raises:
        ValueError: the kernel is larger than the padded picture.
    """
    _, height, width = shape
    rows, columns = (places(side, size, stride, padding) for side in (height, width))
    if not rows or not columns:
        padded = f" with a padding of {padding}" if padding else ""
        raise ValueError(
            f"a kernel of {size} x {size} is larger than its picture of {height} x {width}{padded}"
        )
    return channels, rows, columns


class _Window:
    """A picture [C, H, W, B], and the view of it in which kernels at all places overlap.

    Args:
        picture: the picture.
        layer: whose kernel it is.
        fill: the value of the padding.

    Attributes:
        padded: the picture with its padding; itself without any.
        view: the entries under the kernel [C, k, k, rows, columns, B].
        kernel: the same for each entry of the kernel, each [C, rows, columns, B].
    """

    def __init__(self, picture: Array, layer: Conv2D | MaxPool2D, fill: float = 0.0) -> None:
        channels, height, width, batch = picture.shape
        self._picture, edge = picture, layer.padding
        self.padded = picture
        if edge:
            shape = (channels, height + 2 * edge, width + 2 * edge, batch)
            self.padded = np.full(shape, fill, picture.dtype)
        self._inside = self.padded[:, edge : edge + height, edge : edge + width]
        size, stride = layer.size_of_kernel, layer.stride
        windows = np.lib.stride_tricks.sliding_window_view(
            self.padded, (size, size), axis=(1, 2), writeable=True
        )
        self.view = windows[:, ::stride, ::stride].transpose(0, 4, 5, 1, 2, 3)
        self.kernel = [self.view[:, i, j] for i in range(size) for j in range(size)]

    def enter(self) -> None:
        """Copies the picture into its padding."""
        if self.padded is not self._picture:
            np.copyto(self._inside, self._picture)

    def leave(self) -> None:
        """Copies the picture out of its padding."""
        if self.padded is not self._picture:
            np.copyto(self._picture, self._inside)


class Conv2DPass(Pass):
    def __init__(self, layer: Conv2D, x: Array, dx: Array | None) -> None:
        super().__init__(layer, x, dx)
        batch, self._is_first = x.shape[1], dx is None
        self._window = _Window(self._x.reshape(*layer.shape, batch), layer)
        self._dwindow = _Window(self._dx.reshape(*layer.shape, batch), layer)
        self._z = self._y.reshape(layer.units, -1)
        self._dz = self.doutput.reshape(layer.units, -1)
        self._dz_t = self._dz.T
        self._patches = np.ones((layer.fan_in + 1, self._z.shape[1]), x.dtype)
        self._gathered = self._patches[:-1].reshape(self._window.view.shape)
        self._dpatches = np.empty_like(self._patches[:-1])  # no memory until it is written
        dgathered = self._dpatches.reshape(self._window.view.shape)
        size = layer.size_of_kernel
        self._dkernel = [dgathered[:, i, j] for i in range(size) for j in range(size)]
        self._filters_t, self._weights = layer.parameters.T, layer.weights
        self._gradients = layer.gradients

    def forward(self, training: bool) -> None:
        self._window.enter()
        np.copyto(self._gathered, self._window.view)
        np.matmul(self._filters_t, self._patches, out=self._z)

    def backward(self) -> None:
        np.matmul(self._patches, self._dz_t, out=self._gradients)
        if not self._is_first:
            self.backward_to_input()

    def backward_to_input(self) -> Array:
        np.matmul(self._weights, self._dz, out=self._dpatches)
        self._dwindow.padded.fill(0.0)
        with _small_buffers():
            for under, patches in zip(self._dwindow.kernel, self._dkernel, strict=True):
                np.add(under, patches, out=under)
        self._dwindow.leave()
        return self._dx


class Conv2D(Affine):
    """Filters of k x k pixels, moved over a picture (LeCun et al. 1989).

    Its parameters are the weights [C k k, filters], rows in the order of channel, row and column,
    above the biases [filters]. An initializer takes C k k and the number of filters for the sizes.

    Args:
        shape: channels, height and width of the picture.
        filters: channels of the output.
        size: k.
        stride: pixels between two places of the kernel.
        padding: rows and columns of zeros on each side.
        initializer: of the weights.
        bias_initializer: of the biases.

    Attributes:
        output_shape: filters, rows and columns of the output.

    Raises:
        ValueError: the kernel is larger than the padded picture.
    """

    passes: type[Pass] = Conv2DPass

    def __init__(
        self,
        shape: Shape,
        filters: int,
        size: int,
        stride: int,
        padding: int,
        initializer: Initializer,
        bias_initializer: Initializer,
    ) -> None:
        self.shape, self.size_of_kernel = shape, size
        self.stride, self.padding = stride, padding
        self.output_shape = _output_shape(shape, filters, size, stride, padding)
        super().__init__(
            int(np.prod(shape)), int(np.prod(self.output_shape)), shape[0] * size**2, filters,
            initializer, bias_initializer,
        )  # fmt: skip

    @property
    def gathered(self) -> int:
        """The numbers in the patches of one picture."""
        return (self.fan_in + 1) * self.outputs // self.units

    @property
    def filters(self) -> Array:
        """The weights [filters, C, k, k], a view."""
        channels, size = self.shape[0], self.size_of_kernel
        return self.weights.T.reshape(self.units, channels, size, size)


class MaxPool2DPass(Pass):
    """The maximum of each patch; its gradient goes to the first entry that has it."""

    def __init__(self, layer: MaxPool2D, x: Array, dx: Array | None) -> None:
        super().__init__(layer, x, dx)
        batch = x.shape[1]
        self._window = _Window(self._x.reshape(*layer.shape, batch), layer, -np.inf)
        self._dwindow = _Window(self._dx.reshape(*layer.shape, batch), layer)
        self._most = self._y.reshape(*layer.output_shape, batch)
        self._left = self.doutput.reshape(*layer.output_shape, batch)
        self._is_most = np.empty(self._most.shape, np.bool_)
        self._share = np.empty_like(self._most)

    def forward(self, training: bool) -> None:
        self._window.enter()
        first, *others = self._window.kernel
        np.copyto(self._most, first)
        with _small_buffers():
            for entries in others:
                np.maximum(self._most, entries, out=self._most)

    def backward(self) -> None:
        left, share = self._left, self._share
        self._dwindow.padded.fill(0.0)
        with _small_buffers():
            for entries, slopes in zip(self._window.kernel, self._dwindow.kernel, strict=True):
                np.equal(entries, self._most, out=self._is_most)
                np.copyto(share, self._is_most)  # a ufunc's `where` takes twenty times as long
                np.multiply(share, left, out=share)
                np.add(slopes, share, out=slopes)
                np.subtract(left, share, out=left)
        self._dwindow.leave()


class MaxPool2D(Layer):
    """The maximum of each channel under a kernel of k x k (Scherer et al. 2010).

    Args:
        shape: channels, height and width of the picture.
        size: k.
        stride: pixels between two places of the kernel.
        padding: rows and columns on each side that are never the maximum, fewer than `size`.

    Attributes:
        output_shape: channels, rows and columns of the output.

    Raises:
        ValueError: the kernel is larger than the padded picture, or fits into the padding.
    """

    passes = MaxPool2DPass

    def __init__(self, shape: Shape, size: int, stride: int, padding: int = 0) -> None:
        if padding >= size:
            raise ValueError(f"a kernel of {size} x {size} fits into the padding of {padding}")
        self.shape, self.size_of_kernel = shape, size
        self.stride, self.padding = stride, padding
        self.output_shape = _output_shape(shape, shape[0], size, stride, padding)
        super().__init__(int(np.prod(shape)), int(np.prod(self.output_shape)))


class FlattenPass(Pass):
    """Nothing: a picture's numbers already stand in one column."""

    def __init__(self, layer: Flatten, x: Array, dx: Array | None) -> None:
        super().__init__(layer, x, dx, in_place=True)

    def forward(self, training: bool) -> None:
        pass

    def backward(self) -> None:
        pass


class Flatten(Layer):
    """A picture's numbers as a vector, channel by channel and row by row.

    Args:
        shape: channels, height and width of the picture.
    """

    passes: type[Pass] = FlattenPass

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        super().__init__(int(np.prod(shape)), int(np.prod(shape)))


class JoinPass(Pass):
    """Copies the picture; whoever fills the network's input writes the numbers behind it.

    Attributes:
        joined: the numbers [k, B].
        djoined: their gradient [k, B].
    """

    def __init__(self, layer: Join, x: Array, dx: Array | None) -> None:
        super().__init__(layer, x, dx)
        self._flat, self.joined = self._y[: layer.inputs], self._y[layer.inputs :]
        self._dflat, self.djoined = self.doutput[: layer.inputs], self.doutput[layer.inputs :]

    def forward(self, training: bool) -> None:
        np.copyto(self._flat, self._x)

    def backward(self) -> None:
        np.copyto(self._dx, self._dflat)

    def backward_to_input(self) -> Array:
        """The gradient of the numbers alone [k, B]; the picture's costs far more."""
        return self.djoined


class Join(Flatten):
    """A flattened picture, and behind it numbers that no filter sees, such as an action.

    Args:
        shape: channels, height and width of the picture.
        joined: k, how many numbers.
    """

    passes: type[Pass] = JoinPass

    def __init__(self, shape: Shape, joined: int) -> None:
        super().__init__(shape)
        self.outputs = self.units = self.inputs + joined
