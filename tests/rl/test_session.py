"""The learning loop, and what it decides: when it evaluates, what it keeps, when it stops."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import rl
from nn import checkpoint
from rl.errors import Diverged
from rl.saved.run import Run
from rl.session.callback import Callback
from rl.session.choice import is_stage
from rl.session.evaluation import Evaluation, Evaluator, Stopped
from rl.session.job import Job
from rl.session.progress import Progress
from rl.session.session import Session
from rl.specification.build import build
from rl.specification.specification import load_specification
from rl.storage.run_folder import RunFolder
from rl.storage.tables import read_table
from tests.rl import worlds
from tests.rl.conftest import quick

SHORT = ("train.steps=2000", "train.evaluate_every=1000", "train.evaluate_episodes=2")


def make_session(
    tmp_path: Path, *settings: str, callback: Callback | None = None, name: str = "cartpole_dqn"
) -> Session:
    experiment = build(load_specification(name, overrides=[*SHORT, *settings]), seed=0)
    folder = RunFolder.create(tmp_path / "run", name, experiment.specification.values, [], [0])
    folder.session().create()
    job = Job(experiment.specification, 0, folder.session().path)
    return Session(job, experiment, callback)


class Recorder(Callback):
    """Notes what it is told, and does something after each evaluation."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.seconds: list[float] = []
        self.then: Any = lambda: None

    def evaluated(self, job: Job, progress: Progress, player: Any) -> None:
        self.steps.append(progress.step)
        self.seconds.append(progress.seconds)
        self.then()


def test_it_evaluates_when_it_is_told_to(tmp_path: Path) -> None:
    recorder = Recorder()
    session = make_session(tmp_path, "train.evaluate_every=700", callback=recorder)
    session.run()
    assert recorder.steps == [700, 1400, 2000]
    assert recorder.seconds == sorted(recorder.seconds)
    assert recorder.seconds[0] > 0.01  # of 700 steps and an evaluation
    assert read_table(session.folder.evaluations)["step"] == [700, 1400, 2000]
    assert session.outcome()["status"] == "finished"


def test_evaluating_does_not_change_what_is_learned(tmp_path: Path) -> None:
    parameters = []
    for number, every in enumerate((300, 2000)):
        session = make_session(tmp_path / str(number), f"train.evaluate_every={every}")
        session.run()
        parameters.append(session.agent.policy_state()["network"]["parameters"])
    np.testing.assert_array_equal(*parameters)


def test_it_keeps_stages_at_evaluations_that_grow_apart(tmp_path: Path) -> None:
    """Before the first step, and at the first, second, fourth, ... evaluation."""
    session = make_session(tmp_path, "train.evaluate_every=300")
    session.run()
    assert session.folder.stages() == [0, 300, 600, 1200]
    saved = [checkpoint.load(session.folder.checkpoint(str(step))) for step in (0, 300, 1200)]
    assert [state["step"] for state in saved] == [0, 300, 1200]
    assert 0 <= saved[0]["seconds"] < saved[1]["seconds"] < saved[2]["seconds"]
    first, then, later = (state["policy"]["network"]["parameters"] for state in saved)
    np.testing.assert_array_equal(first, then)  # learning starts after 1,000 steps
    assert (then != later).any()


def test_a_long_session_keeps_a_dozen_stages() -> None:
    kept = [count for count in range(1, 1025) if is_stage(count)]
    assert kept == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]


def test_several_lanes_learn_as_many_steps(tmp_path: Path) -> None:
    session = make_session(tmp_path, "train.lanes=4")
    session.run()
    assert session.agent.steps == 2000
    assert session.agent.updates == (2000 - 1000) // 2
    episodes = read_table(session.folder.episodes)
    assert sum(episodes["length"]) <= 2000
    assert len(set(episodes["seed"])) == len(episodes["seed"])


def scripted(session: Session, monkeypatch: pytest.MonkeyPatch, returns: list[list[float]]) -> None:
    """Lets the evaluations give these returns, one list after the other."""
    results = iter(returns)

    def evaluate(*_: Any) -> Evaluation:
        values = next(results)
        return Evaluation(values, [10] * len(values))

    monkeypatch.setattr(session.evaluator, "evaluate", evaluate)


def test_the_best_checkpoint_is_the_one_with_the_best_lower_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make_session(tmp_path, "train.evaluate_every=500")
    # Means 100, 110, 105, 90; the second is a guess from scattered episodes.
    scripted(session, monkeypatch, [[99.0, 101.0], [10.0, 210.0], [104.0, 106.0], [90.0, 90.0]])
    session.run()
    assert read_table(session.folder.evaluations)["best"] == [1, 0, 1, 0]
    assert session.outcome()["best_step"] == 1500
    assert checkpoint.load(session.folder.checkpoint("best"))["step"] == 1500
    assert checkpoint.load(session.folder.checkpoint("last"))["step"] == 2000


@pytest.mark.parametrize(
    ("returns", "stops"),
    [
        ([500.0] * 100, True),
        ([500.0] * 20, False),  # too few to say
        ([476.0] * 99 + [470.0], True),
        ([500.0, 452.0] * 50, False),  # a mean of 476, but only just
        ([474.0] * 100, False),
    ],
)
def test_it_stops_when_100_episodes_show_beyond_doubt_that_it_is_solved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, returns: list[float], stops: bool
) -> None:
    session = make_session(tmp_path, "train.stop_when_solved=true")
    scripted(session, monkeypatch, [returns, returns])
    session.run()
    assert session.progress.step == (1000 if stops else 2000)
    assert session.outcome()["status"] == ("solved" if stops else "finished")


def test_interrupted_as_it_is_solved_it_is_solved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it would learn on when it is resumed, and come to another end."""
    recorder = Recorder()
    session = make_session(tmp_path, "train.stop_when_solved=true", callback=recorder)
    recorder.then = session.interrupt
    scripted(session, monkeypatch, [[500.0] * 100])
    session.run()
    assert session.outcome()["status"] == "solved"


def test_progress_is_told_while_it_evaluates_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: Counter[int] = Counter()

    class Counts(Callback):
        def progressed(self, job: Job, progress: Progress) -> None:
            told[progress.step] += 1

    monkeypatch.setattr("rl.session.session.SECONDS_BETWEEN_REPORTS", 0.0)
    make_session(tmp_path, callback=Counts()).run()
    assert told[999] == 1
    assert told[1000] > 8  # two episodes of CartPole


def test_it_goes_on_when_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = make_session(tmp_path, "train.stop_when_solved=false")
    scripted(session, monkeypatch, [[500.0] * 100] * 2)
    session.run()
    assert session.progress.step == 2000


def test_an_interrupt_ends_it_after_the_step(tmp_path: Path) -> None:
    recorder = Recorder()
    session = make_session(tmp_path, callback=recorder)
    recorder.then = session.interrupt
    session.run()
    assert session.progress.step == 1000
    assert session.outcome()["status"] == "interrupted"
    assert checkpoint.load(session.folder.checkpoint("last"))["step"] == 1000


def test_after_the_training_only_an_interruption_stops_an_evaluation(tmp_path: Path) -> None:
    session = make_session(tmp_path, "train.steps=100", "agent.learn_start=64")
    session.run()
    session.interrupt("pruned")
    session.heed(0, 1)
    session.interrupt()
    with pytest.raises(Stopped):
        session.heed(0, 1)


def test_a_limit_of_its_own_cuts_training_episodes_alone(tmp_path: Path) -> None:
    session = make_session(tmp_path, "train.max_episode_steps=15")
    session.run()
    episodes = read_table(session.folder.episodes)
    assert max(episodes["length"]) == 15
    assert 0 in episodes["terminated"]
    assert max(read_table(session.folder.evaluations)["mean_length"]) > 15


def test_a_broken_environment_is_named_with_its_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make_session(tmp_path, "problem=Broken-v0")
    inner = session.environments._envs[0].unwrapped
    assert isinstance(inner, worlds.Broken)
    inner.after, inner.observation = 1500, np.nan
    with pytest.raises(Diverged, match="step 1499: environment Broken-v0: observation"):
        session.run()
    assert session.outcome()["status"] == "diverged"
    assert checkpoint.load(session.folder.checkpoint("last"))["step"] == 1000


def test_what_looks_solved_is_judged_on_as_many_episodes_as_wanted(tmp_path: Path) -> None:
    session = make_session(tmp_path, "train.extended_episodes=130", "train.evaluate_episodes=30")
    session.experiment.problem = replace(session.experiment.problem, solved=0.0)
    session.run()
    assert read_table(session.folder.evaluations)["episodes"][0] == 130


class AlwaysLeft:
    """A policy that always does the same."""

    def act(self, observations: Any) -> Any:
        return np.zeros(len(observations), np.int64)


@pytest.mark.parametrize(("threshold", "episodes"), [(None, 5), (1e9, 5), (0.0, 100)])
def test_an_evaluation_is_extended_for_as_long_as_it_looks_solved(
    threshold: float | None, episodes: int
) -> None:
    evaluator = Evaluator(lambda: rl.make_env("CartPole-v1"))
    result = evaluator.evaluate(AlwaysLeft(), range(1000, 1100), 5, threshold)
    assert result.episodes == episodes
    assert result.lengths == result.returns


class Lasting(worlds.Steady):
    """Episodes of ten steps, and from seed 1005 on of seven, with a reward of 1 each."""

    def reset(self, **given: Any) -> Any:
        self.left = 10 if given["seed"] < 1005 else 7
        return super().reset(**given)

    def step(self, action: Any) -> Any:
        self.left -= 1
        return np.ones(1, np.float32), 1.0, self.left == 0, False, {}


@pytest.mark.parametrize("lanes", [1, 10])
def test_an_evaluation_that_cannot_say_solved_any_more_ends(lanes: int) -> None:
    """Of five times 10 and then 7s, the upper end is 10.48 and 10.23 at first, and 9.95 with three.

    The short episodes, which end first where several are played together, do not come first.
    """
    evaluator = Evaluator(Lasting, lanes=lanes, longest=100)
    result = evaluator.evaluate(AlwaysLeft(), range(1000, 1100), 5, 10.0)
    assert result.returns == [10.0] * 5 + [7.0] * 3
    assert result.upper_bound == pytest.approx(8.875 + 1.96 * np.sqrt(16.875 / 7 / 8))


def test_episodes_come_in_the_order_of_their_seeds_whatever_the_lanes() -> None:
    seeds = range(50, 73)
    one, many = (
        Evaluator(lambda: rl.make_env("CartPole-v1"), lanes=lanes).play(AlwaysLeft(), seeds)
        for lanes in (1, 10)
    )
    assert one == many
    assert len(set(one.returns)) > 1


@pytest.mark.slow
def test_the_python_interface(tmp_path: Path) -> None:
    run = rl.train("cartpole_dqn", seed=3, overrides=SHORT, output=tmp_path / "run")
    assert run.path == tmp_path / "run"
    assert run.outcome["evaluation"]["episodes"] == 100
    agent = rl.load(run.path)
    observation, _ = rl.make_env("CartPole-v1").reset(seed=0)
    assert agent.act(observation) in (0, 1)
    assert run.evaluate(5).returns == run.evaluate(5).returns
    assert run.evaluate(5).returns != run.evaluate(5, seed=1).returns


@pytest.mark.slow
def test_few_updates_have_a_row_each_and_many_one_in_a_hundred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "mine.json"
    mine = {"problem": "CartPole-v1", "agent": {"name": "ActorCritic"},
            "memory": {"horizon": 50}, "train": {"steps": 2000}}  # fmt: skip
    spec.write_text(json.dumps({"mine": mine}))
    assert updates_of(rl.train("mine", spec=spec, output=tmp_path / "few")) == list(range(1, 41))
    monkeypatch.setattr("rl.session.recorder.ROWS", 20)  # of which there are more than that
    settings = ["train.steps=2000", "train.evaluate_every=2000", "agent.learn_every=1"]
    many = rl.train("cartpole_dqn", overrides=settings, output=tmp_path / "many")
    assert updates_of(many) == [1, *range(100, 1001, 100)]


def updates_of(run: Run) -> list[float]:
    return read_table(run.path / "trial_000/session_000/updates.csv")["update"]


MODULE = """
import gymnasium
from tests.rl.worlds import Chain

gymnasium.register("Brought-v0", lambda **settings: Chain(), max_episode_steps=20)
"""


def test_a_package_that_brings_an_environment_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the run, and by whoever opens it later."""
    (tmp_path / "brings_an_environment.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    spec = tmp_path / "mine.json"
    mine = {"problem": "Brought-v0", "import": "brings_an_environment", "agent": {"name": "DQN"},
            "train": {"steps": 1500}}  # fmt: skip
    spec.write_text(json.dumps({"mine": mine}))
    run = rl.train("mine", spec=spec, output=tmp_path / "run")
    del sys.modules["brings_an_environment"]
    gymnasium.registry.pop("Brought-v0")
    assert rl.load(run.path).act(np.eye(4)[0]) in (0, 1)


@pytest.mark.parametrize(
    ("problem", "agent"),
    quick(1, [("FrozenLake-v1", "DQN"), ("Pendulum-v1", "DDPG"), ("CartPole-v1", "ActorCritic"),
              ("FrozenLake-v1", "ActorCritic"), ("Pendulum-v1", "ActorCritic")]),
)  # fmt: skip
def test_every_kind_of_space_has_its_agents(problem: str, agent: str, tmp_path: Path) -> None:
    spec = tmp_path / "mine.json"
    mine = {"problem": problem, "agent": {"name": agent}, "train": {"steps": 1500}}
    spec.write_text(json.dumps({"mine": mine}))
    run = rl.train("mine", spec=spec, output=tmp_path / "run")
    assert run.outcome["status"] == "finished"
    env, player = rl.make_env(problem), rl.load(run.path)
    observation, _ = env.reset(seed=0)
    assert env.action_space.contains(player.act(observation))
    assert (tmp_path / "run/trial_000/session_000/curve.png").stat().st_size > 10_000
