"""What a network says of actions: the one place that knows how its outputs are read.

An algorithm asks `ActionValues` and never the network behind it, so that each head works with each
algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn import Ensemble, Network
from nn.typing import Array, IntArray, State


@dataclass(frozen=True)
class Head:
    """How outputs stand for the values of A actions.

    Args:
        dueling: whether V(s) comes first, and then the advantages A(s, a) (Wang et al. 2016).
        quantiles: N of the return's distribution, one behind the other; None for its mean alone.
    """

    dueling: bool = False
    quantiles: int | None = None

    def outputs(self, actions: int) -> int:
        """Units of the network's last layer."""
        return (actions + self.dueling) * (self.quantiles or 1)


class ActionValues:
    """Q(s, a) of all actions, of a network with some head.

    Args:
        network: from observations [B, n] to outputs [B, m].
        head: how these are read.
    """

    def __init__(self, network: Network, head: Head) -> None:
        self.network, self.head = network, head

    def predict(self, observations: Array, training: bool = False) -> Array:
        """What is learned of each action: its value [B, A], or its quantiles [B, A, N].

        The next call for as many observations [B, n] may overwrite it.
        """
        outputs = self.network.forward(observations, training)
        if self.head.quantiles:
            outputs = outputs.reshape(len(outputs), -1, self.head.quantiles)
        return dueling_values(outputs) if self.head.dueling else outputs

    def values(self, observations: Array, masks: Array | None = None) -> Array:
        """Q(s, a) [B, A] for observations [B, n]; -inf where masks [B, A] do not allow a."""
        predicted = self.predict(observations)
        return allowed(predicted.mean(axis=2) if self.head.quantiles else predicted, masks)

    def backward(self, gradient: Array) -> None:
        """Leaves the gradients of the parameters, given those of what `predict` gave last."""
        self.network.backward(self.of_outputs(gradient))

    def of_outputs(self, gradient: Array) -> Array:
        """The gradient of the network's outputs [B, m], given that of what `predict` gave."""
        if self.head.dueling:
            gradient = dueling_gradient(gradient)
        return gradient.reshape(len(gradient), -1)

    def input_gradient(self, observations: Array, actions: IntArray) -> Array:
        """dQ(s, a)/ds for observations [B, n] and actions [B], in the form of what is seen."""
        predicted = self.predict(observations)
        each = np.full_like(predicted[:, 0], 1.0)
        each /= each[0].size  # a value is the mean of what is learned of it
        gradient = spread(each, (np.arange(len(actions)), actions), predicted.shape)
        return self.outputs_to_input(self.of_outputs(gradient))

    def outputs_to_input(self, gradient: Array) -> Array:
        """dC/ds for dC/doutputs [B, m], through the latest forward pass."""
        return self.network.input_gradient(gradient)

    def copy(self) -> ActionValues:
        """Values of their own that are equal to these."""
        return ActionValues(self.network.copy(), self.head)

    def polyak_update(self, other: ActionValues, tau: float) -> None:
        """p <- (1 - tau) p + tau p_other, for each parameter."""
        self.network.polyak_update(other.network, tau)

    def state(self) -> State:
        """What `restore` needs."""
        return self.network.state()

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        self.network.restore(state)


class EnsembleValues(ActionValues):
    """Q_k(s, a) = f_k(s, a) + scale p_k(s, a) of all actions and of K members; Q is their mean.

    Args:
        network: f, an ensemble.
        head: how the outputs of a member are read; of no quantiles.
        prior: p, likewise; it is fixed, and copies share it.
        scale: its weight.
    """

    network: Ensemble

    def __init__(self, network: Ensemble, head: Head, prior: Ensemble, scale: float) -> None:
        super().__init__(network, head)
        self.prior, self.scale = prior, scale

    def predict(self, observations: Array, training: bool = False) -> Array:
        """Q_k(s, a) [B, A, K] for observations [B, n]."""
        outputs = self.network.forward(observations, training)
        if self.scale:
            outputs = outputs + self.scale * self.prior.forward(observations)
        each = outputs.reshape(len(outputs), self.network.members, -1).transpose(0, 2, 1)
        return dueling_values(each) if self.head.dueling else each

    def values(self, observations: Array, masks: Array | None = None) -> Array:
        """The mean over the members [B, A]; -inf where masks [B, A] do not allow a."""
        return allowed(self.predict(observations).mean(axis=2), masks)

    def of_outputs(self, gradient: Array) -> Array:
        if self.head.dueling:
            gradient = dueling_gradient(gradient)
        return gradient.transpose(0, 2, 1).reshape(len(gradient), -1)

    def outputs_to_input(self, gradient: Array) -> Array:
        slope = super().outputs_to_input(gradient)
        return slope + self.scale * self.prior.input_gradient(gradient) if self.scale else slope

    def copy(self) -> EnsembleValues:
        """Values of their own that are equal to these, with the same prior."""
        return EnsembleValues(self.network.copy(), self.head, self.prior, self.scale)


def allowed(values: Array, masks: Array | None) -> Array:
    """Values of actions [B, A], and -inf where masks [B, A] do not allow them."""
    return values if masks is None else np.where(masks, values, -np.inf)


def spread(chosen: Array, at: tuple[IntArray, IntArray], shape: tuple[int, ...]) -> Array:
    """An array [B, A, ...] that is 0 but for `chosen` [B, ...], at rows and actions [B]."""
    spread = np.zeros(shape, chosen.dtype)
    spread[at] = chosen
    return spread


def dueling_values(outputs: Array) -> Array:
    """Q = V + A - mean(A) [B, A, ...] of outputs [B, 1 + A, ...] (Wang et al. 2016, eq. 9).

    The two streams share all hidden layers.
    """
    advantages = outputs[:, 1:]
    return outputs[:, :1] + advantages - advantages.mean(axis=1, keepdims=True)


def dueling_gradient(gradient: Array) -> Array:
    """dC/doutputs [B, 1 + A, ...] for dC/dQ [B, A, ...], the transpose of `dueling_values`."""
    total = gradient.sum(axis=1, keepdims=True)
    return np.hstack([total, gradient - total / gradient.shape[1]])
