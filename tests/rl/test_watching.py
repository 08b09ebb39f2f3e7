"""Episodes are played as they are evaluated."""

from __future__ import annotations

from typing import Any

import numpy as np

from rl.environments import Environments
from rl.watching.frames import play_episode
from tests.rl.worlds import Counter


class Third:
    def act(self, observations: Any) -> Any:
        return np.full(len(observations), 2)


def test_an_episode_is_played_with_the_environments_own_actions() -> None:
    env = Counter(length=3)
    environments = Environments(lambda: env, 1, iter(()))
    for seed in (4, 9):
        episode = play_episode(environments, Third(), seed)
        assert (episode.seed, episode.length, episode.total) == (seed, 3, 1.0 + 2.0 + 3.0)
    assert env.actions == [7] * 6  # its actions start at 5
