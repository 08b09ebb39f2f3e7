"""A run that goes on beyond its end comes, to the bit, to what it would have if it had asked for so
much from the beginning."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import rl as lab
from nn import checkpoint
from rl.checks.verification import verify
from rl.errors import UserError
from rl.report.origin import command_of
from rl.running import jobs
from rl.running.executors import Inline
from rl.running.extension import extend
from rl.saved.run import Run
from rl.session.callback import Callback
from rl.session.job import Job
from rl.session.longer import thinned
from rl.session.saved import evaluate_player
from rl.session.session import Session
from rl.specification.specification import Specification
from rl.storage.files import read_json, write_json
from rl.storage.run_folder import RunFolder
from tests.contracts.cases import agents, values
from tests.rl.conftest import Command, quick, run_trial
from tests.rl.test_resume import child, die_in_step, ended, needs_fork


@pytest.fixture(autouse=True, scope="module")
def judged_on_few_episodes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "evaluate_player", lambda *who, **_: evaluate_player(who[0], who[1], 2))
        yield


def run(folder: Path, given: dict[str, Any], sessions: int = 1, **train: Any) -> Run:
    """A run of these settings; it leaves no pictures."""
    block = {"evaluate_every": 100, "evaluate_episodes": 1, **given["train"], **train}
    specification = Specification("contract", "contract.yaml", {**given, "train": block})
    return run_trial(specification, range(sessions), folder, Inline(), draw=False)


def left(run: Run, number: int = 0) -> dict[str, Any]:
    """Everything that a session leaves, but the times."""
    folder = run.trial.session(number)
    files = [*folder.path.glob("*.csv"), folder.resume / "updates.csv"]
    found: dict[str, Any] = {str(each): each.read_bytes() for each in files if each.exists()}
    found = {name.removeprefix(str(folder.path)): content for name, content in found.items()}
    outcome = {k: v for k, v in folder.read_outcome().items() if "seconds" not in k}
    (outcome.get("reached") or {}).pop("seconds", None)
    saved = {path.stem: checkpoint.load(path) for path in folder.checkpoints.rglob("*.npz")}
    assert all(state.pop("seconds") >= 0 for state in saved.values())
    for state in saved.values():
        state.pop("import_folder", None)  # the run's own
    with np.printoptions(threshold=10**9):
        policies = {name: repr(state) for name, state in sorted(saved.items())}
    spec = run.spec.read_text(), Run(run.folder).manifest["specification"]
    return {**found, "outcome": outcome, "policies": policies, "spec": spec}


def same(ours: Run, theirs: Run, sessions: int = 1) -> None:
    for number in range(sessions):
        one, other = left(ours, number), left(theirs, number)
        assert one.keys() == other.keys()
        for name in one:
            if name != "/resume/updates.csv":  # a history knows more of the shorter session
                assert one[name] == other[name], name


CASES = [(name, kind) for name, kind in agents()]


@pytest.mark.parametrize(("name", "kind"), quick(2, CASES[::-2] + CASES[-2::-2]))
def test_each_agent_goes_on_to_the_bit(name: str, kind: Any, tmp_path: Path) -> None:
    """From an end at which nothing was due; the rows of updates are spaced anew."""
    given = values(name, kind, preprocessor={"name": "Normalize", "rewards": True})
    short = run(tmp_path / "short", given, steps=230)
    longer = lab.resume(short.path, steps=650, draw=False)
    same(longer, run(tmp_path / "long", given, steps=650))


DQN: dict[str, Any] = {
    "problem": "Chain-v0",
    "import": "tests.rl.worlds",
    "agent": {"name": "DQN", "learn_start": 20, "learn_every": 3},
    "network": {"hidden": [8]},
    "memory": {"capacity": 50, "batch_size": 4},
}
TRAIN: dict[str, dict[str, Any]] = {
    "due at the end": {"steps": 200},
    "nothing was judged": {"steps": 90},
    "judged at the end alone": {"steps": 230, "evaluate_every": None},
    "a best one at the end": {"steps": 250},
    "lanes": {"steps": 250, "lanes": 3},
    "few steps": {"steps": 150},
    "episodes as well": {"steps": 230, "episodes": 400},
}


@pytest.mark.parametrize("case", quick(4, TRAIN))
def test_whatever_its_end_was_like(case: str, tmp_path: Path) -> None:
    """Once, and once more; epsilon follows the returns, which come between the updates."""
    exploration = {"name": "TargetEpsilonGreedy", "target": 30.0, "episodes": 3}
    given = {**DQN, "exploration": exploration, "train": TRAIN[case]}
    short = run(tmp_path / "short", given)
    again = lab.resume(short.path, steps=430, draw=False)
    assert again.outcome["steps"] >= 430
    longer = lab.resume(short.path, steps=700, draw=False)
    same(longer, run(tmp_path / "long", given, steps=700))


def test_a_longer_run_is_verified(short: Path, tmp_path: Path) -> None:
    shutil.copytree(short, tmp_path / "r")
    longer = lab.resume(tmp_path / "r", steps=330, draw=False)
    (verdict,) = verify(longer, None, Inline())
    assert verdict.difference is None


def test_episodes_go_on_too(tmp_path: Path) -> None:
    given = {**DQN, "train": {"episodes": 7, "lanes": 2}}
    short = run(tmp_path / "short", given)
    assert 7 <= short.outcome["episodes"] <= 8
    longer = lab.resume(short.path, episodes=23, draw=False)
    same(longer, run(tmp_path / "long", given, episodes=23))


class Ends(Callback):
    """Interrupts a session at its n-th evaluation."""

    def __init__(self, number: int) -> None:
        self._left = number

    def started(self, job: Job, session: Session) -> None:
        self._session = session

    def evaluated(self, *_: Any) -> None:
        self._left -= 1
        if not self._left:
            self._session.interrupt()


def test_an_interrupted_run_goes_on_beyond_the_end_that_it_had(tmp_path: Path) -> None:
    given = {**DQN, "train": {"steps": 230}}
    specification = Specification("contract", "c.yaml", {**given, "train": {
        "steps": 230, "evaluate_every": 100, "evaluate_episodes": 1}})  # fmt: skip
    cut = run_trial(specification, [0], tmp_path / "cut", Inline(Ends(1)), draw=False)
    assert cut.outcome["status"] == "interrupted"
    again = lab.resume(cut.path, steps=470, callbacks=Ends(1), draw=False)
    assert again.outcome["status"] == "interrupted"
    same(lab.resume(cut.path, draw=False), run(tmp_path / "long", given, steps=470))


@pytest.mark.slow
def test_sessions_of_a_trial_go_on_in_processes(tmp_path: Path, rl: Command) -> None:
    given = {**DQN, "train": {"steps": 130, "extended_episodes": 100}}
    short = run(tmp_path / "short", given, sessions=2)
    long = run(tmp_path / "long", given, sessions=2, steps=250)
    answer = rl("resume", short.path, "--steps", 250, "--jobs", 2, "--quiet")
    assert (answer.returncode, answer.stderr) == (0, "")
    for number in range(2):
        ours, theirs = (
            {name: content for name, content in left(each, number).items() if name[0] == "/"}
            for each in (short, long)
        )
        assert ours.keys() == theirs.keys()
        for name in ours.keys() - {"/resume/updates.csv"}:
            assert ours[name] == theirs[name]


SOLVED = {**DQN, "problem": "Easy-v0"}


def solved(folder: Path, **train: Any) -> Run:
    return run(folder, {**SOLVED, "train": {"steps": 230, "extended_episodes": 100}}, **train)


@pytest.mark.slow
def test_a_solved_session_stays_and_says_how_it_goes_on(tmp_path: Path, rl_here: Command) -> None:
    short = solved(tmp_path / "short")
    assert (short.outcome["status"], short.outcome["steps"]) == ("solved", 100)
    answer = rl_here("resume", "short", "--steps", 400)
    assert answer.returncode == 0
    assert "session 0 was solved at step 100 and stays as it is" in answer.stdout
    assert "--past-solved" in answer.stdout
    same(short, solved(tmp_path / "long", steps=400))
    assert rl_here("resume", "short", "--past-solved", "--quiet").returncode == 0
    same(short, solved(tmp_path / "past", steps=400, stop_when_solved=False))


def test_a_session_that_its_end_alone_found_solved_goes_on(tmp_path: Path) -> None:
    short = solved(tmp_path / "short", steps=70)
    assert (short.outcome["status"], short.outcome["steps"]) == ("solved", 70)
    longer = lab.resume(short.path, steps=400, draw=False)
    assert longer.outcome["steps"] == 100
    same(longer, solved(tmp_path / "long", steps=400))


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("short") / "r", {**DQN, "train": {"steps": 150}}).path


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(each.relative_to(folder)): each.read_bytes()
        for each in folder.rglob("*")
        if each.is_file() and each.name != ".lock"
    }


def test_what_an_earlier_version_kept_is_too_little(short: Path, tmp_path: Path) -> None:
    shutil.copytree(short, tmp_path / "r")
    latest = lab.Run.open(tmp_path / "r").session.resume / "latest.npz"
    state = checkpoint.load(latest)
    del state["due"]["history"]["whole"]
    checkpoint.save(latest, state)
    with pytest.raises(UserError, match=r"was not kept, since an earlier version ran it; .*@last"):
        lab.resume(tmp_path / "r", steps=330, draw=False)


REFUSED: dict[str, tuple[tuple[object, ...], str]] = {
    "fewer than done": (("--steps", 100), "--steps: 100 are fewer than the 150 of"),
    "no episodes": (("--episodes", 9), "ends after a number of steps alone"),
    "zero": (("--steps", 0), "--steps: must be at least 1"),
    "no number": (("--steps", "many"), "--steps: must be a whole number"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_and_nothing_touched(
    case: str, short: Path, rl_here: Command
) -> None:
    options, message = REFUSED[case]
    before = files(short)
    answer = rl_here("resume", short, *options)
    assert answer.returncode == 2
    assert message in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert files(short) == before


def test_the_same_number_of_steps_resumes_as_ever(short: Path, rl_here: Command) -> None:
    answer = rl_here("resume", short, "--steps", 150)
    assert answer.returncode == 0
    assert "nothing left to resume" in answer.stdout


def test_what_was_not_kept_is_said(tmp_path: Path, rl_here: Command) -> None:
    given = {**DQN, "train": {"steps": 130, "keep_state": 0}}
    short = run(tmp_path / "r", given)
    assert not short.session.resume.exists()
    assert short.outcome["kept"] is False
    answer = rl_here("resume", "r", "--steps", 400)
    assert answer.returncode == 2
    assert "was not kept, since it was larger than train.keep_state" in answer.stderr
    outcome = {key: each for key, each in short.outcome.items() if key != "kept"}
    write_json(short.session.outcome, outcome)
    assert "an earlier version ran it" in rl_here("resume", "r", "--steps", 400).stderr
    write_json(short.session.outcome, {"seed": 0, "status": "diverged", "steps": 130})
    answer = rl_here("resume", "r", "--steps", 400)
    assert "session 0 diverged at step 130" in answer.stderr
    assert answer.returncode == 2


def test_a_large_state_is_removed_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Notes(Callback):
        texts: ClassVar[list[str]] = []

        def noted(self, text: str) -> None:
            self.texts.append(text)

    specification = Specification("contract", "c.yaml", {
        "problem": "CartPole-v1", "agent": {"name": "DQN", "learn_start": 20},
        "network": {"hidden": [300, 300]},
        "train": {"steps": 30, "evaluate_every": None, "keep_state": 1},
    })  # fmt: skip
    found = run_trial(specification, [0], tmp_path / "r", Inline(Notes()), draw=False)
    assert not found.session.resume.exists()
    assert "MB, is not kept (train.keep_state is 1)" in Notes.texts[-1]


def test_cut_off_between_it_comes_to_the_one_end_or_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The specification is written last; a plain resume sees to it."""
    from rl.running import extension

    given = {**DQN, "train": {"steps": 150}}
    short, long = run(tmp_path / "short", given), run(tmp_path / "long", given, steps=260)
    with monkeypatch.context() as patch:
        patch.setattr(extension, "write_json", fail)
        with pytest.raises(KeyboardInterrupt):
            extend(short.folder, 260, None)
    again = lab.resume(short.path, draw=False)
    assert again.outcome["steps"] == 150
    with monkeypatch.context() as patch:
        patch.setattr(extension, "write_specification", fail)
        with pytest.raises(KeyboardInterrupt):
            extend(short.folder, 260, None)
    same(lab.resume(short.path, draw=False), long)


def fail(*_: Any) -> None:
    raise KeyboardInterrupt


@needs_fork
@pytest.mark.parametrize("step", [1, 30, 90])
def test_killed_as_it_goes_on_it_comes_to_the_same_end(step: int, tmp_path: Path) -> None:
    """Before anything of the longer run was saved, and later."""
    given = {**DQN, "train": {"steps": 150, "checkpoint_seconds": 0.01}}
    short = run(tmp_path / "short", given)

    def work() -> None:
        die_in_step(step, short.session.path)
        lab.resume(short.path, steps=260, draw=False)

    assert ended(child(work)) == -signal.SIGKILL
    same(lab.resume(short.path, draw=False), run(tmp_path / "long", given, steps=260))
    assert not list(short.session.resume.glob("*.damaged"))


def test_an_end_that_was_changed_by_hand_is_refused(tmp_path: Path, rl_here: Command) -> None:
    short = run(tmp_path / "r", {**DQN, "train": {"steps": 150}})
    text = short.spec.read_text()
    short.spec.write_text(text.replace("steps: 150", "steps: 900"))
    answer = rl_here("resume", "r")
    assert answer.returncode == 2
    assert "ends training at another point than the manifest" in answer.stderr


def test_a_search_is_refused_with_what_to_do(tmp_path: Path, rl_here: Command) -> None:
    folder = RunFolder.create(tmp_path / "r", "contract", DQN, [], [0])
    search = {"space": {}, "trials": 1, "lag": 1, "statistic": "fitness", "journal": "j"}
    write_json(folder.manifest, {**read_json(folder.manifest), "kind": "search", "search": search})
    answer = rl_here("resume", "r", "--steps", 400)
    assert answer.returncode == 2
    assert "is a search" in answer.stderr
    assert "--spec r/best_spec.json --steps N" in answer.stderr


def test_rows_are_spaced_as_in_a_session_of_more_steps() -> None:
    """Worked out by hand: two lanes, updates at steps 4, 8, 14, ..., a hundredth one at step 20."""
    history = [{"step": step, "update": update} for step, update in
               ((4, 30), (8, 60), (14, 90), (20, 120), (24, 150))]  # fmt: skip
    rows, state = thinned(history, 9, 2, 26, lambda row, step: {**row, "step": step})
    # 4 is too early; at 10, the first even step from 9 on, the latest is still update 60. From 19
    # on the next is late, and the hundredth comes at 20; from 29 on nothing is there yet.
    assert [(row["step"], row["update"]) for row in rows] == [(10, 60), (20, 120)]
    assert state == {"row": 200, "row_step": 29, "recorded": 120}


def test_a_manifest_says_what_it_was_before(short: Path, tmp_path: Path) -> None:
    shutil.copytree(short, tmp_path / "r")
    lab.resume(tmp_path / "r", steps=160, draw=False)
    manifest = json.loads((tmp_path / "r/manifest.json").read_text())
    assert manifest["extended"][0]["before"]["steps"] == 150
    assert len(command_of(manifest["extended"][0])) > 1
    assert manifest["specification"]["train"]["steps"] == 160
    with pytest.raises(UserError, match="fewer than the 160"):
        lab.resume(tmp_path / "r", steps=155)
