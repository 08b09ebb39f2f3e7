"""Checking the rules of an environment that running and resuming rely on."""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env

from rl.checks.doctor import NOTE, OK, PROBLEM, Finding
from rl.console.signals import is_asked
from rl.environments import Environments, environment_of, rules
from rl.environments.names import with_names
from rl.environments.problems import Problem, find_problem
from rl.environments.spaces import Actions, Discrete, MultiDiscrete, spaces_of
from rl.errors import BrokenEnvironment, Diverged, UserError
from rl.formatting import count_of
from rl.session.evaluation import OPTIONS
from rl.specification.repeats import Record, record

EPISODES = 8

_UNREPEATABLE = (
    "an agent learns, but its run cannot be resumed to the bit: let `reset` make anew all that an "
    "episode depends on"
)


def examine_environment(environment: Problem | str) -> Iterator[Finding]:
    """Gymnasium's own check, and then the lab's: spaces, rules, ends, repeats itself.

    Args:
        environment: its id, or the problem that says how it is made.

    Raises:
        UserError: there is no such environment.
    """
    given = find_problem(environment) if isinstance(environment, str) else environment
    problem = replace(given, renewed=False)
    try:
        env = environment_of(problem)
    except BrokenEnvironment as error:
        yield Finding(PROBLEM, "is made", error.found)
        return
    found = [*_gymnasium(env), *_spaces(env, problem)]
    if complaint := rules.close(env):
        found.insert(-1, Finding(PROBLEM, "close", complaint))
    yield from found
    if not found[-1].fails:
        yield from _play_it(problem)


def _spaces(env: gymnasium.Env, problem: Problem) -> Iterator[Finding]:
    """How large they are; of an observation of several parts, which entries each has."""
    try:
        spaces = with_names(spaces_of(env, problem.id), env, problem.environment)
    except UserError as error:
        yield Finding(PROBLEM, "spaces", str(error))
        return
    if spaces.flatten:
        for part in spaces.flatten.parts:
            yield Finding(OK, "observations", str(part))
        for name in spaces.flatten.left_out:
            yield Finding(NOTE, "observations", f"{name} is text, and is left out")
    for what in ("observation", "action"):
        if names := getattr(spaces, f"{what}_names"):
            yield Finding(OK, f"{what}s", ", ".join(names))
    size = count_of(spaces.observation_size, "entry", "entries")
    yield Finding(OK, "spaces", f"observations of {size}, actions {_brief(spaces.actions)}")


def _brief(actions: Actions) -> str:
    if isinstance(actions, MultiDiscrete):
        return f"one of {' times '.join(map(str, actions.counts))}"
    if isinstance(actions, Discrete):
        return f"one of {actions.count}"
    return count_of(actions.size, "number")


def _gymnasium(env: gymnasium.Env) -> list[Finding]:
    """The error and the warnings of `check_env`."""
    name, verdict = "Gymnasium's check", Finding(OK, "Gymnasium's check", "nothing wrong")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            check_env(env.unwrapped, skip_render_check=True)
        except BaseException as error:  # mostly assertions, but the environment may raise anything
            if is_asked(error):
                raise
            verdict = Finding(PROBLEM, name, f"{type(error).__name__}: {_line(error)}")
    said = dict.fromkeys(_line(each.message) for each in caught)  # each of them once
    return [verdict, *(Finding(NOTE, name, text) for text in said)]


def _line(message: object) -> str:
    """A message on one line and without colours."""
    return " ".join(re.sub(r"\x1b\[[\d;]*m", "", str(message)).removeprefix("WARN: ").split())


def _play_it(problem: Problem) -> Iterator[Finding]:
    """Plays random episodes, and the same ones again."""
    try:
        yield from _play_and_repeat(problem)
    except (BrokenEnvironment, Diverged) as error:
        yield Finding(PROBLEM, "rules", error.found)


def _play_and_repeat(problem: Problem) -> Iterator[Finding]:
    seeds, notes = range(EPISODES), dict[str, None]()
    with closing(_one_lane(problem, notes)) as environments:
        first = [record(environments, seed) for seed in seeds]
        yield Finding(OK, "rules", f"kept in {EPISODES} random episodes")
        yield from (Finding(NOTE, "observations", note) for note in notes)
        if environments.masks is not None:
            yield Finding(OK, "actions", "info says which are allowed, and no other is taken")
        yield _options(environments.lend())
        yield _ends([len(each) - 1 for each in first], problem.horizon)
        again = [record(environments, seed) for seed in reversed(seeds)][::-1]
    fresh = [_play_fresh(problem, seed) for seed in seeds]
    yield _repeats("after other episodes", first, again)
    yield _repeats("in a fresh object", first, fresh)
    if first != fresh and fresh == [_play_fresh(problem, seed) for seed in seeds]:
        said = "made anew for each episode it does: train.renew_environment, or a run finds out"
        yield Finding(NOTE, "repeats itself", said)


def _options(env: gymnasium.Env) -> Finding:
    """Checks whether `reset` accepts the options of an evaluation."""
    try:
        rules.reset(env, 0, OPTIONS)
    except rules.Breach as error:
        said = f"an evaluation does without {OPTIONS}, as it cannot be told: {error}"
        return Finding(NOTE, "options", said)
    return Finding(OK, "options", f"reset takes {OPTIONS}, which an evaluation tells it")


class _Noting(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Notes what the lab can live with in observations, though it is against the interface.

    Args:
        env: the environment.
        notes: where that goes; of each kind once.
    """

    def __init__(self, env: gymnasium.Env, notes: dict[str, None]) -> None:
        super().__init__(env)
        self._notes, self._latest = notes, np.zeros(0)

    def reset(self, **settings: Any) -> Any:
        return self._seen(self.env.reset(**settings))

    def step(self, action: Any) -> Any:
        return self._seen(self.env.step(action))

    def _seen(self, given: Any) -> Any:
        observation = given[0] if isinstance(given, tuple) and given else None
        if isinstance(observation, np.ndarray):
            if not self.observation_space.contains(observation):
                self._notes.setdefault(
                    "some lie outside of observation_space, or are of another type"
                )
            if observation is self._latest:
                self._notes.setdefault("the same array is given again and again; the lab copies it")
            self._latest = observation
        return given


def _one_lane(problem: Problem, notes: dict[str, None] | None = None) -> Environments:
    def make() -> gymnasium.Env:
        env = environment_of(problem)
        return env if notes is None else _Noting(env, notes)

    return Environments(make, 1, iter(()))


def _play_fresh(problem: Problem, seed: int) -> Record:
    with closing(_one_lane(problem)) as environments:
        return record(environments, seed)


def _ends(steps: list[int], limit: int | None) -> Finding:
    said = f"after {min(steps)} to {count_of(max(steps), 'step')}"
    if limit is not None:
        return Finding(OK, "ends", f"{said}, at {limit} at the latest")
    remedy = "register it with max_episode_steps"
    return Finding(
        NOTE, "ends", f"{said}, but has no time limit; at {rules.ENDLESS:,} a run stops: {remedy}"
    )


def _repeats(when: str, first: list[Record], again: list[Record]) -> Finding:
    """Checks whether the same seeds and actions gave the same results, to the bit."""
    name, pairs = "repeats itself", list(zip(first, again, strict=True))
    differ = [seed for seed, (one, other) in enumerate(pairs) if one != other]
    if not differ:
        return Finding(OK, name, f"{when}: the same to the bit in {len(pairs)} episodes")
    steps = enumerate(itertools.zip_longest(*pairs[differ[0]]))
    step = next(step for step, (one, other) in steps if one != other)
    found = f"{when}: not in {len(differ)} of {len(pairs)} episodes, that of seed {differ[0]} "
    return Finding(PROBLEM, name, f"{found}from step {step} on; {_UNREPEATABLE}")
