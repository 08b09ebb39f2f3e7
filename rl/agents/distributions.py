"""Stochastic policies: from a network's outputs [B, m] to actions, with the gradients back.

The gradients are of the actor's objective (Mnih et al. 2016, section 4),

    C = -sum (w log pi(a|s) + entropy_weight H(pi(.|s))) / B,

with respect to the outputs; w is the advantage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nn.typing import Array, IntArray
from rl.agents.thoughts import Thoughts, of_action, of_probabilities
from rl.environments.masks import firsts


class Conditional:
    """pi(.|s) in B states, for outputs [B, m]: what all its figures need is computed once."""

    def log_prob(self, sampled: Array) -> Array:
        """ln pi(a|s) [B], up to what does not depend on the outputs."""
        raise NotImplementedError

    def entropy(self) -> Array:
        """H(pi(.|s)) [B]."""
        raise NotImplementedError

    def gradient(self, sampled: Array, weights: Array, entropy_weight: float) -> Array:
        """dC/doutputs [B, m] for weights [B]."""
        raise NotImplementedError


class Distribution:
    """A distribution of one action for each row of outputs."""

    def at(self, outputs: Array) -> Conditional:
        """The distribution in the states of these outputs [B, m]."""
        raise NotImplementedError

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


class Categorical(Distribution):
    """pi(a|s) = softmax(z)_a, with z the outputs [B, A]."""

    def at(self, outputs: Array) -> Softmax:
        return Softmax(outputs)

    def sample(self, outputs: Array, rng: np.random.Generator) -> IntArray:
        # The Gumbel trick: no exponential that could overflow.
        return (outputs + rng.gumbel(size=outputs.shape)).argmax(axis=1)

    def greedy(self, outputs: Array) -> IntArray:
        return outputs.argmax(axis=1)

    def thoughts(self, outputs: Array) -> Thoughts:
        return of_probabilities(self.at(outputs).p[0])


class Softmax(Conditional):
    """p = softmax(z) and ln p [B, A], of z [B, A]."""

    def __init__(self, z: Array) -> None:
        shifted = z - z.max(axis=1, keepdims=True)
        p = np.exp(shifted)
        total = p.sum(axis=1, keepdims=True)
        self.p, self._logs = p / total, shifted - np.log(total)
        self._rows = np.arange(len(z))

    def log_prob(self, sampled: Array) -> Array:
        return self._logs[self._rows, sampled]

    def entropy(self) -> Array:
        return -(self.p * self._logs).sum(axis=1)

    def gradient(self, sampled: Array, weights: Array, entropy_weight: float) -> Array:
        # d ln p_a / dz_j = [j = a] - p_j  and  dH / dz_j = -p_j (ln p_j + H).
        gradient = weights[:, None] * self.p
        if entropy_weight:
            gradient += entropy_weight * self.p * (self._logs + self.entropy()[:, None])
        gradient[self._rows, sampled] -= weights
        gradient /= len(gradient)
        return gradient


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

    def at(self, outputs: Array) -> Softmaxes:
        return Softmaxes([Softmax(z) for z in self._split(outputs)])

    def sample(self, outputs: Array, rng: np.random.Generator) -> IntArray:
        return np.stack([self._each.sample(z, rng) for z in self._split(outputs)], axis=1)

    def greedy(self, outputs: Array) -> IntArray:
        return np.stack([self._each.greedy(z) for z in self._split(outputs)], axis=1)

    def thoughts(self, outputs: Array) -> Thoughts:
        probabilities = [each.p[0] for each in self.at(outputs).parts]
        chosen = (self.greedy(outputs)[0] + self._firsts).tolist()
        return of_probabilities(np.concatenate(probabilities), tuple(chosen))


@dataclass(frozen=True)
class Softmaxes(Conditional):
    """Those of several independent actions, sampled together [B, k]."""

    parts: list[Softmax]

    def log_prob(self, sampled: Array) -> Array:
        return np.sum([p.log_prob(a) for p, a in zip(self.parts, sampled.T, strict=True)], axis=0)

    def entropy(self) -> Array:
        return np.sum([p.entropy() for p in self.parts], axis=0)

    def gradient(self, sampled: Array, weights: Array, entropy_weight: float) -> Array:
        pairs = zip(self.parts, sampled.T, strict=True)
        return np.hstack([p.gradient(a, weights, entropy_weight) for p, a in pairs])


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

    def at(self, outputs: Array) -> Normal:
        return Normal(*_halves(outputs))

    def sample(self, outputs: Array, rng: np.random.Generator) -> Array:
        means, logs = _halves(outputs)
        noise = rng.standard_normal(means.shape, np.float32)
        return means + np.exp(logs) * noise

    def action(self, sampled: Array) -> Array:
        return np.tanh(sampled) if self.squash else np.clip(sampled, -1.0, 1.0)

    def greedy(self, outputs: Array) -> Array:
        return self.action(_halves(outputs)[0])

    def thoughts(self, outputs: Array) -> Thoughts:
        return of_action(self.greedy(outputs)[0])


class Normal(Conditional):
    """Independent normal entries of means and ln of the deviations [B, k]; u [B, k] was drawn."""

    def __init__(self, means: Array, logs: Array) -> None:
        self._means, self._logs, self._inverse = means, logs, np.exp(-logs)

    def log_prob(self, sampled: Array) -> Array:
        standardized = (sampled - self._means) * self._inverse
        return -(0.5 * standardized**2 + self._logs + _HALF_LN_2PI).sum(axis=1)

    def entropy(self) -> Array:
        return (self._logs + _HALF_LN_2PI + 0.5).sum(axis=1)

    def gradient(self, sampled: Array, weights: Array, entropy_weight: float) -> Array:
        # d ln p / dmean = (u - mean) / sigma^2,  d ln p / dln sigma = ((u - mean) / sigma)^2 - 1.
        standardized = (sampled - self._means) * self._inverse
        gradient = np.empty((len(sampled), 2 * sampled.shape[1]), self._means.dtype)
        of_means, of_logs = _halves(gradient)
        scaled = -weights[:, None] / len(sampled)
        of_means[:] = scaled * standardized * self._inverse
        of_logs[:] = scaled * (standardized**2 - 1.0) - entropy_weight / len(sampled)
        return gradient


class SquashedNormal:
    """a = tanh(u) with u = mean + sigma xi, and ln pi(a|s) (Haarnoja et al. 2018, eq. 26).

    The density of a is that of u over |da/du|, so that, over the entries,

        ln pi(a|s) = sum(ln N(u) - ln(1 - tanh(u)^2)).

    Args:
        outputs: the means and ln sigma [B, 2 k]; ln sigma counts from -20 to 2.
        xi: standard normal [B, k].

    Attributes:
        actions: a [B, k].
        log_probs: ln pi(a|s) [B].
    """

    def __init__(self, outputs: Array, xi: Array) -> None:
        means, logs = _halves(outputs)
        within = np.minimum(np.maximum(logs, _LEAST_LOG_STD), _MOST_LOG_STD)
        self._is_within = within == logs
        self._noise = np.exp(within) * xi
        u = means + self._noise
        self.actions = np.tanh(u)
        # ln(1 - tanh(u)^2) in a form that keeps its digits where tanh(u) is 1 but for rounding.
        log_slopes = 2.0 * (_LN_2 - u - np.logaddexp(0.0, -2.0 * u))
        self.log_probs = -(0.5 * xi * xi + within + _HALF_LN_2PI + log_slopes).sum(axis=1)

    def gradient(self, of_actions: Array, of_log_probs: Array) -> Array:
        """dC/doutputs [B, 2 k], with xi held fixed.

        Args:
            of_actions: dC/da [B, k].
            of_log_probs: dC/dln pi(a|s), [B, 1] or a number.
        """
        # dln pi/du = 2 tanh(u), du/dmean = 1, du/dln sigma = sigma xi, and dln pi/dln sigma has
        # a term of its own: -1.
        of_u = of_actions * (1.0 - self.actions**2) + 2.0 * of_log_probs * self.actions
        gradient = np.empty((len(of_u), 2 * of_u.shape[1]), of_u.dtype)
        of_means, of_logs = _halves(gradient)
        of_means[:] = of_u
        of_logs[:] = (of_u * self._noise - of_log_probs) * self._is_within
        return gradient


def _halves(outputs: Array) -> tuple[Array, Array]:
    """Outputs [B, 2 k] as two views [B, k]."""
    k = outputs.shape[1] // 2
    return outputs[:, :k], outputs[:, k:]


_FORBIDDEN = -1e38
_LN_2 = math.log(2.0)
_LEAST_LOG_STD, _MOST_LOG_STD = -20.0, 2.0
_HALF_LN_2PI = 0.5 * math.log(2.0 * math.pi)
