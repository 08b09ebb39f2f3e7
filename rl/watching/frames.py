"""Episodes to watch: moments with their pictures and the agent's thoughts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from nn.typing import Array
from rl.agents.thoughts import Thoughts
from rl.environments import Environments, Episode, environment_of
from rl.environments.names import bar_names
from rl.environments.problems import find_problem
from rl.environments.spaces import Combinations
from rl.errors import UserError
from rl.formatting import figure_of
from rl.session.evaluation import OPTIONS, Policy, actions_of
from rl.session.player import Player
from rl.watching.rendering import NothingToSee, draw, open_drawing, rate_of
from rl.watching.seen import NO_PICTURE, beside, frames_of

LONG = 1e6  # a figure of a bar that has no room in full


@dataclass(frozen=True)
class Moment:
    """A state of an episode."""

    picture: Array  # [height, width, 3], bytes
    step: int
    total: float  # the return so far
    thoughts: Thoughts  # at the end of the episode those in the state before
    ended: bool


def require_saliency(player: Player) -> None:
    """Refuses a player who has no saliency of pixels.

    Raises:
        UserError: the agent sees no pictures, or has no values of actions.
    """
    view = player.preprocessor
    if view.picture(player.spaces.picture) is None:
        raise UserError("--saliency is of pixels, and the agent sees no pictures; leave it out")
    player.agent.saliency(np.zeros((1, view.size), view.kind))


class Scene:
    """A player in an environment, and what there is to see of it.

    Where a preprocessor makes other pictures of the environment's, what the agent sees is beside
    what people see. Where the environment draws none, and what the agent sees is a picture, that is
    shown alone.

    Args:
        id: of the environment.
        player: who plays.
        saliency: whether to show which pixels the value of the greedy action depends on.

    Raises:
        NothingToSee: the environment draws no pictures, and the agent sees none.
        UserError: the environment fails, or there is no saliency.
    """

    def __init__(self, id: str, player: Player, saliency: bool = False) -> None:
        self._id, self._agent, self._spaces = id, player.agent, player.spaces
        self._names, self._saliency = bar_names(player.spaces), saliency
        self._view = player.preprocessor
        self._form = self._view.picture(player.spaces.picture)
        if saliency:
            require_saliency(player)
        problem = player.problem or find_problem(id)
        self._is_drawn = True
        try:
            self._env = open_drawing(id, problem)
        except NothingToSee:
            if self._form is None:
                raise
            self._env, self._is_drawn = environment_of(problem), False
        view = player.preprocessor.for_lanes(1, learning=False)
        self._environments = Environments(
            lambda: self._env, 1, iter(()), view, longest=problem.longest, options=OPTIONS,
            actions=player.spaces.actions,
        )  # fmt: skip
        self.frames_a_second = rate_of(self._env.metadata)
        self._shape: tuple[int, ...] | None = None  # of the first picture, and so of all

    def play(self, seed: int) -> Episode:
        """A greedy episode without pictures."""
        return play_episode(self._environments, self._agent, seed)

    def moments(self, seed: int, every: int = 1) -> Iterator[Moment]:
        """The moments of a greedy episode at each `every`-th step, and the last one.

        The environment draws no others.
        """
        environments = self._environments
        _start(environments, seed)
        step, total = 0, 0.0
        while environments.active[0]:
            thoughts = self._thoughts()
            if step % every == 0:
                yield Moment(self._picture(), step, total, thoughts, False)
            latest = environments.step(actions_of(self._agent, environments))
            step, total = step + 1, float(latest.returns[0])
        yield Moment(self._picture(), step, total, thoughts, True)

    def _thoughts(self) -> Thoughts:
        """The agent's thoughts with the names of its actions.

        For combinations of several actions, each choice has the value of its best combination.
        """
        thoughts = self._agent.thoughts(*self._environments.seen)
        actions = self._spaces.actions
        if isinstance(actions, Combinations) and isinstance(thoughts.chosen, int):
            best = np.full(actions.components.choices, np.nan)
            np.fmax.at(best, actions.places, thoughts.bars[:, None])
            chosen = tuple(actions.places[thoughts.chosen].tolist())
            thoughts = replace(thoughts, bars=best, chosen=chosen)
        heat = thoughts.heat and replace(thoughts.heat, names=self._names)
        return replace(thoughts, names=self._names, heat=heat)

    def _picture(self) -> Array:
        """The current picture [height, width, 3], bytes; all of an episode have one shape."""
        picture = draw(self._id, self._env) if self._is_drawn else NO_PICTURE
        if self._form and (self._view.of_pictures or self._saliency or not self._is_drawn):
            seen, count = self._environments.observations, self._view.frames
            matter = None
            if self._saliency:
                planes = frames_of(
                    self._agent.saliency(seen)[0], replace(self._form, is_bytes=False), count
                )
                matter = planes.max(axis=3)
            picture = beside(picture, frames_of(seen[0], self._form, count), matter)
        self._shape = self._shape or picture.shape
        return picture if picture.shape == self._shape else _resized(picture, self._shape)

    def close(self) -> None:
        """Frees the environment."""
        self._environments.close()


def _resized(picture: Array, shape: tuple[int, ...]) -> Array:
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((shape[1], shape[0])))


def play_episode(environments: Environments, agent: Policy, seed: int) -> Episode:
    """One greedy episode in a single lane."""
    _start(environments, seed)
    while environments.active[0]:
        environments.step(actions_of(agent, environments))
    (episode,) = environments.finished
    return episode


def _start(environments: Environments, seed: int) -> None:
    environments.seeds = iter([seed])
    environments.reset()


def describe(moment: Moment) -> dict[str, str]:
    """The figures of a moment by their labels."""
    return {"return": figure_of(moment.total), "step": f"{moment.step:,}"}


def behind(bars: Array) -> list[str]:
    """How far each bar is below the greatest, to write beside it; empty of that one itself."""
    gaps = (np.nanmax(bars) - bars).tolist()
    return ["" if math.isnan(gap) or gap == 0.0 else written(-gap) for gap in gaps]


def written(bar: float) -> str:
    """The figure of a bar; a dash for an action that is not allowed."""
    if math.isnan(bar):
        return "-"
    if bar and not 0.1 <= abs(bar) < LONG:
        return f"{bar:.2g}"
    return f"{bar + 0.0:.2f}"
