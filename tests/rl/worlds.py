"""Tiny environments whose exact values are known."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

from nn.typing import Array


class Chain(gymnasium.Env[Any, Any]):
    """Four states in a row; action 1 goes right, action 0 left.

    Right of the last state lies the end, with a reward of 1; going left in the first state pays
    0.1 and stays there. With gamma = 0.5 the optimal values are VALUES.
    """

    VALUES = np.array([[0.2, 0.125], [0.1, 0.25], [0.125, 0.5], [0.25, 1.0]])

    observation_space = Box(0.0, 1.0, (4,), np.float32)
    action_space = Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = int(self.np_random.integers(4))
        return self._observe(), {}

    def step(self, action: int) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        reward = 0.1 if self.at == 0 and action == 0 else 0.0
        self.at = max(0, self.at - 1) if action == 0 else self.at + 1
        if self.at == 4:
            self.at = 0
            return self._observe(), 1.0, True, False, {}
        return self._observe(), reward, False, False, {}

    def _observe(self) -> Array:
        return np.eye(4, dtype=np.float32)[self.at]


class DeepSea(gymnasium.Env[Any, Any]):
    """A grid of N by N cells, through which one sinks a row a step (Osband et al. 2018, section 4).

    Of the two actions one goes left and one right; which of them, differs from cell to cell. Going
    right costs 0.01 / N, and only who goes right N times finds the treasure, 1, in the corner: at
    random once in 2^N episodes. Everything else looks as if staying left were the best.
    """

    SIZE = 10

    observation_space = Box(0.0, 1.0, (SIZE * SIZE,), np.float32)
    action_space = Discrete(2)
    rights = np.random.default_rng(0).integers(2, size=(SIZE, SIZE))

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        self.row = self.column = 0
        return self._observe(), {}

    def step(self, action: int) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        is_right = action == self.rights[self.row, self.column]
        reward = -0.01 / self.SIZE if is_right else 0.0
        if is_right and self.row == self.column == self.SIZE - 1:
            reward += 1.0
        self.column = min(self.column + 1, self.SIZE - 1) if is_right else max(self.column - 1, 0)
        self.row += 1
        return self._observe(), reward, self.row == self.SIZE, False, {}

    def _observe(self) -> Array:
        seen = np.zeros(self.SIZE * self.SIZE, np.float32)
        if self.row < self.SIZE:
            seen[self.row * self.SIZE + self.column] = 1.0
        return seen


gymnasium.register("DeepSea-v0", "tests.rl.worlds:DeepSea")


class Steady(gymnasium.Env[Any, Any]):
    """One state that pays 1 each step for ever; a time limit makes episodes of it.

    With bootstrapping through the limit its value is 1 / (1 - gamma).
    """

    observation_space = Box(0.0, 1.0, (1,), np.float32)
    action_space: gymnasium.Space[Any] = Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        return np.ones(1, np.float32), {}

    def step(self, action: int) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        return np.ones(1, np.float32), 1.0, False, False, {}


class Showing(Steady):
    """Shows `first` after a reset and `later` after each step."""

    def __init__(self, space: Any, first: Any, later: Any) -> None:
        self.observation_space, self.first, self.later = space, first, later

    def reset(self, **settings: Any) -> Any:
        return self.first, {}

    def step(self, action: Any) -> Any:
        return self.later, 1.0, False, False, {}


class Broken(Steady):
    """Pays 1 a step until, after `after` steps, something that is not a number turns up."""

    def __init__(self, after: int = 3, reward: float = 1.0, observation: float = 1.0) -> None:
        self.after, self.reward, self.observation = after, reward, observation
        self.steps = 0

    def step(self, action: int) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        if self.steps < self.after:
            return super().step(action)
        return np.full(1, self.observation, np.float32), self.reward, False, False, {}


class Unruly(Steady):
    """As Steady, until in the third step of an episode it breaks a rule.

    Args:
        reset: what `reset` gives, or None to keep to the rules.
        step: what the third step gives; an exception is raised instead.
    """

    def __init__(self, reset: Any = None, step: Any = None) -> None:
        self._reset, self._step, self.steps = reset, step, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.steps = 0
        return give(self._reset) or super().reset(seed=seed)

    def step(self, action: int) -> Any:
        self.steps += 1
        given = give(self._step) if self.steps == 3 else None
        return super().step(action) if given is None else given


def give(value: Any) -> Any:
    """`value`; an exception is raised."""
    if isinstance(value, BaseException):
        raise value
    return value


class Pushed(gymnasium.Env[Any, Any]):
    """Shows the sum of its actions, which go from 2 to 4, and pays minus its distance from 3."""

    observation_space = Box(-np.inf, np.inf, (1,), np.float32)
    action_space = Box(2.0, 4.0, (1,), np.float32)

    def __init__(self) -> None:
        self.actions: list[Array] = []

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = np.zeros(1, np.float32)
        return self.at, {}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        self.actions.append(action)
        self.at = self.at + action
        return self.at, -abs(float(self.at[0]) - 3.0), False, False, {}


class Counter(gymnasium.Env[Any, Any]):
    """Shows the steps since the reset and the seed's first random number; ends after `length`."""

    observation_space = Box(-np.inf, np.inf, (2,), np.float32)
    action_space = Discrete(3, start=5)

    def __init__(self, length: int = 3) -> None:
        self.length = length
        self.actions: list[int] = []

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        self.count, self.mark = 0, float(self.np_random.random())
        return self._observe(), {}

    def step(self, action: int) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        self.actions.append(action)
        self.count += 1
        return self._observe(), float(self.count), self.count == self.length, False, {}

    def _observe(self) -> Array:
        return np.array([self.count, self.mark], np.float32)


class Held(Counter):
    """As Counter; its 2,000th step waits for the file that the variable HELD names, if any.

    Another file, with `.waits` behind the name, says that it does. So a test sends its signal
    to a process that cannot end before.
    """

    def __init__(self) -> None:
        super().__init__(length=37)
        self.taken = 0

    def step(self, action: int) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        self.taken += 1
        if self.taken == 2000 and "HELD" in os.environ:
            hold(os.environ["HELD"])
        return super().step(action)


def hold(gate: str) -> None:
    """Waits until a file is there."""
    Path(f"{gate}.waits").touch()
    while not Path(gate).exists():
        time.sleep(0.01)


class Slow(Counter):
    """As Counter; its steps take 5 ms until a file is there."""

    def __init__(self, until: str) -> None:
        super().__init__(length=37)
        self.until = Path(until)

    def step(self, action: int) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        if not self.until.exists():
            time.sleep(0.005)
        return super().step(action)


class Unbounded(Pushed):
    """As Pushed, with an action of any size."""

    action_space = Box(-np.inf, np.inf, (1,), np.float32)


class Restless(Counter):
    """As Counter, but what it shows depends on random numbers of its own, not on the seed.

    The clock would not do: as a float32 it changes every 8 ms on a machine that has been up for a
    day, and a few episodes take less.
    """

    noise = np.random.default_rng()

    def _observe(self) -> Array:
        return np.array([self.count, self.noise.random()], np.float32)


class Shown(Counter):
    """As Counter, with pictures that are brighter by 30 with each step."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(length=7)
        self.render_mode = render_mode
        self.drawn: list[int] = []

    def render(self) -> Any:
        self.drawn.append(self.count)
        return np.full((40, 60, 3), 30 * self.count, np.uint8)


class Winged(Shown):
    """As Shown, but its pictures go on where the episode before has left them."""

    flaps = 0

    def step(self, action: Any) -> Any:
        self.flaps += 1
        return super().step(action)

    def render(self) -> Any:
        return np.full((40, 60, 3), self.flaps % 200, np.uint8)


gymnasium.register("Winged-v0", "tests.rl.worlds:Winged", max_episode_steps=20)


class Bright(gymnasium.Env[Any, Any]):
    """Shows a bright row or a bright column in the dark; the action that says which pays 1.

    Args:
        shape: of what is seen; channels come first if the first number is the least.
        continuous: whether a number says it by its sign.
        kind: of the pixels.
        bright: their greatest value.
    """

    def __init__(
        self,
        shape: tuple[int, ...] = (8, 7, 2),
        continuous: bool = False,
        kind: str = "uint8",
        bright: float = 255,
    ) -> None:
        self.observation_space = Box(0, bright, tuple(shape), np.dtype(kind).type)
        self.action_space = Box(-1, 1, (1,), np.float32) if continuous else Discrete(2)
        self.bright = bright

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        said = int(np.asarray(action).item() > 0)
        reward = float(said == self.is_column)
        return self._observe(), reward, False, False, {}

    def _observe(self) -> Array:
        space, rng = self.observation_space, self.np_random
        shape = space.shape or ()
        self.is_column = int(rng.integers(2))
        seen = rng.uniform(0, 0.2 * self.bright, shape)
        axes = [1, 2] if len(shape) == 3 and shape[0] < min(shape[1:]) else [0, 1]
        rows = seen.swapaxes(0, axes[self.is_column])
        rows[int(rng.integers(len(rows)))] = self.bright
        return seen.astype(space.dtype)


class Pointed(Bright):
    """Shows a bright column in the dark; the reward is 1 less the action's distance from it.

    Columns stand for actions from -1, the first, to 1, the last.
    """

    def __init__(self) -> None:
        super().__init__((6, 5, 1), continuous=True)

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        reward = 1.0 - abs(float(np.asarray(action).item()) - self.place)
        return self._observe(), reward, False, False, {}

    def _observe(self) -> Array:
        seen, column = np.zeros((6, 5, 1), np.uint8), int(self.np_random.integers(5))
        seen[:, column], self.place = 255, column / 2 - 1
        return seen


gymnasium.register("Screen-v0", "tests.rl.worlds:Bright", max_episode_steps=9,
                   kwargs={"shape": (50, 40, 3)})  # fmt: skip
gymnasium.register("Pointed-v0", "tests.rl.worlds:Pointed", max_episode_steps=20)
gymnasium.register("Bright-v0", "tests.rl.worlds:Bright", max_episode_steps=20)
gymnasium.register("Shown-v0", "tests.rl.worlds:Shown")
gymnasium.register("Held-v0", "tests.rl.worlds:Held")
gymnasium.register("Slow-v0", "tests.rl.worlds:Slow")
gymnasium.register("Restless-v0", "tests.rl.worlds:Restless", kwargs={"length": 37})


class Moody(Steady):
    """Pays what depends on the episodes played before."""

    episodes = 0

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[Array, dict[str, Any]]:
        self.episodes += 1
        return super().reset(seed=seed)

    def step(self, action: int) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        return np.ones(1, np.float32), float(self.episodes), False, False, {}


gymnasium.register("Moody-v0", "tests.rl.worlds:Moody", max_episode_steps=5)
gymnasium.register("Endless-v0", "tests.rl.worlds:Steady")
gymnasium.register(
    "Raising-v0", "tests.rl.worlds:Unruly", max_episode_steps=5,
    kwargs={"step": ZeroDivisionError("nothing left")},
)  # fmt: skip
gymnasium.register(
    "Unpaid-v0", "tests.rl.worlds:Unruly", max_episode_steps=5,
    kwargs={"step": (np.ones(1, np.float32), None, False, False, {})},
)  # fmt: skip
gymnasium.register(
    "Misshapen-v0", "tests.rl.worlds:Unruly", max_episode_steps=5,
    kwargs={"reset": (np.ones(2, np.float32), {})},
)  # fmt: skip
gymnasium.register("Pushed-v0", "tests.rl.worlds:Pushed", max_episode_steps=20)
gymnasium.register("Unbounded-v0", "tests.rl.worlds:Unbounded", max_episode_steps=20)
gymnasium.register("Far-v0", "tests.rl.worlds:Chain", max_episode_steps=30)
gymnasium.register("Chain-v0", "tests.rl.worlds:Chain", max_episode_steps=20)


class SteadyContinuous(Steady):
    """As Steady, with an action that goes from -1 to 1."""

    action_space = Box(-1.0, 1.0, (1,), np.float32)


gymnasium.register("SteadyContinuous-v0", "tests.rl.worlds:SteadyContinuous", max_episode_steps=5)
gymnasium.register("Steady-v0", "tests.rl.worlds:Steady", max_episode_steps=5)
gymnasium.register("Easy-v0", "tests.rl.worlds:Steady", max_episode_steps=5, reward_threshold=4.0)
gymnasium.register("Broken-v0", "tests.rl.worlds:Broken", max_episode_steps=100)


class Drawn(Counter):
    """As Counter, with pictures of any kind.

    Args:
        render_mode: in which it draws.
        picture: what `render` gives; an exception is raised, and a function asked, with the steps.
    """

    metadata: Any = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012
    picture: Any = None

    def __init__(self, render_mode: str | None = None, picture: Any = None) -> None:
        super().__init__(length=5)
        self.render_mode = render_mode
        if picture is not None:
            self.picture = picture

    def render(self) -> Any:
        given = self.picture(self.count) if callable(self.picture) else self.picture
        if isinstance(given, BaseException):
            raise given
        return given


class Unasked(Drawn):
    """As Drawn, but its constructor knows nothing of a render mode."""

    def __init__(self) -> None:
        super().__init__()


gymnasium.register("Drawn-v0", "tests.rl.worlds:Drawn")
gymnasium.register(
    "Grey-v0", "tests.rl.worlds:Drawn",
    kwargs={"picture": np.linspace(0.0, 1.0, 2400, dtype=np.float32).reshape(40, 60)},
)  # fmt: skip
gymnasium.register("Undrawn-v0", "tests.rl.worlds:Drawn")
gymnasium.register("Unasked-v0", "tests.rl.worlds:Unasked")


class Counted(Counter):
    """As Counter, and says how many of it there are, and what `reset` was told."""

    action_space = Discrete(3)
    alive = made = most = 0
    told: list[Any] = []  # noqa: RUF012

    def __init__(self, length: int = 7) -> None:
        super().__init__(length)
        kind = type(self)
        kind.made, kind.alive = kind.made + 1, kind.alive + 1
        kind.most = max(kind.most, kind.alive)

    @classmethod
    def forget(cls) -> None:
        """Counts from 0 again."""
        cls.alive = cls.made = cls.most = 0
        cls.told = []

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[Array, dict[str, Any]]:
        self.told.append(options)
        return super().reset(seed=seed)

    def close(self) -> None:
        type(self).alive -= 1


gymnasium.register("Counted-v0", "tests.rl.worlds:Counted", max_episode_steps=20)


class Worn(Counter):
    """As Counter, but wears out: the mark grows with the episodes of an instance."""

    action_space = Discrete(3)
    age = 0

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        self.age += 1
        self.mark += self.age
        return self._observe(), {}


gymnasium.register("Worn-v0", "tests.rl.worlds:Worn", max_episode_steps=20, kwargs={"length": 9})


class Odd(Steady):
    """As Steady, but for one thing.

    Args:
        what: is odd, a key of its methods.
    """

    def __init__(self, what: str = "") -> None:
        self.what, self.steps, self.buffer = what, 0, np.ones(1, np.float32)
        if what == "made":
            raise RuntimeError("no licence")
        if what == "no space":
            self.observation_space = None  # type: ignore[assignment]
        if what == "no actions":
            self.action_space = None  # type: ignore[assignment]
        if what == "outside":
            self.observation_space = Box(5.0, 6.0, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        observation, info = super().reset(seed=seed)
        if self.what == "no options" and options is not None:
            raise KeyError("task")
        if self.what == "grows":
            self.observation_space = Box(0.0, 1.0, (2,), np.float32)
        return observation, None if self.what == "reset info" else info

    def step(self, action: Any) -> Any:
        given: dict[str, Any] = {
            "terminated": (np.ones(1), 1.0, np.array([False]), False, {}),
            "truncated": (np.ones(1), 1.0, False, None, {}),
            "info": (np.ones(1), 1.0, False, False, None),
            "object": (np.array([1.0], object), 1.0, False, False, {}),
            "reward": (np.ones(1), np.ones(2), False, False, {}),
            "buffer": (self.buffer, 1.0, False, False, {}),
        }
        return given.get(self.what) or super().step(action)

    def close(self) -> None:
        if self.what == "close":
            raise OSError("port in use")


ODD = ("made", "no space", "no actions", "outside", "no options", "grows", "reset info",
       "terminated", "truncated", "info", "object", "reward", "buffer", "close")  # fmt: skip
for _what in ODD:
    gymnasium.register(
        f"Odd-{_what.replace(' ', '-')}-v0", "tests.rl.worlds:Odd", max_episode_steps=5,
        kwargs={"what": _what},
    )  # fmt: skip


class Bare(Steady):
    """As Steady, but `reset` takes no seed."""

    def reset(self) -> Any:  # type: ignore[override]
        return np.ones(1, np.float32), {}


gymnasium.register("Bare-v0", "tests.rl.worlds:Bare", max_episode_steps=5)
