"""Separate run folders made into one trial, and what is said of folders that could be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from rl.running.executors import Inline
from rl.running.merging import TOO_MUCH, merge
from rl.storage.notes import LONGEST, Note, read_note, write_note
from rl.storage.session_folder import SessionFolder
from tests.rl.conftest import Command, run_trial
from tests.rl.test_executors import TINY, make_jobs
from tests.rl.test_shared_run import CHAIN, assert_same_trial, files

OTHER = "agent.gamma=0.9"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`whole` has seeds 3 to 5; `a` has 4, `b` 3 and `c` 5; `other` has 3 with another gamma."""
    folder = tmp_path_factory.mktemp("kept")
    for name, seeds, more in (("whole", range(3, 6), ()), ("other", range(3, 4), (OTHER,))):
        (job,) = make_jobs(folder, range(1), *TINY, *more)
        run_trial(job.specification, seeds, folder / name, Inline(), draw=False)
    for name, number in (("a", 1), ("b", 0), ("c", 2)):  # as if each had been run alone
        shutil.copytree(folder / f"whole/trial_000/session_{number:03d}",
                        folder / name / "trial_000/session_000")  # fmt: skip
        shutil.copy(folder / "whole/spec.yaml", folder / name)
        alone = {**manifest(folder / "whole"), "seeds": [3 + number]}
        (folder / name / "manifest.json").write_text(json.dumps(alone))
    return folder


@pytest.fixture
def here(kept: Path, tmp_path: Path) -> Path:
    """Copies of them in the working folder of `rl_here`."""
    for each in kept.iterdir():
        shutil.copytree(each, tmp_path / each.name)
    return tmp_path


def manifest(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "manifest.json").read_text()))


def change_manifest(run: Path, **entries: Any) -> None:
    (run / "manifest.json").write_text(json.dumps({**manifest(run), **entries}))


@pytest.mark.slow
def test_merged_runs_are_the_trial_of_one_command(rl_here: Command, here: Path) -> None:
    before = files(here)
    answer = rl_here("merge", "a", "b", "c", "--output", "m", "--no-report")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "3 of 3 sessions counted" in answer.stdout
    assert_same_trial(here / "m", here / "whole")
    made = manifest(here / "m")
    assert made["seeds"] == [3, 4, 5]
    assert [(Path(each["run"]).name, each["seeds"]) for each in made["merged"]] == [
        ("a", [4]), ("b", [3]), ("c", [5])]  # fmt: skip
    assert all(each["versions"] and each["blas"] and each["command"] for each in made["merged"])
    assert {path: before[path] for path in files(here) if path in before} == before


def test_notes_and_tags_are_carried_over(here: Path) -> None:
    """Each different text and tag once; what does not fit into one note is left out, and said."""
    write_note(here / "a", "the first half", ["gpu", "keep"])
    write_note(here / "b", "on the laptop", ["keep"])
    write_note(here / "c", "the first half")
    write_note(here / "a/trial_000", tags=["odd"])
    merged = merge([here / name for name in "abc"], here / "m")
    assert read_note(here / "m") == Note("the first half\non the laptop", ("gpu", "keep"))
    assert read_note(here / "m/trial_000") == Note("", ("odd",))
    assert merged.notes == []
    write_note(here / "b", "x" * LONGEST)
    assert merge([here / "a", here / "b"], here / "long").notes == [TOO_MUCH]
    assert read_note(here / "long").text.startswith("the first half\nxxx")


@pytest.mark.slow
def test_everything_works_on_a_merged_folder(rl_here: Command, here: Path) -> None:
    rl_here("merge", "a", "b", "--output", "ab", "--no-report")
    assert rl_here("merge", "ab", "c", "--output", "m", "--no-report").returncode == 0
    assert [Path(each["run"]).name for each in manifest(here / "m")["merged"]] == ["a", "b", "c"]
    for command, said in (
        (("evaluate", "m", "--session", 2, "--episodes", 2), "mean return"),
        (("verify", "m", "--evaluation"), "session 2 (seed 5): identical"),
        (("report", "m"), "report: "),
        (("analyze", "m"), "3 of 3 sessions counted"),
        (("compare", "m", "other"), "difference"),
        (("resume", "m", "--steps", 800, "--jobs", 1), "3 of 3 sessions counted"),
    ):
        answer = rl_here(*command)
        assert answer.returncode == 0, (command, answer)
        assert said in answer.stdout
    assert "merged from" in (here / "m/report.html").read_text()
    rl_here("resume", "whole", "--steps", 800, "--jobs", 1)
    assert_same_trial(here / "m", here / "whole")


@pytest.mark.slow
def test_a_session_that_has_not_begun_stays_planned(rl_here: Command, here: Path) -> None:
    """Each of two folders planned all seeds, and has begun some: the parts of one array."""
    for name, gone in (("x", (0,)), ("y", (1, 2))):
        shutil.copytree(here / "whole", here / name)
        for number in gone:
            shutil.rmtree(here / name / f"trial_000/session_{number:03d}")
    shutil.rmtree(here / "x/trial_000/session_002")
    answer = rl_here("merge", "x", "y", "--output", "m", "--no-report")
    assert answer.returncode == 0
    assert "2 of 3 sessions counted" in answer.stdout
    assert rl_here("run", *CHAIN, "--only-session", 2, "--output", "m").returncode == 0
    assert_same_trial(here / "m", here / "whole")


def prepare(case: str, here: Path) -> None:
    """Makes what a case needs."""
    if case == "started from another agent":
        start = {"path": "x.npz", "sha256": "00", "experiment": "x", "step": 1, "fresh": False}
        change_manifest(here / "b", start=start)
    elif case == "trained with callbacks":
        change_manifest(here / "b", callbacks=["Shaping"])
    elif case == "a search":
        search = {"statistic": "mean_return", "journal": "x", "space": {"a": [1]}, "lag": 1,
                  "trials": None}  # fmt: skip
        change_manifest(here / "b", kind="search", search=search)
    elif case == "a folder of runs":
        for name in ("a", "b"):
            shutil.copytree(here / name, here / "many" / name)
    elif case == "a place that is taken":
        (here / "m").mkdir()
        (here / "m/notes.txt").write_text("mine")
    elif case == "a damaged manifest":
        (here / "b/manifest.json").write_text("{")


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "another setting": (("a", "other"), "other: has other settings than a: agent.gamma (0.99 "
                        "there, 0.9 here); merge takes runs of one setting"),
    "the same seed": (("a", "b", "whole"), "seed 3 is in b/trial_000/session_000 and in "
                      "whole/trial_000/session_000"),
    "the same run": (("a", "a"), "seed 4 is in a/trial_000/session_000 and in "),
    "started from another agent": (("a", "b"), "--from (None there, ['00', False] here)"),
    "trained with callbacks": (("a", "b"), "callbacks (None there, ['Shaping'] here)"),
    "a search": (("a", "b"), "b: is a search, whose trials have settings of their own"),
    "a folder of runs": (("many",), "holds 2; to merge them: rl merge many/* --output RUN"),
    "a place that is taken": (("a", "b"), "m: is there already; name another folder"),
    "no run": (("a", "nothing"), "nothing: there is no such run folder"),
    "a damaged manifest": (("a", "b"), "b/manifest.json: is damaged"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_merged_is_refused_and_nothing_written(
    case: str, rl_here: Command, here: Path
) -> None:
    prepare(case, here)
    before = files(here)
    runs, complaint = REFUSED[case]
    answer = rl_here("merge", *runs, "--output", "m")
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert complaint in answer.stderr
    assert files(here) == before


def test_a_session_at_work_is_not_copied(
    rl_here: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rl.storage.session_folder.SECONDS_TO_WAIT", 0.0)
    session = SessionFolder(here / "a/trial_000/session_000")
    session.outcome.unlink()
    with session.lock():
        answer = rl_here("merge", "a", "b", "--output", "m")
    assert answer.returncode == 2
    assert "session_000: another process is at work there" in answer.stderr
    assert not (here / "m").exists()


@pytest.mark.slow
def test_other_machines_are_named(rl_here: Command, here: Path) -> None:
    for name in ("b", "c"):
        blas = {**manifest(here / name)["blas"], "kernel": "Abacus"}
        change_manifest(here / name, blas=blas)
    answer = rl_here("merge", "a", "b", "c", "--output", "m", "--no-report")
    assert (
        "b and 1 more: made on another machine than a: BLAS kernel Abacus here, " in answer.stdout
    )
    said = rl_here("verify", "m", "--evaluation").stdout
    assert "results may differ from the run's in the last digits: BLAS kernel " in said
    assert "Abacus there" in said


@pytest.mark.slow
def test_single_seeds_are_merged_before_they_are_compared(rl_here: Command, here: Path) -> None:
    answer = rl_here("compare", "a", "b", "c", "other")
    assert answer.returncode == 2
    assert answer.stderr == (
        "rl: a, b: hold one session each of the same setting, and single seeds give no verdict; "
        "make one trial of them: rl merge a b c --output RUN\n"
    )
    assert not (here / "runs").exists()
    assert rl_here("compare", "a", "other").returncode == 0  # two settings
    assert rl_here("compare", "whole", "other").returncode == 0


@pytest.mark.slow
def test_analyzing_a_folder_of_runs_says_what_is_in_it(rl_here: Command, here: Path) -> None:
    (here / "other/spec.yaml").write_text("{")
    answer = rl_here("analyze", ".")
    assert answer.returncode == 0
    for said in ("holds 5 run folders", "a: cartpole_dqn, seed 4: 1 of 1 sessions have ended",
                 "whole: cartpole_dqn, seeds 3 to 5: 3 of 3 sessions have ended",
                 "other: cannot be read: ", "3 hold one session each of the same setting",
                 "  rl merge a b c --output RUN\n"):  # fmt: skip
        assert said in answer.stdout
    (here / "runs/cartpole_dqn").mkdir(parents=True)
    for name in ("a", "whole"):
        shutil.copytree(here / name, here / "runs/cartpole_dqn" / name)
    answer = rl_here("analyze", "cartpole_dqn")  # the latest run of an experiment
    assert "3 of 3 sessions counted" in answer.stdout
