"""What the lab asks of an agent."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from nn import NeuralNet, Optimizer
from nn.typing import Array, IntArray, State
from rl.environments import Spaces, Transitions


class Parts(Protocol):
    """Builds the parts that a specification names; an agent asks for those it needs.

    Each method reads the block of the same name. Blocks nobody asks for are refused.
    """

    spaces: Spaces

    def network(self, inputs: int, outputs: int) -> NeuralNet:
        """A network with the hidden layers that the block gives."""

    def optimizer(self, network: NeuralNet) -> Optimizer:
        """An optimizer of the network's parameters."""

    def memory(self) -> Any:
        """A memory for the problem's observations."""

    def exploration(self) -> Any:
        """An explorer."""


class Agent:
    """Acts, observes what came of it, and learns.

    `steps` counts environment steps over all lanes, `updates` the updates of the parameters.
    """

    steps = 0
    updates = 0

    @classmethod
    def assemble(cls, parts: Parts, lanes: int, **settings: Any) -> Agent:
        """An agent from the parts of a specification, for a number of lanes."""
        raise NotImplementedError

    @property
    def learns_after(self) -> int:
        """Environment steps before the first update."""
        raise NotImplementedError

    def values(self, observations: Array) -> Array:
        """What the agent thinks of each action: [N, A] for observations [N, n]."""
        raise NotImplementedError

    def act(self, observation: Array) -> Any:
        """The greedy action: an int for an observation [n], an array [N] for [N, n].

        Raises:
            ValueError: the observation has another size than the agent was trained on.
        """
        observation = np.asarray(observation, np.float32)
        if observation.ndim == 1:
            return int(self.values(observation[None])[0].argmax())
        return self.values(observation).argmax(axis=1)

    def explore(self, observations: Array) -> IntArray:
        """Actions [N] for learning from, for observations [N, n]."""
        raise NotImplementedError

    def observe(self, transitions: Transitions) -> None:
        """Remembers a step of all lanes."""
        raise NotImplementedError

    def learn(self) -> None:
        """Makes the updates that are due.

        Raises:
            Diverged: the loss or the gradient is not finite; the parameters are as before it.
        """
        raise NotImplementedError

    def metrics(self) -> dict[str, float]:
        """How the latest update went: loss, mean_q, gradient_norm, exploration."""
        raise NotImplementedError

    def policy_state(self) -> State:
        """What a greedy agent needs; `restore_policy` takes it.

        Raises:
            Diverged: a parameter is not finite.
        """
        raise NotImplementedError

    def restore_policy(self, state: State) -> None:
        """Takes over a saved policy. The agent can act; to learn on, it needs `restore`."""
        raise NotImplementedError

    def state(self) -> State:
        """Everything: an agent that restores it goes on exactly as this one does."""
        raise NotImplementedError

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        raise NotImplementedError
