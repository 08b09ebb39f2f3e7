"""An episode as it is seen: moment by moment, each with its picture and the agent's thoughts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nn.typing import Array
from rl.agents.thoughts import Thoughts
from rl.environments import Environments, Episode
from rl.environments.problems import find_problem
from rl.session.evaluation import OPTIONS, Policy
from rl.session.player import Player
from rl.watching.rendering import draw, open_drawing, rate_of


@dataclass(frozen=True)
class Moment:
    """A state of an episode.

    Args:
        picture: of the world [height, width, 3], bytes.
        step: how many steps led here.
        total: the return so far.
        thoughts: of the agent, here or, where the episode has ended, in the state before.
        ended: whether it is the episode's last.
    """

    picture: Array
    step: int
    total: float
    thoughts: Thoughts
    ended: bool


class Scene:
    """A player in front of a world that draws pictures.

    Args:
        id: of the environment.
        player: who plays.

    Raises:
        NothingToSee: the environment draws no pictures.
        UserError: it fails when it is asked for pictures.
    """

    def __init__(self, id: str, player: Player) -> None:
        self._id, self._agent = id, player.agent
        problem = player.problem or find_problem(id)
        self._env = open_drawing(id, problem)
        view = player.preprocessor.for_lanes(1, learning=False)
        self._environments = Environments(
            lambda: self._env, 1, iter(()), view, longest=problem.longest, options=OPTIONS
        )
        self.frames_a_second = rate_of(self._env.metadata)
        self._shape: tuple[int, ...] | None = None  # of the first picture, and so of all

    def play(self, seed: int) -> Episode:
        """A greedy episode that nobody sees."""
        return play_episode(self._environments, self._agent, seed)

    def moments(self, seed: int, every: int = 1) -> Iterator[Moment]:
        """A greedy episode: its moments at each `every`-th step, and the last one.

        The environment draws those alone.
        """
        environments = self._environments
        _start(environments, seed)
        step, total = 0, 0.0
        while environments.active[0]:
            thoughts = self._agent.thoughts(environments.observations)
            if step % every == 0:
                yield Moment(self._picture(), step, total, thoughts, False)
            total = self._step()
            step += 1
        yield Moment(self._picture(), step, total, thoughts, True)

    def _step(self) -> float:
        environments = self._environments
        latest = environments.step(self._agent.act(environments.observations))
        return float(latest.returns[0])

    def _picture(self) -> Array:
        """What the world looks like now [height, width, 3], in bytes."""
        picture = draw(self._id, self._env)
        self._shape = self._shape or picture.shape
        return picture if picture.shape == self._shape else _resized(picture, self._shape)

    def close(self) -> None:
        """Frees the environment."""
        self._environments.close()


def _resized(picture: Array, shape: tuple[int, ...]) -> Array:
    """A picture [h, w, 3] in another's shape: those of an episode stand in one place."""
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((shape[1], shape[0])))


def play_episode(environments: Environments, agent: Policy, seed: int) -> Episode:
    """One greedy episode in a single lane.

    Args:
        environments: of one lane.
        agent: who plays.
        seed: of the episode.
    """
    _start(environments, seed)
    while environments.active[0]:
        environments.step(agent.act(environments.observations))
    (episode,) = environments.finished
    return episode


def _start(environments: Environments, seed: int) -> None:
    environments.seeds = iter([seed])
    environments.reset()


def describe(moment: Moment) -> dict[str, str]:
    """The figures of a moment, by their labels."""
    return {"return": f"{moment.total:,.1f}", "step": f"{moment.step:,}"}
