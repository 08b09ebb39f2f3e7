"""What the lab asks of an agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from nn import Network, Optimizer
from nn.settings import BaseSettings
from nn.typing import Array, BoolArray, State
from rl.agents.thoughts import Thoughts
from rl.environments import Transitions
from rl.environments.spaces import Actions, Discrete, Spaces
from rl.errors import UserError
from rl.exploration import Explorer
from rl.memory import Replay, Rollout


class Parts(Protocol):
    """Builds the parts that a specification names; an agent asks for those it needs.

    Each method reads the block of the same name. Blocks nobody asks for are refused. An agent of
    several networks gives each a role: the block may then have an entry for each role, or its
    settings are every role's.
    """

    spaces: Spaces
    lanes: int  # environments stepped together

    def network(
        self,
        inputs: int,
        outputs: int,
        role: str | None = None,
        output: str = "identity",
        members: int | None = None,
        joined: int = 0,
    ) -> Network:
        """A network with the hidden layers that the block gives, and this output activation.

        With `members` it is an `Ensemble` of so many of them. Behind the `inputs` it has `joined`
        further ones, which are no part of a picture.
        """

    def optimizer(self, network: Network, role: str | None = None) -> Optimizer:
        """An optimizer of the network's parameters."""

    def memory(self) -> Replay:
        """A replay memory for the problem's observations and actions."""

    def rollout(self) -> Rollout:
        """A memory of the latest steps of all lanes, from the block `memory`."""

    def exploration(self) -> Explorer:
        """An explorer among the problem's actions."""

    def generator(self) -> np.random.Generator:
        """The random numbers of a stochastic policy."""


@dataclass(frozen=True)
class GreedyPolicy:
    """What `Agent.act` computes: a network, and what becomes of its outputs. For exporting it.

    Args:
        network: from what the agent sees to outputs.
        first: the first output that counts.
        count: how many do; None for all from there on.
        mix: weights [outputs, m] of the sums of these that count; None if they count themselves.
        bound: "tanh" or "clip" keeps continuous actions in [-1, 1]; "" leaves the outputs as they
            are. Of discrete actions the one of the greatest output is taken, of several at once
            that of each.
    """

    network: Network
    first: int = 0
    count: int | None = None
    mix: Array | None = None
    bound: str = ""


@dataclass(frozen=True)
class GreedyTable:
    """What `Agent.act` computes with a table, which takes the action of the greatest value.

    Args:
        low: where the bins of each entry of an observation begin [n].
        scale: bins for each unit of it [n].
        most: its last bin [n].
        strides: what each bin adds to the number of the row [n].
        table: a value for each row and action [S, A].
    """

    low: Array
    scale: Array
    most: Array
    strides: Array
    table: Array


class Agent:
    """Acts, observes what came of it, and learns.

    Discrete actions are [N] integers, several at once [N, k] integers, continuous ones [N, k] with
    entries from -1 to 1, whatever the environment's bounds. Masks [N, A] say which discrete actions
    are allowed; None allows all. To an agent that handles only `Discrete`, each combination of
    several discrete actions is one action. `steps` counts environment steps over all lanes,
    `updates` the updates of the parameters.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(BaseSettings):
        """What the agent can be told."""

    kinds: tuple[type[Actions], ...] = (Discrete,)  # of actions that it can handle
    roles: tuple[str, ...] = ()  # of its networks, if there are several
    explores_itself = False  # whether an explorer has no place beside it
    sees_pictures = False  # whether its networks may have convolutions
    needs_probabilities = False  # whether it asks how likely an explorer takes each action
    network_options: tuple[str, ...] = ()  # of `OPTIONS` of the block `network`, those it handles
    network_defaults: Mapping[str, Any] = MappingProxyType({})  # of that block, where it is silent
    metric_names: tuple[str, ...] = ()
    kin = ""  # agents of the same kin can start from each other's networks
    carried: tuple[str, ...] = ()  # settings that must be the same for that
    waits_for = "agent.learn_start"  # the settings that `learns_after` follows from
    exploration: Explorer | None = None  # what chooses its actions, if not the agent alone
    steps = 0
    updates = 0

    @classmethod
    def assemble(cls, parts: Parts, settings: Any) -> Agent:
        """An agent from the parts of a specification and its own settings."""
        raise NotImplementedError

    @property
    def learns_after(self) -> int:
        """Environment steps before the first update."""
        raise NotImplementedError

    def gradient_steps(self, steps: int) -> int:
        """Steps of its optimizers within so many environment steps."""
        raise NotImplementedError

    def act(self, observations: Array, masks: BoolArray | None = None) -> Array:
        """The greedy actions for observations [N, n], of those that are allowed.

        Raises:
            ValueError: the observations have another size than the agent was trained on.
        """
        raise NotImplementedError

    @property
    def greedy_policy(self) -> GreedyPolicy | GreedyTable:
        """What `act` computes.

        Raises:
            UserError: nothing that can be exported.
        """
        raise NotImplementedError

    def thoughts(self, observations: Array, masks: BoolArray | None = None) -> Thoughts:
        """The numbers behind `act` in one state, for observations [1, n]."""
        raise NotImplementedError

    def saliency(self, observations: Array) -> Array:
        """How much the value of the greedy action depends on each entry of observations [1, n].

        Raises:
            UserError: the agent has no values of actions.
        """
        raise UserError(
            f"--saliency is of values of actions, and {type(self).__name__} has none; leave it out"
        )

    def explore(self, observations: Array, masks: BoolArray | None = None) -> Array:
        """Actions for learning from, for observations [N, n]."""
        raise NotImplementedError

    def observe(self, transitions: Transitions) -> None:
        """Remembers a step of all lanes."""
        raise NotImplementedError

    def learn(self) -> None:
        """Makes the updates that are due.

        Raises:
            Diverged: the loss or a gradient is not finite, and its network has not moved; or a
                weight is not finite after an update. The message has the metrics before.
        """
        raise NotImplementedError

    @property
    def replay(self) -> Replay | None:
        """The memory whose transitions are to be saved beside `state`; None if there is none."""
        return None

    def abandon(self, lane: int) -> None:
        """Drops the episode under way in `lane`; the next one begins."""
        raise NotImplementedError

    def metrics(self) -> dict[str, float]:
        """How the latest update went: a number for each of `metric_names`."""
        raise NotImplementedError

    @property
    def follows_returns(self) -> bool:
        """Whether `metrics` change when an episode ends, and not only with updates and steps."""
        return self.exploration is not None and self.exploration.follows_returns

    def metrics_at(self, metrics: Mapping[str, Any], step: int) -> Mapping[str, Any]:
        """Earlier metrics, as they are at `step` if there was no update in between."""
        explorer = self.exploration
        if explorer is None or "exploration" not in self.metric_names or self.follows_returns:
            return metrics
        return {**metrics, "exploration": explorer.amount(step)}

    def policy_state(self) -> State:
        """What a greedy agent needs; `restore_policy` takes it.

        Raises:
            Diverged: a parameter is not finite.
        """
        raise NotImplementedError

    def restore_policy(self, state: State) -> None:
        """Takes over a saved policy. The agent can act; to learn on, it needs `restore`."""
        raise NotImplementedError

    def learned_state(self) -> State:
        """The networks beside `policy_state` that an agent needs to learn on."""
        return {}

    def take_over(self, policy: State, learned: State) -> None:
        """Starts from a saved policy, and from what there is of its `learned_state`."""
        self.restore_policy(policy)

    def state(self) -> State:
        """Everything but the transitions of `replay`.

        An agent that takes over both goes on exactly as this one does.
        """
        raise NotImplementedError

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        raise NotImplementedError
