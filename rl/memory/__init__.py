"""What an agent remembers of what it did."""

from rl.memory.n_step import NStep
from rl.memory.prioritized import Prioritized
from rl.memory.replay import Batch, Replay
from rl.memory.rollout import Rollout

__all__ = ["Batch", "NStep", "Prioritized", "Replay", "Rollout"]
