"""Every mistake is answered with one message, status 2, and nothing written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rl.specification.whereabouts import OTHER_NAMES, paths_of
from tests.rl.conftest import Answer, Command

SETTINGS = [
    # what is typed after --set, what the message must say
    ("optimizer.learning_rat=0.1", ["--set: optimizer.learning_rat ", "did you mean"]),
    ("optimizer.learning_rate=fast", ["--set: optimizer.learning_rate", "a schedule", "'fast'"]),
    ('optimizer.learning_rate={"name":"cosin"}',
     ["optimizer.learning_rate.name", "did you mean 'cosine'"]),
    ('optimizer.learning_rate={"steps":3}', ["optimizer.learning_rate.name", "Known: constant"]),
    ('optimizer.learning_rate={"name":"cosine","strat":1}',
     ["optimizer.learning_rate.strat", "did you mean 'start'"]),
    ('optimizer.learning_rate={"name":"step","start":1,"factor":1,"every":0}',
     ["optimizer.learning_rate does not fit: every must be at least 1"]),
    ('optimizer.learning_rate={"name":"warmup","steps":9,"then":{"name":"linear","end":0}}',
     ["optimizer.learning_rate.then.start is missing"]),
    ("optimizer.learning_rate=-1", ["optimizer.learning_rate", "must not be negative"]),
    ("optimizer.name=Adma", ["optimizer.name", "'Adma'", "did you mean 'Adam'"]),
    ("optimizer=Adam", ["optimizer", "a block of settings"]),
    ("optimiser.name=Adam", ["optimiser", "did you mean 'optimizer'"]),
    ("agent.name=DNQ", ["agent.name", "did you mean 'DQN'"]),
    ("agent.name=3", ["agent.name", "must be a name"]),
    ("agent.gama=0.9", ["agent.gama", "did you mean 'gamma'"]),
    ("agent.gamma=2", ["agent.gamma", "must lie in [0, 1]"]),
    ("agent.n_step=0", ["agent.n_step", "at least 1"]),
    ("agent.learn_every=1.5", ["agent.learn_every", "an integer", "1.5"]),
    ("agent.cost=hubber", ["agent", "'hubber'", "did you mean 'huber'"]),
    ("memory.capacity=-5", ["memory.capacity", "-5"]),
    ("memory.batch_size=true", ["memory.batch_size", "an integer"]),
    ("memory.name=Reply", ["memory.name", "did you mean 'Replay'"]),
    ("network.hidden=[64,-1]", ["network.hidden", "at least 1"]),
    ("network.hidden=64", ["network.hidden", "a list"]),
    ("network.noisy_sigma=2", ["network.noisy_sigma needs noisy to be true"]),
    ("network.noisy=true", ["exploration is EpsilonGreedy, but a noisy network explores"]),
    ("network.activation=rellu", ["network", "did you mean 'relu'"]),
    ("network.initializer=hee", ["network", "did you mean 'he'"]),
    ("exploration.start=2", ["exploration.start", "must lie in [0, 1]"]),
    ("exploration.schedule=linaer", ["exploration", "did you mean 'linear'"]),
    ("problem=CartPol-v1", ["problem", "did you mean 'CartPole-v1'"]),
    ("problem=Pendulum-v1", ["agent.name is DQN", "continuous actions of Pendulum-v1", "DDPG"]),
    ("agent.name=DDPG", ["agent.name is DDPG", "discrete actions of CartPole-v1", "A2C"]),
    ("memory.name=Rollout", ["memory.name is Rollout, which does not fit DQN", "Prioritized"]),
    ("memory.name=Rollot", ["memory.name", "unknown memory 'Rollot'"]),
    ("exploration.name=Gaussian", ["Gaussian, which does not fit DQN; these do: EpsilonGreedy"]),
    ("memory.capacity=10", ["memory.capacity must be at least the batch_size, 64, not 10"]),
    ("preprocessor.name=Stak", ["preprocessor.name", "did you mean 'Stack'"]),
    ("import=nowhere_to_be_found", ["import names", "python -m pip install nowhere_to_be_found"]),
    ("problem=Ponger-v5", ["problem", "the specification names that package"]),
    ("problem=FrozenLake-v2", ["problem", "did you mean 'FrozenLake-v1'"]),
    ("problem=7", ["problem", "a text"]),
    ("train.steps=0", ["train.steps", "at least 1"]),
    ("train.steps=500", ["train.steps", "500", "1000", "agent.learn_start"]),
    ("train.lanes=0", ["train.lanes", "at least 1"]),
    ("train.stop_when_solved=maybe", ["train.stop_when_solved", "true or false"]),
    ("train.checkpoint_seconds=0", ["train.checkpoint_seconds", "greater than 0"]),
    ("train=null", ["train", "a block of settings"]),
    ("seed", ["'seed' is not KEY=VALUE"]),
    ("problem.id=CartPole-v1", ["problem is a single value"]),
    ("learning_rate=1", ["did you mean optimizer.learning_rate or agent.learning_rate?"]),
    ("agent.learning_rate=1", ["no setting of DQN, but of QTable, Sarsa, ExpectedSarsa; did you "
                               "mean optimizer.learning_rate?"]),
    ("agent.buffer_size=9", ["agent.buffer_size", "did you mean memory.capacity?", "Known: "]),
    ("agent.network=9", ["agent.network is no setting of DQN; did you mean network?"]),
    ("train.gamma=1", ["did you mean agent.gamma or preprocessor.gamma?"]),
    ("environment.lanes=2", ["did you mean train.lanes?"]),
    ("memory.alpha=1", ["no setting of Replay, but of Prioritized; did you mean agent.alpha?"]),
    ("optimizer.momentum=0", ["is no setting of Adam, but of SGD, RMSProp. Known: beta1"]),
    ("agent.epsilonn=0", ["agent.epsilonn is no setting of DQN. Known: "]),
]  # fmt: skip


@pytest.fixture
def rl(rl: Command, rl_here: Command) -> Command:
    """Only the short form of `run` gets a process of its own."""

    def run(*arguments: object, module: str = "rl") -> Answer:
        return rl_here(*arguments) if module == "rl" else rl(*arguments, module=module)

    return run


def refused(rl: Command, *arguments: str) -> str:
    """The message with which a command is refused."""
    answer = rl(*arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("rl: ")
    assert answer.stderr.count("\n") == 1
    return answer.stderr


@pytest.mark.parametrize(("setting", "said"), SETTINGS, ids=[each for each, _ in SETTINGS])
def test_a_wrong_setting(rl: Command, tmp_path: Path, setting: str, said: list[str]) -> None:
    message = refused(rl, "run", "cartpole_dqn", "--set", setting)
    for part in said:
        assert part in message
    assert list(tmp_path.iterdir()) == []


def test_what_others_call_a_setting_leads_to_one_that_there_is() -> None:
    for name, path in OTHER_NAMES.items():
        assert paths_of(name) == [path]
        assert path in paths_of(path.partition(".")[2])
        assert name not in {each.partition(".")[2] for each in OTHER_NAMES.values()}


EXPERIMENT: dict[str, Any] = {
    "problem": "CartPole-v1", "agent": {"name": "DQN"}, "train": {"steps": 1500},
}  # fmt: skip


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in EXPERIMENT.items() if name != key}


FILES = [
    ("x.yaml", "x: {problem: CartPole-v1, agent: {name: ActorCritic, shared: true},"
     " network: {critic: {hidden: [8]}}, train: {steps: 1000}}",
     ["x.yaml: x: network.critic is of a network that is not there"]),
    ("x.yaml", "x: {problem: CartPole-v1, agent: {name: ActorCritic},"
     " network: {critic: {}, actr: {}}, train: {steps: 1000}}",
     ["network.actr is no network's role", "did you mean 'actor'"]),
    ("x.yaml", "x: {problem: CartPole-v1, agent: {name: PPO},"
     " network: {critic: {batch_norm: true}}, train: {steps: 5000}}",
     ["x.yaml: x: network.critic.batch_norm does not fit PPO; these have it: DQN, "]),
    ("x.yaml", "x: {problem: CartPole-v1, agent: {name: ActorCritic}, train: {steps: 10}}",
     ["train.steps is 10", "memory.horizon times train.lanes"]),
    ("a.json", "{", ["a.json", "not valid JSON"]),
    ("a.yaml", "x: [", ["a.yaml", "not valid YAML"]),
    ("a.yaml", "!!python/object/apply:os.system ['touch pwned']", ["a.yaml", "not valid YAML"]),
    ("a.json", "[]", ["a.json", "must map"]),
    ("a.json", '{"x": 3}', ["a.json", "must map"]),
    ("a.json", json.dumps({"y": EXPERIMENT}), ["a.json", "'x'", "Known: y"]),
    ("a.json", json.dumps({"x": without("problem")}), ["a.json: x: problem is missing"]),
    ("a.json", json.dumps({"x": without("agent")}), ["a.json: x: agent is missing"]),
    ("a.json", json.dumps({"x": {**EXPERIMENT, "agent": {}}}), ["a.json: x: agent.name"]),
    ("a.json", json.dumps({"x": without("train")}), ["a.json: x: train.steps is missing"]),
    ("a.json", json.dumps({"x": {**EXPERIMENT, "agnet": {}}}), ["a.json: x: agnet", "'agent'"]),
    ("a.json", json.dumps({"x": {**EXPERIMENT, "agent": []}}), ["a.json: x: agent must be"]),
    ("a.yaml", "x: {problem: CartPole-v1, agent: {name: DQN, 3: 4}, train: {steps: 1500}}",
     ["a.yaml: x: agent.3"]),
    ("a.yaml", "x: {problem: CartPole-v1, agent: {name: DQN}, 3: 4}", ["a.yaml: x: 3"]),
    ("a.json", json.dumps({"x": {**EXPERIMENT, "memory": {"size": 3}}}),
     ["a.json: x: memory.size", "batch_size, capacity"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "said"), FILES, ids=range(len(FILES)))
def test_a_wrong_file(rl: Command, tmp_path: Path, name: str, text: str, said: list[str]) -> None:
    (tmp_path / name).write_text(text)
    message = refused(rl, "run", "x", "--spec", name)
    for part in said:
        assert part in message
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "cartpol_dqn"], "did you mean 'cartpole_dqn'"),
        (["run", "x", "--spec", "nowhere.json"], "nowhere.json: cannot be read"),
        (["run", "cartpole_dqn", "--seed", "-1"], "--seed: must not be negative"),
        (["run", "cartpole_dqn", "--render"], "no display"),
        (["run", "cartpol_dqn", "--render"], "did you mean 'cartpole_dqn'"),
        (["run", "cartpole_dqn", "--sessions", "1e9"], "sessions must be at most 10,000, not 1,00"),
        (["run"], "the following arguments are required: NAME; see `rl run --help`"),
        (["run", "cartpole_dqn", "--sed", "3"], "unrecognized arguments: --sed 3"),
        (["run", "cartpole_dqn", "--seed", "three"], "--seed: must be a whole number, not 'three'"),
        (["evaluate", "x", "--episodes", "0"], "--episodes: must be at least 1"),
        (["evalute", "x"], "did you mean 'evaluate'"),
        (["evaluate", "nowhere"], "nowhere: there is no such run folder"),
        (["evaluate", "."], "is no run folder"),
        (["watch", "nowhere", "--gif", "a.gif"], "nowhere"),
        (["watch", "nowhere"], "nowhere: there is no such run folder"),  # nor a display, perhaps
    ],
)
def test_a_wrong_command(
    rl: Command,
    tmp_path: Path,
    arguments: list[str],
    said: str,
) -> None:
    assert said in refused(rl, *arguments)
    assert list(tmp_path.iterdir()) == []


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGE: list[tuple[str, Callable[[Path], None], str]] = [
    ("manifest.json", Path.unlink, "manifest.json"),
    ("manifest.json", empty, "manifest.json"),
    ("manifest.json", lambda path: _write(path, '{"format": 99, "experiment": "x"}'), "format 99"),
    ("manifest.json", lambda path: _write(path, '{"format": 1, "experiment": "x"}'), "damaged"),
    ("manifest.json",
     lambda path: _write(path, '{"format": 1, "experiment": "x", "seeds": [0]}'), "'x'"),
    ("spec.yaml", Path.unlink, "spec.yaml"),
    ("spec.yaml", empty, "spec.yaml"),
    ("trial_000/session_000/checkpoints/best.npz", cut, "best.npz"),
    ("trial_000/session_000/checkpoints/best.npz", empty, "best.npz"),
]  # fmt: skip


def _write(path: Path, text: str) -> None:
    path.write_text(text)


@pytest.mark.parametrize(("file", "damage", "said"), DAMAGE, ids=range(len(DAMAGE)))
def test_a_damaged_run_folder(
    rl: Command,
    tmp_path: Path,
    cartpole_run: Path,
    file: str,
    damage: Callable[[Path], None],
    said: str,
) -> None:
    shutil.copytree(cartpole_run, tmp_path / "run")
    damage(tmp_path / "run" / file)
    assert said in refused(rl, "evaluate", "run", "--episodes", "2")


def test_a_missing_checkpoint_names_the_other(
    rl: Command, tmp_path: Path, cartpole_run: Path
) -> None:
    shutil.copytree(cartpole_run, tmp_path / "run")
    (tmp_path / "run/trial_000/session_000/checkpoints/last.npz").unlink()
    message = refused(rl, "evaluate", "run", "--checkpoint", "last")
    assert "those of the session are best, 0" in message
    assert "did you mean 'best'" in refused(rl, "evaluate", "run", "--checkpoint", "bset")
    message = refused(rl, "watch", "run", "--checkpoint", "20000", "--gif", "a.gif")
    assert "no such checkpoint; those of the session are best, 0, 1500, 3000\n" in message


def test_a_checkpoint_of_another_network_is_refused(
    rl: Command, tmp_path: Path, cartpole_run: Path
) -> None:
    shutil.copytree(cartpole_run, tmp_path / "run")
    spec = tmp_path / "run/spec.yaml"
    spec.write_text(spec.read_text().replace("- 64\n", "- 32\n"))
    message = refused(rl, "evaluate", "run")
    assert "best.npz" in message
    assert "layers" in message


def test_a_gif_that_cannot_be_written(rl: Command, cartpole_run: Path) -> None:
    run = str(cartpole_run)
    assert "must end in .gif" in refused(rl, "watch", run, "--gif", "a.png")
    assert "there is no folder" in refused(rl, "watch", run, "--gif", "nowhere/a.gif")
    assert "must end in .mp4" in refused(rl, "watch", run, "--mp4", "a.gif")
    assert "rl watch RUN --terminal" in refused(rl, "watch", run)
    assert "greater than 0" in refused(rl, "watch", run, "--slow", "0", "--gif", "a.gif")


def test_an_output_folder_that_exists_is_left_alone(rl: Command, cartpole_run: Path) -> None:
    before = sorted(path.stat().st_mtime_ns for path in cartpole_run.rglob("*"))
    message = refused(rl, "run", "cartpole_dqn", "--output", str(cartpole_run))
    assert "is there already" in message
    assert before == sorted(path.stat().st_mtime_ns for path in cartpole_run.rglob("*"))


def test_an_output_folder_with_other_files_is_left_alone(rl: Command, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    assert "is there already" in refused(rl, "run", "cartpole_dqn", "--output", "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_the_short_form_of_run_answers_alike(rl: Command, tmp_path: Path) -> None:
    answer = rl("cartpole_dqn", "--set", "agent.gama=1", module="rl.run")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "agent.gama" in answer.stderr
    assert list(tmp_path.iterdir()) == []
