"""How Atari games are played: no-ops, repeated actions, and lives (Mnih et al. 2015)."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from nn.typing import Array
from rl.errors import UserError

LIFE_LOST = "life_lost"  # in `info`: an end to what is learned, though the episode goes on


class Atari(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Does each action several times, and begins with some that do nothing.

    Its observation is the maximum of the last two screens. Where the environment's `info` counts
    `lives`, the loss of one is said there.

    Args:
        env: whose observations are arrays, and whose action 0 does nothing.
        skip: screens for each action.
        no_ops: the greatest number of actions that do nothing at first; 0 for none.
        life_loss: whether to say that a life was lost.

    Raises:
        UserError: the environment repeats actions by itself, or has no action that does nothing.
    """

    def __init__(
        self, env: gymnasium.Env, skip: int = 4, no_ops: int = 30, life_loss: bool = True
    ) -> None:
        super().__init__(env)
        own = env.spec.kwargs.get("frameskip", 1) if env.spec else 1
        if own != 1:
            raise UserError(f"Atari repeats actions, and frameskip is {own}; write frameskip: 1")
        if no_ops and _first_meaning(env) != "NOOP":
            raise UserError("Atari needs an action 0 that does nothing (NOOP); write no_ops: 0")
        self._skip, self._no_ops, self._life_loss = skip, no_ops, life_loss
        self._rng = np.random.default_rng()
        self._lives = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Begins an episode."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        observation, info = self.env.reset(seed=seed, options=options)
        for _ in range(int(self._rng.integers(1, self._no_ops + 1)) if self._no_ops else 0):
            observation, _, terminated, truncated, info = self.env.step(0)
            if terminated or truncated:
                observation, info = self.env.reset(options=options)
        self._lives = info.get("lives", 0)
        return observation, info

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Does an action several times; the reward is the sum."""
        screens: list[Array] = []
        total = 0.0
        for _ in range(self._skip):
            screen, reward, terminated, truncated, info = self.env.step(action)
            screens, total = [*screens[-1:], screen], total + float(reward)
            if terminated or truncated:
                break
        lives = info.get("lives", 0)
        if self._life_loss and lives < self._lives:
            info = {**info, LIFE_LOST: True}
        self._lives = lives
        return np.maximum(screens[0], screens[-1]), total, terminated, truncated, info


def _first_meaning(env: gymnasium.Env) -> str:
    """What action 0 means; empty if nobody says."""
    meanings = getattr(env.unwrapped, "get_action_meanings", None)
    return str(meanings()[0]).upper() if callable(meanings) else ""
