"""The five games of MinAtar (Young and Tian 2019), of the package `minatar`."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

from nn.typing import Array

GAMES = ("asterix", "breakout", "freeway", "seaquest", "space_invaders")
ACTIONS = ("noop", "left", "up", "right", "down", "fire")
_CELL = 30  # pixels of a side, in a picture for people


class MinAtar(gymnasium.Env[Any, Any]):
    """A game on a board of 10 x 10, whose channels are the kinds of things on it: 1 where one is.

    An episode depends on nothing but its seed and its actions.

    Args:
        game: one of `GAMES`.
        minimal_actions: whether only those that mean something in the game are there.
        sticky_action_prob: probability that the action before is done instead.
        difficulty_ramping: whether the game becomes faster.
        render_mode: "rgb_array" or None.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        game: str,
        minimal_actions: bool = False,
        sticky_action_prob: float = 0.1,
        difficulty_ramping: bool = True,
        render_mode: str | None = None,
    ) -> None:
        from minatar import Environment

        self._game = Environment(game, sticky_action_prob, difficulty_ramping)
        self._actions = list(range(len(ACTIONS)))
        if minimal_actions:
            self._actions = list(self._game.minimal_action_set())
        self.render_mode = render_mode
        self.metadata = {**type(self).metadata, "action_names": [ACTIONS[i] for i in self._actions]}
        self.action_space = Discrete(len(self._actions))
        self.observation_space = Box(0, 1, tuple(self._game.state_shape()), np.uint8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Begins an episode."""
        super().reset(seed=seed)
        if seed is not None:
            self._game.seed(seed % 2**32)
        self._game.last_action = 0  # which the package keeps from the episode before
        self._game.reset()
        return self._state(), {}

    def step(self, action: int) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Acts for one frame."""
        reward, terminated = self._game.act(self._actions[int(action)])
        return self._state(), float(reward), bool(terminated), False, {}

    def _state(self) -> Array:
        return np.asarray(self._game.state(), np.uint8)

    def render(self) -> Array:
        """The board in colours [height, width, 3]; of several things in a cell the last is seen."""
        state = self._state()
        channels = state.shape[2]
        kind = (state * np.arange(1, channels + 1)).max(axis=2)
        picture = _palette(channels)[kind]
        return picture.repeat(_CELL, axis=0).repeat(_CELL, axis=1)


def _palette(channels: int) -> Array:
    """Black, and a colour for each channel [channels + 1, 3]."""
    from matplotlib import colormaps

    colours = colormaps["turbo"](np.linspace(0.08, 0.95, channels))[:, :3]
    return np.concatenate([np.zeros((1, 3)), 255 * colours]).astype(np.uint8)


def _register() -> None:
    for game in GAMES:
        for version, minimal in enumerate((False, True)):
            gymnasium.register(
                f"MinAtar/{game.title().replace('_', '')}-v{version}",
                "rl.environments.minatar:MinAtar",
                kwargs={"game": game, "minimal_actions": minimal},
            )


_register()
