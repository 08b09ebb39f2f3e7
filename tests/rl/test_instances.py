"""How many instances of an environment there are, when, and what they are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import rl
from rl.environments.problems import find_problem
from rl.errors import UserError
from rl.running.executors import Inline
from rl.running.trial import create_trial, run_sessions
from rl.saved.run import Run
from rl.session.callback import Callback
from rl.session.evaluation import Evaluator
from rl.session.job import Job
from rl.session.session import Session
from rl.specification.build import build
from rl.specification.specification import load_specification
from rl.storage.run_folder import RunFolder
from rl.storage.tables import read_table
from tests.rl.worlds import Counted

SMALL = ("train.steps=1300", "train.evaluate_every=600", "train.evaluate_episodes=3",
         "network.hidden=[4]", "train.stop_when_solved=false")  # fmt: skip
SHARED = "train.share_environment=true"
NEVER = "train.evaluate_every=null"


@pytest.fixture(autouse=True)
def forget() -> None:
    Counted.forget()


def train(folder: Path, *overrides: str, problem: str = "Counted-v0", **settings: Any) -> Run:
    given = (*SMALL, f"problem={problem}", *overrides)
    return rl.train("cartpole_dqn", overrides=given, output=folder, draw=False, **settings)


def tables(run: Run) -> dict[str, dict[str, list[float]]]:
    names = ("episodes", "updates", "evaluations")
    return {name: read_table(run.session.table(name)) for name in names}


def session_of(folder: Path, *overrides: str, problem: str = "Counted-v0") -> Session:
    given = (*SMALL, f"problem={problem}", *overrides)
    experiment = build(load_specification("cartpole_dqn", overrides=given), seed=0)
    made = RunFolder.create(folder, "x", experiment.specification.values, [], [0])
    made.session().create()
    return Session(Job(experiment.specification, 0, made.session().path), experiment)


def test_an_environment_is_made_when_its_lane_first_plays(tmp_path: Path) -> None:
    session = session_of(tmp_path / "r")
    Counted.forget()
    session.evaluator.close()
    assert Counted.made == 0
    session.run()
    assert Counted.made == 3  # of the ten lanes; the training's was there before
    assert Counted.alive == -1  # which is closed too


def test_every_instance_is_closed_and_no_more_are_made_than_play(tmp_path: Path) -> None:
    train(tmp_path / "r")
    assert Counted.alive == 0
    assert Counted.most == 10  # of the last evaluation, of 100 episodes; training is over then
    Counted.forget()
    train(tmp_path / "shared", SHARED)
    assert (Counted.alive, Counted.most) == (0, 1)


def test_lanes_that_do_not_play_change_nothing_for_those_that_do() -> None:
    class Sees:
        def act(self, observations: Any) -> Any:
            assert len(observations) == 10
            return np.zeros(10, np.int64)

    Counted.forget()
    evaluator = Evaluator(lambda: rl.make_env("Counted-v0"))
    few = evaluator.play(Sees(), range(7, 10))
    assert Counted.made == 3
    assert evaluator.play(Sees(), range(7, 27)).returns[:3] == few.returns
    assert Counted.made == 10
    evaluator.close()
    assert Counted.alive == 0


def test_sharing_changes_nothing_that_is_learned(tmp_path: Path) -> None:
    """The episode that an evaluation interrupts goes on where it was."""
    settings = ("train.evaluate_every=353", "preprocessor.name=Normalize",
                "preprocessor.rewards=true")  # fmt: skip
    apart, together = train(tmp_path / "a", *settings), train(tmp_path / "b", *settings, SHARED)
    assert tables(apart) == tables(together)
    assert apart.outcome["weights"] == together.outcome["weights"]
    assert together.problem.shared
    assert together.evaluate(3).returns == apart.evaluate(3).returns


class Stops(Callback):
    """Interrupts a session after some evaluations, and keeps what it is told."""

    def __init__(self, after: int = 1) -> None:
        self.left, self.notes = after, list[str]()

    def started(self, job: Job, session: Session) -> None:
        self._session = session

    def evaluated(self, *_: Any) -> None:
        self.left -= 1
        if self.left == 0:
            self._session.interrupt()

    def noted(self, text: str) -> None:
        self.notes.append(text)


def test_a_shared_run_is_resumed_to_the_bit(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", SHARED)
    run = train(tmp_path / "r", SHARED, callbacks=Stops())
    assert run.outcome["status"] == "interrupted"
    run_sessions(Run.open(tmp_path / "r"), Inline())
    assert tables(run) == tables(whole)
    assert run.outcome["weights"] == whole.outcome["weights"]


def test_where_an_episode_cannot_be_put_back_a_new_one_begins_and_that_is_said(
    tmp_path: Path,
) -> None:
    callback = Stops(-1)
    run = train(tmp_path / "r", SHARED, problem="Restless-v0", callbacks=callback)
    assert run.outcome["status"] == "finished"
    assert sum("ends the training episode under way" in note for note in callback.notes) == 1


def test_only_one_lane_can_share(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="share_environment needs lanes to be 1, not 2"):
        train(tmp_path / "r", SHARED, "train.lanes=2")


def test_a_training_limit_does_not_cut_evaluations_that_share(tmp_path: Path) -> None:
    found = tables(train(tmp_path / "r", SHARED, "train.max_episode_steps=4"))
    assert set(found["episodes"]["length"]) == {4.0}
    assert set(found["episodes"]["terminated"]) == {0.0}
    assert set(found["evaluations"]["mean_length"]) == {7.0}


def test_evaluation_can_be_switched_off(tmp_path: Path) -> None:
    run = train(tmp_path / "r", NEVER)
    assert tables(run)["evaluations"]["step"] == []
    outcome = run.outcome
    assert outcome["best_step"] == outcome["steps"] == 1300
    assert outcome["evaluation"] == outcome["final"]
    assert outcome["evaluation"]["episodes"] == 100
    learned = run.player("best").agent.policy_state()["network"]["parameters"]
    every = train(tmp_path / "every").player("last").agent.policy_state()["network"]["parameters"]
    np.testing.assert_array_equal(learned, every)


def test_without_evaluations_there_is_but_one_instance_while_it_learns(tmp_path: Path) -> None:
    session = session_of(tmp_path / "r", NEVER)
    Counted.forget()
    session.run()
    assert Counted.made == 0


def test_an_environment_can_find_out_that_it_serves_evaluation(tmp_path: Path) -> None:
    session = session_of(tmp_path / "r")
    Counted.told.clear()
    session.run()
    assert {str(each) for each in Counted.told} == {"None", "{'evaluation': True}"}
    training = len(read_table(session.folder.episodes)["step"]) + 1
    assert Counted.told.count(None) == training


def test_an_environment_that_knows_no_such_option_is_not_told(tmp_path: Path) -> None:
    run = train(tmp_path / "r", problem="Odd-no-options-v0")
    assert run.outcome["evaluation"]["mean_return"] == 5.0


def test_an_evaluation_without_a_time_limit_is_cut_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = ("train.max_evaluation_steps=30", "train.max_episode_steps=50")
    run = train(tmp_path / "r", *limits, problem="Endless-v0")
    evaluation = run.outcome["evaluation"]
    assert (evaluation["cut_episodes"], evaluation["max_length"]) == (100, 30)
    assert run.evaluate(4).cut == 4
    from rl.verbs.play import print_evaluation

    print_evaluation(evaluation)
    assert "100 of 100 episodes were cut at 30 steps" in capsys.readouterr().out
    assert find_problem("Endless-v0").longest == 10_000
    assert find_problem("CartPole-v1").longest is None


def test_a_time_limit_of_the_environments_own_is_no_cut(tmp_path: Path) -> None:
    run = train(tmp_path / "r", "train.max_evaluation_steps=3", problem="Steady-v0")
    assert run.outcome["evaluation"]["cut_episodes"] == 0
    assert run.outcome["evaluation"]["mean_length"] == 5.0


def test_a_session_that_is_ended_early_can_be_analyzed(tmp_path: Path) -> None:
    from rl.cli import main

    run = train(tmp_path / "r", callbacks=Stops())
    (outcome,) = run.result["outcomes"]
    assert outcome["status"] == "interrupted"
    assert outcome["so_far"]["evaluations"] == 1
    assert outcome["so_far"]["best_step"] == outcome["so_far"]["latest_step"] == 600
    assert main(["analyze", str(run.path)]) == 0


def test_training_can_be_told_to_draw_nothing(tmp_path: Path) -> None:
    train(tmp_path / "r")
    assert not list((tmp_path / "r").rglob("*.png"))
    assert not list((tmp_path / "r").rglob("*.gif"))


def test_a_shared_environment_is_never_tried_out_and_a_known_one_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr("rl.specification.repeats.find_out", forbidden)
    for number, given in enumerate((("problem=Counted-v0", SHARED), ("problem=Acrobot-v1",))):
        specification = load_specification("cartpole_dqn", overrides=[*SMALL, *given])
        run = create_trial(specification, [0], tmp_path / str(number))
        assert run.specification.values["train"]["renew_environment"] is False


def test_one_registered_anew_is_looked_at_anew() -> None:
    from rl.environments import known_spaces

    for size in (2, 3):
        gymnasium.registry.pop("Sized-v0", None)
        gymnasium.register("Sized-v0", lambda size=size, **_: Sized(size))
        assert known_spaces(find_problem("Sized-v0")).observation_size == size


class Sized(Counted):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.observation_space = gymnasium.spaces.Box(-9, 9, (size,), np.float32)
