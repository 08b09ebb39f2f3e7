"""What a user should know of an experiment as it begins: nothing wrong, but perhaps not meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nn.schedules import Schedule, make_schedule
from rl.environments.registered import environment_spec
from rl.environments.spaces import Continuous
from rl.environments.wrapping import changes_rewards
from rl.errors import LOCAL
from rl.specification.build import Experiment

_EARLY = 0.99  # a rate that falls to 0 within the last hundredth of training has not fallen early
_NOTHING = 1e-6  # of its greatest value


def notes_of(experiment: Experiment) -> list[str]:
    """One line for each."""
    of_problem = _of_reading, _of_environment, _of_threshold, _of_observations, _of_actions
    parts = *of_problem, _of_exploration, _of_rates
    return [note for notes in parts for note in notes(experiment)]


def _of_reading(experiment: Experiment) -> list[str]:
    note = experiment.specification.note
    return [note] if note else []


def _of_observations(experiment: Experiment) -> list[str]:
    flatten = experiment.spaces.flatten
    left_out = flatten.left_out if flatten else ()
    return [f"the observations' {name!r} is text, and is left out" for name in left_out]


def _of_environment(experiment: Experiment) -> Iterator[str]:
    """An environment that no other process can make."""
    if experiment.problem.id.startswith(LOCAL):
        yield (
            f"{experiment.problem.id} is made by this program alone: `rl resume`, `rl verify` and "
            "`rl watch` cannot, and rl.resume and rl.load take env=...; a class or a function of a "
            "module can be made anywhere"
        )


def _of_threshold(experiment: Experiment) -> Iterator[str]:
    """A threshold that is for the environment as it is registered."""
    problem, block = experiment.problem, experiment.problem.environment
    if problem.solved is None or block.solved is not None:
        return
    changed = [name for name, _ in block.named_wrappers() if changes_rewards(name)]
    if block.max_episode_steps not in (None, environment_spec(problem.id).max_episode_steps):
        changed.append(f"max_episode_steps: {block.max_episode_steps}")
    if changed:
        yield (
            f"{problem.id} counts as solved at {problem.solved:g} as it is registered, without "
            f"{', '.join(changed)}: set environment.solved, or train.stop_when_solved to false"
        )


def _of_actions(experiment: Experiment) -> list[str]:
    actions = experiment.spaces.actions
    return actions.notes() if isinstance(actions, Continuous) else []


def _of_exploration(experiment: Experiment) -> Iterator[str]:
    """A ramp of exploration that training does not reach the end of."""
    block, steps = experiment.specification.block("exploration"), experiment.training.steps
    ramp = block.get("steps")
    if (
        ramp is not None
        and steps is not None
        and ramp > steps
        and block.get("start") != block.get("end")
    ):
        yield (
            f"exploration.steps is {ramp:,}, beyond the {steps:,} of train.steps: exploration does "
            f"not fall to its end, {block['end']:g}"
        )


def _of_rates(experiment: Experiment) -> Iterator[str]:
    """Learning rates that are 0, or fall to it before training ends."""
    block = experiment.specification.block("optimizer")
    roles = {role: each for role, each in block.items() if role in experiment.agent.roles}
    if experiment.training.steps is None:  # nobody knows how far the schedules come
        return
    total = experiment.agent.gradient_steps(experiment.training.steps)
    for role, each in roles.items() or [("", block)]:
        rate = each.get("learning_rate")
        path = ".".join(filter(None, ("optimizer", role, "learning_rate")))
        if isinstance(rate, Mapping) and total:  # 0 also where nobody knows
            yield from _of_rate(path, rate, total)
        elif rate == 0.0:  # also 1e-400, which no number of double precision is as small as
            yield f"{path} is 0: nothing is learned"


def _of_rate(path: str, block: Mapping[str, Any], total: int) -> Iterator[str]:
    schedule = make_schedule(block)
    nothing = _NOTHING * max(schedule(step) for step in range(0, total, max(total // 100, 1)))
    first = _first_below(schedule, nothing, total)
    if first < _EARLY * total:
        yield (
            f"{path} falls to 0 at update {first:,} of about {total:,}: nothing is learned from "
            "there on"
        )


def _first_below(schedule: Schedule, limit: float, total: int) -> int:
    """The step from which a schedule stays at a limit or below it; `total` if it does not."""
    low, high = -1, total
    if total and schedule(total - 1) > limit:
        return total
    while high - low > 1:  # a schedule rises, if at all, before it falls
        middle = (low + high) // 2
        low, high = (middle, high) if schedule(middle) > limit else (low, middle)
    return high
