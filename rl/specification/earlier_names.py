"""Names of earlier versions, so that their specifications and run folders still run.

What an option made another algorithm once is now a name of its own; the numbers stay the same to
the bit. Softmax is the other name that the field has for Boltzmann exploration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rl.specification.settings import as_bool
from rl.specification.specification import Specification

Block = dict[str, Any]

_AGENT_SETTINGS = {"target_blend": "tau"}
_TD3_SETTINGS = {"actor_every": "policy_delay", "target_noise_limit": "target_noise_clip"}


def with_present_names(specification: Specification) -> Specification:
    """The same specification in the names of this version.

    Raises:
        UserError: a setting stands there under both its names.
    """
    agent = specification.block("agent")
    renamed = dict(_AGENT_SETTINGS)
    present = _AGENTS.get(str(agent.get("name", "")).lower().replace("_", ""))
    if present:
        agent = present(agent)
        if agent["name"] == "TD3":
            renamed |= _TD3_SETTINGS
    for old, new in renamed.items():
        if old in agent and new in agent:
            if f"agent.{old}" not in specification.overridden:
                complaint = f"is the earlier name of {new}; leave it out"
                raise specification.explain(f"agent.{old}", complaint)
            del agent[new]  # which `--set` replaces, by whichever name
    agent = {renamed.get(key, key): value for key, value in agent.items()}
    paths = {f"agent.{old}": f"agent.{new}" for old, new in renamed.items()}
    overridden = frozenset(paths.get(path, path) for path in specification.overridden)
    values = {**specification.values, "agent": agent}
    if str(specification.block("exploration").get("name")).lower() == "softmax":
        values["exploration"] = {**specification.block("exploration"), "name": "Boltzmann"}
    return replace(specification, values=values, overridden=overridden)


def _actor_critic(agent: Block) -> Block:
    """ActorCritic was A2C, and with `clip` PPO."""
    clip = agent.pop("clip", 0)
    if not clip:
        return {**agent, "name": "A2C"}
    defaults = {"epochs": 1, "minibatches": 1, "normalize_advantages": False}
    return {**defaults, **agent, "name": "PPO", "clip": clip}


def _ddpg(agent: Block) -> Block:
    """DDPG with `twin_critics`, `actor_every` or `target_noise` was TD3, or a part of it."""
    twins = as_bool(agent.get("twin_critics", False))
    if twins is None:  # which DDPG refuses
        return agent
    agent = {**agent, "twin_critics": twins}
    turns_td3 = {"twin_critics": False, "actor_every": 1, "target_noise": 0.0}
    defaults = {**turns_td3, "target_noise_limit": 0.5}
    if all(agent.get(name, default) == default for name, default in turns_td3.items()):
        return {key: value for key, value in agent.items() if key not in defaults}
    given = {**defaults, **agent, "name": "TD3"}
    critics = 2 if given.pop("twin_critics") else 1
    return {**given, "critics": critics}


_AGENTS: dict[str, Callable[[Block], Block]] = {"actorcritic": _actor_critic, "ddpg": _ddpg}
