"""What an agent remembers of what it did."""

from rl.memory.frames import Frames
from rl.memory.high_low import HighLow
from rl.memory.left_tail import LeftTail
from rl.memory.n_step import NStep
from rl.memory.prioritized import Prioritized
from rl.memory.replay import Batch, Replay
from rl.memory.rollout import Rollout, Steps

REPLAYS: dict[str, type[Replay]] = {
    "Replay": Replay,
    "Prioritized": Prioritized,
    "LeftTail": LeftTail,
    "HighLow": HighLow,
}
ROLLOUTS: dict[str, type[Rollout]] = {"Rollout": Rollout}

__all__ = [
    "REPLAYS", "ROLLOUTS", "Batch", "Frames", "HighLow", "LeftTail", "NStep", "Prioritized",
    "Replay", "Rollout", "Steps",
]  # fmt: skip
