"""Environments with masks of actions of every kind, and with other observations and actions."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from nn.typing import Array
from tests.rl.worlds import Steady


class Forbidden(Exception):
    """An action was taken that was not allowed."""


class Gated(gymnasium.Env[Any, Any]):
    """Allows other actions in each state, drawn at random, and shows them; pays for the first.

    An episode ends by chance; of what nobody does any more, the last mask allows nothing.

    Args:
        space: of the actions.
        masked: whether they are forbidden, and said to be.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, space: spaces.Space[Any], masked: bool = True) -> None:
        self.action_space, self.masked, self.render_mode = space, masked, "rgb_array"
        self.size = int(spaces.flatdim(space)) * (1 + isinstance(space, spaces.MultiBinary))
        self.observation_space = spaces.Box(0.0, 1.0, (self.size,), np.float32)

    @property
    def counts(self) -> list[int]:
        if isinstance(self.action_space, spaces.Discrete):
            return [int(self.action_space.n)]
        if isinstance(self.action_space, spaces.MultiBinary):
            return [2] * (self.size // 2)
        assert isinstance(self.action_space, spaces.MultiDiscrete)
        return self.action_space.nvec.ravel().tolist()

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self._show()

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action), action
        start = getattr(self.action_space, "start", 0)
        choices = np.atleast_1d(np.asarray(action) - start).ravel().tolist()
        parts = np.split(self.mask, np.cumsum(self.counts)[:-1])
        for part, choice in zip(parts, choices, strict=True):
            if self.masked and not part[choice]:
                raise Forbidden(f"{action} with {self.mask}")
        reward = float(sum(c == p.argmax() for c, p in zip(choices, parts, strict=True)))
        ended = bool(self.np_random.random() < 0.1)
        observation, info = self._show()
        if ended:
            info = {"action_mask": np.zeros(self.size, np.int8)} if self.masked else {}
        return observation, reward, ended, False, info

    def _show(self) -> tuple[Array, dict[str, Any]]:
        parts = []
        for count in self.counts:
            part = self.np_random.integers(2, size=count)
            part[self.np_random.integers(count)] = 1
            parts.append(part)
        self.mask: Array = np.concatenate(parts).astype(np.int8)
        return self.mask.astype(np.float32), self.info() if self.masked else {}

    def info(self) -> dict[str, Any]:
        """What is said beside an observation."""
        return {"action_mask": self.mask}

    def render(self) -> Any:
        return np.full((8, 8, 3), 100, np.uint8)


SPACES: dict[str, Any] = {
    "Gated-v0": spaces.Discrete(5, start=2),
    "GatedSeveral-v0": spaces.MultiDiscrete([2, 3], np.int32, start=[1, 5]),
    "GatedGrid-v0": spaces.MultiDiscrete(np.array([[2, 3], [3, 2]])),
    "GatedBits-v0": spaces.MultiBinary(3),
}
for _id, _space in SPACES.items():
    gymnasium.register(_id, "tests.rl.gates:Gated", max_episode_steps=12, kwargs={"space": _space})
    gymnasium.register(
        _id.replace("Gated", "Open"), "tests.rl.gates:Gated", max_episode_steps=12,
        kwargs={"space": _space, "masked": False},
    )  # fmt: skip


class SteadySeveral(Steady):
    """As Steady, with several actions at once."""

    action_space = spaces.MultiDiscrete([2, 3])


gymnasium.register("SteadyMultiDiscrete-v0", "tests.rl.gates:SteadySeveral", max_episode_steps=5)


GRID: Any = spaces.Box(0, 9, (2, 2), np.uint8)


class Goals(gymnasium.Env[Any, Any]):
    """A dictionary with a goal, a grid and a text; several actions at once."""

    observation_space = spaces.Dict(
        goal=spaces.Box(0, 1, (2,), np.float32), grid=GRID,
        mission=spaces.Text(9),
    )  # fmt: skip
    action_space = spaces.MultiDiscrete([2, 3])

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self._show(), {}

    def step(self, action: Any) -> Any:
        return self._show(), float(action[1]), bool(self.np_random.random() < 0.2), False, {}

    def _show(self) -> dict[str, Any]:
        grid = self.np_random.integers(9, size=(2, 2), dtype=np.uint8)
        goal = self.np_random.random(2, np.float32)
        return {"goal": goal, "grid": grid, "mission": "go"}


gymnasium.register("Goals-v0", "tests.rl.gates:Goals", max_episode_steps=20)


class Pictured(Steady):
    """As Steady, seen in pictures."""

    observation_space: Any = spaces.Box(0, 255, (96, 96, 3), np.uint8)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return np.zeros((96, 96, 3), np.uint8), {}

    def step(self, action: int) -> Any:
        return np.zeros((96, 96, 3), np.uint8), 1.0, False, False, {}


gymnasium.register("Pictured-v0", "tests.rl.gates:Pictured", max_episode_steps=5)


class Acting(Steady):
    """As Steady, with other actions, each of which must lie in their space."""

    def __init__(self, space: spaces.Space[Any]) -> None:
        self.action_space = space

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action), action
        return super().step(action)


for _id, _acts in {
    "Switches-v0": spaces.MultiDiscrete([3] * 10),
    "Grasp-v0": spaces.Box(-2.0, 5.0, (2, 2), np.float32),
}.items():
    gymnasium.register(_id, "tests.rl.gates:Acting", max_episode_steps=5, kwargs={"space": _acts})
