"""Gymnasium environments in lanes: stepped together, started anew one by one.

Every episode is seeded explicitly, from an iterator of seeds. So training, evaluation and watching
differ only in their seeds, and an episode in progress can be rebuilt from its seed and its actions.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from nn.typing import Array, BoolArray, State
from rl import rules
from rl.errors import BrokenEnvironment, Diverged, UserError
from rl.preprocessors import Preprocessor
from rl.problems import environment_spec, known_problems
from rl.renewed import Renewed
from rl.spaces import Continuous, spaces_of


def make_env(id: str, **settings: Any) -> gymnasium.Env:
    """Any registered Gymnasium environment, ready to `reset` and `step`.

    Args:
        id: such as "LunarLander-v3".
        settings: passed on to the environment, such as render_mode="human".

    Raises:
        UserError: there is no such environment, or its package is missing.
        BrokenEnvironment: its constructor raises something.
    """
    spec = environment_spec(id)
    problem = known_problems().get(id)

    def make() -> gymnasium.Env:
        return gymnasium.make(spec, disable_env_checker=True, **settings)

    try:
        with rules.guarded("its constructor"):
            return Renewed(make) if problem and problem.renewed else make()
    except rules.Breach as found:
        if isinstance(found.__cause__, (gymnasium.error.DependencyNotInstalled, ImportError)):
            missing = f"needs a package that is missing: {found.__cause__}"
            raise UserError(f"environment {id!r} {missing}") from None
        raise BrokenEnvironment(id, str(found)) from found.__cause__


@dataclass(frozen=True)
class Episode:
    """An episode that has ended."""

    seed: int
    total: float  # the return: the undiscounted sum of its rewards
    length: int  # steps
    terminated: bool  # False where a time limit cut it


@dataclass
class Transitions:
    """One step of N lanes. The arrays are overwritten by the next step."""

    observations: Array  # [N, n]
    actions: Array  # [N] integers, or [N, k]
    rewards: Array  # [N]
    next_observations: Array  # [N, n], the true one where an episode ended
    terminated: BoolArray  # [N] bool: no value follows
    truncated: BoolArray  # [N] bool: cut by a time limit; the value goes on
    returns: Array  # [N]: the undiscounted sums of the episodes' raw rewards so far


class Environments:
    """N lanes of one environment.

    `observations` [N, n] is what the agent acts on next; `finished` lists the episodes that ended
    in the latest step; `active` [N] is False for a lane whose seeds have run out.

    Args:
        make: makes one environment.
        lanes: N.
        seeds: a seed for each episode to come; where it ends, lanes fall idle.
        preprocessor: what the agent sees instead of the raw observation, for N lanes; by default
            just that.
    """

    def __init__(
        self,
        make: Callable[[], gymnasium.Env],
        lanes: int,
        seeds: Iterator[int],
        preprocessor: Preprocessor | None = None,
    ) -> None:
        self._envs = [make() for _ in range(lanes)]
        spec = self._envs[0].spec
        self.id = spec.id if spec else "environment"
        timed = spec is not None and spec.max_episode_steps is not None
        self._longest = sys.maxsize if timed else rules.ENDLESS
        self.spaces = spaces_of(self._envs[0], self.id)
        self._continuous = isinstance(self.spaces.actions, Continuous)
        self._preprocessor = preprocessor or Preprocessor(
            self.spaces.observation_size, Preprocessor.Settings()
        )
        self.seeds = seeds
        size = self._preprocessor.size
        self.observations = np.zeros((lanes, size), np.float32)
        self.active = [True] * lanes
        self.finished: list[Episode] = []
        self._latest = Transitions(
            np.zeros((lanes, size), np.float32),
            self.spaces.actions.array(lanes),
            np.zeros(lanes, np.float32),
            np.zeros((lanes, size), np.float32),
            np.zeros(lanes, np.bool_),
            np.zeros(lanes, np.bool_),
            np.zeros(lanes),
        )
        self._episode_seeds = [0] * lanes
        self._episode_actions: list[list[Any]] = [[] for _ in range(lanes)]
        self._totals = [0.0] * lanes
        self._raws: list[Any] = [None] * lanes  # the environments' latest observations

    def reset(self) -> Array:
        """Starts an episode in every lane; returns `observations` [N, n]."""
        for lane in range(len(self._envs)):
            self._start(lane)
        return self.observations

    def step(self, actions: Array) -> Transitions:
        """Acts in every active lane, and starts a new episode where one ends.

        Args:
            actions: [N], from 0 to the number of actions - 1, or [N, k], each from -1 to 1.

        Raises:
            Diverged: an action, an observation or a reward is not finite.
            BrokenEnvironment: it breaks a rule.
        """
        latest = self._latest
        np.copyto(latest.observations, self.observations)
        np.copyto(latest.actions, actions)
        if self._continuous:
            self._check_actions()
        self.finished = []
        ended = []
        for lane, action in enumerate(latest.actions.tolist()):
            if self.active[lane] and self._step_lane(lane, action):
                ended.append(lane)
        np.copyto(self.observations, latest.next_observations)
        for lane in ended:
            self._end(lane)
        return latest

    def _step_lane(self, lane: int, action: Any) -> bool:
        latest, actions = self._latest, self._episode_actions[lane]
        actions.append(action)
        try:
            observation, reward, terminated, truncated, _ = rules.step(
                self._envs[lane], self.spaces.actions.for_environment(action)
            )
            raw, reward = self._raw(observation), rules.number(reward)
            if len(actions) > self._longest:
                raise rules.Breach(rules.ENDS)
        except (rules.Breach, rules.NotFinite) as found:
            raise self._complaint(found, lane) from found.__cause__
        self._totals[lane] += reward
        ended = bool(terminated or truncated)
        self._raws[lane] = raw
        self._preprocessor.follow(lane, raw, latest.next_observations[lane])
        latest.rewards[lane] = self._preprocessor.reward(lane, reward, ended)
        latest.terminated[lane] = terminated
        latest.truncated[lane] = truncated
        latest.returns[lane] = self._totals[lane]
        return ended

    def _raw(self, observation: Any) -> Array:
        if self.spaces.flatten is None:
            return rules.vector(observation, self.spaces.observation_size)
        rules.require_member(observation, self._envs[0].observation_space)
        return self.spaces.flatten(observation)

    def _end(self, lane: int) -> None:
        self.finished.append(
            Episode(
                self._episode_seeds[lane],
                self._totals[lane],
                len(self._episode_actions[lane]),
                bool(self._latest.terminated[lane]),
            )
        )
        self._start(lane)

    def _start(self, lane: int) -> None:
        seed = next(self.seeds, None)
        self.active[lane] = seed is not None
        if seed is not None:
            self._begin(lane, seed)

    def _begin(self, lane: int, seed: int) -> None:
        self._episode_seeds[lane], self._totals[lane] = seed, 0.0
        self._episode_actions[lane] = []
        try:
            raw = self._raw(rules.reset(self._envs[lane], seed))
        except (rules.Breach, rules.NotFinite) as found:
            raise self._complaint(found, lane) from found.__cause__
        self._raws[lane] = raw
        self._preprocessor.start(lane, raw, self.observations[lane])

    def _check_actions(self) -> None:
        actions = self._latest.actions
        if not math.isfinite(sum(actions.ravel().tolist())):
            lane = int(np.isfinite(actions).all(axis=1).argmin())
            raise Diverged("action", f"{actions[lane]}, {self._moment(lane)} in {self.id}")

    def _complaint(self, found: Exception, lane: int) -> Exception:
        """What is said of something found in a lane: an error that names it and the moment."""
        said = f"{found}, {self._moment(lane)}"
        if isinstance(found, rules.NotFinite):
            return Diverged(f"environment {self.id}", said)
        return BrokenEnvironment(self.id, said)

    def _moment(self, lane: int) -> str:
        step = len(self._episode_actions[lane])
        return f"at step {step} of the episode with seed {self._episode_seeds[lane]}"

    def state(self) -> State:
        """What `restore` needs: each lane's seed and the actions taken since.

        And what must come of them, to be compared; and what the agent sees, which follows from that
        only if the preprocessor does not learn.
        """
        return {
            "lanes": {str(lane): self._lane_state(lane) for lane in range(len(self._envs))},
            "observations": self.observations.copy(),
        }

    def _lane_state(self, lane: int) -> State:
        return {
            "seed": self._episode_seeds[lane],
            "actions": np.array(self._episode_actions[lane]),
            "observation": np.array(self._raws[lane]),
            "total": self._totals[lane],
        }

    def restore(self, state: State) -> list[int]:
        """Rebuilds each lane's episode by resetting it with its seed and replaying its actions.

        Returns:
            The lanes in which something else came of it than before, as the environment does not
            repeat itself. In those a new episode has begun.
        """
        learning, self._preprocessor.learning = self._preprocessor.learning, False
        lanes = range(len(self._envs))
        lost = [lane for lane in lanes if not self._replay(lane, state["lanes"][str(lane)])]
        self._preprocessor.learning = learning
        np.copyto(self.observations, state["observations"])
        for lane in lost:
            self._start(lane)
        return lost

    def _replay(self, lane: int, saved: State) -> bool:
        """Plays an episode again as far as it had come; says whether it came there."""
        self._begin(lane, int(saved["seed"]))
        for action in saved["actions"].tolist():
            if self._step_lane(lane, action):
                return False
        same = np.array_equal(self._raws[lane], saved["observation"], equal_nan=True)
        return bool(same and self._totals[lane] == saved["total"])

    def close(self) -> None:
        """Frees what the environments hold, such as windows."""
        for env in self._envs:
            rules.close(env)


# Gymnasium accepts seeds below 2^31 everywhere. Each purpose has a range of its own, so that
# no evaluation ever plays an episode that the agent was trained or selected on.
_RANGE = 2**29
_PURPOSES = ("training", "selection", "report")


def seed_range(purpose: str) -> range:
    """The environment seeds that serve "training", "selection" or "report"."""
    start = _RANGE * _PURPOSES.index(purpose)
    return range(start, start + _RANGE)


class TrainingSeeds:
    """An endless iterator of environment seeds from the training range."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        return seed_range("training")[int(self._rng.integers(_RANGE))]

    def state(self) -> State:
        """What `restore` needs."""
        return {"rng": self._rng.bit_generator.state}

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
        self._rng.bit_generator.state = state["rng"]


def evaluation_seeds(purpose: str, seed: int, episodes: int) -> Sequence[int]:
    """The environment seeds of `episodes` episodes.

    Args:
        purpose: "selection" (choosing a checkpoint) or "report" (saying what it is worth).
        seed: another number gives other episodes.
        episodes: how many.
    """
    seeds = seed_range(purpose)
    first = int(np.random.SeedSequence(seed).generate_state(1)[0]) % (_RANGE - episodes)
    return seeds[first : first + episodes]
