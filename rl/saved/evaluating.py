"""What any agent is worth in any environment, for a program."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from typing import Any

import gymnasium
import numpy as np

from nn.typing import Array
from rl.console.signals import noticed
from rl.environments import evaluation_seeds
from rl.environments.lanes import Lent
from rl.environments.problems import EXTENDED_EPISODES, Problem
from rl.environments.rules import NUMBERS, array_of
from rl.environments.spaces import Actions, Combinations, Continuous, MultiDiscrete, Spaces
from rl.errors import UserError, brief
from rl.formatting import count_of
from rl.preprocessors import Preprocessor
from rl.saved.policy_file import load
from rl.saved.problem import problem_from
from rl.session.evaluation import Evaluation, Evaluator, Policy
from rl.session.player import Player

Agent = Player | Policy | str | os.PathLike[str]
Env = str | Mapping[str, Any] | gymnasium.Env | Callable[[], gymnasium.Env]


def evaluate(
    agent: Agent,
    env: Env | None = None,
    episodes: int = EXTENDED_EPISODES,
    seed: int = 0,
    preprocessor: Preprocessor | None = None,
) -> Evaluation:
    """Greedy episodes of an agent, on seeds that no training of the lab uses.

    Args:
        agent: what `rl.load` gives, a run, the path of a run or of a checkpoint; or whatever has a
            method `act` from observations [N, n] to actions, such as an agent of one's own.
        env: an id or an `environment` block, an environment, which is not closed, or what makes
            one; by default the problem that the agent has learned.
        episodes: how many.
        seed: another number gives other episodes.
        preprocessor: what an agent of one's own sees of an observation.

    Raises:
        UserError: there is no such agent or environment, or they do not fit each other.
    """
    if episodes < 1 or seed < 0:
        raise UserError(f"episodes must be at least 1 and seed 0, not {episodes} and {seed}")
    player = load(agent) if isinstance(agent, (str, os.PathLike)) else agent
    policy: Policy
    spaces, problem = None, None
    if isinstance(player, Player):
        policy, preprocessor = player.agent, player.preprocessor
        spaces, problem = player.spaces, player.problem
    else:
        policy = player
    if not hasattr(policy, "act"):
        raise UserError(f"agent: {brief(agent)} has no method `act`; pass what rl.load gives")
    evaluator = _evaluator(problem if env is None else env, preprocessor, spaces)
    with noticed(), closing(evaluator):
        if not isinstance(player, Player):
            policy = _Own(policy, evaluator.spaces.actions)
        if spaces and spaces.sizes != evaluator.spaces.sizes:
            raise UserError(
                f"env: the agent was trained on {spaces.sizes}, but this one has "
                f"{evaluator.spaces.sizes}"
            )
        return evaluator.play(policy, evaluation_seeds("report", seed, episodes))


def _evaluator(
    env: Env | Problem | None, preprocessor: Preprocessor | None, spaces: Spaces | None
) -> Evaluator:
    """What plays `env`, among the learned actions where those are known of it, or combinations."""
    actions = spaces.actions if spaces else None
    known = actions if isinstance(env, Problem) or isinstance(actions, Combinations) else None
    made = problem_from(env) if isinstance(env, (str, Mapping)) else env
    if isinstance(made, Problem):
        return Evaluator.of(made, preprocessor, known)
    if isinstance(made, gymnasium.Env):
        lent = Lent(made)
        return Evaluator(
            lambda: lent, preprocessor, playing=1, longest=_longest(lent), actions=known
        )
    if not callable(made):
        raise UserError(f"env: must be an id, an environment or a function, not {brief(env)}")
    first = made()
    if not isinstance(first, gymnasium.Env):
        raise UserError(f"env: must make a gymnasium.Env, not {brief(first)}")
    waiting = [first]
    return Evaluator(lambda: waiting.pop() if waiting else made(), preprocessor,
                     longest=_longest(first), actions=known)  # fmt: skip


def _takes_masks(policy: Policy) -> bool:
    try:
        inspect.signature(policy.act).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # it does not say
        pass
    return True


class _Own:
    """A user's policy, which may know of no masks of actions, and whose actions are checked."""

    def __init__(self, policy: Policy, actions: Actions) -> None:
        self._act: Callable[..., Any] = policy.act
        self._actions, self._takes_masks = actions, _takes_masks(policy)

    def act(self, observations: Array, masks: Array | None = None) -> Any:
        given = (observations, masks) if self._takes_masks else (observations,)
        found = self._act(*given)
        if not _fits(found, self._actions, len(observations)):
            raise UserError(f"agent: act must return {_wanted(self._actions)}, not {brief(found)}")
        return found


def _fits(found: Any, actions: Actions, length: int) -> bool:
    array = array_of(found)
    with suppress(ValueError):  # of another shape
        array = np.broadcast_to(array, actions.array(length).shape)
        if isinstance(actions, Continuous):
            return array.dtype.kind in NUMBERS
        most = actions.counts if isinstance(actions, MultiDiscrete) else actions.count
        return array.dtype.kind in "iu" and bool(((array >= 0) & (array < np.array(most))).all())
    return False


def _wanted(actions: Actions) -> str:
    if isinstance(actions, Continuous):
        return f"{count_of(actions.size, 'number')} from -1 to 1"
    if isinstance(actions, MultiDiscrete):
        counts = actions.counts
        return f"{count_of(len(counts), 'integer')}, from 0 and less than {list(counts)}"
    return f"an integer from 0 to {actions.count - 1}"


def _longest(env: gymnasium.Env) -> int | None:
    """Steps after which an episode is cut, where the environment has no time limit."""
    timed = env.spec is not None and env.spec.max_episode_steps is not None
    return None if timed else Problem.cut
