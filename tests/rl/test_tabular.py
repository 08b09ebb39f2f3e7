"""Agents with a table: their targets by hand, the cells of a state, and what they refuse."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from rl.agents import ExpectedSarsa, QTable, Sarsa
from rl.agents.cells import Cells
from rl.agents.tabular import Tabular
from rl.environments import Transitions
from rl.environments.bounds import Bounds
from rl.environments.spaces import spaces_of
from rl.errors import UserError
from rl.exploration import EpsilonGreedy, Explorer
from rl.preprocessors import PREPROCESSORS
from rl.specification.build import build
from rl.specification.by_name import specification_of
from tests.contracts.cases import Play, experiment, values
from tests.rl.worlds import Chain, Steady

CHOICE = Bounds(np.zeros(3), np.ones(3), np.ones(3, np.bool_), (3,))  # one of three states
TABLE = [[1.0, 2.0, 3.0], [2.0, 6.0, 4.0], [0.0, 0.0, 0.0]]


class Scripted(Explorer):
    """Takes these actions one after the other, whatever they are worth."""

    def script(self, *actions: int) -> Scripted:
        self._left = iter(actions)
        return self

    def choose(self, greedy: Any, step: int) -> Any:
        return np.array([next(self._left) for _ in greedy])


def make(kind: type[Tabular], lanes: int = 1, explorer: Any = None, **settings: Any) -> Tabular:
    """Of the table above; epsilon is 0.3, gamma 0.5 and alpha 0.1."""
    rng = np.random.default_rng(0)
    explorer = explorer or EpsilonGreedy(rng, EpsilonGreedy.Settings(start=0.3, end=0.3))
    settings = {"gamma": 0.5, "learning_rate": 0.1, **settings}
    agent = kind(Cells(CHOICE, (10,), 3.0, 3), 3, explorer, kind.Settings(**settings), lanes)
    agent.table[:] = TABLE
    return agent


def a_step(lanes: int = 1, ends: str = "", mask: Any = None) -> Transitions:
    """From state 0 by action 1 to state 1, for a reward of 0.5."""
    eye = np.eye(3, dtype=np.float32)
    rows = np.zeros(lanes, np.int64)
    terminated, truncated = (np.full(lanes, ends == end) for end in ("terminated", "truncated"))
    masks = None if mask is None else np.array([mask] * lanes, np.bool_)
    return Transitions(
        eye[rows], rows + 1, np.full(lanes, 0.5, np.float32), eye[rows + 1], terminated, truncated,
        np.full(lanes, 7.0), next_masks=masks,
    )  # fmt: skip


def learned(agent: Tabular, step: Transitions) -> float:
    """Q(s, a) after a step; nothing else has moved."""
    agent.observe(step)
    agent.learn()
    others = np.ones((3, 3), np.bool_)
    others[0, 1] = False
    np.testing.assert_array_equal(agent.table[others], np.array(TABLE)[others])
    return float(agent.table[0, 1])


# Q = 2 + 0.1 (0.5 + 0.5 V - 2), of the values 2, 6, 4: their greatest is 6 and 4 is a' = 2; with
# epsilon 0.3 the mean is 0.7 x 6 + 0.3 x 4 = 5.4, and without the second 0.7 x 4 + 0.3 x 3 = 3.7.
TARGETS: list[tuple[type[Tabular], str, Any, float]] = [
    (QTable, "", None, 2.15),
    (QTable, "truncated", None, 2.15),
    (QTable, "terminated", None, 1.85),
    (QTable, "", [1, 0, 1], 2.05),
    (ExpectedSarsa, "", None, 2.12),
    (ExpectedSarsa, "truncated", None, 2.12),
    (ExpectedSarsa, "terminated", None, 1.85),
    (ExpectedSarsa, "", [1, 0, 1], 2.035),
    (Sarsa, "", None, 2.05),
    (Sarsa, "truncated", None, 2.05),
    (Sarsa, "terminated", None, 1.85),
]


@pytest.mark.parametrize(("kind", "ends", "mask", "value"), TARGETS)
def test_a_step_by_hand(kind: type[Tabular], ends: str, mask: Any, value: float) -> None:
    explorer = Scripted(np.random.default_rng(0)).script(2) if kind is Sarsa else None
    assert learned(make(kind, explorer=explorer), a_step(1, ends, mask)) == pytest.approx(value)


@pytest.mark.parametrize("mask", [[1, 0, 0], [0, 0, 1]])
def test_sarsa_draws_an_action_that_is_allowed(mask: list[int]) -> None:
    value = 2 + 0.1 * (0.5 + 0.5 * (2.0 if mask[0] else 4.0) - 2)
    assert learned(make(Sarsa), a_step(1, "", mask)) == pytest.approx(value)


def test_sarsa_takes_the_action_that_it_learned_from() -> None:
    """And another one where the episode has ended, in that lane alone."""
    agent = make(Sarsa, lanes=2, explorer=Scripted(np.random.default_rng(0)).script(0, 1, 2, 1, 0))
    seen = np.eye(3, dtype=np.float32)[[0, 0]]
    assert agent.explore(seen).tolist() == [0, 1]
    step = a_step(2)
    step.truncated[1] = True
    agent.observe(step)
    agent.learn()  # draws 2 and 1
    assert agent.explore(seen).tolist() == [2, 0]


def test_sarsa_forgets_the_action_of_an_abandoned_episode() -> None:
    agent = make(Sarsa, explorer=Scripted(np.random.default_rng(0)).script(2, 1))
    learned(agent, a_step())
    agent.abandon(0)
    assert agent.explore(np.eye(3, dtype=np.float32)[:1]).tolist() == [1]


def test_lanes_in_one_state_learn_from_the_same_table() -> None:
    """Each adds 0.1 (3.5 - 2); one after the other they would add 0.15 and then 0.135."""
    assert learned(make(QTable, lanes=2), a_step(2)) == pytest.approx(2.3)


def test_the_learning_rate_follows_its_schedule_over_updates() -> None:
    rate = {"name": "linear", "start": 0.4, "end": 0.0, "steps": 4}
    agent = make(QTable, learning_rate=rate)
    agent.updates = 3
    assert learned(agent, a_step()) == pytest.approx(2.15)


def test_an_episode_ends_for_its_explorer() -> None:
    ended: list[Any] = []
    agent = make(QTable)
    agent.exploration.ended = lambda lane, total: ended.append((lane, total))  # type: ignore
    learned(agent, a_step(1, "terminated"))
    assert ended == [(0, 7.0)]


ENDS = np.array([2.0, np.inf], np.float32)
NUMBERS: Any = spaces.Box(-ENDS, ENDS, dtype=np.float32)
BOARD = spaces.Box(2, 4, (2,), np.int32)
TURN = spaces.Dict(at=spaces.Discrete(5, start=3), speed=NUMBERS, won=spaces.MultiBinary(2))


def cells_of(space: Any, *bins: int, seen: str = "Identity", **settings: Any) -> Cells:
    env = Steady()
    env.observation_space = space
    found = spaces_of(env, "Mine")
    assert found.bounds is not None
    part = PREPROCESSORS[seen]
    bounds = found.bounds.behind(part(found.observation_size, part.Settings(**settings)))
    return Cells(bounds, bins, 3.0, actions=2)


CELLS: list[tuple[Any, tuple[int, ...], list[Any], list[int]]] = [
    # bins of 1 from -2 to 2, and of 1.5 from -3 to 3; what is beyond counts as the outermost
    (NUMBERS, (4,), [[-2, -3], [-1.01, 0], [-1, 0], [1.5, 1.6], [2, 9], [-9, -1.6]],
     [0, 2, 6, 15, 15, 0]),
    (NUMBERS, (2, 6), [[-0.5, -0.5], [0.5, 2.5]], [2, 11]),
    (BOARD, (2,), [[2, 2], [2, 3], [4, 2], [4, 4]], [0, 1, 6, 8]),  # a cell for each number
    (spaces.Discrete(4), (2,), [[1, 0, 0, 0], [0, 0, 0, 1]], [0, 3]),
    (spaces.MultiDiscrete([2, 3]), (2,), [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]], [3, 2]),
]  # fmt: skip


@pytest.mark.parametrize(("space", "bins", "seen", "numbers"), CELLS)
def test_cells_by_hand(space: Any, bins: tuple[int, ...], seen: Any, numbers: list[int]) -> None:
    assert cells_of(space, *bins)(np.array(seen, np.float32)).tolist() == numbers


def test_the_cells_of_a_dictionary() -> None:
    """State 3 of at (one of 5), a speed in the bins 1 and 0 of 2, and 0, 1 of won."""
    cells = cells_of(TURN, 1, 2, 7, 7)  # those of `won` are whole numbers
    assert cells.counts == (5, 1, 2, 2, 2)
    seen = [[0, 0, 0, 1, 0, 0.0, 0.1, 0, 1]]
    assert cells(np.array(seen, np.float32)).tolist() == [3 * 8 + 1 * 4 + 0 * 2 + 1]


def test_the_cells_behind_a_preprocessor() -> None:
    assert cells_of(spaces.Discrete(4), 5, seen="Stack", length=2).counts == (4, 4)
    assert cells_of(NUMBERS, 5, seen="Difference").counts == (5, 5, 5, 5)
    normal = cells_of(BOARD, 6, seen="Normalize")
    assert normal(np.array([[-3.0, 2.5]], np.float32)).tolist() == [5]


def test_the_grid_of_an_environment_is_found() -> None:
    grids = {}
    for name in ("FrozenLake-v1", "CliffWalking-v1", "Taxi-v4", "CartPole-v1"):
        with gymnasium.make(name) as env:
            bounds = spaces_of(env, name).bounds
            grids[name] = bounds and bounds.grid
    assert [*grids.values()] == [(4, 4), (4, 12), None, None]


REFUSED: list[tuple[str, dict[str, Any], list[str]]] = [
    ("LunarLander-v3", {}, ["agent.bins of [10] make", "at most 1,000,000 values", "fewer bins"]),
    ("CartPole-v1", {"bins": [100]}, ["agent.bins of [100] make 100,000,000 cells of 2 values"]),
    ("CartPole-v1", {"bins": [1000000]}, ["make about 10^24 cells of 2"]),
    ("CartPole-v1", {"bins": [2, 2]}, ["agent.bins must be 1 count, or 4"]),
    ("CartPole-v1", {"bins": [0]}, ["agent.bins must be 1 count, or 4", "at least 1"]),
    ("CartPole-v1", {"bins": []}, ["agent.bins must be 1 count"]),
    ("CartPole-v1", {"bins": 8}, ["agent.bins must be a list", "write [8]"]),
    ("CartPole-v1", {"learning_rate": 1.5}, ["agent.learning_rate must lie in [0, 1], not 1.5"]),
    ("CartPole-v1", {"n_step": 3}, ["agent.n_step is no setting of QTable"]),
    ("Pendulum-v1", {}, ["agent.name is QTable, which does not handle the continuous actions"]),
    ("CartPole-v1", {"exploration.name": "Gaussian"}, ["Gaussian, which does not fit QTable"]),
    ("CartPole-v1", {"network.hidden": [8]}, ["network is not used by QTable; leave it out"]),
    ("CartPole-v1", {"memory.name": "Replay"}, ["memory is not used by QTable"]),
]


@pytest.mark.parametrize(("problem", "given", "said"), REFUSED)
def test_what_a_table_refuses(problem: str, given: dict[str, Any], said: list[str]) -> None:
    settings = {key if "." in key else f"agent.{key}": each for key, each in given.items()}
    with pytest.raises(UserError) as refusal:
        build(specification_of(problem, None, settings, "QTable"), 0)
    for words in said:
        assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_table_of_another_size_does_not_fit() -> None:
    with pytest.raises(ValueError, match="its table is not 3 x 3"):
        make(QTable).restore_policy({"table": np.zeros((3, 1))})


@pytest.mark.parametrize("name", ["QTable", "Sarsa", "ExpectedSarsa"])
def test_a_chain_is_learned(name: str) -> None:
    """Explored for ever, Q-learning finds the best values, and the others those with epsilon."""
    given = values(
        name, None, problem="Chain-v0", agent={"gamma": 0.5, "learning_rate": 0.2},
        exploration={"start": 0.4, "end": 0.4}, train={"steps": 9_000, "lanes": 1},
    )  # fmt: skip
    play = Play(experiment(given))
    play.steps(2_500)
    learned = play.agent.values(np.eye(4, dtype=np.float32))  # type: ignore[attr-defined]
    if name == "QTable":
        np.testing.assert_allclose(learned, Chain.VALUES, atol=0.02)
    else:  # with 0.2 it goes left in the last state, so that going right before is worth 0.42
        assert learned[2, 1] == pytest.approx(0.42, abs=0.05)
    assert learned[1:].argmax(axis=1).tolist() == [1, 1, 1]
