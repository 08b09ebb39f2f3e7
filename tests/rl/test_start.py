"""A run that starts from a trained agent."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn import checkpoint
from rl.checks.verification import verify
from rl.errors import UserError
from rl.report.blocks import Table, Text
from rl.report.lineage import UNKNOWN
from rl.report.lineage import lineage as descent
from rl.report.trial_page import _commands
from rl.running import jobs
from rl.running.executors import Inline
from rl.running.extension import extend
from rl.running.trial import create_trial, run_sessions
from rl.saved.run import Run
from rl.saved.source import Source
from rl.session.callback import Callback
from rl.session.saved import evaluate_player
from rl.specification.build import build
from rl.specification.specification import Specification
from rl.storage.files import write_json
from rl.storage.run_folder import RunFolder
from tests.contracts.cases import agents, assert_same, values
from tests.rl.conftest import Command, quick


@pytest.fixture(autouse=True, scope="module")
def judged_on_few_episodes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "evaluate_player", lambda *who, **_: evaluate_player(who[0], who[1], 2))
        yield


def run(
    folder: Path, given: dict[str, Any], source: Any = None, fresh: bool = False, **more: Any
) -> Run:
    train = {"evaluate_every": 100, "evaluate_episodes": 1, **given.get("train", {})}
    specification = Specification("started", "started.yaml", {**given, "train": train})
    found = None if source is None else Source.find(source, fresh)
    created = create_trial(specification, more.get("seeds", [0]), folder, source=found)
    return run_sessions(created, more.get("executor", Inline()), draw=False)


NORMAL = {"name": "Normalize", "rewards": True}
CASES = list(agents())


@pytest.mark.parametrize(("name", "kind"), quick(3, CASES[::-2] + CASES[-2::-2]))
def test_each_agent_starts_as_the_one_that_was_trained(
    name: str, kind: Any, tmp_path: Path
) -> None:
    given = values(name, kind, preprocessor=NORMAL, train={"steps": 130, "lanes": 2})
    trained = run(tmp_path / "trained", given)
    bare = {**given, "train": {"steps": 110, "lanes": 2}}
    del bare["preprocessor"]
    bare.pop("network", None)  # which not every agent has
    started = run(tmp_path / "started", bare, f"{trained.path}@last", seeds=[7])
    last, first = (
        checkpoint.load(each.session.checkpoint(which))
        for each, which in ((trained, "last"), (started, "0"))
    )
    for part in ("policy", "learned"):
        assert_same(first[part], last[part])
    seen = first["preprocessor"]["observations"]["count"]  # and the first ones of its own
    assert seen == last["preprocessor"]["observations"]["count"] + 2
    ours, theirs = (each.specification.block("preprocessor") for each in (started, trained))
    assert ours == theirs
    (verdict,) = verify(started, None, Inline())
    assert verdict.difference is None


def test_twin_critics_stay_two(tmp_path: Path) -> None:
    """They would learn the same from then on if they began alike."""
    kind = dict(CASES)["TD3"]
    given = values("TD3", kind, train={"steps": 130})
    trained = run(tmp_path / "trained", given)
    state = checkpoint.load(trained.session.checkpoint("last"))
    experiment = build(trained.specification, 5)
    experiment.agent.take_over(state["policy"], state["learned"])
    one, other = experiment.agent.critics  # type: ignore[attr-defined]
    assert not np.array_equal(one.parameters, other.parameters)
    np.testing.assert_array_equal(other.parameters, state["learned"]["critic_1"]["parameters"])
    experiment.agent.take_over(state["policy"], {})  # an earlier version kept one
    one, other = experiment.agent.critics  # type: ignore[attr-defined]
    assert not np.array_equal(one.parameters, other.parameters)


DQN: dict[str, Any] = {
    "problem": "Chain-v0",
    "import": "tests.rl.worlds",
    "agent": {"name": "DQN", "learn_start": 20, "dueling": True},
    "network": {"hidden": [8], "activation": "tanh"},
    "memory": {"capacity": 50, "batch_size": 4},
    "preprocessor": {"name": "Normalize"},
    "train": {"steps": 130},
}
BARE = {key: each for key, each in DQN.items() if key not in ("network", "preprocessor")}
BARE["agent"] = {"name": "DQN", "learn_start": 20}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("trained") / "r", DQN, seeds=[0, 1])


@pytest.fixture(scope="module")
def started(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("started") / "r"
    return run(folder, {**BARE, "agent": {**BARE["agent"], "name": "DoubleDQN"}}, trained.path)


def test_what_the_networks_ask_for_is_taken(started: Run) -> None:
    found = started.specification
    assert found.block("network")["hidden"] == [8]
    assert found.block("network")["activation"] == "tanh"
    assert found.block("agent")["dueling"] is True
    assert found.block("preprocessor")["name"] == "Normalize"


def test_what_is_to_be_known_is_noted(trained: Run) -> None:
    source = Source.find(trained.path)
    (note,) = source.notes(build(source.adopted(Specification("x", "x.yaml", BARE)), 0))
    assert "exploration.start is 1: at first the agent acts at random" in note
    less = {**BARE, "exploration": {"start": 0.2}}
    assert not source.notes(build(source.adopted(Specification("x", "x.yaml", less)), 0))


def test_manifest_and_report_tell_where_it_comes_from(trained: Run, started: Run) -> None:
    best, lineage = trained.session.checkpoint("best"), started.manifest["start"]
    assert lineage["path"] == str(best)
    assert lineage["sha256"] == hashlib.sha256(best.read_bytes()).hexdigest()
    assert (lineage["experiment"], lineage["step"]) == ("started", trained.outcome["best_step"])
    assert lineage["mean_return"] == trained.outcome["evaluation"]["mean_return"]
    (command,) = [each for each in _commands(started) if "rl run" in each]
    assert command.endswith(f"--from {started.folder.start}")
    (table,) = descent(started.manifest).blocks
    assert isinstance(table, Table)
    ((*_, digest, file),) = table.rows
    assert (digest, file) == (lineage["sha256"][:12], str(best))


def test_the_lineage_goes_back_as_far_as_the_runs_are_there(
    trained: Run, started: Run, tmp_path: Path
) -> None:
    def files(manifest: dict[str, Any]) -> list[Any]:
        return [row[-1] if isinstance(each, Table) else each
                for each in descent(manifest).blocks
                for row in (each.rows if isinstance(each, Table) else [()])]  # fmt: skip

    def child_of(file: Path) -> dict[str, Any]:
        return {**started.manifest, "start": {**started.manifest["start"], "path": str(file)}}

    parent, grandparent = (each.session.checkpoint("best") for each in (started, trained))
    assert files(child_of(parent)) == [str(parent), str(grandparent)]
    assert files(trained.manifest) == []
    nowhere = tmp_path / "gone/best.npz"
    assert files(child_of(nowhere)) == [str(nowhere), Text(UNKNOWN)]
    own = tmp_path / "best.npz"  # a run that was started from its own agent, as it was before
    write_json(tmp_path / "manifest.json", child_of(own))
    assert files(child_of(own)) == [str(own), str(own)]


WAYS: dict[str, Callable[[Run], Any]] = {
    "a run": lambda run: run.path,
    "best": lambda run: f"{run.path}@best",
    "last": lambda run: f"{run.path}@last",
    "a stage": lambda run: f"{run.path}@100",
    "a session": lambda run: run.trial.session(1).path,
    "the best of a session": lambda run: f"{run.trial.session(1).path}@last",
    "a file": lambda run: run.session.checkpoint("last"),
}
FILES = {"a run": "best", "best": "best", "last": "last", "a stage": "100", "a session": "best",
         "the best of a session": "last", "a file": "last"}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_an_agent_is_named_in_several_ways(way: str, trained: Run) -> None:
    session = trained.trial.session(1 if "session" in way else 0)
    assert Source.find(WAYS[way](trained)).file == session.checkpoint(FILES[way])


def test_the_run_needs_its_source_no_more(trained: Run, tmp_path: Path) -> None:
    """Interrupted before there is a checkpoint, verified and moved, all without the source."""
    source = tmp_path / "source"
    shutil.copytree(trained.path, source)
    whole = run(tmp_path / "whole", BARE, source, seeds=[0, 1])
    cut = run(tmp_path / "cut", BARE, source, seeds=[0, 1], executor=Inline(Stops()))
    shutil.rmtree(source)
    assert cut.trial.session(0).read_outcome()["status"] == "interrupted"
    shutil.move(tmp_path / "cut", tmp_path / "moved")
    moved = RunFolder(tmp_path / "moved")
    again = run_sessions(Run(moved), Inline(), draw=False)
    for number in range(2):
        ours, theirs = (each.trial.session(number) for each in (again, whole))
        assert ours.read_outcome()["weights"] == theirs.read_outcome()["weights"]
        assert ours.episodes.read_bytes() == theirs.episodes.read_bytes()
    assert [each.difference for each in verify(again, None, Inline())] == [None, None]
    extend(moved, 250, None)
    longer = run_sessions(Run(moved), Inline(), draw=False)
    direct = {**BARE, "train": {"steps": 250}}
    same = run(tmp_path / "long", direct, tmp_path / "moved/start.npz", seeds=[0, 1])
    assert longer.outcome["weights"] == same.outcome["weights"]
    with (tmp_path / "moved/start.npz").open("ab") as file:
        file.write(b"more")
    with pytest.raises(UserError, match=r"start.npz: is missing or damaged, and holds the agent"):
        verify(Run(again.folder), None, Inline())


class Stops(Callback):
    """Interrupts each session as it begins."""

    def started(self, job: Any, session: Any) -> None:
        session.interrupt()


def test_normalization_may_begin_anew(trained: Run, tmp_path: Path) -> None:
    fresh = run(tmp_path / "r", BARE, trained.path, fresh=True)
    first = checkpoint.load(fresh.session.checkpoint("0"))
    assert first["preprocessor"]["observations"]["count"] <= 1  # of its own first reset
    assert fresh.manifest["start"]["fresh"] is True


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another agent": (
        {"agent": {"name": "PPO"}, "memory": {"horizon": 8}},
        "agent.name is PPO, and .* holds a DQN, .* can start from it: DQN, DoubleDQN",
    ),
    "quantiles": ({"agent": {"name": "QRDQN"}}, "agent.name is QRDQN, and .* holds a DQN"),
    "another head": (
        {"agent": {"name": "DQN", "dueling": False}},
        "agent.dueling is False, and True in",
    ),
    "another width": (
        {"network": {"hidden": [9]}},
        r"network.hidden is \[9\], and \[8\] in .*; to take that: --set network.hidden=\[8\]$",
    ),
    "another activation": (
        {"network": {"activation": "relu"}},
        "network.activation is 'relu', and 'tanh' in",
    ),
    "another preprocessor": (
        {"preprocessor": {"name": "Stack"}},
        "preprocessor.name is Stack, and the agent of .* has Normalize; .*--fresh-normalization",
    ),
    "other observations": (
        {"problem": "Acrobot-v1"},
        "does not fit Acrobot-v1, which has observations of 6 numbers and 3 actions; the agent "
        "was trained on observations of 4 numbers and 2 actions",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_names_both(case: str, trained: Run, tmp_path: Path) -> None:
    blocks, message = REFUSED[case]
    with pytest.raises(UserError, match=message):
        run(tmp_path / "r", {**BARE, **blocks}, trained.path)
    assert not any(tmp_path.iterdir())


def test_the_same_is_said_again_and_fits(trained: Run) -> None:
    said = {
        **BARE,
        "network": {"hidden": [8], "activation": "Tanh", "initializer": "he"},
        "agent": {"name": "DQN", "learn_start": 20, "dueling": True},
        "preprocessor": {"name": "normalize"},
    }
    found = Source.find(trained.path).adopted(Specification("x", "x.yaml", said))
    assert build(found, 0).specification.block("network")["activation"] == "tanh"


NAMES = {
    "r@bst": "'bst' is no checkpoint: best, last, or the step of a stage; did you mean 'best'?",
    "r@7": "7.npz: there is no such checkpoint; those of the session are best, last, 0, 100",
    "nowhere": "nowhere: there is no such run folder",
    "nowhere.npz": "nowhere.npz: there is no such checkpoint",
    "r/trial_000/session_000/checkpoints/best.npz@last": "is a single checkpoint; leave @last out",
    "r/spec.yaml": "is not a checkpoint, or is damaged",
}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_there_is_said_and_nothing_created(
    name: str, trained: Run, tmp_path: Path, rl_here: Command
) -> None:
    (tmp_path / "r").symlink_to(trained.path)
    answer = rl_here("run", "cartpole_dqn", "--from", name, "--output", "new")
    assert answer.returncode == 2
    assert NAMES[name] in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_the_command_line(cartpole_run: Path, rl_here: Command) -> None:
    train = ["train.evaluate_every=null", "exploration.start=0.1"]
    answer = rl_here("run", "cartpole_double_dqn", "--from", f"{cartpole_run}@best", "--steps",
                     1500, "--output", "r", "--quiet", "--set", *train)  # fmt: skip
    assert (answer.returncode, answer.stderr) == (0, "")
    assert Run.open("r").manifest["start"]["experiment"] == "cartpole_dqn"
    answer = rl_here("run", "cartpole_dqn", "--fresh-normalization")
    assert "--fresh-normalization needs --from RUN" in answer.stderr
    answer = rl_here("search", "cartpole_dqn", "--from", "r")
    assert answer.returncode == 2


@pytest.mark.slow
def test_an_environment_takes_the_settings_of_the_agents_run(
    trained: Run, rl_here: Command
) -> None:
    answer = rl_here("run", "tests.rl.worlds:Chain", "--from", trained.path, "--steps", 140,
                     "--set", "exploration.start=0.2", "--output", "r", "--quiet")  # fmt: skip
    assert (answer.returncode, answer.stderr) == (0, "")
    found, theirs = Run.open("r").specification, trained.specification
    assert found.values["problem"] == "tests.rl.worlds:Chain"
    for block in ("agent", "network", "memory", "preprocessor"):
        assert found.block(block) == theirs.block(block)
    assert found.block("train")["evaluate_every"] == 100


def test_a_trained_agent_goes_to_another_environment_of_the_same_spaces(
    trained: Run, tmp_path: Path
) -> None:
    moved = run(tmp_path / "r", {**BARE, "problem": "Far-v0"}, trained.path)
    assert moved.problem.id == "Far-v0"
