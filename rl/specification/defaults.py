"""The defaults of a run without a specification: which agent learns an environment, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from nn.names import lookup
from rl.agents import A2C, AGENTS, CEM, DDPG, DQN, PPO, QRDQN, REINFORCE, SAC, Agent, Rainbow
from rl.agents.tabular import Tabular
from rl.environments.spaces import SMALLEST_PICTURE, Spaces
from rl.preprocessors import Picture

# The agent of an environment is the first of these that handles its actions.
PREFERRED = ("DoubleDQN", "TQC", "PPO")
STEPS = 100_000
CUT = 1_000  # steps of an episode where the environment has no time limit

REPLAYED = 10**9  # bytes of a replay memory
_FLOAT = 4  # bytes of a number

# Of pictures: the layers of Mnih et al. (2015), the side of what they see, the batch of a memory,
# and the steps of a rollout.
NATURE = [{"filters": 32, "size": 8, "stride": 4}, {"filters": 64, "size": 4, "stride": 2},
          {"filters": 64, "size": 3}]  # fmt: skip
SMALL = [{"filters": 16, "size": 3, "stride": 2}]
BOARD = [{"filters": 16, "size": 3}]  # and 128 units: Young and Tian (2019)
SIDE, BATCH, HORIZON = 84, 64, 32

Blocks = dict[str, dict[str, Any]]


def default_agent(spaces: Spaces) -> str:
    """The name of the agent for an environment, by its actions; it must see large pictures."""
    others = (name for name in AGENTS if name not in PREFERRED)
    return next(
        name for name in (*PREFERRED, *others)
        if isinstance(spaces.actions, AGENTS[name].kinds)
        and (AGENTS[name].sees_pictures or not spaces.are_large_pictures)
    )  # fmt: skip


def default_blocks(
    spaces: Spaces, agent: str, train: Mapping[str, Any], horizon: int | None
) -> Blocks:
    """The settings that take the place of the parts' own defaults.

    They follow from the environment's spaces and from the length of training, and were tuned over
    many problems at once: what is learned does not depend on the scale of observations or rewards.

    Args:
        spaces: of the environment.
        agent: the name of the agent.
        train: what the specification says of training.
        horizon: the time limit of an episode, in steps; None if there is none.
    """
    blocks: Blocks = {"train": {} if train.get("episodes") else {"steps": STEPS}}
    if horizon is None:
        blocks["train"] |= {"max_episode_steps": CUT, "max_evaluation_steps": CUT}
    with suppress(ValueError):  # an unknown agent is refused later
        kind = lookup(AGENTS, agent, "agent")
        for settings in (each for family, each in _FAMILIES.items() if issubclass(kind, family)):
            for key, block in settings(_budget(train, horizon or CUT)).items():
                blocks[key] = {**blocks.get(key, {}), **block}
            if blocks.get("preprocessor", {}).get("name") == "Normalize":
                blocks["preprocessor"]["observations"] = not spaces.one_hot
        # CEM has a tiny network wherever it can.
        sees = kind.sees_pictures and (kind is not CEM or spaces.are_large_pictures)
        if sees and spaces.are_pictures:
            _see(blocks, spaces)
        elif sees and spaces.are_boards:
            blocks["network"] = {**blocks.get("network", {}), "conv": BOARD, "hidden": [128]}
            _show(blocks, {"name": "Identity"})
        _limit(blocks, spaces)
        if issubclass(kind, REINFORCE):  # A2C with a memory of its own
            del blocks["memory"]
        if kind.explores_itself or kind.network_defaults.get("noisy"):
            del blocks["exploration"]
    return blocks


def _see(blocks: Blocks, spaces: Spaces) -> None:
    """Makes the blocks those of an agent that sees pictures."""
    assert spaces.picture
    conv = SMALL if min(spaces.picture.shape[:2]) < SMALLEST_PICTURE else NATURE
    blocks["network"] = {**blocks.get("network", {}), "conv": conv, "hidden": [512]}
    _show(blocks, _seen(spaces.picture))
    memory = blocks.get("memory", {})
    if "capacity" in memory:
        blocks["agent"]["learn_every"] = 4
        memory["batch_size"] = min(memory["batch_size"], BATCH)
    if "horizon" in memory:
        memory["horizon"] = min(memory["horizon"], HORIZON)


def _limit(blocks: Blocks, spaces: Spaces) -> None:
    """Limits the bytes of a replay memory, which keeps each frame of several once."""
    memory, seen = blocks.get("memory", {}), blocks.get("preprocessor", {})
    each = 2 * _FLOAT * spaces.observation_size
    if seen.get("name") == "FrameStack":
        assert spaces.picture
        height, width, channels = spaces.picture.shape
        pixels = seen.get("height", height) * seen.get("width", width)
        each = pixels * (1 if seen["grayscale"] else channels)
        each *= 1 if spaces.picture.is_bytes else _FLOAT
    if "capacity" in memory:
        memory["capacity"] = max(min(memory["capacity"], REPLAYED // each), memory["batch_size"])


def _show(blocks: Blocks, preprocessor: dict[str, Any]) -> None:
    """Puts a preprocessor of pictures, or leaves them as they are where rewards are normalized."""
    if blocks.get("preprocessor", {}).get("rewards"):
        blocks["preprocessor"]["observations"] = False
    else:
        blocks["preprocessor"] = preprocessor


def _seen(picture: Picture) -> dict[str, Any]:
    """Four frames, as Mnih et al. (2015) have them of large pictures."""
    settings: dict[str, Any] = {"name": "FrameStack", "grayscale": picture.shape[2] in (1, 3)}
    if min(picture.shape[:2]) > SIDE:
        settings |= {"height": SIDE, "width": SIDE}
    return settings


def _budget(train: Mapping[str, Any], horizon: int) -> int:
    """The environment steps of a training; settings that are no numbers are refused later."""
    steps, episodes = (
        each if isinstance(each, (int, float)) and each >= 1 else None
        for each in (train.get("steps"), train.get("episodes"))
    )
    return int(min(steps or STEPS, (episodes or STEPS) * horizon))


def _share(steps: int, parts: int) -> int:
    """One part of the steps; a batch is not learned from before it is there."""
    return max(steps // parts, 100)


def _normalize(**settings: Any) -> dict[str, Any]:
    return {
        "name": "Normalize",
        "center_beyond": 3.0,
        "rewards": True,
        "epsilon": 1e-12,
        **settings,
    }


def _values(steps: int) -> Blocks:
    return {
        "agent": {"n_step": 3, "learn_start": _share(steps, 500), "learn_every": 1, "tau": 0.02,
                  "average_updates": 1_000, "cost": "quadratic", "return_std": 10.0},
        "network": {"hidden": [128, 128]},
        "memory": {"name": "Replay", "capacity": 50_000, "batch_size": 64},
        "exploration": {"name": "EpsilonGreedy", "start": 1.0, "end": 0.05,
                        "steps": _share(steps, 20)},
        "preprocessor": _normalize(rewards=False, warmup=_share(steps, 10)),
    }  # fmt: skip


def _deterministic_actor(steps: int) -> Blocks:
    return {
        "agent": {"learn_start": _share(steps, 50), "tau": 0.01, "return_std": 100.0},
        "network": {"hidden": [128, 128]},
        "memory": {"name": "Replay", "capacity": 100_000, "batch_size": 128},
        "exploration": {"name": "OrnsteinUhlenbeck", "start": 1.0, "end": 0.1, "theta": 0.1,
                        "steps": _share(steps, 5)},
        "preprocessor": _normalize(rewards=False, warmup=_share(steps, 10)),
    }  # fmt: skip


def _soft_actor(steps: int) -> Blocks:
    return {
        "agent": {"learn_start": _share(steps, 100), "tau": 0.01, "return_std": 100.0},
        "network": {"hidden": [128, 128]},
        "memory": {"name": "Replay", "capacity": 100_000, "batch_size": 128},
        "preprocessor": _normalize(rewards=False, warmup=_share(steps, 10)),
    }  # fmt: skip


def _stochastic_actor(steps: int) -> Blocks:
    del steps
    return {
        "agent": {"entropy_weight": 0.01},
        "network": {"hidden": [64, 64], "activation": "tanh", "output_scale": 0.1},
        "memory": {"name": "Rollout", "horizon": 16, "ends_with_episodes": True},
        "preprocessor": _normalize(),
    }


def _clipped_passes(steps: int) -> Blocks:
    del steps
    return {
        "memory": {"name": "Rollout", "horizon": 128, "ends_with_episodes": False},
        "train": {"lanes": 8},
    }


def _quantiles(steps: int) -> Blocks:
    del steps
    return {"agent": {"cost": "huber"}}


def _together(steps: int) -> Blocks:
    return {"memory": {"name": "Prioritized", "beta_steps": steps}}


def _table(steps: int) -> Blocks:
    return {"exploration": {"name": "EpsilonGreedy", "start": 1.0, "end": 0.05,
                            "steps": _share(steps, 2)}}  # fmt: skip


def _whole_episodes(steps: int) -> Blocks:
    return {
        "agent": {"episodes": 4},
        "preprocessor": _normalize(rewards=False, warmup=_share(steps, 10)),
    }


def _searched(steps: int) -> Blocks:
    warmup = _share(steps, 10)
    return {
        "network": {"hidden": []},
        "preprocessor": _normalize(rewards=False, warmup=warmup),
    }


# A variant has those of its base, and then its own.
_FAMILIES: dict[type[Agent], Callable[[int], Blocks]] = {
    DQN: _values,
    QRDQN: _quantiles,
    Rainbow: _together,
    DDPG: _deterministic_actor,
    SAC: _soft_actor,
    A2C: _stochastic_actor,
    PPO: _clipped_passes,
    REINFORCE: _whole_episodes,
    Tabular: _table,
    CEM: _searched,
}
