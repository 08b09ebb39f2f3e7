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
    `lives`, the loss of one is said there. Games that wait for FIRE wait for ever if the greedy
    action is another, so that this can be pressed for the agent.

    Args:
        env: whose observations are pictures, and whose action 0 does nothing.
        skip: screens for each action.
        no_ops: the greatest number of actions that do nothing at first; 0 for none.
        life_loss: whether to say that a life was lost.
        fire: whether an episode and each further life begin with FIRE, if that is action 1.

    Raises:
        UserError: the environment shows no pictures, repeats actions by itself, or has no action
            that does nothing.
    """

    def __init__(
        self,
        env: gymnasium.Env,
        skip: int = 4,
        no_ops: int = 30,
        life_loss: bool = True,
        fire: bool = False,
    ) -> None:
        super().__init__(env)
        if len(env.observation_space.shape or ()) < 2:
            raise UserError("Atari needs pictures, and observations are none")
        own = env.spec.kwargs.get("frameskip", 1) if env.spec else 1
        if own != 1:
            raise UserError(f"Atari repeats actions, and frameskip is {own}; write frameskip: 1")
        meanings = _meanings(env)
        if no_ops and meanings[:1] != ["NOOP"]:
            raise UserError("Atari needs an action 0 that does nothing (NOOP); write no_ops: 0")
        self._skip, self._no_ops, self._life_loss = skip, no_ops, life_loss
        self._fires = fire and meanings[1:2] == ["FIRE"]
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
        if self._fires:
            observation, _, terminated, truncated, info = self._repeat(1)
            if terminated or truncated:
                observation, info = self.env.reset(options=options)
        self._lives = info.get("lives", 0)
        return observation, info

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Does an action several times; the reward is the sum."""
        observation, total, terminated, truncated, info = self._repeat(action)
        is_lost = info.get("lives", 0) < self._lives
        if is_lost and self._fires and not (terminated or truncated):
            observation, more, terminated, truncated, info = self._repeat(1)
            total += more
        if is_lost and self._life_loss:
            info = {**info, LIFE_LOST: True}
        self._lives = info.get("lives", 0)
        return observation, total, terminated, truncated, info

    def _repeat(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """What an action done several times leads to, or fewer where the episode ends."""
        screens: list[Array] = []
        total = 0.0
        for _ in range(self._skip):
            screen, reward, terminated, truncated, info = self.env.step(action)
            screens, total = [*screens[-1:], screen], total + float(reward)
            if terminated or truncated:
                break
        return np.maximum(screens[0], screens[-1]), total, terminated, truncated, info


def _meanings(env: gymnasium.Env) -> list[str]:
    """What the actions mean; empty if nobody says."""
    meanings = getattr(env.unwrapped, "get_action_meanings", None)
    return [str(each).upper() for each in meanings()] if callable(meanings) else []
