"""Greedy evaluation: what an agent's policy is worth, on episodes it has never seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import gymnasium
import numpy as np

from nn.typing import Array
from rl.analysis.statistics import bootstrap_interval
from rl.environments import Environments, Episode, environment_of
from rl.environments.problems import EXTENDED_EPISODES, Problem
from rl.environments.spaces import Actions, Spaces
from rl.formatting import count_of
from rl.preprocessors import Preprocessor

LANES = 10  # fixed: the batch size may change the last bit of a value
OPTIONS = {"evaluation": True}  # what `reset` is told, so that an environment can find out


@dataclass(repr=False)
class Evaluation:
    """The returns and lengths of greedy episodes, in the order of their seeds.

    Args:
        returns: of each.
        lengths: of each, in steps.
        cut: how many were cut by the lab, as the environment has no time limit.
    """

    returns: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    cut: int = 0

    def add(self, episode: Episode) -> None:
        """Takes in one more."""
        self.returns.append(episode.total)
        self.lengths.append(episode.length)
        self.cut += episode.cut

    @property
    def episodes(self) -> int:
        """How many were played."""
        return len(self.returns)

    @property
    def mean(self) -> float:
        """The mean return."""
        return float(np.mean(self.returns))

    @property
    def std(self) -> float:
        """The standard deviation of the returns; 0 for a single one."""
        return float(np.std(self.returns, ddof=1)) if self.episodes > 1 else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% bootstrap interval of the mean."""
        low, high = bootstrap_interval(self.returns)
        return low, high

    def __repr__(self) -> str:
        if not self.returns:
            return "Evaluation(no episodes)"
        low, high = self.interval
        return (
            f"Evaluation(mean {self.mean:.4g}, 95% {low:.4g} to {high:.4g}, std {self.std:.4g}, "
            f"{count_of(self.episodes, 'episode')})"
        )

    @property
    def lower_bound(self) -> float:
        """mean - 1.96 std / sqrt(episodes): the lower end of a normal 95% interval."""
        return self.mean - 1.96 * self.std / math.sqrt(self.episodes)

    @property
    def upper_bound(self) -> float:
        """The upper end of that interval."""
        return 2.0 * self.mean - self.lower_bound

    def solves(self, threshold: float | None) -> bool | None:
        """Whether the mean reaches the threshold; None without one or below 100 episodes."""
        if threshold is None or self.episodes < EXTENDED_EPISODES:
            return None
        return self.mean >= threshold

    def surely_solves(self, threshold: float | None) -> bool:
        """Whether the mean reaches the threshold by a margin that chance does not explain."""
        return bool(self.solves(threshold)) and self.lower_bound >= (threshold or 0.0)

    def summary(self) -> dict[str, object]:
        """The figures that are reported, by name."""
        return {
            "mean_return": self.mean,
            "std_return": self.std,
            "median_return": float(np.median(self.returns)),
            "min_return": float(min(self.returns)),
            "max_return": float(max(self.returns)),
            "ci95": list(self.interval),
            "episodes": self.episodes,
            "mean_length": float(np.mean(self.lengths)),
            "min_length": min(self.lengths),
            "max_length": max(self.lengths),
            "cut_episodes": self.cut,
        }


class Policy(Protocol):
    """Whatever acts: an agent, or another library's behind a method of this name."""

    def act(self, observations: Array) -> Any:
        """The greedy actions [N] or [N, k] for observations [N, n].

        It is called with masks [N, A] too, of an environment that gives them.
        """


def actions_of(policy: Policy, environments: Environments) -> Any:
    """What a policy does next in each lane.

    One that draws its actions has a method `act_at`, which is given the moments too, so that an
    evaluation repeats itself.
    """
    if act_at := getattr(policy, "act_at", None):
        return act_at(environments.moments, *environments.seen)
    return policy.act(*environments.seen)


class Stopped(Exception):
    """An evaluation is not wanted any more."""


Heed = Callable[[int, int], None]  # is told how many episodes have ended, and of how many


def unheeded(played: int, to_play: int) -> None:
    """Is told and does nothing."""


class Evaluator:
    """Plays greedy episodes in lanes of its own, whose environments are made when they first play.

    Args:
        make: makes one environment.
        preprocessor: what the agent sees of it; by default everything as it is.
        lanes: rows of the batch that the agent is given.
        heed: called after each step with the number of episodes that have ended, and of all; it may
            raise `Stopped`.
        playing: lanes that play, as for `Environments`.
        longest: steps after which an episode is cut, None for the environment's own time limit.
        actions: what the agent acts among, as for `Environments`.
    """

    def __init__(
        self,
        make: Callable[[], gymnasium.Env],
        preprocessor: Preprocessor | None = None,
        lanes: int = LANES,
        heed: Heed = unheeded,
        playing: int | None = None,
        longest: int | None = None,
        actions: Actions | None = None,
    ) -> None:
        self._make, self._preprocessor, self._lanes, self._heed = make, preprocessor, lanes, heed
        self._playing, self._longest, self._actions = playing, longest, actions
        self._made: Environments | None = None

    @classmethod
    def of(
        cls,
        problem: Problem,
        preprocessor: Preprocessor | None,
        actions: Actions | None,
        heed: Heed = unheeded,
        make: Callable[[], gymnasium.Env] | None = None,
    ) -> Evaluator:
        """That of a problem; `make` takes the place of making its environment."""
        return cls(
            make or (lambda: environment_of(problem)),
            preprocessor,
            heed=heed,
            playing=1 if problem.shared else None,
            longest=problem.longest,
            actions=actions,
        )

    @property
    def _environments(self) -> Environments:
        if self._made is None:
            view = self._preprocessor and self._preprocessor.for_lanes(self._lanes, learning=False)
            self._made = Environments(
                self._make, self._lanes, iter(()), view,
                playing=self._playing, longest=self._longest, options=OPTIONS,
                actions=self._actions,
            )  # fmt: skip
        return self._made

    @property
    def spaces(self) -> Spaces:
        """Those of the environment."""
        return self._environments.spaces

    def play(self, agent: Policy, seeds: Sequence[int]) -> Evaluation:
        """One episode for each environment seed."""
        result = Evaluation()
        for episode in self._episodes(agent, seeds):
            result.add(episode)
        return result

    def _episodes(
        self, agent: Policy, seeds: Sequence[int], played: int = 0, to_play: int | None = None
    ) -> Iterator[Episode]:
        """The episodes of the seeds, in their order: short ones wait for those before them.

        So whoever stops early has not seen more of the short ones.

        Args:
            agent: who plays.
            seeds: of the episodes.
            played: episodes of this evaluation that were played before.
            to_play: all of its episodes, for `heed`; by default those of the seeds.
        """
        environments, finished, due = self._environments, dict[int, Episode](), iter(seeds)
        environments.seeds = iter(seeds)
        environments.reset()
        for seed in due:
            while seed not in finished:
                environments.step(actions_of(agent, environments))
                finished.update({episode.seed: episode for episode in environments.finished})
                played += len(environments.finished)
                self._heed(played, to_play or len(seeds))
            yield finished.pop(seed)

    def evaluate(
        self, agent: Policy, seeds: Sequence[int], episodes: int, threshold: float | None
    ) -> Evaluation:
        """An evaluation of `episodes`, doubled up to all seeds for as long as it looks solved.

        A poor policy costs few episodes, and none is called solved on the strength of a few. The
        further ones end as soon as it does not look solved by a margin that chance does not
        explain: when the upper end of its interval is below the threshold.

        Args:
            agent: who plays.
            seeds: of as many episodes as an evaluation may have at most.
            episodes: to begin with.
            threshold: the mean return that looks solved, or None to stay with `episodes`.
        """
        result = self.play(agent, seeds[:episodes])
        while threshold is not None and result.mean >= threshold and result.episodes < len(seeds):
            played = result.episodes
            for episode in self._episodes(agent, seeds[played : 2 * played], played, len(seeds)):
                result.add(episode)
                if result.upper_bound < threshold:
                    return result
        return result

    def close(self) -> list[str]:
        """Frees the environments; returns what has gone wrong there."""
        made, self._made = self._made, None
        return made.close() if made else []
