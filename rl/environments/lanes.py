"""Gymnasium environments in lanes: stepped together, started anew one by one.

Every episode is seeded explicitly, from an iterator of seeds. So training, evaluation and watching
differ only in their seeds, and an episode in progress can be rebuilt from its seed and its actions.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gymnasium
import numpy as np

from nn.typing import Array, BoolArray, State
from rl.environments import rules
from rl.environments.atari import LIFE_LOST
from rl.environments.making import make_env
from rl.environments.masks import KEY, LaneMasks
from rl.environments.seeds import TrainingSeeds
from rl.environments.spaces import Actions, Continuous, Spaces, spaces_of
from rl.environments.transitions import Episode, Transitions
from rl.errors import BrokenEnvironment, Diverged, UserError
from rl.preprocessors import Preprocessor


class Environments:
    """N lanes of one environment.

    `observations` [N, n] is what the agent acts on next; `finished` lists the episodes that ended
    in the latest step; `active` [N] is False for a lane whose seeds have run out. A lane's
    environment is made when the lane first plays; the first one's at once, to see what it is like.

    Args:
        make: makes one environment, or the id of one.
        lanes: N.
        seeds: a seed for each episode to come; where it ends, lanes fall idle. A number stands for
            endless seeds from the training range.
        preprocessor: what the agent sees instead of the raw observation, for N lanes; by default
            just that.
        playing: how many of the lanes play; the others stay idle, and no environment is made for
            them. None stands for all.
        longest: steps after which an episode is cut; None leaves that to the environment.
        options: of each `reset`, if it takes them.
        actions: that the agent chooses among, and whether the environment gives masks of them. By
            default they are the environment's own, and its first episode shows about the masks.
    """

    def __init__(
        self,
        make: Callable[[], gymnasium.Env] | str,
        lanes: int = 1,
        seeds: Iterator[int] | int = 0,
        preprocessor: Preprocessor | None = None,
        *,
        playing: int | None = None,
        longest: int | None = None,
        options: dict[str, Any] | None = None,
        actions: Actions | None = None,
    ) -> None:
        if isinstance(make, str):
            make = functools.partial(make_env, make)
        if isinstance(seeds, int):
            seeds = TrainingSeeds(np.random.default_rng(seeds))
        first = make()
        self._make, self._options, self._is_cut = make, options, longest is not None
        self._envs: list[Any] = [first, *[None] * (lanes - 1)]
        self._playing = lanes if playing is None else playing
        spec = first.spec
        self.id = spec.id if spec else "environment"
        timed = spec is not None and spec.max_episode_steps is not None
        self._longest = longest or (sys.maxsize if timed else rules.ENDLESS + 1)
        self.spaces = self._read_spaces(first)
        self._fixed = (first.observation_space, first.action_space)
        self.actions = actions or self.spaces.actions
        self._preprocessor = preprocessor or Preprocessor(self.spaces.observation_size)
        self.seeds = seeds
        size, kind = self._preprocessor.size, self._preprocessor.kind
        self.observations = np.zeros((lanes, size), kind)
        self.active = [lane < self._playing for lane in range(lanes)]
        self.finished: list[Episode] = []
        self._latest = Transitions(
            np.zeros((lanes, size), kind),
            self.actions.array(lanes),
            np.zeros(lanes, np.float32),
            np.zeros((lanes, size), kind),
            np.zeros(lanes, np.bool_),
            np.zeros(lanes, np.bool_),
            np.zeros(lanes),
        )
        self._episode_seeds = [0] * lanes
        self._episode_actions: list[list[Any]] = [[] for _ in range(lanes)]
        self._totals = [0.0] * lanes
        self._over = [False] * lanes  # whether an episode has terminated, and not a life alone
        self._raws: list[Any] = [None] * lanes  # the environments' latest observations
        self._masks: LaneMasks | None = None
        if not isinstance(self.actions, Continuous):
            self._masks = LaneMasks(self.actions, lanes, actions.masked if actions else None)

    def reset(self) -> Array:
        """Starts an episode in every lane; returns `observations` [N, n]."""
        for lane in range(self._playing):
            self._start(lane)
        return self.observations

    @property
    def masks(self) -> BoolArray | None:
        """The actions [N, A] that are allowed next; None if the environment gives no masks."""
        return self._masks.allowed if self._masks else None

    @property
    def seen(self) -> tuple[Array, ...]:
        """What the agent acts on: `observations`, and behind them `masks` if there are any."""
        return (self.observations,) if self.masks is None else (self.observations, self.masks)

    @property
    def moments(self) -> list[tuple[int, int]]:
        """The seed of each lane's episode, and its steps so far."""
        return [*zip(self._episode_seeds, map(len, self._episode_actions), strict=True)]

    def _read_spaces(self, env: gymnasium.Env) -> Spaces:
        try:
            return spaces_of(env, self.id)
        except UserError:
            rules.close(env)
            raise

    def step(self, actions: Array) -> Transitions:
        """Acts in every active lane, and starts a new episode where one ends.

        Args:
            actions: [N], from 0 to the number of actions - 1, or [N, k], each from -1 to 1.

        Raises:
            Diverged: an action, an observation or a reward is not finite.
            BrokenEnvironment: it breaks a rule.
        """
        latest = self._latest
        latest.observations[...] = self.observations  # np.copyto takes twice as long
        np.copyto(latest.actions, actions)
        if self.masks is not None:
            latest.masks = self.masks.copy()
        if isinstance(self.actions, Continuous):
            self._check_actions()
        self.finished = []
        stepped, ended = [], []
        for lane, action in enumerate(latest.actions.tolist()):
            if self.active[lane]:
                stepped.append(lane)
                if self._step_lane(lane, action):
                    ended.append(lane)
        self._preprocessor.follow_lanes(stepped, self._raws, latest.next_observations)
        self.observations[...] = latest.next_observations
        if self.masks is not None:
            latest.next_masks = self.masks.copy()
        for lane in ended:
            self._end(lane)
        return latest

    def _step_lane(self, lane: int, action: Any) -> bool:
        latest, actions = self._latest, self._episode_actions[lane]
        actions.append(action)
        try:
            observation, reward, terminated, truncated, info = rules.step(
                self._envs[lane], self.actions.for_environment(action)
            )
            raw, reward = self._raw(observation), rules.number(reward)
            if self._masks and (self._masks.given or KEY in info):
                self._masks.see(lane, info, bool(terminated))
            if len(actions) >= self._longest and not (terminated or truncated):
                truncated = self._cut()
        except (rules.Breach, rules.NotFinite) as found:
            raise self._complaint(found, lane) from found.__cause__
        self._totals[lane] += reward
        ended = bool(terminated or truncated)
        self._raws[lane], self._over[lane] = raw, bool(terminated)
        latest.rewards[lane] = self._preprocessor.reward(lane, reward, ended)
        # A lost life is an end also where a time limit cuts the episode in the same step.
        latest.terminated[lane] = self._over[lane] or bool(info.get(LIFE_LOST))
        latest.truncated[lane] = truncated
        latest.returns[lane] = self._totals[lane]
        return ended

    def _env(self, lane: int) -> gymnasium.Env:
        """The environment of a lane, made on first use."""
        env = self._envs[lane]
        if env is None:
            env = self._envs[lane] = self._make()
        return env

    def _cut(self) -> bool:
        """Returns True if the lab cuts an episode of the greatest length.

        Raises:
            Breach: it should have ended by itself.
        """
        if not self._is_cut:
            raise rules.Breach(rules.ENDS)
        return True

    def _raw(self, observation: Any) -> Array:
        if self.spaces.flatten is None:
            return rules.vector(observation, self.spaces.observation_size)
        raw = self.spaces.flatten(observation)
        if self._preprocessor.kind == np.uint8 and raw.dtype != np.uint8:
            return rules.as_bytes(raw)
        return raw

    def _end(self, lane: int) -> None:
        length, terminated = len(self._episode_actions[lane]), self._over[lane]
        cut = self._is_cut and not terminated and length >= self._longest
        seed, total = self._episode_seeds[lane], self._totals[lane]
        self.finished.append(Episode(seed, total, length, terminated, cut))
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
            observation, info = self._reset(self._env(lane), seed)
            self._require_spaces(self._env(lane))
            raw = self._raw(observation)
            if self._masks:
                self._masks.see(lane, info)
        except (rules.Breach, rules.NotFinite) as found:
            raise self._complaint(found, lane) from found.__cause__
        self._raws[lane] = raw
        self._preprocessor.start(lane, raw, self.observations[lane])

    def _reset(self, env: gymnasium.Env, seed: int) -> tuple[Any, Mapping[str, Any]]:
        if self._options:
            try:
                return rules.reset(env, seed, self._options)
            except rules.Breach:  # it may not know the option; another breach comes again below
                self._options = None
        return rules.reset(env, seed)

    def _require_spaces(self, env: gymnasium.Env) -> None:
        """Refuses spaces that differ from the first ones of the first environment."""
        for name, fixed in zip(("observation_space", "action_space"), self._fixed, strict=True):
            space = getattr(env, name, None)
            if space is not fixed and space != fixed:
                raise rules.Breach(f"its {name} must stay {fixed}, but is {space}")

    def _check_actions(self) -> None:
        actions = self._latest.actions
        if not math.isfinite(sum(actions.ravel().tolist())):
            lane = int(np.isfinite(actions).all(axis=1).argmin())
            raise Diverged("action", f"{actions[lane]}, {self._moment(lane)} in {self.id}")

    def _complaint(self, found: Exception, lane: int) -> Exception:
        """The error for what was found in a lane, with the environment and the moment."""
        said = f"{found}, {self._moment(lane)}"
        if isinstance(found, rules.NotFinite):
            return Diverged(f"environment {self.id}", said)
        return BrokenEnvironment(self.id, said)

    def _moment(self, lane: int) -> str:
        step = len(self._episode_actions[lane])
        return f"at step {step} of the episode with seed {self._episode_seeds[lane]}"

    def state(self) -> State:
        """What `restore` needs: each lane's seed and the actions taken since.

        Also their outcome, to compare with; and what the agent sees, which follows from them only
        if the preprocessor does not learn.
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
            The lanes whose episodes came out differently, since the environment does not repeat
            itself. There a new episode has begun.
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
        """Replays an episode up to its saved state; returns True if it is the same."""
        self._begin(lane, int(saved["seed"]))
        for action in saved["actions"].tolist():
            if self._step_lane(lane, action):
                return False
            seen = self._latest.next_observations[lane]
            self._preprocessor.follow(lane, self._raws[lane], seen)
        same = np.array_equal(self._raws[lane], saved["observation"], equal_nan=True)
        return bool(same and self._totals[lane] == saved["total"])

    def lend(self) -> gymnasium.Env:
        """The first lane's environment for another use, which does not close it.

        That ends its episode; `restore` with an earlier `state` brings it back.
        """
        return Lent(self._env(0))

    def close(self) -> list[str]:
        """Frees what the environments hold, such as windows; returns what has gone wrong there."""
        made = [env for env in self._envs if env is not None]
        self._envs = [None] * len(self._envs)
        return list(dict.fromkeys(filter(None, map(rules.close, made))))


class Lent(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that somebody else closes."""

    def close(self) -> None:
        """Leaves it open."""
