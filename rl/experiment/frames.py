"""An episode as it is seen: moment by moment, each with its picture and the agent's thoughts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nn.typing import Array
from rl import rules
from rl.agents.thoughts import Thoughts
from rl.environments import Environments, Episode, make_env
from rl.errors import UserError
from rl.experiment.evaluation import Policy
from rl.experiment.player import Player

FRAMES_A_SECOND = 25.0  # of an environment that does not say how fast it is meant to be seen


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
        UserError: the environment draws no pictures.
    """

    def __init__(self, id: str, player: Player) -> None:
        env = make_env(id)
        modes = env.metadata.get("render_modes", ())
        rules.close(env)
        if "rgb_array" not in modes:
            raise UserError(
                f"{id}: draws no pictures, so there is nothing to see; its render_modes must "
                "have rgb_array"
            )
        self._agent = player.agent
        view = player.preprocessor.for_lanes(1, learning=False)
        self._environments = Environments(
            lambda: make_env(id, render_mode="rgb_array"), 1, iter(()), view
        )
        self.frames_a_second = self._environments.frames_a_second or FRAMES_A_SECOND

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
                yield Moment(environments.render(), step, total, thoughts, False)
            total = self._step()
            step += 1
        yield Moment(environments.render(), step, total, thoughts, True)

    def _step(self) -> float:
        environments = self._environments
        latest = environments.step(self._agent.act(environments.observations))
        return float(latest.returns[0])

    def close(self) -> None:
        """Frees the environment."""
        self._environments.close()


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
