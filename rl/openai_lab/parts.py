"""Registers the parts of OpenAI Lab; a translated specification imports this module."""

from __future__ import annotations

from nn import INITIALIZERS, OPTIMIZERS
from nn.schedules import SCHEDULES
from rl.agents import AGENTS
from rl.exploration import CONTINUOUS_EXPLORERS, DISCRETE_EXPLORERS
from rl.memory import REPLAYS
from rl.openai_lab import dqn, engine, exploration, noise
from rl.openai_lab.actor_critic import ActorCritic2017
from rl.openai_lab.ddpg import DDPG2017
from rl.openai_lab.double_dqn import DoubleDQN2017, FreezeDQNOfBoth2017
from rl.openai_lab.left_tail import LeftTail2017
from rl.openai_lab.memory import Prioritized2017
from rl.openai_lab.pictures import Atari2017
from rl.openai_lab.preprocessors import Difference2017, Stack2017
from rl.openai_lab.q_table import QTable2017
from rl.openai_lab.searching import Line2017, Random2017
from rl.preprocessors import PREPROCESSORS
from rl.proposing import METHODS


def register() -> None:
    """Puts the parts into the tables."""
    AGENTS["DQN_2017"] = dqn.DQN2017
    AGENTS["FreezeDQN_2017"] = dqn.FreezeDQN2017
    AGENTS["FreezeDQNOfBoth_2017"] = FreezeDQNOfBoth2017
    AGENTS["DoubleDQN_2017"] = DoubleDQN2017
    AGENTS["DeepSarsa_2017"] = dqn.DeepSarsa2017
    AGENTS["DeepExpectedSarsa_2017"] = dqn.DeepExpectedSarsa2017
    AGENTS["OffPolicySarsa_2017"] = dqn.OffPolicySarsa2017
    AGENTS["ActorCritic_2017"] = ActorCritic2017
    AGENTS["DDPG_2017"] = DDPG2017
    AGENTS["QTable_2017"] = QTable2017
    REPLAYS["LeftTail_2017"] = LeftTail2017
    REPLAYS["Prioritized_2017"] = Prioritized2017
    DISCRETE_EXPLORERS["Boltzmann_2017"] = exploration.Boltzmann2017
    DISCRETE_EXPLORERS["EpsilonGreedy_2017"] = exploration.EpsilonGreedy2017
    DISCRETE_EXPLORERS["DecayingEpsilonGreedy_2017"] = exploration.DecayingEpsilonGreedy2017
    DISCRETE_EXPLORERS["OscillatingEpsilonGreedy_2017"] = exploration.OscillatingEpsilonGreedy2017
    DISCRETE_EXPLORERS["TargetedEpsilonGreedy_2017"] = exploration.TargetedEpsilonGreedy2017
    CONTINUOUS_EXPLORERS["LinearNoise_2017"] = noise.LinearNoise2017
    CONTINUOUS_EXPLORERS["EpsilonGreedyNoise_2017"] = noise.EpsilonGreedyNoise2017
    CONTINUOUS_EXPLORERS["Gaussian_2017"] = noise.GaussianNoise2017
    CONTINUOUS_EXPLORERS["OrnsteinUhlenbeck_2017"] = noise.OrnsteinUhlenbeck2017
    PREPROCESSORS["Stack_2017"] = Stack2017
    PREPROCESSORS["Difference_2017"] = Difference2017
    PREPROCESSORS["Atari_2017"] = Atari2017
    INITIALIZERS["lecun_uniform"] = engine.lecun_uniform
    OPTIMIZERS["Adam_2017"] = engine.Adam2017
    OPTIMIZERS["SGD_2017"] = engine.SGD2017
    METHODS["line_2017"] = Line2017
    METHODS["random_2017"] = Random2017
    SCHEDULES["inverse_time"] = engine.InverseTime


register()
