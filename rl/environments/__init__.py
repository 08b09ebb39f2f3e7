"""Gymnasium environments in lanes, and what the lab relies on in them."""

from rl.environments.lanes import Environments
from rl.environments.making import environment_of, known_spaces, make_env
from rl.environments.seeds import TrainingSeeds, evaluation_seeds, seed_range
from rl.environments.transitions import Episode, Transitions

__all__ = [
    "Environments", "Episode", "TrainingSeeds", "Transitions", "environment_of",
    "evaluation_seeds", "known_spaces", "make_env", "seed_range",
]  # fmt: skip
