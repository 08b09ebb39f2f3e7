"""The learning algorithms."""

from rl.agents.base import Agent
from rl.agents.double_dqn import DoubleDQN
from rl.agents.dqn import DQN

__all__ = ["DQN", "Agent", "DoubleDQN"]
