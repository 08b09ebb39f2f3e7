"""`rl.evaluate`: any agent in any environment; and agents that remember an episode."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import rl
from rl.environments.actions import combined
from rl.environments.spaces import Continuous, Discrete, MultiDiscrete, Spaces
from rl.errors import UserError
from rl.preprocessors import Preprocessor, Stack
from rl.session.evaluation import Evaluation
from rl.session.player import Player, player_of
from tests.contracts.cases import OF_VECTORS, experiment, values
from tests.rl.test_callback import SMALL


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> rl.Run:
    folder = tmp_path_factory.mktemp("r") / "run"
    more = {"problem": "CartPole-v1", "preprocessor": {"name": "Stack", "length": 2}}
    return rl.train("cartpole_dqn", overrides={**SMALL, **more}, output=folder, draw=False)


class Spy(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Says whether it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True
        super().close()


def test_an_agent_may_be_a_player_a_run_or_a_path(run: rl.Run) -> None:
    expected = run.evaluate(5).returns
    best = run.session.checkpoint("best")
    agents: list[Any] = [rl.load(run.path), run, run.path, str(run.path), best]
    for agent in agents:
        assert rl.evaluate(agent, episodes=5).returns == expected
    assert rl.evaluate(run, episodes=5, seed=1).returns != expected


def test_an_environment_may_be_an_id_an_object_or_a_function(run: rl.Run) -> None:
    """And one that was passed is not closed."""
    expected, env = run.evaluate(5).returns, Spy(gymnasium.make("CartPole-v1"))
    envs: list[Any] = ["CartPole-v1", env, lambda: gymnasium.make("CartPole-v1")]
    for each in envs:
        assert rl.evaluate(run, each, episodes=5).returns == expected
    assert not env.closed
    longer = rl.evaluate(run, lambda: gymnasium.make("CartPole-v1", max_episode_steps=3), 2)
    assert longer.lengths == [3, 3]


def test_an_environment_without_a_time_limit_is_cut(run: rl.Run) -> None:
    class Endless(gymnasium.Env[Any, Any]):
        observation_space = gymnasium.spaces.Box(-1, 1, (4,))
        action_space = gymnasium.spaces.Discrete(2)

        def reset(self, **_: Any) -> Any:
            return np.zeros(4, np.float32), {}

        def step(self, action: Any) -> Any:
            return np.zeros(4, np.float32), 1.0, False, False, {}

    found = rl.evaluate(run, Endless, episodes=1)
    assert (found.cut, found.lengths) == (1, [10_000])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"env": "Acrobot-v1"}, "of 4 numbers and 2 actions, but this one has observations of 6"),
        ({"env": "Pendulum-v1"}, "has observations of 3 numbers and actions of 1 number"),
        ({"env": "CartPool-v1"}, "unknown environment 'CartPool-v1'; did you mean 'CartPole-v1'"),
        ({"env": 3}, "must be an id, an environment or a function, not 3"),
        ({"env": dict}, "must make a gymnasium.Env, not {}"),
        ({"agent": None}, "agent: None has no method `act`"),
        ({"agent": "nowhere"}, "nowhere: there is no such run folder"),
        ({"episodes": 0}, "episodes must be at least 1"),
        ({"seed": -1}, "and seed 0, not 100 and -1"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(change: Any, said: str, run: rl.Run) -> None:
    with pytest.raises(UserError, match=said):
        rl.evaluate(**{"agent": run, **change})


TWO_BY_THREE = MultiDiscrete((2, 3), np.zeros(2, np.int64))


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        (Discrete(6), "6 actions"),
        (TWO_BY_THREE, "2 x 3 actions at once"),
        (combined(TWO_BY_THREE), "2 x 3 actions at once"),
        (Continuous(np.zeros(6), np.ones(6)), "actions of 6 numbers"),
    ],
)
def test_sizes_tell_apart_what_an_agent_cannot_act_in(actions: Any, said: str) -> None:
    assert Spaces(4, actions).sizes == f"observations of 4 numbers and {said}"


def test_an_agent_of_ones_own_is_evaluated_with_its_preprocessor() -> None:
    class Still:
        def act(self, observations: Any) -> Any:
            assert observations.shape[1] == 8
            return np.zeros(len(observations), np.int64)

    stack = Stack(4, Stack.Settings(length=2))
    found = rl.evaluate(Still(), "CartPole-v1", 3, preprocessor=stack)
    assert found.mean < 12
    with pytest.raises(UserError, match="must be an id, an environment or a function, not None"):
        rl.evaluate(Still())


@pytest.mark.parametrize(
    ("id", "action", "said"),
    [
        ("CartPole-v1", 7, "act must return an integer from 0 to 1, not 7"),
        ("CartPole-v1", -1, "an integer from 0 to 1, not -1"),
        ("CartPole-v1", 1.0, "an integer from 0 to 1, not 1.0"),
        ("CartPole-v1", None, "an integer from 0 to 1, not None"),
        ("CartPole-v1", [0, 1], r"an integer from 0 to 1, not \[0, 1\]"),
        ("tests.rl.gates:SteadyMultiDiscrete-v0", [[1, 3]], r"2 integers, .* \[2, 3\], not"),
        ("Pendulum-v1", "left", "1 number from -1 to 1, not 'left'"),
        ("CartPole-v1", np.array([1], np.uint8), None),
        ("tests.rl.gates:SteadyMultiDiscrete-v0", [[1, 2]], None),
        ("Pendulum-v1", [0.5], None),
    ],
)
def test_the_actions_of_an_agent_of_ones_own_are_checked(
    id: str, action: Any, said: str | None
) -> None:
    class Own:
        def act(self, observations: Any) -> Any:
            return action

    if said is None:
        assert len(rl.evaluate(Own(), id, 1).returns) == 1
        return
    with pytest.raises(UserError, match=f"agent: .*{said}"):
        rl.evaluate(Own(), id, 1)


def test_an_evaluation_says_what_it_is_in_a_line() -> None:
    found = Evaluation([1.0, 3.0, 5.0], [1, 2, 3])
    assert repr(found) == "Evaluation(mean 3, 95% 1 to 5, std 2, 3 episodes)"
    assert found.interval == (1.0, 5.0)
    assert repr(Evaluation()) == "Evaluation(no episodes)"


def player(**preprocessor: Any) -> Player:
    given = values("DQN", Discrete, preprocessor=preprocessor)
    return player_of(experiment({**given, "train": {"steps": 1_000}}))


@pytest.mark.parametrize(
    "preprocessor",
    [{"name": name} for name in OF_VECTORS] + [{"name": "Stack", "length": 1}],
    ids=lambda each: "-".join(map(str, each.values())),
)
def test_only_an_agent_that_remembers_must_be_told_where_episodes_begin(preprocessor: Any) -> None:
    """It is found out by whether an earlier observation changes what it sees of a later one."""
    agent = player(**preprocessor)
    view, seen = (
        agent.preprocessor.for_lanes(1, learning=False),
        np.zeros((2, agent.preprocessor.size)),
    )
    for row, first in zip(seen, (np.zeros(4), np.ones(4)), strict=True):
        view.start(0, first, row)
        view.follow(0, np.full(4, 0.5), row)
    remembers = not np.array_equal(*seen)
    assert agent.preprocessor.remembers == remembers
    if remembers:
        with pytest.raises(UserError, match=r"call agent\.reset\(\) where each episode begins"):
            agent.act(np.zeros(4))
    else:
        agent.act(np.zeros(4))
    agent.reset()
    agent.act(np.zeros(4))


def test_a_reset_that_was_left_out_later_is_found_by_the_time_limit() -> None:
    agent = player(name="Difference")
    agent.reset()
    for _ in range(500):
        agent.act(np.zeros(4))
    with pytest.raises(UserError, match="Difference remembers the episode, and 500 steps since"):
        agent.act(np.zeros(4))
    agent.reset(longest=501)
    for _ in range(501):
        agent.act(np.zeros(4))


def test_a_preprocessor_of_ones_own_is_taken_to_remember_if_it_has_a_start() -> None:
    class Counts(Preprocessor):
        def start(self, lane: int, raw: Any, out: Any) -> None:
            out[:] = 0

    class Halves(Preprocessor):
        def follow(self, lane: int, raw: Any, out: Any) -> None:
            out[:] = raw / 2

    settings = Preprocessor.Settings()
    assert Counts(1, settings).remembers
    assert not Halves(1, settings).remembers
