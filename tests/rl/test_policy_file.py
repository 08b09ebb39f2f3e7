"""One file is enough to share: a checkpoint is used without its run folder."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import pytest

import rl as lab
from nn import checkpoint
from rl.errors import UserError
from rl.saved.policy_file import open_saved
from rl.session.evaluation import Evaluation
from tests.rl.conftest import Command


@pytest.fixture
def alone(cartpole_run: Path, tmp_path: Path) -> Path:
    """The best checkpoint of a run, in a folder of its own."""
    file = tmp_path / "shared.npz"
    shutil.copy(cartpole_run / "trial_000/session_000/checkpoints/best.npz", file)
    return file


def test_a_file_is_worth_what_its_run_is(cartpole_run: Path, alone: Path) -> None:
    ours, theirs = (open_saved(path).evaluate(5, seed=1) for path in (alone, cartpole_run))
    assert isinstance(ours, Evaluation)
    assert ours.returns == theirs.returns
    player = lab.load(alone)
    assert player.act([0.0, 0.0, 0.1, 0.0]) in (0, 1)


VERBS: dict[str, tuple[str, ...]] = {
    "evaluate": ("--episodes", "2", "--json"),
    "watch": ("--gif", "watched.gif"),
    "film": ("--output", "film.gif"),
    "export": ("--output", "policy.npz"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_that_needs_an_agent_takes_a_file(
    verb: str, alone: Path, rl_here: Command
) -> None:
    answer = rl_here(verb, alone.name, *VERBS[verb])
    assert (answer.returncode, answer.stderr) == (0, "")
    if verb == "evaluate":
        assert json.loads(answer.stdout)["experiment"] == "cartpole_dqn"
    else:
        assert (alone.parent / VERBS[verb][1]).stat().st_size > 100


@pytest.mark.parametrize("verb", ["resume", "verify", "report", "analyze", "compare"])
def test_what_needs_the_whole_run_says_so(verb: str, alone: Path, rl_here: Command) -> None:
    answer = rl_here(verb, alone.name)
    assert answer.returncode == 2
    assert "shared.npz: is a file, and this needs the whole run folder" in answer.stderr
    assert answer.stderr.count("\n") == 1


def change(key: str, value: Any) -> Callable[[Path], None]:
    """Seals a file anew with another entry; None removes it."""

    def changed(file: Path) -> None:
        state = {**checkpoint.load(file), key: value}
        checkpoint.save(file, {name: each for name, each in state.items() if each is not None})

    return changed


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "earlier": (change("specification", None), "has no specification, since an earlier version"),
    "cut": (cut, "is not a checkpoint, or is damaged"),
    "empty": (lambda file: file.write_text(""), "is not a checkpoint"),
    "missing": (lambda file: file.unlink(), "there is no such checkpoint"),
    "no text": (change("specification", 3), "holds no policy of this lab"),
    "no JSON": (change("specification", "{"), "its specification is damaged"),
    "deep": (change("specification", "[" * 10**5), "its specification is damaged"),
    "a list": (change("specification", "[]"), "it is no object"),
    "no experiment": (change("specification", "{}"), "problem is missing"),
    "no environment": (
        change("specification", '{"problem": "No-v0", "agent": {"name": "DQN"}}'),
        "unknown environment 'No-v0'",
    ),
    "another agent": (
        change(
            "specification",
            '{"problem": "CartPole-v1", "agent": {"name": "A2C"}, "train": {"steps": 999}}',
        ),
        "does not fit",
    ),
    "no module": (
        change("specification", '{"problem": "No-v0", "import": "no_such", "agent": {}}'),
        "'no_such', which is not installed",
    ),
}


@pytest.mark.parametrize("damage", HOSTILE)
def test_a_damaged_file_is_refused_in_one_line(damage: str, alone: Path) -> None:
    spoil, message = HOSTILE[damage]
    spoil(alone)
    with pytest.raises(UserError, match=message) as refusal:
        open_saved(alone).player()
    assert str(refusal.value).startswith(str(alone))


@pytest.mark.parametrize("options", [("--checkpoint", "last"), ("--session", "1")])
def test_a_file_has_no_other_checkpoint_and_no_other_session(
    options: tuple[str, str], alone: Path, rl_here: Command
) -> None:
    answer = rl_here("evaluate", alone.name, *options)
    assert answer.returncode == 2
    assert "name its run folder" in answer.stderr


def test_an_earlier_file_is_used_within_its_run(cartpole_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(cartpole_run, run)
    file = run / "trial_000/session_000/checkpoints/best.npz"
    change("specification", None)(file)
    assert open_saved(file).evaluate(2).returns == open_saved(cartpole_run).evaluate(2).returns


def test_a_file_that_is_shared_finds_a_module_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "mine_that_is_shared"
    text = (
        "import gymnasium\n"
        "from gymnasium.envs.classic_control import CartPoleEnv\n"
        "gymnasium.register('Shared-v0', CartPoleEnv, max_episode_steps=30)\n"
    )
    values = {
        "problem": "Shared-v0",
        "import": module,
        "agent": {"name": "DQN", "learn_start": 50},
        "network": {"hidden": [4]},
        "train": {"steps": 100, "evaluate_every": None},
    }
    home = tmp_path / "home"
    home.mkdir()
    (home / f"{module}.py").write_text(text)
    (home / "mine.json").write_text(json.dumps({"mine": values}))
    run = lab.train("mine", spec=home / "mine.json", output=tmp_path / "run", draw=False)
    saved = checkpoint.load(run.session.checkpoint("best"))
    assert saved["import_folder"] == str(home)
    away = tmp_path / "away"
    away.mkdir()
    shutil.copy(run.session.checkpoint("best"), away)
    shutil.copy(home / f"{module}.py", away)
    shutil.rmtree(home)
    monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(gymnasium.registry, "Shared-v0")
    assert open_saved(away / "best.npz").specification.folders == (str(away),)
