"""Small deformations of pictures, so that a network learns from new ones in each epoch.

A picture is sampled at a grid that is shifted, rotated, stretched, sheared and bent a little
(elastic distortion, after Simard, Steinkraus and Platt 2003), between pixels by bilinear
interpolation. One grid is drawn for each batch and serves all of its pictures, which makes it as
cheap as four copies of them; as the batches are shuffled, a picture meets a new grid in each epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn.typing import Array


@dataclass(frozen=True)
class Deformation:
    """Draws a grid for a batch of square pictures [B, side * side] and samples them there.

    Attributes:
        shift: the largest, in pixels.
        rotation: the largest, in degrees.
        stretch: the largest logarithm of the factor of an axis, and the largest shear.
        elastic: standard deviation of the bending, in pixels.
        smoothness: distance over which the bending changes, in pixels.
    """

    shift: float = 1.0
    rotation: float = 8.0
    stretch: float = 0.08
    elastic: float = 0.5
    smoothness: float = 4.0

    def __call__(self, x: Array, rng: np.random.Generator) -> Array:
        """The deformed pictures [B, side * side]; x is left as it is."""
        side = round(x.shape[1] ** 0.5)
        return sample(x, *self.grid(side, rng))

    def grid(self, side: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """The rows and the columns, [side, side] each, at which the pixels are sampled."""
        middle = (side - 1) / 2
        row, column = np.mgrid[:side, :side] - middle
        angle = np.deg2rad(rng.uniform(-self.rotation, self.rotation))
        tall, wide = np.exp(rng.uniform(-self.stretch, self.stretch, 2))
        down, across = rng.uniform(-self.shift, self.shift, 2) + middle
        shear = rng.uniform(-self.stretch, self.stretch)
        rows = tall * (np.cos(angle) * row - np.sin(angle) * column) + shear * column + down
        columns = wide * (np.sin(angle) * row + np.cos(angle) * column) + across
        if self.elastic:
            rows += self._bend(side, rng)
            columns += self._bend(side, rng)
        return rows, columns

    def _bend(self, side: int, rng: np.random.Generator) -> Array:
        """Smooth noise [side, side] with a standard deviation of `elastic`."""
        distance = np.subtract.outer(np.arange(side), np.arange(side)) / self.smoothness
        kernel = np.exp(-0.5 * distance**2)
        noise = kernel @ rng.standard_normal((side, side)) @ kernel.T
        return noise * (self.elastic / noise.std())


def sample(x: Array, rows: Array, columns: Array) -> Array:
    """Pictures [B, side * side] at places [side, side], those outside moved to the border."""
    side = len(rows)
    most = np.nextafter(side - 1, 0)  # so that the next pixel is there too
    rows, columns = np.clip(rows, 0, most).ravel(), np.clip(columns, 0, most).ravel()
    row, column = rows.astype(np.int64), columns.astype(np.int64)
    down = (rows - row).astype(x.dtype)[:, None]
    right = (columns - column).astype(x.dtype)[:, None]
    pixels, place = np.ascontiguousarray(x.T), row * side + column  # a pixel's values are together
    above = _between(pixels[place], pixels[place + 1], right)
    below = _between(pixels[place + side], pixels[place + side + 1], right)
    return _between(above, below, down).T


def _between(one: Array, other: Array, share: Array) -> Array:
    """one + (other - one) share, in place of `one`."""
    other -= one
    other *= share
    one += other
    return one
