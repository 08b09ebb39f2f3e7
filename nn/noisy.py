"""Noisy layers: weights with learned noise, for exploration."""

from __future__ import annotations

import numpy as np

from nn.initializers import Initializer
from nn.layers import Dense, DensePass
from nn.typing import Array

SIGMA = 0.5  # sigma_0


class NoisyDensePass(DensePass):
    """That of `Dense`, with the weights that the layer's latest noise makes."""

    def __init__(self, layer: NoisyDense, x: Array, dx: Array | None) -> None:
        self._drawn = np.empty_like(layer.noise)  # mu + sigma * epsilon
        super().__init__(layer, x, dx, self._drawn)
        self._layer = layer
        self._gradients, self._dsigma = layer.gradients[: layer.rows], layer.gradients[layer.rows :]

    def forward(self, training: bool) -> None:
        np.multiply(self._layer.sigma, self._layer.noise, out=self._drawn)
        np.add(self._layer.mu, self._drawn, out=self._drawn)
        super().forward(training)

    def backward(self) -> None:
        super().backward()
        np.multiply(self._gradients, self._layer.noise, out=self._dsigma)


class NoisyDense(Dense):
    """z = (mu + sigma * epsilon)^T [x, 1], with factorized Gaussian noise epsilon.

    Fortunato et al. (2018), eq. 9 to 11. Of inputs i and outputs j, and f(e) = sign(e) sqrt(|e|),

        epsilon_ij = f(e_i) f(e_j) for a weight, f(e_j) for a bias, each e standard normal.

    sigma begins at sigma_0 / sqrt(inputs), mu as the weights of a `Dense` layer.
    Until `draw` and after `still` there is no noise, and z is that of a `Dense` layer.

    Args:
        inputs: features.
        outputs: units.
        initializer: of the means of W.
        bias_initializer: of the means of b.
        sigma_0: the noise's initial scale, as above.

    Attributes:
        rows: those of mu, and those of sigma: the inputs and the bias.
        noise: epsilon [inputs + 1, outputs].
    """

    passes = NoisyDensePass

    def __init__(
        self,
        inputs: int,
        outputs: int,
        initializer: Initializer,
        bias_initializer: Initializer,
        sigma_0: float = SIGMA,
    ) -> None:
        super().__init__(inputs, outputs, initializer, bias_initializer)
        self.rows, self.sigma_0 = inputs + 1, sigma_0
        self.size = 2 * self.rows * outputs

    def bind(self, parameters: Array, gradients: Array, statistics: Array) -> None:
        super().bind(parameters, gradients, statistics)
        self.noise = np.zeros((self.rows, self.outputs), parameters.dtype)

    def initialize(self, rng: np.random.Generator) -> None:
        super().initialize(rng)
        self.sigma[:] = self.sigma_0 / np.sqrt(self.inputs)

    def draw(self, rng: np.random.Generator) -> None:
        """Draws new noise."""
        drawn = rng.standard_normal(self.inputs + self.outputs)
        f = np.sign(drawn) * np.sqrt(np.abs(drawn))
        self.noise[:] = np.multiply.outer(np.append(f[: self.inputs], 1.0), f[self.inputs :])

    def still(self) -> None:
        """Ends the noise."""
        self.noise[:] = 0.0

    @property
    def mu(self) -> Array:
        """The means [inputs + 1, outputs], a view."""
        return self.parameters[: self.rows]

    @property
    def sigma(self) -> Array:
        """The scales of the noise [inputs + 1, outputs], a view; the sign does not matter."""
        return self.parameters[self.rows :]

    @property
    def weights(self) -> Array:
        """The means of W [inputs, outputs], a view."""
        return self.mu[:-1]

    @property
    def biases(self) -> Array:
        """The means of b [outputs], a view."""
        return self.mu[-1]
