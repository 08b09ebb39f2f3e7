"""Problems: an environment id with the return at which it counts as solved."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from rl.environments.registered import environment_spec
from rl.environments.settings import EnvironmentSettings

EXTENDED_EPISODES = 100  # "solved" is defined over so many
SPEC_FOLDER = Path(__file__).parents[1] / "spec"


@dataclass(frozen=True)
class Problem:
    """An entry of `rl/spec/problems.json`, or an environment id without one.

    What a specification's `train` block says of the environment replaces the defaults.

    Args:
        id: the Gymnasium id.
        solved: the mean return over 100 episodes that counts as solved, or None if undefined.
        horizon: the time limit in steps, or None if the environment has none.
        renewed: whether the environment is made anew for each episode, since it carries something
            over from one to the next.
        cut: steps after which a greedy episode is cut if there is no time limit.
        shared: whether only one instance may exist at a time.
        block: how the environment is made, where that is not just as it is registered.
    """

    id: str
    solved: float | None = None
    horizon: int | None = None
    renewed: bool = False
    cut: int = 10_000
    shared: bool = False
    block: EnvironmentSettings | None = None

    @property
    def environment(self) -> EnvironmentSettings:
        """How the environment is made."""
        return self.block or EnvironmentSettings(id=self.id)

    @property
    def label(self) -> str:
        """The id with what makes the environment differ from the registered one, for titles."""
        return self.environment.label

    @property
    def longest(self) -> int | None:
        """Steps after which a greedy episode is cut by the lab; None if a time limit does it."""
        return self.cut if self.horizon is None else None


@cache
def known_problems() -> dict[str, Problem]:
    """All entries of `problems.json`, by id."""
    entries = json.loads((SPEC_FOLDER / "problems.json").read_text("utf-8"))
    return {id: Problem(id, **entry) for id, entry in entries.items()}


def find_problem(id: str) -> Problem:
    """The entry called `id`, or else what the environment's own registration says."""
    known = known_problems().get(id)
    if known:
        return known
    spec = environment_spec(id)
    return Problem(id, spec.reward_threshold, spec.max_episode_steps)


def problem_in(environment: EnvironmentSettings) -> Problem:
    """The problem of an environment block, which goes before what is known of its id."""
    known, limit = find_problem(environment.id), environment.max_episode_steps
    return replace(
        known,
        solved=known.solved if environment.solved is None else environment.solved,
        horizon=known.horizon if limit is None else limit if limit > 0 else None,
        block=environment,
    )
