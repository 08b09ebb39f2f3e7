"""Does an environment keep the rules that a run, and the resuming of one, relies on?"""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Iterator
from contextlib import closing

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env

from nn.typing import Array
from rl import rules
from rl.environments import Environments, make_env
from rl.errors import BrokenEnvironment, Diverged, UserError
from rl.experiment.doctor import NOTE, OK, PROBLEM, Finding
from rl.problems import environment_spec
from rl.signals import is_asked
from rl.spaces import Actions, Discrete, spaces_of

EPISODES = 8

_UNREPEATABLE = (
    "an agent learns, but its run cannot be resumed to the bit: let `reset` make anew all that an "
    "episode depends on"
)

Record = list[tuple[bytes, ...]]  # of an episode: what was given at each step


def examine_environment(id: str) -> Iterator[Finding]:
    """Gymnasium's own check, and then the lab's: spaces, rules, ends, repeats itself.

    Raises:
        UserError: there is no such environment.
    """
    limit = environment_spec(id).max_episode_steps
    try:
        env = make_env(id)
    except BrokenEnvironment as error:
        yield Finding(PROBLEM, "is made", error.found)
        return
    try:
        yield from _gymnasium(env)
        spaces = _spaces(env, id)
    finally:
        rules.close(env)
    yield spaces
    if not spaces.fails:
        yield from _play_it(id, limit)


def _spaces(env: gymnasium.Env, id: str) -> Finding:
    try:
        spaces = spaces_of(env, id)
    except UserError as error:
        return Finding(PROBLEM, "spaces", str(error))
    said = f"observations of {spaces.observation_size} entries, actions {_brief(spaces.actions)}"
    return Finding(OK, "spaces", said)


def _brief(actions: Actions) -> str:
    return f"one of {actions.count}" if isinstance(actions, Discrete) else f"{actions.size} numbers"


def _gymnasium(env: gymnasium.Env) -> list[Finding]:
    """What `check_env` raises and warns of."""
    name, verdict = "Gymnasium's check", Finding(OK, "Gymnasium's check", "nothing wrong")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            check_env(env.unwrapped, skip_render_check=True)
        except BaseException as error:  # assertions mostly, and whatever the environment raises
            if is_asked(error):
                raise
            verdict = Finding(PROBLEM, name, f"{type(error).__name__}: {_line(error)}")
    said = dict.fromkeys(_line(each.message) for each in caught)  # each of them once
    return [verdict, *(Finding(NOTE, name, text) for text in said)]


def _line(message: object) -> str:
    """A message on one line and without colours."""
    return " ".join(re.sub(r"\x1b\[[\d;]*m", "", str(message)).removeprefix("WARN: ").split())


def _play_it(id: str, limit: int | None) -> Iterator[Finding]:
    """Random episodes, and the same ones once more."""
    try:
        yield from _play_and_repeat(id, limit)
    except (BrokenEnvironment, Diverged) as error:
        yield Finding(PROBLEM, "rules", error.found)


def _play_and_repeat(id: str, limit: int | None) -> Iterator[Finding]:
    seeds = range(EPISODES)
    with closing(_one_lane(id)) as environments:
        first = [_play(environments, seed) for seed in seeds]
        yield Finding(OK, "rules", f"kept in {EPISODES} random episodes")
        yield _ends([len(record) - 1 for record in first], limit)
        again = [_play(environments, seed) for seed in reversed(seeds)][::-1]
    yield _repeats("after other episodes", first, again)
    yield _repeats("in a fresh object", first, [_play_fresh(id, seed) for seed in seeds])


def _one_lane(id: str) -> Environments:
    return Environments(lambda: make_env(id), 1, iter(()))


def _play_fresh(id: str, seed: int) -> Record:
    with closing(_one_lane(id)) as environments:
        return _play(environments, seed)


def _play(environments: Environments, seed: int) -> Record:
    """One episode with random actions that follow from its seed."""
    rng = np.random.default_rng(seed)
    environments.seeds = iter([seed])
    record: Record = [(environments.reset().tobytes(),)]
    while environments.active[0]:
        latest = environments.step(_random(environments.spaces.actions, rng))
        given = latest.next_observations, latest.returns, latest.terminated, latest.truncated
        record.append(tuple(array.tobytes() for array in given))
    return record


def _random(actions: Actions, rng: np.random.Generator) -> Array:
    if isinstance(actions, Discrete):
        return rng.integers(actions.count, size=1)
    return rng.uniform(-1.0, 1.0, (1, actions.size))


def _ends(steps: list[int], limit: int | None) -> Finding:
    said = f"after {min(steps)} to {max(steps)} steps"
    if limit is not None:
        return Finding(OK, "ends", f"{said}, at {limit} at the latest")
    remedy = "register it with max_episode_steps"
    return Finding(
        NOTE, "ends", f"{said}, but has no time limit; at {rules.ENDLESS:,} a run stops: {remedy}"
    )


def _repeats(when: str, first: list[Record], again: list[Record]) -> Finding:
    """Whether the same seeds and actions gave the same, to the bit."""
    name, pairs = "repeats itself", list(zip(first, again, strict=True))
    differ = [seed for seed, (one, other) in enumerate(pairs) if one != other]
    if not differ:
        return Finding(OK, name, f"{when}: the same to the bit in {len(pairs)} episodes")
    steps = enumerate(itertools.zip_longest(*pairs[differ[0]]))
    step = next(step for step, (one, other) in steps if one != other)
    found = f"{when}: not in {len(differ)} of {len(pairs)} episodes, that of seed {differ[0]} "
    return Finding(PROBLEM, name, f"{found}from step {step} on; {_UNREPEATABLE}")
