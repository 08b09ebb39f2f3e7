"""What an agent remembers of what it did."""

from rl.memory.n_step import NStep
from rl.memory.replay import Batch, Replay

__all__ = ["Batch", "NStep", "Replay"]
