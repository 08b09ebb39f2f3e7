"""Stochastic policies: from a network's outputs [B, m] to actions, with the gradients back.

The gradients are of the actor's objective (Mnih et al. 2016, section 4),

    C = -sum (w log pi(a|s) + entropy_weight H(pi(.|s))) / B,

with respect to the outputs; w is the advantage.
"""

from __future__ import annotations

import math

import numpy as np

from nn.typing import Array, IntArray
from rl.agents.thoughts import Thoughts, of_action, of_probabilities
from rl.environments.masks import firsts


class Distribution:
    """A distribution of one action for each row of outputs."""

    def sample(self, outputs: Array, rng: np.random.Generator) -> Array:
        """Actions drawn at random [B] or [B, k], as `log_prob` takes them."""
        raise NotImplementedError

    def action(self, sampled: Array) -> Array:
        """What the environment is given for what `sample` gave."""
        return sampled

    def greedy(self, outputs: Array) -> Array:
        """The most likely actions [B] or [B, k], as the environment is given them."""
        raise NotImplementedError

    def thoughts(self, outputs: Array) -> Thoughts:
        """The numbers behind `greedy`, for outputs [1, m]."""
        raise NotImplementedError

    def log_prob(self, outputs: Array, sampled: Array) -> Array:
        """ln pi(a|s) [B], up to what does not depend on the outputs."""
        raise NotImplementedError

    def entropy(self, outputs: Array) -> Array:
        """H(pi(.|s)) [B]."""
        raise NotImplementedError

    def gradient(
        self, outputs: Array, sampled: Array, weights: Array, entropy_weight: float
    ) -> Array:
        """dC/doutputs [B, m] for weights [B]."""
        raise NotImplementedError


class Categorical(Distribution):
    """pi(a|s) = softmax(z)_a, with z the outputs [B, A]."""

    def sample(self, outputs: Array, rng: np.random.Generator) -> IntArray:
        # The Gumbel trick: no exponential that could overflow.
        return (outputs + rng.gumbel(size=outputs.shape)).argmax(axis=1)

    def greedy(self, outputs: Array) -> IntArray:
        return outputs.argmax(axis=1)

    def thoughts(self, outputs: Array) -> Thoughts:
        return of_probabilities(np.exp(_log_softmax(outputs)[0]))

    def log_prob(self, outputs: Array, sampled: Array) -> Array:
        return _log_softmax(outputs)[np.arange(len(outputs)), sampled]

    def entropy(self, outputs: Array) -> Array:
        logs = _log_softmax(outputs)
        return -(np.exp(logs) * logs).sum(axis=1)

    def gradient(
        self, outputs: Array, sampled: Array, weights: Array, entropy_weight: float
    ) -> Array:
        # d ln p_a / dz_j = [j = a] - p_j  and  dH / dz_j = -p_j (ln p_j + H).
        logs = _log_softmax(outputs)
        p = np.exp(logs)
        entropy = -(p * logs).sum(axis=1, keepdims=True)
        gradient = weights[:, None] * p + entropy_weight * p * (logs + entropy)
        gradient[np.arange(len(p)), sampled] -= weights
        return gradient / len(p)


class Product(Distribution):
    """Several categorical actions at once, each independent of the others.

    pi(a|s) = prod_i softmax(z_i)_a_i, with the outputs z_i [B, n_i] side by side. So the ln of the
    probabilities add up, and the entropies, and the gradient of each z_i is its own.

    Args:
        counts: n_i, actions of each component.
    """

    def __init__(self, counts: tuple[int, ...]) -> None:
        self._firsts, self._each = firsts(counts), Categorical()

    def _split(self, outputs: Array) -> list[Array]:
        return np.split(outputs, self._firsts[1:], axis=1)

    def sample(self, outputs: Array, rng: np.random.Generator) -> IntArray:
        return np.stack([self._each.sample(z, rng) for z in self._split(outputs)], axis=1)

    def greedy(self, outputs: Array) -> IntArray:
        return np.stack([self._each.greedy(z) for z in self._split(outputs)], axis=1)

    def thoughts(self, outputs: Array) -> Thoughts:
        probabilities = [np.exp(_log_softmax(z)[0]) for z in self._split(outputs)]
        chosen = (self.greedy(outputs)[0] + self._firsts).tolist()
        return of_probabilities(np.concatenate(probabilities), tuple(chosen))

    def log_prob(self, outputs: Array, sampled: Array) -> Array:
        pairs = zip(self._split(outputs), sampled.T, strict=True)
        return np.sum([self._each.log_prob(z, a) for z, a in pairs], axis=0)

    def entropy(self, outputs: Array) -> Array:
        return np.sum([self._each.entropy(z) for z in self._split(outputs)], axis=0)

    def gradient(
        self, outputs: Array, sampled: Array, weights: Array, entropy_weight: float
    ) -> Array:
        pairs = zip(self._split(outputs), sampled.T, strict=True)
        return np.hstack([self._each.gradient(z, a, weights, entropy_weight) for z, a in pairs])


def masked(outputs: Array, masks: Array | None) -> Array:
    """Outputs of a categorical [B, m]; where masks [B, m] do not allow an action, as good as -inf.

    Its probability and its gradient are exactly 0 then (Huang and Ontanon 2022). A true -inf would
    make the 0 ln 0 of the entropy no number.
    """
    return outputs if masks is None else np.where(masks, outputs, _FORBIDDEN)


class Gaussian(Distribution):
    """Independent normal entries; the outputs [B, 2 k] are the means and the ln of the deviations.

    Args:
        squash: whether the environment is given tanh(u) of what was drawn, u, rather than u cut to
            [-1, 1]. What tanh adds to ln pi(a|s) does not depend on the outputs for a given u; the
            entropy is that of u.
    """

    def __init__(self, squash: bool = False) -> None:
        self.squash = squash

    def sample(self, outputs: Array, rng: np.random.Generator) -> Array:
        means, logs = np.split(outputs, 2, axis=1)
        noise = rng.standard_normal(means.shape, np.float32)
        return means + np.exp(logs) * noise

    def action(self, sampled: Array) -> Array:
        return np.tanh(sampled) if self.squash else np.clip(sampled, -1.0, 1.0)

    def greedy(self, outputs: Array) -> Array:
        return self.action(outputs[:, : outputs.shape[1] // 2])

    def thoughts(self, outputs: Array) -> Thoughts:
        return of_action(self.greedy(outputs)[0])

    def log_prob(self, outputs: Array, sampled: Array) -> Array:
        means, logs = np.split(outputs, 2, axis=1)
        standardized = (sampled - means) * np.exp(-logs)
        return -(0.5 * standardized**2 + logs + _HALF_LN_2PI).sum(axis=1)

    def entropy(self, outputs: Array) -> Array:
        logs = np.split(outputs, 2, axis=1)[1]
        return (logs + _HALF_LN_2PI + 0.5).sum(axis=1)

    def gradient(
        self, outputs: Array, sampled: Array, weights: Array, entropy_weight: float
    ) -> Array:
        # d ln p / dmean = (u - mean) / sigma^2,  d ln p / dln sigma = ((u - mean) / sigma)^2 - 1.
        means, logs = np.split(outputs, 2, axis=1)
        inverse = np.exp(-logs)
        standardized = (sampled - means) * inverse
        of_means = -weights[:, None] * standardized * inverse
        of_logs = -weights[:, None] * (standardized**2 - 1.0) - entropy_weight
        return np.hstack([of_means, of_logs]) / len(outputs)


_FORBIDDEN = -1e38
_HALF_LN_2PI = 0.5 * math.log(2.0 * math.pi)


def _log_softmax(z: Array) -> Array:
    shifted = z - z.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
