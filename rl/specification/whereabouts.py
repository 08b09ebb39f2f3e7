"""Which block a setting stands in, for those who look for it in another one."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import Any

from nn import OPTIMIZERS
from nn.names import suggestion
from rl.agents import AGENTS
from rl.environments.settings import EnvironmentSettings
from rl.exploration import CONTINUOUS_EXPLORERS, DISCRETE_EXPLORERS
from rl.memory import REPLAYS, ROLLOUTS
from rl.preprocessors import PREPROCESSORS
from rl.specification.blocks import NetworkSettings, Training
from rl.specification.keys import KEYS
from rl.specification.settings import settings_of

# The blocks that name no part, and those that do with the tables of what they may name.
BLOCKS = {"train": Training, "environment": EnvironmentSettings, "network": NetworkSettings}
TABLES: dict[str, Mapping[str, Any]] = {
    "optimizer": OPTIMIZERS,
    "agent": AGENTS,
    "memory": ChainMap(REPLAYS, ROLLOUTS),
    "exploration": ChainMap(DISCRETE_EXPLORERS, CONTINUOUS_EXPLORERS),
    "preprocessor": PREPROCESSORS,
}
# What other libraries call them.
OTHER_NAMES = {
    "lr": "optimizer.learning_rate",
    "buffer_size": "memory.capacity",
    "n_steps": "memory.horizon",
    "learning_starts": "agent.learn_start",
    "train_freq": "agent.learn_every",
    "target_update_interval": "agent.target_every",
    "gae_lambda": "agent.lam",
    "ent_coef": "agent.entropy_weight",
    "vf_coef": "agent.value_weight",
    "n_epochs": "agent.epochs",
    "max_grad_norm": "agent.max_gradient_norm",
    "net_arch": "network.hidden",
    "activation_fn": "network.activation",
    "total_timesteps": "train.steps",
    "timesteps": "train.steps",
    "n_envs": "train.lanes",
    "num_envs": "train.lanes",
    "eval_freq": "train.evaluate_every",
    "n_eval_episodes": "train.evaluate_episodes",
    "exploration_initial_eps": "exploration.start",
    "exploration_final_eps": "exploration.end",
    "env_kwargs": "environment.kwargs",
}
_MOST = 3  # parts that a message lists


def paths_of(name: str) -> list[str]:
    """The dotted paths of the settings of a name; empty if there is none."""
    name = name.replace("-", "_").lower()
    if name in OTHER_NAMES:
        return [OTHER_NAMES[name]]
    found = [f"{block}.{name}" for block, parts in _parts() if _owners(name, parts)]
    return [*filter(name.__eq__, KEYS), *found]


def where(name: str, part: Any) -> str:
    """The end of a message about a setting that a part has not: whose it is, or what is like it."""
    known = settings_of(part)
    own, parts = next((each for each in _parts() if part in each[1].values()), ("", {"": part}))
    owners = [*filter(None, _owners(name, parts))]
    others = [path for path in paths_of(name) if path != f"{own}.{name}"] if own else []
    if name.lower() in known or not (owners or others):
        return suggestion(name, known)
    said = ", ".join(owners[:_MOST]) + " and others" * (len(owners) > _MOST)
    hint = (f", but of {said}" if owners else "") + (meant(others) or ".")
    return f"{hint} Known: {', '.join(sorted(known))}"


def meant(paths: list[str]) -> str:
    """The end of a message that asks whether one of these settings was meant."""
    return f"; did you mean {' or '.join(paths)}?" if paths else ""


def _parts() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each block, and the parts that it may be of by name."""
    yield from ((block, {"": part}) for block, part in BLOCKS.items())
    yield from TABLES.items()


def _owners(name: str, parts: Mapping[str, Any]) -> list[str]:
    """The parts that have a setting."""
    return [each for each, part in parts.items() if name in settings_of(part)]
