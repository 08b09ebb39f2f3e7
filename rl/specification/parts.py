"""From names to objects: the only place where a name becomes a part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from nn import OPTIMIZERS, Network, Optimizer
from nn.limits import require_memory
from nn.names import lookup, suggestion
from rl.agents import AGENTS, Agent
from rl.environments.actions import mask_size
from rl.environments.observations import SHRINK
from rl.environments.spaces import Actions, Continuous, Discrete, Spaces
from rl.errors import brief
from rl.exploration import CONTINUOUS_EXPLORERS, DISCRETE_EXPLORERS, Explorer
from rl.memory import REPLAYS, ROLLOUTS, Replay, Rollout
from rl.preprocessors import PREPROCESSORS, Picture, Preprocessor
from rl.specification.blocks import OPTIONS, NetworkSettings
from rl.specification.environment import environment_block, environment_in
from rl.specification.networks import make_network
from rl.specification.roles import path_of, require_blocks, settings_for
from rl.specification.settings import Explain, make_settings, refusing, resolve
from rl.specification.specification import Specification

EXPLORERS: dict[type[Actions], dict[str, type[Explorer]]] = {
    Discrete: DISCRETE_EXPLORERS,
    Continuous: CONTINUOUS_EXPLORERS,
}

# float32s for each unit of a network and row of a batch: its output and the gradient.
UNIT_BYTES = 2 * 4


def seeing() -> list[str]:
    """The names of the agents whose networks may have convolutions."""
    return [name for name, agent in AGENTS.items() if agent.sees_pictures]


@dataclass
class SpecifiedParts:
    """Builds parts from a specification's blocks and remembers the settings it resolved."""

    specification: Specification
    rngs: Mapping[str, np.random.Generator]
    spaces: Spaces = field(init=False)
    picture: Picture | None = field(init=False)  # the form of what the agent sees, if it is one
    lanes: int = 1
    _resolved: dict[str, dict[str, Any]] = field(default_factory=dict)
    _preprocessor: Preprocessor = field(init=False)
    _units: int = 0  # of all networks together
    _noisy: bool = False  # whether a network has noise of its own

    def __post_init__(self) -> None:
        if block := environment_block(self.specification):
            self._resolved["environment"] = block

    def agent(self, part: type[Agent]) -> Agent:
        """The agent, which asks for its parts."""
        settings = self.settings("agent", part)
        return self._refusing("agent", lambda: part.assemble(self, settings))

    def preprocessor(self) -> Preprocessor:
        """What the agent sees of the problem; `spaces` is then of that."""
        part, raw = self.find(PREPROCESSORS, "preprocessor", "Identity"), self.spaces.picture
        settings = self.settings("preprocessor", part)
        form = {"raw": raw} if part.of_pictures else {}
        made: Preprocessor = self._refusing(
            "preprocessor", lambda: part(self.spaces.observation_size, settings, **form)
        )
        self._preprocessor, self.picture = made, made.picture(raw)
        bounds = self.spaces.bounds and self.spaces.bounds.behind(made)
        self.spaces = replace(self.spaces, observation_size=made.size, bounds=bounds)
        return made

    @property
    def _frames(self) -> dict[str, int]:
        """What a replay memory is told of pictures, to keep once what several of them show."""
        seen = self._preprocessor
        return {"frames": seen.frames} if seen.frames > 1 or seen.kind == np.uint8 else {}

    def network(
        self,
        inputs: int,
        outputs: int,
        role: str | None = None,
        output: str = "identity",
        members: int | None = None,
        joined: int = 0,
    ) -> Network:
        """A network from `inputs` to `outputs` with the hidden layers of the `network` block."""
        kind = AGENTS[self._resolved["agent"]["name"]]
        settings = self.settings("network", NetworkSettings, role, kind.network_defaults)
        self._refuse_options(settings, role)
        rng = self.rngs["network"]
        if not settings.conv:
            self._refuse_large_picture(kind)
        seen = self._picture(self._path("network", role, "conv")) if settings.conv else {}
        net: Network = self._refusing(
            "network",
            lambda: make_network(inputs, outputs, output, rng, settings, members, joined, **seen),
            role,
        )
        self._units += net.units
        self._noisy |= settings.noisy
        return net

    def _refuse_large_picture(self, agent: type[Agent]) -> None:
        """Refuses a picture that only convolutions can take."""
        picture = self.picture if self._preprocessor.of_pictures else self.spaces.picture
        if picture is None or not picture.is_large:
            return
        remedy = f"{agent.__name__} takes no convolutions, but these do: {', '.join(seeing())}"
        if agent.sees_pictures:
            remedy = "write network.conv, such as [{filters: 32, size: 8, stride: 4}]"
        key = "problem" if "problem" in self.specification.values else "environment.id"
        complaint = f"does not fit: {picture.complaint}; {remedy}, or {SHRINK}"
        raise self.specification.explain(key, complaint)

    def _picture(self, path: str) -> dict[str, Any]:
        """The form of the pictures that a convolutional network sees, and a factor for them.

        Pictures of bytes stay that until they enter the network.

        Raises:
            UserError: the agent takes no convolutions, or the observations are no pictures.
        """
        agent = self._resolved["agent"]["name"]
        if not AGENTS[agent].sees_pictures:
            complaint = f"does not fit {agent}; these have it: {', '.join(seeing())}"
            raise self.specification.explain(path, complaint)
        picture, problem = self.picture, environment_in(self.specification).id
        if self.spaces.picture is None:
            complaint = f"needs pictures, and the observations of {problem} are none"
        elif picture is None:
            name = self._resolved["preprocessor"]["name"]
            complaint = f"needs pictures, and the preprocessor {name} makes vectors of them"
        else:
            bytes_are_seen = self.spaces.bounds is not None and self.spaces.bounds.are_bytes
            if picture.is_bytes:
                self._preprocessor.kind = np.uint8
            return {"picture": picture, "pixel_scale": 1 / 255 if bytes_are_seen else 1.0}
        raise self.specification.explain(path, f"{complaint}; leave it out")

    def _refuse_options(self, settings: NetworkSettings, role: str | None) -> None:
        """Refuses layers that the agent does not handle."""
        name = self._resolved["agent"]["name"]
        for option in OPTIONS:
            if getattr(settings, option) and option not in AGENTS[name].network_options:
                able = [each for each, kind in AGENTS.items() if option in kind.network_options]
                complaint = f"does not fit {name}; these have it: {', '.join(able)}"
                path = self._path("network", role, option)
                raise self.specification.explain(path, complaint)

    def optimizer(self, network: Network, role: str | None = None) -> Optimizer:
        """An optimizer of the network's parameters."""
        part = self.find(OPTIMIZERS, "optimizer", "Adam", role)
        settings = self.settings("optimizer", part, role)
        made: Optimizer = part(network.parameters, network.gradients, settings)
        return made

    def memory(self) -> Replay:
        """A replay memory for the problem's observations and actions."""
        part = self.find(REPLAYS, "memory", "Replay", others=ROLLOUTS)
        settings, spaces = self.settings("memory", part), self.spaces
        made: Replay = self._refusing(
            "memory",
            lambda: part(
                spaces.observation_size,
                self.rngs["memory"],
                settings,
                spaces.actions.array(0),
                mask_size(spaces.actions),
                self._preprocessor.kind,
                **self._frames,
            ),
        )
        self._refuse_large_batch("batch_size", made.batch_size, made.batch_size)
        return made

    def rollout(self) -> Rollout:
        """A memory of the latest steps of all lanes."""
        part = self.find(ROLLOUTS, "memory", "Rollout", others=REPLAYS)
        settings, spaces = self.settings("memory", part), self.spaces
        made: Rollout = self._refusing(
            "memory",
            lambda: part(
                spaces.observation_size,
                self.lanes,
                spaces.actions.array(0),
                settings,
                mask_size(spaces.actions),
                self._preprocessor.kind,
            ),
        )
        self._refuse_large_batch("horizon", made.horizon, made.horizon * self.lanes)
        return made

    def _refuse_large_batch(self, setting: str, value: int, rows: int) -> None:
        """Refuses more rows than the networks, which are there by now, can learn from at once."""
        size = rows * self._units * UNIT_BYTES
        self._refusing("memory", lambda: require_memory(setting, value, size))

    def generator(self) -> np.random.Generator:
        """The random numbers of a stochastic policy."""
        return self.rngs["exploration"]

    def exploration(self) -> Explorer:
        """An explorer among the problem's actions."""
        actions = self.spaces.actions
        table = next(each for kind, each in EXPLORERS.items() if isinstance(actions, kind))
        others = {name: each for kind in EXPLORERS.values() for name, each in kind.items()}
        agent = self._resolved["agent"]["name"]
        alone = self._noisy or AGENTS[agent].explores_itself
        default = "None" if alone else next(iter(table))
        part = self.find(table, "exploration", default, others=others)
        if alone and part is not table["None"]:
            who = "a noisy network" if self._noisy else agent
            complaint = f"is {self._resolved['exploration']['name']}, but {who} explores by itself"
            raise self.specification.explain("exploration", f"{complaint}; write {{name: None}}")
        if AGENTS[agent].needs_probabilities and not part.knows_probabilities():
            able = [name for name, each in table.items() if each.knows_probabilities()]
            raise self.specification.explain(
                "exploration",
                f"is {self._resolved['exploration']['name']}, which does not tell {agent} how "
                "likely it takes each action; define `probabilities` in it beside `choose`, or "
                f"take {', '.join(able)}",
            )
        made: Explorer = part(self.rngs["exploration"], self.settings("exploration", part))
        return made

    def find(
        self,
        table: Mapping[str, Any],
        key: str,
        default: str | None,
        role: str | None = None,
        others: Mapping[str, Any] = MappingProxyType({}),
    ) -> Any:
        """The part that block `key` names, or the default's; `others` do not fit the agent."""
        block = self._block(key, role)
        path = self._path(key, role, "name")
        name = block.get("name", default)
        if not isinstance(name, str):
            complaint = f"must be a name, not {brief(name)}{suggestion('', table)}"
            raise self.specification.explain(path, complaint)
        try:
            part = lookup(table, name, key)
        except ValueError as error:
            if name in others:
                agent, fitting = self._resolved["agent"]["name"], ", ".join(table)
                complaint = f"is {name}, which does not fit {agent}; these do: {fitting}"
                raise self.specification.explain(path, complaint) from None
            raise self.specification.explain(path, f"names an {error}") from None
        self._done(key, role)["name"] = next(k for k, v in table.items() if v is part)
        return part

    def settings(
        self,
        key: str,
        part: Any,
        role: str | None = None,
        defaults: Mapping[str, Any] = MappingProxyType({}),
    ) -> Any:
        """The settings of a part, from block `key`; `defaults` precede those of the part."""
        block = {**defaults, **self._block(key, role)}
        done = self._done(key, role)
        if "name" in done:  # it has been found by it
            block.pop("name", None)
        resolved = resolve(part, block, self._explain(key, role))
        done.update(resolved)
        return make_settings(part, resolved, self._explain(key, role))

    def _explain(self, key: str, role: str | None = None) -> Explain:
        """What explains a complaint about a setting of block `key`."""
        return lambda name, complaint: self.specification.explain(
            self._path(key, role, name), complaint
        )

    def _refusing(self, key: str, make: Callable[[], Any], role: str | None = None) -> Any:
        """What `make` makes of block `key`; it may refuse a setting."""
        return refusing(self._explain(key, role), make)

    def _path(self, key: str, role: str | None, name: str = "") -> str:
        return path_of(key, self.specification.block(key), role, name)

    def _block(self, key: str, role: str | None) -> dict[str, Any]:
        """The settings of block `key` for a role."""
        block = self.specification.block(key)
        if role is None:
            return block
        roles = AGENTS[self._resolved["agent"]["name"]].roles
        require_blocks(self.specification, key, roles)
        return settings_for(block, role, roles)

    def _done(self, key: str, role: str | None) -> dict[str, Any]:
        """Where the resolved settings of block `key` for a role are noted."""
        done = self._resolved.setdefault(key, {})
        return done if role is None else done.setdefault(role, {})

    def refuse_unused(self) -> None:
        """Refuses a block that the agent has no use for."""
        for key, value in self.specification.values.items():
            if isinstance(value, dict) and key not in (*self._resolved, "search"):
                agent = self._resolved["agent"]["name"]
                raise self.specification.explain(key, f"is not used by {agent}; leave it out")
        for key, block in self._resolved.items():
            for role in AGENTS[self._resolved["agent"]["name"]].roles:
                if role in self.specification.block(key) and role not in block:
                    complaint = "is of a network that is not there; leave it out"
                    raise self.specification.explain(f"{key}.{role}", complaint)

    def resolved(self) -> Specification:
        """The specification with every default filled in."""
        given = self.specification
        texts = {key: value for key, value in given.values.items() if isinstance(value, str)}
        search = {"search": given.values["search"]} if "search" in given.values else {}
        values = {**texts, **self._resolved, **search}
        return replace(given, values=values, overridden=frozenset())
