"""The learning algorithms."""

from rl.agents.a2c import A2C
from rl.agents.base import Agent
from rl.agents.bootstrapped_dqn import BootstrappedDQN
from rl.agents.cem import CEM
from rl.agents.crossq import CrossQ
from rl.agents.ddpg import DDPG
from rl.agents.deep_sarsa import DeepExpectedSarsa, DeepSarsa
from rl.agents.double_dqn import DoubleDQN
from rl.agents.dqn import DQN
from rl.agents.expected_sarsa import ExpectedSarsa
from rl.agents.ppo import PPO
from rl.agents.q_table import QTable
from rl.agents.qrdqn import QRDQN
from rl.agents.rainbow import Rainbow
from rl.agents.random_agent import Random
from rl.agents.reinforce import REINFORCE
from rl.agents.sac import SAC
from rl.agents.sarsa import Sarsa
from rl.agents.td3 import TD3
from rl.agents.tqc import TQC

AGENTS: dict[str, type[Agent]] = {
    "DQN": DQN,
    "DoubleDQN": DoubleDQN,
    "QRDQN": QRDQN,
    "Rainbow": Rainbow,
    "BootstrappedDQN": BootstrappedDQN,
    "A2C": A2C,
    "PPO": PPO,
    "DDPG": DDPG,
    "TD3": TD3,
    "SAC": SAC,
    "CrossQ": CrossQ,
    "TQC": TQC,
    "QTable": QTable,
    "Sarsa": Sarsa,
    "ExpectedSarsa": ExpectedSarsa,
    "DeepSarsa": DeepSarsa,
    "DeepExpectedSarsa": DeepExpectedSarsa,
    "REINFORCE": REINFORCE,
    "CEM": CEM,
    "Random": Random,
}

__all__ = [
    "A2C", "AGENTS", "CEM", "DDPG", "DQN", "PPO", "QRDQN", "REINFORCE", "SAC", "TD3", "TQC",
    "Agent", "BootstrappedDQN", "CrossQ", "DeepExpectedSarsa", "DeepSarsa", "DoubleDQN",
    "ExpectedSarsa", "QTable", "Rainbow", "Random", "Sarsa",
]  # fmt: skip
