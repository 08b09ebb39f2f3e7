"""The learning algorithms."""

from rl.agents.a2c import A2C
from rl.agents.base import Agent
from rl.agents.crossq import CrossQ
from rl.agents.ddpg import DDPG
from rl.agents.double_dqn import DoubleDQN
from rl.agents.dqn import DQN
from rl.agents.ppo import PPO
from rl.agents.qrdqn import QRDQN
from rl.agents.sac import SAC
from rl.agents.td3 import TD3

AGENTS: dict[str, type[Agent]] = {
    "DQN": DQN,
    "DoubleDQN": DoubleDQN,
    "QRDQN": QRDQN,
    "A2C": A2C,
    "PPO": PPO,
    "DDPG": DDPG,
    "TD3": TD3,
    "SAC": SAC,
    "CrossQ": CrossQ,
}

__all__ = [
    "A2C", "AGENTS", "DDPG", "DQN", "PPO", "QRDQN", "SAC", "TD3", "Agent", "CrossQ", "DoubleDQN",
]  # fmt: skip
