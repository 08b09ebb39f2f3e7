"""The trained agents that come with the lab: used by name before anything was trained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rl as lab
from nn import checkpoint
from rl.cli import main
from rl.environments.registered import is_installed
from rl.formatting import figure_of
from rl.saved.policy_file import Shipped, open_saved
from rl.saved.run import Run
from rl.saved.source import Source
from rl.specification.specification import all_specifications
from rl.storage import shipped
from tests.programs import program

NAME = "cartpole_dqn"
FILES = sorted(shipped.SHIPPED.glob("*.npz"))
SAID = (
    "rl: no run of cartpole_dqn here: the agent that comes with the lab (seed 0, mean return 500.0)"
)


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_together_they_are_small() -> None:
    assert NAME in shipped.shipped_names()
    assert sum(file.stat().st_size for file in FILES) < 5_000_000


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_has_what_is_needed_to_act_and_no_more(file: Path) -> None:
    agent = Shipped(file)
    assert agent.specification.name == file.stem
    assert agent.specification.environment_id == all_specifications()[file.stem].environment_id
    assert set(agent.state) == {"step", "experiment", "specification", "policy", "preprocessor",
                                "shipped"}  # fmt: skip
    arrays = [each for network in agent.state["policy"].values() if isinstance(network, dict)
              for each in network.values() if isinstance(each, np.ndarray)]  # fmt: skip
    assert {each.dtype for each in arrays} <= {np.dtype(np.float32)}
    low, high = agent.figures["ci95"]
    assert low <= agent.figures["mean_return"] <= high


def test_they_are_those_of_the_fitness_matrix() -> None:
    """Of each session of seed 0 in the table, with the settings of today, the agent is here.

    Those of pictures are too large: each may take 400 kB.
    """
    matrix = program("fitness_matrix")
    known = all_specifications()
    found = matrix.cells(known.values(), matrix.rows_of(matrix.ROWS, known))
    said = {cell.name: row["mean_return"] for cell in found for row in cell.rows
            if row["seed"] == "0" and not cell.specification.block("network").get("conv")
            }  # fmt: skip
    assert {file.stem: f"{Shipped(file).figures['mean_return']:.6g}" for file in FILES} == said


def reproduces(name: str) -> None:
    agent = open_saved(name)
    assert isinstance(agent, Shipped)
    said = agent.figures["few_returns"]
    assert agent.evaluate(len(said)).returns == pytest.approx(said, rel=1e-4)


def test_it_is_worth_what_it_says() -> None:
    reproduces(NAME)


@pytest.mark.slow
@pytest.mark.parametrize("name", [each for each in shipped.shipped_names() if each != NAME])
def test_each_is_worth_what_it_says(name: str) -> None:
    if is_installed(all_specifications()[name].environment_id):
        reproduces(name)


def test_a_verb_takes_it_by_its_name_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", NAME, "--episodes", "2", "--json"]) == 0
    answer = capsys.readouterr()
    found = json.loads(answer.out)
    assert (found["experiment"], found["mean_return"]) == (NAME, 500.0)
    assert answer.err == f"{SAID}\n"


VERBS = {
    "watch": ("--gif", "watched.gif"),
    "film": ("--output", "film.gif"),
    "export": ("--output", "policy.npz"),
}


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_that_needs_an_agent_takes_it(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, NAME, *VERBS[verb]]) == 0
    assert capsys.readouterr().err.startswith(SAID)
    assert (tmp_path / VERBS[verb][1]).stat().st_size > 100


def test_a_program_takes_it_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert lab.load(NAME).act([0.0, 0.0, 0.1, 0.0]) in (0, 1)
    assert capsys.readouterr().err == f"{SAID}\n"
    assert lab.evaluate(NAME, episodes=1).mean == 500.0


NOT_A_RUN = "no run of it here, and the agent that comes with the lab has no run folder"


@pytest.mark.parametrize(
    "command",
    [("resume", NAME), ("verify", NAME), ("report", NAME), ("analyze", NAME),
     ("compare", NAME, NAME), ("note", NAME, "text")],
    ids=lambda command: command[0],
)  # fmt: skip
def test_what_needs_a_run_says_that_it_is_none(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"rl: {NAME}: {NOT_A_RUN}")
    assert message.endswith("`rl run cartpole_dqn` makes one\n")
    assert message.count("\n") == 1


REFUSED = {
    ("evaluate", NAME, "--checkpoint", "last"): "is a best checkpoint, without 'last'",
    ("evaluate", NAME, "--session", "1"): "is a single agent; `rl run cartpole_dqn` makes a run",
    ("evaluate", NAME, "--trial", "0"): "is a single agent; `rl run cartpole_dqn` makes a run",
    ("run", "cartpole_double_dqn", "--from", f"{NAME}@last"): "without 'last'",
    ("evaluate", f"../{NAME}"): "there is no such run folder",
    ("evaluate", "pong_dqn"): "there is no such run folder",
    ("evaluate", "cartpole_dqm"): "did you mean 'cartpole_dqn'?",
}  # fmt: skip


@pytest.mark.parametrize("command", REFUSED, ids=" ".join)
def test_what_it_has_not_is_refused(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command]) == 2
    assert REFUSED[command] in capsys.readouterr().err.splitlines()[-1]


def test_the_best_checkpoint_may_be_named() -> None:
    assert open_saved(NAME).player("best")


def own_run(cartpole_run: Path, tmp_path: Path) -> Path:
    path = tmp_path / "runs" / NAME / "2026-01-31_120000"
    shutil.copytree(cartpole_run, path)
    return path


@pytest.mark.slow
def test_a_run_of_ones_own_comes_first_and_is_named(
    cartpole_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = own_run(cartpole_run, tmp_path)
    found = open_saved(NAME)
    assert isinstance(found, Run)
    assert found.path == path
    said = (
        f"rl: {NAME}: your run {path.relative_to(tmp_path)}, not the agent that comes with the lab"
    )
    assert capsys.readouterr().err == f"{said}\n"
    assert Source.find(NAME).file == path / "trial_000/session_000/checkpoints/best.npz"


def test_a_folder_of_runs_without_one_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "runs" / NAME).mkdir(parents=True)
    assert isinstance(open_saved(NAME), Shipped)


def test_a_run_starts_from_it(tmp_path: Path) -> None:
    settings = {"train.steps": 60, "agent.learn_start": 20, "train.evaluate_every": 60}
    run = lab.train("cartpole_double_dqn", 1, settings, output=tmp_path / "r", draw=False,
                    start_from=f"{NAME}@best")  # fmt: skip
    start = run.manifest["start"]
    assert (start["experiment"], start["mean_return"]) == (NAME, 500.0)
    assert (run.path / "start.npz").read_bytes() == shipped.SHIPPED.joinpath(
        f"{NAME}.npz"
    ).read_bytes()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def without_figures(file: Path) -> None:
    state = checkpoint.load(file)
    del state["shipped"]
    checkpoint.save(file, state)


def other_figures(file: Path) -> None:
    checkpoint.save(file, {**checkpoint.load(file), "shipped": {"seed": "x"}})


@pytest.mark.parametrize("spoil", [cut, without_figures, other_figures, Path.write_text])
def test_a_damaged_one_is_refused_in_one_line(
    spoil: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path)
    file = tmp_path / f"{NAME}.npz"
    shutil.copy(FILES[0].with_name(file.name), file)
    spoil(file, *([""] if spoil is Path.write_text else []))
    for command in (["evaluate", NAME], ["run", NAME, "--from", NAME]):
        assert main(command) == 2
        message = capsys.readouterr().err
        assert "the agent that comes with the lab is damaged; install the lab again" in message
        assert message.count("\n") == 1
    assert main(["list"]) == 0
    assert "  damaged  " in capsys.readouterr().out


def test_the_list_says_which_come_trained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = (each for each in lines if each.startswith(f"{NAME} "))
    assert line.split()[:4] == [NAME, "CartPole-v1", "DQN", "500.0"]
    assert any("it is no run, so that `rl resume` and `rl verify` need one" in each
               for each in lines)  # fmt: skip


@pytest.fixture
def matrix_session(cartpole_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A session of the matrix, with the specification and the seed of `cartpole_run`."""
    ships = program("ship_agents")
    run = Run.open(cartpole_run)
    monkeypatch.setattr(ships, "all_specifications", lambda: {NAME: run.specification})
    monkeypatch.setattr(ships, "SEED", run.manifest["seeds"][0])
    place = ships.place(run.specification, ships.SEED, tmp_path / "matrix")
    shutil.copytree(cartpole_run, place.path.parents[1])
    return ships, run.specification, place


@pytest.mark.slow
def test_what_is_shipped_plays_as_the_run_says(matrix_session: Any, tmp_path: Path) -> None:
    ships, specification, place = matrix_session
    folders = [tmp_path / "nowhere", tmp_path / "matrix"]
    (found,) = ships.sessions([specification], folders)
    assert found[1].path == place.path
    (tmp_path / "out").mkdir()
    said = ships.ship(specification, place, tmp_path / "out")
    agent = Shipped(tmp_path / "out" / f"{NAME}.npz")
    mean = place.read_outcome()["evaluation"]["mean_return"]
    assert agent.figures["mean_return"] == mean
    assert said.startswith(f"{figure_of(mean)}, ")
    assert (
        agent.evaluate(3, seed=5).returns
        == Run.open(place.path.parents[1]).evaluate(3, seed=5).returns
    )


@pytest.mark.slow
def test_what_plays_otherwise_or_is_large_is_not_shipped(
    matrix_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ships, specification, place = matrix_session
    outcome = json.loads(place.outcome.read_text())
    outcome["evaluation"]["returns"][0] += 1.0
    place.outcome.write_text(json.dumps(outcome))
    assert "does not play as the run says" in ships.ship(specification, place, tmp_path)
    monkeypatch.setattr(ships, "MOST_EACH", 100)
    assert ships.ship(specification, place, tmp_path).startswith("not shipped: ")
    assert not [*tmp_path.glob("*.npz")]
