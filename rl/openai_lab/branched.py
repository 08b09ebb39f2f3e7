"""A critic whose first layer has a branch for the state and one for the action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn import Network
from nn.typing import Array
from rl.openai_lab.engine import lecun_uniform


class BranchedCritic(Network):
    """Q(s, a) whose first hidden layer is half of the state's units and half of the action's.

    The weights between one's inputs and the other's units are 0 and stay so. Actions come in
    [-1, 1] and are multiplied by `unit`, so that they are in the environment's units.

    Args:
        sizes: of the layers, from n + k inputs; the second is of both branches.
        hidden: activation of the hidden layers.
        output: activation of the last.
        actions: k.
        unit: of the actions.
        more: further settings of a network.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        hidden: Any,
        output: Any,
        *,
        actions: int,
        unit: float = 1.0,
        **more: Any,
    ) -> None:
        super().__init__(sizes, hidden, output, **{"initializer": lecun_uniform, **more})
        self.actions, self.unit = actions, unit
        n, half = sizes[0] - actions, sizes[1] // 2
        first = np.zeros((sizes[0], sizes[1]), np.float32)
        first[:n, :half], first[n:, half:] = 1.0, 1.0
        self._mask = self._flat(first)
        self._scale = np.array([1.0] * n + [unit] * actions, np.float32)
        self.weights[0][:n, :half] = lecun_uniform(n, half, self.rng)
        self.weights[0][n:, half:] = lecun_uniform(actions, half, self.rng)
        self.parameters *= self._mask

    def _flat(self, first: Array) -> Array:
        """A factor for each parameter [P], of the first layer's weights as given, else 1."""
        parameters = self.parameters.copy()
        self.parameters[:] = 1.0
        self.weights[0][:] = first
        mask, self.parameters[:] = self.parameters.copy(), parameters
        return mask

    def forward(self, x: Array, training: bool = False) -> Array:
        return super().forward(x * self._scale, training)

    def backpropagate(self) -> Array:
        super().backpropagate()
        self.gradients *= self._mask
        return self.gradients

    def input_gradient(self, gradient: Array) -> Array:
        return super().input_gradient(gradient) * self._scale

    def _more(self) -> dict[str, Any]:
        return {**super()._more(), "actions": self.actions, "unit": self.unit}
