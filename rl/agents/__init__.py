"""The learning algorithms."""

from rl.agents.actor_critic import ActorCritic
from rl.agents.base import Agent
from rl.agents.ddpg import DDPG
from rl.agents.double_dqn import DoubleDQN
from rl.agents.dqn import DQN

__all__ = ["ActorCritic", "DDPG", "DQN", "Agent", "DoubleDQN"]
