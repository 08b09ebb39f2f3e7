"""Environments that draw pictures, and what may go wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import gymnasium

from nn.typing import Array
from rl.environments import environment_of, rules
from rl.environments.problems import Problem, find_problem
from rl.errors import BrokenEnvironment, Unseen, UserError
from rl.watching.pixels import pixels

FRAMES_A_SECOND = 25.0  # of an environment without render_fps
SLOWEST, FASTEST = 0.1, 1000.0  # frames a second; others cannot be meant
_NO_DISPLAY = "; MuJoCo draws without a display if MUJOCO_GL=egl or osmesa is set"
MODES = ("rgb_array", "rgb_array_list")  # render modes that give pictures


class NothingToSee(UserError):
    """There is no picture, and nothing is wrong."""


def open_drawing(id: str, problem: Problem | None = None) -> gymnasium.Env[Any, Any]:
    """An environment that draws pictures, by default as `find_problem` defines it.

    Raises:
        NothingToSee: it draws none.
        UserError: it fails.
    """
    made = problem or find_problem(id)
    return _open(made, _mode(made))


def draw(id: str, env: gymnasium.Env[Any, Any]) -> Array:
    """The current picture of an environment [height, width, 3], bytes.

    Raises:
        UserError: the environment fails, or its answer is no picture.
    """
    try:
        with rules.guarded("render"):
            given = env.render()
        return pixels(given)
    except rules.Breach as found:
        hint = _NO_DISPLAY if "OpenGL" in str(found) else ""
        raise Unseen(id, f"the environment's {found}{hint}") from found.__cause__
    except (ValueError, MemoryError) as error:
        raise Unseen(id, f"the environment's picture {error}") from None


def _mode(problem: Problem) -> str:
    """The render mode that gives pictures; the usual one if the environment names none."""
    env = environment_of(problem)
    metadata = env.metadata
    rules.close(env)
    modes = metadata.get("render_modes") if isinstance(metadata, Mapping) else None
    if not isinstance(modes, (str, list, tuple, set, frozenset)):
        return MODES[0]
    found = [mode for mode in MODES if mode in ([modes] if isinstance(modes, str) else modes)]
    if not found:
        raise NothingToSee(
            f"{problem.id}: draws no pictures, so there is nothing to see; its render_modes must "
            "have rgb_array"
        )
    return found[0]


def _open(problem: Problem, mode: str) -> gymnasium.Env[Any, Any]:
    """The environment in a render mode, even if its constructor takes none."""
    try:
        return environment_of(problem, render_mode=mode)
    except BrokenEnvironment as error:
        if "unexpected keyword argument 'render_mode'" not in str(error):
            raise
    env = environment_of(problem)
    with suppress(AttributeError):
        env.unwrapped.render_mode = mode
    return env


def rate_of(metadata: Any) -> float:
    """The frames per second in an environment's metadata, or a default if they make no sense."""
    try:
        rate = float(metadata.get("render_fps"))
    except (AttributeError, TypeError, ValueError, OverflowError):
        return FRAMES_A_SECOND
    return rate if SLOWEST <= rate <= FASTEST else FRAMES_A_SECOND
