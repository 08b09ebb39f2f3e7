"""How an agent tries what it would not choose; explorers know no agent and no environment."""

from rl.exploration.base import Explorer
from rl.exploration.discrete import (
    Boltzmann,
    EpsilonGreedy,
    Greedy,
    PeriodicEpsilonGreedy,
    TargetEpsilonGreedy,
)
from rl.exploration.noise import Gaussian, NoNoise, OrnsteinUhlenbeck

__all__ = [
    "Boltzmann", "EpsilonGreedy", "Explorer", "Gaussian", "Greedy", "NoNoise",
    "OrnsteinUhlenbeck", "PeriodicEpsilonGreedy", "TargetEpsilonGreedy",
]  # fmt: skip
