"""Does an environment repeat itself: does an episode follow from its seed and its actions?

What is carried over from one episode to the next may show late: Box2D gives out memory in blocks,
and in what order a world resolves contacts hangs on that after some seven resets.
"""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import replace
from functools import partial

import numpy as np

from nn.typing import Array, BoolArray
from rl.console.place import in_place
from rl.environments import Environments, environment_of
from rl.environments.problems import Problem, known_problems
from rl.environments.spaces import Actions, Continuous, Discrete, MultiDiscrete
from rl.errors import BrokenEnvironment, Diverged, UserError
from rl.specification.specification import Specification

# What takes the place of wrappers with statistics of their own.
_INSTEAD = {
    "NormalizeObservation": "write preprocessor: {name: Normalize} instead, which is saved",
    "NormalizeReward": "write preprocessor: {name: Normalize, rewards: true} instead",
}
STEPS = 50  # of an episode that finds out
RESETS = 15  # between it and its repetition

_CARRIES = "carries something over from one episode to the next"
_CURED = ": it is made anew for each (train.renew_environment)"

Record = list[tuple[bytes, ...]]  # of an episode: what was given at each step


def record(environments: Environments, seed: int) -> Record:
    """Plays an episode in a single lane, with random actions that follow from its seed."""
    rng = np.random.default_rng(seed)
    environments.seeds = iter([seed])
    found: Record = [(environments.reset().tobytes(),)]
    while environments.active[0]:
        actions = random_actions(environments.actions, rng, environments.masks)
        latest = environments.step(actions)
        given = latest.next_observations, latest.returns, latest.terminated, latest.truncated
        found.append(tuple(array.tobytes() for array in given))
    return found


def random_actions(
    actions: Actions, rng: np.random.Generator, masks: BoolArray | None = None
) -> Array:
    """A random action of one lane, of those that its mask [1, A] allows."""
    if isinstance(actions, Continuous):
        return rng.uniform(-1.0, 1.0, (1, actions.size))
    if masks is not None:
        values = np.where(masks, rng.random(masks.shape), -1.0)
        parts = [part.argmax(axis=1) for part in np.split(values, actions.firsts[1:], axis=1)]
        return np.stack(parts, axis=1) if isinstance(actions, MultiDiscrete) else parts[0]
    if isinstance(actions, Discrete):
        return rng.integers(actions.count, size=1)
    return rng.integers(actions.counts)[None]


def find_out(problem: Problem) -> tuple[bool, str | None]:
    """Whether an environment has to be made anew for each episode, and what a user should know.

    An episode of up to `STEPS` steps is played in a new instance, and again after `RESETS` resets.
    If something else comes of it, one more is played in each of two further instances: making the
    environment anew is the cure if the first of them repeats the episode, and another seed still
    gives another one. No two instances are there at a time, and all are closed.

    Within wrappers the environment itself is made anew, which cannot cure a wrapper.
    """
    if problem.environment.wrappers:
        return _find_out_wrapped(problem)
    try:
        first, again = _play(problem, 0, RESETS)
        if first == again:
            return False, None
        (anew,), (other,) = _play(problem, 0), _play(problem, 1)
    except (BrokenEnvironment, Diverged):  # which the run meets too, and says
        return False, None
    carries = f"{problem.id} {_CARRIES}"
    if first == anew != other:
        return True, f"{carries}{_CURED}"
    if first == anew:  # its seeds mean nothing then: each new one would begin the same episode
        return False, (
            f"{carries}, so the run cannot be resumed to the bit; made anew for each "
            "(train.renew_environment: true), all episodes would begin alike"
        )
    return False, (
        f"{problem.id} does not repeat itself: the same seed and actions lead elsewhere, so the "
        f"run cannot be resumed to the bit; `rl doctor --env {problem.id}` shows where"
    )


def _find_out_wrapped(problem: Problem) -> tuple[bool, str | None]:
    """As `find_out`, for an environment with wrappers: which of them carries something over."""
    try:
        if _repeats(problem):
            return problem.renewed, None
        block = problem.environment
        renewed, note = problem.renewed, None
        with suppress(UserError):  # its observations may need the wrappers
            renewed, note = find_out(replace(problem, block=replace(block, wrappers=None)))
        if note and not renewed:
            return renewed, note
        if _repeats(replace(problem, renewed=True)):  # perhaps it draws what it does not tell
            return True, note or f"the picture of {problem.id} {_CARRIES}{_CURED}"
        name = _first_to_carry(replace(problem, renewed=renewed or problem.renewed))
    except (BrokenEnvironment, Diverged):  # which the run meets too, and says
        return problem.renewed, None
    remedy = _INSTEAD.get(name, "let its reset begin all anew")
    return renewed or problem.renewed, (
        f"the wrapper {name} {_CARRIES}, which no checkpoint keeps: evaluations begin without it, "
        f"and the run cannot be resumed to the bit; {remedy}"
    )


def _first_to_carry(problem: Problem) -> str:
    """The innermost wrapper with which an environment does not repeat itself."""
    block, names = problem.environment, [name for name, _ in problem.environment.named_wrappers()]
    for count in range(1, len(names)):
        inner = replace(block, wrappers=(block.wrappers or ())[:count])
        with suppress(UserError):  # its observations may need the next wrapper
            if not _repeats(replace(problem, block=inner)):
                return names[count - 1]
    return names[-1]


def _repeats(problem: Problem) -> bool:
    first, again = _play(problem, 0, RESETS)
    return first == again


def _play(problem: Problem, seed: int, resets: int = 0) -> list[Record]:
    """An episode in a new instance and, if there are to be some resets, again after them."""
    make = partial(environment_of, problem)
    with in_place(), closing(Environments(make, 1, iter(()), longest=STEPS)) as environments:
        records = [record(environments, seed)]
        for other in range(seed + 1, seed + 1 + resets):
            environments.seeds = iter([other])
            environments.reset()
        return [*records, record(environments, seed)] if resets else records


def settled(specification: Specification, problem: Problem) -> tuple[Specification, list[str]]:
    """A specification that says whether the environment is made anew, and what to tell a user.

    What `train.renew_environment` or `problems.json` says is taken as it is, and where only one
    instance may exist nothing is tried out. Whoever opens the run later need not find out again.
    """
    if specification.block("train").get("renew_environment") is not None:
        return specification, []
    block = problem.environment
    known = problem.id in known_problems() and not (block.wrappers or block.reset_options)
    known = known or problem.shared
    renewed, note = (problem.renewed, None) if known else find_out(problem)
    given = specification.assign({"train.renew_environment": renewed})
    return replace(given, overridden=specification.overridden), [note] if note else []
