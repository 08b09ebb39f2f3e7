"""How an agent tries what it would not choose; explorers know no agent and no environment."""

from rl.exploration.base import Explorer, expected
from rl.exploration.discrete import (
    Boltzmann,
    EpsilonGreedy,
    Greedy,
    PeriodicEpsilonGreedy,
    TargetEpsilonGreedy,
)
from rl.exploration.noise import Gaussian, NoNoise, OrnsteinUhlenbeck

DISCRETE_EXPLORERS: dict[str, type[Explorer]] = {
    "EpsilonGreedy": EpsilonGreedy,
    "PeriodicEpsilonGreedy": PeriodicEpsilonGreedy,
    "TargetEpsilonGreedy": TargetEpsilonGreedy,
    "Boltzmann": Boltzmann,
    "None": Greedy,
}
CONTINUOUS_EXPLORERS: dict[str, type[Explorer]] = {
    "Gaussian": Gaussian,
    "OrnsteinUhlenbeck": OrnsteinUhlenbeck,
    "None": NoNoise,
}

__all__ = [
    "CONTINUOUS_EXPLORERS", "DISCRETE_EXPLORERS",
    "Boltzmann", "EpsilonGreedy", "Explorer", "Gaussian", "Greedy", "NoNoise",
    "OrnsteinUhlenbeck", "PeriodicEpsilonGreedy", "TargetEpsilonGreedy", "expected",
]  # fmt: skip
