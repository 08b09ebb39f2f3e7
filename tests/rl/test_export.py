"""An exported policy does, without this project, what the lab's own agent does."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from nn import ACTIVATIONS, Network
from nn.activations import Identity
from nn.typing import Array
from rl.agents import CEM
from rl.agents.tabular import Tabular
from rl.cli import main
from rl.errors import UserError
from rl.export import FORMATS, export, find_format, policy_of
from rl.saved.run import Run
from rl.session.player import Player, player_of
from rl.specification.build import build
from rl.specification.specification import Specification
from tests.rl import worlds  # noqa: F401  registers them
from tests.rl.conftest import Command, quick

OBSERVATIONS = 1000
HIDDEN = {"network": {"hidden": [7, 5], "activation": "tanh"}}
CARTPOLE, PENDULUM = "CartPole-v1", "Pendulum-v1"
SQUASHED = {"name": "ActorCritic", "squash": True}  # its actions tell more than a number does

POLICIES: dict[str, tuple[str, dict[str, Any]]] = {
    "dqn": (CARTPOLE, {"agent": {"name": "DQN"}}),
    "averaged": (CARTPOLE, {"agent": {"name": "DQN", "average_updates": 100}}),
    "dueling": (CARTPOLE, {"agent": {"name": "DQN", "dueling": True}}),
    "double": (CARTPOLE, {"agent": {"name": "DoubleDQN"}}),
    "actor": (CARTPOLE, {"agent": {"name": "ActorCritic"}}),
    "shared": (CARTPOLE, {"agent": {"name": "ActorCritic", "shared": True}}),
    "gaussian": (PENDULUM, {"agent": {"name": "ActorCritic"}}),
    "squashed": (PENDULUM, {"agent": {"name": "ActorCritic", "squash": True, "shared": True}}),
    "deviating": (PENDULUM, {"agent": {"name": "ActorCritic", "state_dependent_std": True}}),
    "ddpg": (PENDULUM, {"agent": {"name": "DDPG"}}),
    "from 2 to 4": ("Pushed-v0", {"agent": {"name": "DDPG"}}),
    "unbounded": ("Unbounded-v0", {"agent": {"name": "ActorCritic"}}),
    "from 5 on": ("Fives-v0", {"agent": {"name": "DQN"}}),
    "one-hot": ("FrozenLake-v1", {"agent": {"name": "DQN"}}),
    "bins": (CARTPOLE, {"agent": {"name": "QTable", "bins": [3, 4, 5, 6]}, "network": None}),
    "rows": ("FrozenLake-v1", {"agent": {"name": "Sarsa"}, "network": None}),
    "searched": (CARTPOLE, {"agent": {"name": "CEM"}}),
    "searched actions": (PENDULUM, {"agent": {"name": "CEM"}}),
    "returns": (PENDULUM, {"agent": {"name": "REINFORCE", "state_dependent_std": True}}),
    "layer_norm": (PENDULUM, {"agent": SQUASHED, "network": {"hidden": [7], "layer_norm": True}}),
    "batch_norm": (PENDULUM, {"agent": {"name": "DDPG"}, "network": {"batch_norm": True}}),
    "noisy": (CARTPOLE, {"agent": {"name": "DQN"}, "network": {"noisy": True}}),
    "normalize": (PENDULUM, {"agent": {"name": "DDPG"},
                             "preprocessor": {"name": "Normalize", "clip": 1.0,
                                              "center_beyond": 0.5}}),
    "rewards": (PENDULUM, {"agent": {"name": "DDPG"},
                           "preprocessor": {"name": "Normalize", "observations": False}}),
    "pictures": ("Bright-v0", {"agent": {"name": "DQN", "dueling": True}, "network": {
        "conv": [{"filters": 3, "size": 3, "padding": 1, "pool": 2}, {"filters": 4, "size": 2}]}}),
    "strides": ("Bright-v0", {
        "environment": {"id": "Bright-v0", "kwargs": {"shape": [2, 9, 8], "kind": "float32"}},
        "problem": None, "agent": {"name": "ActorCritic"},
        "network": {"activation": "tanh", "conv": [
            {"filters": 3, "size": 3, "stride": 2, "pool": 2, "pool_stride": 1}]}}),
    "softmax of pictures": ("Bright-v0", {
        "environment": {"id": "Bright-v0", "kwargs": {"continuous": True}}, "problem": None,
        "agent": SQUASHED,
        "network": {"hidden": [7], "activation": "softmax", "conv": [{"filters": 2, "size": 6}]}}),
    "heads": ("Bright-v0", {"agent": {"name": "BootstrappedDQN", "members": 3}, "network": {
        "conv": [{"filters": 3, "size": 3, "padding": 1, "pool": 2}, {"filters": 4, "size": 2}]}}),
    **{f"{name} of pictures": ("Pointed-v0", {
        "agent": {"name": name}, "network": {"hidden": [7], "conv": [{"filters": 2, "size": 3}]}})
       for name in ("SAC", "TD3", "CrossQ")},
    **{name: (PENDULUM, {"agent": SQUASHED, "network": {"hidden": [7, 5], "activation": name}})
       for name in ACTIVATIONS},
}  # fmt: skip

gymnasium.register("Fives-v0", "tests.rl.worlds:Counter")


def make_player(problem: str, values: dict[str, Any]) -> Player:
    """A player whose parameters, of every kind, are far from their first values."""
    given = {"problem": problem, **HIDDEN, "train": {"steps": 5000}, **values}
    given = {key: value for key, value in given.items() if value is not None}
    experiment = build(Specification("test", "test.json", given), seed=0)
    rng = np.random.default_rng(1)
    if isinstance(experiment.agent, Tabular):
        experiment.agent.table[:] = rng.standard_normal(experiment.agent.table.shape)
    for network in networks(experiment.agent):
        network.parameters += 0.5 * rng.standard_normal(len(network.parameters), np.float32)
        network.statistics += rng.uniform(0.1, 2.0, len(network.statistics))
    watching = experiment.preprocessor.for_lanes(1, learning=True)
    for raw in observations(player_of(experiment), 20):
        watching.start(0, raw, np.zeros(watching.size, np.float32))
    return player_of(experiment)


def networks(agent: Any) -> list[Network]:
    if isinstance(agent, Tabular):
        return []
    if isinstance(agent, CEM):
        return [agent.network]
    if hasattr(agent, "networks"):
        return list(agent.networks.values())
    return [agent.actor] if hasattr(agent, "actor") else [agent.q.network, agent.policy.network]


def observations(player: Player, count: int = OBSERVATIONS) -> Array:
    """Raw ones [count, n]; one-hot where the environment's are discrete."""
    rng, size = np.random.default_rng(2), player.spaces.observation_size
    if player.spaces.one_hot:
        return np.eye(size, dtype=np.float32)[rng.integers(size, size=count)]
    if player.spaces.picture:
        return rng.integers(0, 256, (count, size)).astype(np.float32)
    return (3.0 * rng.standard_normal((count, size)) + 1.0).astype(np.float32)


def by_the_lab(player: Player, seen: Array) -> Array:
    if picture := player.spaces.flatten:
        shape = picture.parts[0].space.shape
        if not player.spaces.one_hot:
            return np.array([player.act(one.reshape(shape)) for one in seen])
        return np.array([player.act(int(one.argmax())) for one in seen])
    return np.array([player.act(one) for one in seen])


def by_script(file: Path) -> Callable[[Array], Array]:
    act = runpy.run_path(str(file.with_suffix(".py")))["act"]
    return lambda seen: np.array([act(one) for one in seen])


def by_onnxruntime(file: Path) -> Callable[[Array], Array]:
    runtime = pytest.importorskip("onnxruntime", reason="ONNX is an extra: .[onnx]")
    session = runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return lambda seen: np.asarray(session.run(["action"], {"observation": seen})[0])


READERS = {"numpy": by_script, "onnx": by_onnxruntime}


def exported(player: Player, format: str, folder: Path) -> Path:
    if format == "onnx":
        pytest.importorskip("onnx", reason="ONNX is an extra: .[onnx]")
    file = folder / f"policy{FORMATS[format].suffix}"
    export(policy_of(player), FORMATS[format], "a test", file)
    return file


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", quick(16, POLICIES))
def test_equal_actions(name: str, format: str, tmp_path: Path) -> None:
    player = make_player(*POLICIES[name])
    seen = observations(player)
    wanted = by_the_lab(player, seen)
    given = READERS[format](exported(player, format, tmp_path))(seen)
    assert given.shape == wanted.shape
    if wanted.dtype == np.int64:
        assert len(np.unique(wanted)) > 1
        np.testing.assert_array_equal(given, wanted)
    else:
        assert len(np.unique(wanted)) > OBSERVATIONS // 4
        np.testing.assert_allclose(given, wanted, rtol=1e-5, atol=1e-5)


STACKED = [
    ({"name": "Stack", "length": 3}, "the last 3 observations"),
    ({"name": "Difference"}, "the observation, and behind it"),
    ({"name": "Difference", "keep": False}, "the observation less the one before"),
]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("preprocessor", "said"), STACKED)
def test_what_looks_back_is_left_to_the_user(
    preprocessor: dict[str, Any], said: str, format: str, tmp_path: Path
) -> None:
    player = make_player(CARTPOLE, {"agent": {"name": "DQN"}, "preprocessor": preprocessor})
    policy = policy_of(player)
    assert policy.sees.startswith(said)
    view = player.preprocessor.for_lanes(1, learning=False)
    stacked = np.zeros((50, view.size), np.float32)
    for number, raw in enumerate(observations(player, 50)):
        (view.follow if number else view.start)(0, raw, stacked[number])
    player.reset()
    given = READERS[format](exported(player, format, tmp_path))(stacked)
    np.testing.assert_array_equal(given, by_the_lab(player, observations(player, 50)))


SEEN = [
    # the preprocessor, its environment, whether the network has convolutions, what is said
    ({"name": "FrameStack"}, {}, True, "the last 4 pictures, the newest last"),
    ({"name": "FrameStack", "frames": 2, "grayscale": True, "crop": [1, 0, 0, 2], "width": 5},
     {"shape": [9, 8, 3]}, True, "the last 2 pictures"),
    ({"name": "Crop", "crop": [0, 2, 1, 0]}, {"shape": [3, 9, 8]}, True, "the picture, row by row"),
    ({"name": "Grayscale"}, {"shape": [3, 9, 8], "kind": "float32", "bright": 1}, False, "the pic"),
    ({"name": "Resize", "height": 4, "width": 12}, {"kind": "float32", "bright": 1}, False, "the"),
    ({"name": "Atari", "height": 8, "width": 7, "frames": 3, "no_ops": 0}, {"shape": [9, 8, 3]},
     True, "the last 3 pictures, .* a picture is the greater, .* which is done 4 times"),
]  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("preprocessor", "kwargs", "convolutional", "said"), SEEN)
def test_the_latest_pictures_are_what_a_file_takes(
    preprocessor: dict[str, Any], kwargs: dict[str, Any], convolutional: bool, said: str,
    format: str, tmp_path: Path,
) -> None:  # fmt: skip
    network = {"conv": [{"filters": 3, "size": 3}]} if convolutional else {}
    player = make_player("Bright-v0", {
        "problem": None,
        "environment": {"id": "Bright-v0", "kwargs": {"continuous": True, **kwargs}},
        "agent": {"name": "DDPG"}, "network": {"hidden": [7], **network},
        "preprocessor": preprocessor,
    })  # fmt: skip
    assert re.match(said, policy_of(player).sees)
    raws, count = observations(player, 50), player.preprocessor.frames
    raws *= kwargs.get("bright", 255) / 255
    latest = np.array([
        np.concatenate([raws[max(0, number - back)] for back in reversed(range(count))])
        for number in range(len(raws))
    ])  # fmt: skip
    player.reset(longest=len(raws))
    wanted = by_the_lab(player, raws)
    assert len(np.unique(wanted)) > len(raws) // 2
    given = READERS[format](exported(player, format, tmp_path))(latest)
    np.testing.assert_allclose(given, wanted, rtol=1e-5, atol=1e-5)


def test_discrete_observations_are_said_to_be_one_hot() -> None:
    assert "one-hot" in policy_of(make_player(*POLICIES["one-hot"])).sees
    assert "one-hot" not in policy_of(make_player(*POLICIES["dqn"])).sees


@pytest.mark.slow
def test_the_script_needs_nothing_of_this_project(
    rl: Command, tmp_path: Path, cartpole_run: Path
) -> None:
    answer = rl("export", cartpole_run, "--checkpoint", "last", "--output", "pole.npz")
    assert answer.returncode == 0, answer.stderr
    assert "input: 4 numbers: the observation\n" in answer.stdout
    assert "output: an action from 0 to 1\n" in answer.stdout
    assert answer.stdout.endswith("written: pole.npz, pole.py\n")
    script = tmp_path / "pole.py"
    assert len(script.read_text().splitlines()) < 45
    seen = ["0.01", "-0.2", "-0.03", "0.4"]
    player = Run.open(cartpole_run).player("last")
    command = [sys.executable, "-I", str(script), *seen]  # -I: neither this folder nor PYTHONPATH
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert answer.stdout == f"{player.act(np.array(seen, np.float32))}\n"
    answer = subprocess.run(command[:-1], capture_output=True, text=True, timeout=300)
    assert answer.returncode == 1
    assert "The input of 4 numbers is the observation." in answer.stderr


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be at work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_is_named_after_the_experiment(cartpole_run: Path, in_folder: Path) -> None:
    for _ in range(2):  # the second writes over the first
        assert main(["export", str(cartpole_run)]) == 0
    assert {path.name for path in in_folder.iterdir()} == {"cartpole_dqn.npz", "cartpole_dqn.py"}


MISTAKES = [
    # what is typed after the run, what the message must say
    (["--format", "nunpy"], "--format: unknown format 'nunpy'; did you mean 'numpy'?"),
    (["--output", "x.onnx"], "x.onnx: must end in .npz"),
    (["--output", "nowhere/x.npz"], "nowhere/x.npz: cannot be written: No such file"),
    (["--output", "train.npz"], "train.py: is no script of `rl export`"),
    (["--checkpoint", "bets"], "unknown checkpoint 'bets'; did you mean 'best'?"),
    (["--session", "3"], "has no trial_000/session_003"),
]


@pytest.mark.parametrize(("typed", "said"), MISTAKES)
def test_a_mistake_is_answered_and_nothing_written(
    typed: list[str], said: str, cartpole_run: Path, in_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (in_folder / "train.py").write_text("print('mine')\n")
    assert main(["export", str(cartpole_run), *typed]) == 2
    message = capsys.readouterr().err
    assert said in message
    assert message.count("\n") == 1
    assert [path.name for path in in_folder.iterdir()] == ["train.py"]
    assert (in_folder / "train.py").read_text() == "print('mine')\n"


def test_a_run_without_checkpoints(
    cartpole_run: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = in_folder / "run"
    shutil.copytree(cartpole_run, run, ignore=shutil.ignore_patterns("*.npz"))
    assert main(["export", str(run)]) == 2
    message = "last.npz: there is no such checkpoint; the run saved none"
    assert message in capsys.readouterr().err


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    policy = policy_of(make_player(*POLICIES["dqn"]))
    with pytest.raises(UserError, match=r'python -m pip install "reinforcement-by-hand\[onnx\]"'):
        export(policy, find_format("ONNX"), "a test", tmp_path / "x.onnx")


class Softsign(Identity):
    """An activation of one's own."""


def test_a_part_of_ones_own_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ACTIVATIONS, "softsign", Softsign)
    policy = policy_of(
        make_player(CARTPOLE, {"agent": {"name": "DQN"}, "network": {"activation": "softsign"}})
    )
    with pytest.raises(UserError, match="the format has no softsign"):
        export(policy, FORMATS["numpy"], "a test", tmp_path / "x.npz")
    player = make_player(*POLICIES["dqn"])
    player.preprocessor.__class__ = type("Mine", (type(player.preprocessor),), {})
    with pytest.raises(UserError, match="Mine cannot be exported; these can: Identity"):
        policy_of(player)
