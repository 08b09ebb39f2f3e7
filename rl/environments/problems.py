"""Problems: an environment id with the return at which it counts as solved."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from nn.names import suggestion
from rl.errors import UserError

if TYPE_CHECKING:
    from gymnasium.envs.registration import EnvSpec

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
    """

    id: str
    solved: float | None = None
    horizon: int | None = None
    renewed: bool = False
    cut: int = 10_000
    shared: bool = False

    @property
    def longest(self) -> int | None:
        """Steps after which a greedy episode is cut by the lab; None if a time limit does it."""
        return self.cut if self.horizon is None else None


@cache
def known_problems() -> dict[str, Problem]:
    """All entries of `problems.json`, by id."""
    entries = json.loads((SPEC_FOLDER / "problems.json").read_text())
    return {id: Problem(id, **entry) for id, entry in entries.items()}


def find_problem(id: str) -> Problem:
    """The entry called `id`, or else what the environment's own registration says."""
    known = known_problems().get(id)
    if known:
        return known
    spec = environment_spec(id)
    return Problem(id, spec.reward_threshold, spec.max_episode_steps)


def environment_spec(id: str) -> EnvSpec:
    """How an environment is registered.

    Raises:
        UserError: it is not registered; the message names the nearest id.
    """
    import gymnasium

    try:
        return gymnasium.spec(id)
    except gymnasium.error.Error:
        near = suggestion(id, gymnasium.registry)
        raise UserError(
            f"unknown environment {id!r}{near} An environment that a package brings is known once "
            'the specification names that package: "import": "PACKAGE"'
        ) from None
