"""A search loses nothing: it is interrupted, its processes are lost, it is moved and made longer,
and comes to the same end, or says why not."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from rl.errors import UserError
from rl.running.executors import Executor, Inline, Processes
from rl.search.driver import Search
from rl.search.opening import resume_search, start_search
from rl.search.optuna_methods import open_study
from rl.session.callback import Callback
from rl.session.evaluation import Evaluation
from rl.session.job import Job, Outcome
from rl.session.progress import Progress
from rl.storage.files import read_json, write_json
from rl.storage.run_folder import RunFolder
from tests.rl.conftest import Command
from tests.rl.test_search import Canned, results_of, searched, specification


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures would take most of the time."""
    monkeypatch.setattr("rl.search.driver.analyze_search", lambda folder: None)
    monkeypatch.setattr("rl.search.conclusion.draw_trial", lambda folder, figures: None)


class Played(Canned):
    """Ends jobs in an order that is drawn, after evaluations that follow from the parameters."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(3)
        self.rng = random.Random(seed)

    def wait(self) -> list[tuple[Job, Outcome]]:
        self.newest_first = self.rng.random() < 0.5
        job = self.jobs[: self.capacity][-1 if self.newest_first else 0]
        self.evaluate(job, 3)
        found = super().wait()
        self.evaluate(job, 3)
        return found

    def evaluate(self, job: Job, count: int) -> None:
        """Plays the first evaluations of a job, until it is stopped."""
        rows = []
        for number in range(1, count + 1):
            if job.folder not in self.stopped:
                value = self.worth(job) - number * (job.trial or 0) % 5
                rows.append(f"{500 * number},{value}\n")
                evaluated = Evaluation([value], [1])
                progress = Progress(1500, step=500 * number, evaluation=evaluated)
                self.callback.evaluated(job, progress, None)
        job.folder.mkdir(parents=True, exist_ok=True)
        (job.folder / "evaluations.csv").write_text("step,mean_return\n" + "".join(rows))


class Unlucky(Played):
    """Plays as well, but for what befalls it.

    Args:
        seed: of what is drawn.
        interrupt_at: jobs after which it is interrupted.
        lost: the trials whose processes are lost.
    """

    def __init__(self, seed: int, interrupt_at: int = 10**9, lost: tuple[int, ...] = ()) -> None:
        super().__init__(seed)
        self.left, self.lost = interrupt_at, lost

    def wait(self) -> list[tuple[Job, Outcome]]:
        self.left -= 1
        if self.left < 0:
            self.interrupted = True
            job = self.jobs.pop()
            self.evaluate(job, self.rng.randrange(3))
            return [(job, {"seed": job.seed, "status": "interrupted", "steps": 0})]
        ((job, outcome),) = super().wait()
        if job.trial in self.lost:
            outcome = {"seed": job.seed, "status": "failed", "unfinished": True,
                       "reason": "its process ended: signal 9"}  # fmt: skip
            write_json(job.folder / "session.json", outcome)
        return [(job, outcome)]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["random", "tpe", "cmaes"])
@pytest.mark.parametrize("pruner", ["median", "none"])
def test_interrupted_anywhere_it_comes_to_the_same_end(
    tmp_path: Path, method: str, pruner: str
) -> None:
    """Which sessions have ended by then is drawn too."""
    sessions = 1 if pruner == "none" else 2
    block: dict[str, Any] = {"method": method, "pruner": pruner, "trials": 20, "sessions": sessions}
    expected = results_of(searched(tmp_path / "whole", Played(), **block))
    assert ("pruned" in {each["state"] for each in expected}) == (pruner != "none")
    for seed in range(1, 4):
        rng = random.Random(seed)
        folder = tmp_path / str(seed)
        executor = Unlucky(seed, rng.randrange(9, 16))  # TPE draws blindly ten times
        start_search(specification(**block), folder, None, executor).run()
        while executor.interrupted:
            executor = Unlucky(seed, rng.randrange(3, 12))
            resume_search(folder, executor).run()
        assert results_of(RunFolder(folder)) == expected


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_a_trial_whose_process_is_lost_is_unfinished_and_run_again(
    tmp_path: Path, method: str
) -> None:
    """The search goes on without it; whoever goes on with the search runs it again."""
    block: dict[str, Any] = {"method": method, "trials": 12}
    expected = results_of(searched(tmp_path / "whole", Played(), **block))
    search = start_search(specification(**block), tmp_path / "r", None, Unlucky(0, lost=(4,)))
    search.run()
    assert search.unfinished == [4]
    found = results_of(search.folder)
    assert (found[4]["state"], found[4]["reason"]) == ("unfinished", "its process ended: signal 9")
    assert [each["state"] for each in found].count("complete") == 11
    again = resume_search(tmp_path / "r", Played())
    again.run()
    assert again.unfinished == []
    found = results_of(search.folder)
    assert [each["state"] for each in found] == ["complete"] * 12
    assert found[:7] == expected[:7]  # those behind it were proposed without its result


@pytest.mark.parametrize("method", ["grid", "random", "tpe"])
def test_an_old_folder_in_which_a_process_was_lost_is_recovered(
    tmp_path: Path, method: str
) -> None:
    """An older version called such a trial failed; one that has failed by itself stays so."""
    block: dict[str, Any] = {"method": method, "trials": 6, "sessions": 2}
    folder = searched(tmp_path / "r", Canned(1), **block)
    expected = results_of(folder)
    for number, reason in ((2, "its process ended: signal 9"), (4, "ValueError: no")):
        trial = folder.trial(number)
        write_json(trial.result, {**read_json(trial.result), "state": "failed", "score": None})
        write_json(trial.session(1).outcome, {"seed": 1, "status": "failed", "reason": reason})
    if method == "tpe":  # and told its study so
        study = folder.path / "study.journal"
        lines = [json.loads(line) for line in study.read_text().splitlines()]
        for line in lines:
            if line["op_code"] == 6 and line["trial_id"] in (2, 4) and line["state"] == 1:
                line |= {"state": 3, "values": None}
        study.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    executor = Canned(1)
    resume_search(folder.path, executor).run()
    assert executor.started == [(2, 1)]
    found = results_of(folder)
    assert found[4]["state"] == "failed"
    assert found[:4] + found[5:] == expected[:4] + expected[5:]


class Killing(Callback):
    """Kills the process of a trial, once it has evaluated."""

    def __init__(self, trial: int) -> None:
        self.trial, self.notes = trial, list[str]()
        self.executor: Processes | None = None

    def evaluated(self, job: Job, progress: Progress, player: Any) -> None:
        if job.trial == self.trial and self.executor:
            (worker,) = (each for each in self.executor._workers if each.job == job)
            worker.kill()
            self.executor = None

    def noted(self, text: str) -> None:
        self.notes.append(text)


@pytest.mark.slow
def test_a_killed_worker_changes_nothing(tmp_path: Path) -> None:
    block: dict[str, Any] = {"method": "random", "trials": 2, "pruner": "median"}
    expected = results_of(searched(tmp_path / "whole", Inline(), **block))
    callback = Killing(1)
    executor = callback.executor = Processes(1, callback)
    folder = searched(tmp_path / "r", executor, **block)
    assert any("goes on in a new process: its process ended" in note for note in callback.notes)
    assert results_of(folder) == expected


DEADLY = """
import multiprocessing
import os
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv

class Deadly(CartPoleEnv):
    def step(self, action):
        if os.path.exists("armed") and multiprocessing.parent_process():
            os._exit(3)
        return super().step(action)

gymnasium.register("Deadly-v0", Deadly, max_episode_steps=50)
"""


@pytest.mark.slow
def test_a_process_that_always_ends_is_said_and_gives_status_1(tmp_path: Path, rl: Command) -> None:
    (tmp_path / "deadly.py").write_text(DEADLY)
    values = specification(method="grid", trials=1).values
    values |= {"import": "deadly", "problem": "Deadly-v0"}
    values["train"]["renew_environment"] = False  # so that only its workers play
    write_json(tmp_path / "my.json", {"pole": values})
    (tmp_path / "armed").touch()
    answer = rl("search", "pole", "--spec", "my.json", "--jobs", 1, "--output", "r")
    assert (answer.returncode, answer.stderr) == (1, "")
    assert answer.stdout.count("goes on in a new process: its process ended: exit status 3") == 2
    assert "unfinished, processes were lost: trial 0 (why: r/trials.csv); " in answer.stdout
    assert "its process ended: exit status 3" in (tmp_path / "r/trials.csv").read_text()
    (tmp_path / "armed").unlink()
    answer = rl("resume", "r", "--jobs", 1, "--quiet")
    assert (answer.returncode, answer.stdout) == (0, "")
    (result,) = results_of(RunFolder(tmp_path / "r"))
    assert result["state"] == "complete"


def resumed(folder: Path, executor: Executor | None = None, **settings: Any) -> Search:
    search = resume_search(folder, executor or Canned(1), **settings)
    search.run()
    return search


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_a_search_is_made_longer_and_shorter(tmp_path: Path, method: str) -> None:
    """How many trials are wanted is kept; those that have begun are finished, and none is lost."""
    folder = searched(tmp_path / "r", Played(), method=method, trials=3)
    whole = results_of(searched(tmp_path / "whole", Played(), method=method, trials=6))
    stopped = Unlucky(0, 1)
    resumed(folder.path, stopped, trials=6)
    assert stopped.interrupted
    shutil.copytree(folder.path, tmp_path / "short")
    assert "running" in [result["state"] for result in results_of(folder)[2:]]
    assert results_of(resumed(tmp_path / "short", Played(), trials=2).folder) == whole
    resumed(folder.path, Played())
    assert results_of(folder) == whole
    notes: list[str] = []
    executor = Played()
    executor.callback.noted = notes.append  # type: ignore[method-assign, assignment]
    resumed(folder.path, executor, trials=2)
    assert notes == ["6 trials have begun, and 2 are wanted: none is added"]
    assert results_of(folder) == whole


@pytest.mark.parametrize("method", ["random", "tpe"])
@pytest.mark.parametrize("lost", ["trial_002", "trial_002/trial.json"])
def test_a_trial_whose_folder_was_removed_is_run_again(
    tmp_path: Path, method: str, lost: str
) -> None:
    folder = searched(tmp_path / "r", Canned(1), method=method, trials=4)
    whole = results_of(folder)
    (tmp_path / "r" / lost).rename(tmp_path / "lost")
    resumed(folder.path)
    assert results_of(folder) == whole


@pytest.mark.parametrize("method", ["grid", "tpe"])
def test_a_folder_that_was_moved_or_copied_goes_on(tmp_path: Path, method: str) -> None:
    whole = results_of(searched(tmp_path / "whole", Canned(1), method=method, trials=6))
    folder = searched(tmp_path / "r", Canned(1), method=method, trials=3)
    shutil.copytree(folder.path, tmp_path / "copy")
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.path.rglob("*"))
    copy = resumed(tmp_path / "copy", trials=6).folder
    assert results_of(copy) == whole
    assert before == sorted((path, path.stat().st_mtime_ns) for path in folder.path.rglob("*"))
    old = folder.read_manifest()  # an older version wrote where the journal was
    old["search"]["journal"] = str(folder.path / "study.journal")
    write_json(folder.manifest, old)
    folder.path.rename(tmp_path / "moved")
    assert results_of(resumed(tmp_path / "moved", trials=6).folder) == whole
    assert not folder.path.exists()


def trials_in(journal: Path) -> int:
    return len(open_study(journal).trials)


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_a_moved_folder_keeps_its_storage_and_a_copy_gets_its_own(
    tmp_path: Path, method: str
) -> None:
    search = specification(method=method, trials=2)
    storage = tmp_path / "s.journal"
    start_search(search, tmp_path / "r", storage, Canned(1)).run()
    shutil.copytree(tmp_path / "r", tmp_path / "copy")
    for _ in range(2):
        resumed(tmp_path / "copy", trials=3)
    assert (trials_in(storage), trials_in(tmp_path / "copy/study.journal")) == (2, 3)
    (tmp_path / "r").rename(tmp_path / "moved")
    with pytest.raises(UserError, match="which is not there; if it was moved: rl search --resume"):
        start_search(search, None, storage, Canned(1))
    resumed(tmp_path / "moved", trials=4)
    more = specification(method=method, trials=5)
    joined = start_search(more, None, storage, Canned(1))  # the same command for more trials
    joined.run()
    assert joined.folder.path == tmp_path / "moved"
    assert len(results_of(joined.folder)) == trials_in(storage) == 5
    assert len(results_of(resumed(tmp_path / "copy").folder)) == 3
    storage.rename(tmp_path / "elsewhere.journal")
    with pytest.raises(UserError, match="is not there, and has the trials of"):
        resume_search(tmp_path / "moved", Canned(1))


@pytest.mark.parametrize("way", ["rename", "copytree", "link"])
def test_a_share_is_mounted_elsewhere(tmp_path: Path, way: str) -> None:
    """Run folder and storage are on it: both are found by their places to each other."""
    share = tmp_path / "mnt/share"
    share.mkdir(parents=True)
    search, more = (specification(method="tpe", trials=count) for count in (2, 3))
    start_search(search, share / "runs/r", share / "st", Canned(1)).run()
    there = tmp_path / "there"
    if way == "link":
        there.symlink_to(share)
    elif way == "rename":
        share.rename(there)
    else:
        shutil.copytree(share, there)
    start_search(more, None, there / "st", Canned(1)).run()
    resumed(there / "runs/r", trials=4)
    assert trials_in(there / "st") == len(results_of(RunFolder(there / "runs/r"))) == 4
    assert not (there / "runs/r/study.journal").exists()
    if way == "copytree":
        assert trials_in(share / "st") == len(results_of(RunFolder(share / "runs/r"))) == 2


def test_a_storage_that_was_moved_is_named_once(tmp_path: Path) -> None:
    search = specification(method="tpe", trials=2)
    for name in ("st", "other"):
        start_search(search, tmp_path / f"r-{name}", tmp_path / name, Canned(1)).run()
    new = tmp_path / "new"
    new.mkdir()
    for file in ("st", "st.json"):
        (tmp_path / file).rename(new / file)
    with pytest.raises(UserError, match="put it back, or say where it is: rl search --resume"):
        resumed(tmp_path / "r-st", trials=3)
    with pytest.raises(UserError, match=f"{tmp_path}/other: is not that of"):
        resumed(tmp_path / "r-st", trials=3, storage=tmp_path / "other")
    for storage in (new / "st", None):
        resumed(tmp_path / "r-st", storage=storage, trials=3 if storage else 4)
    assert (trials_in(new / "st"), trials_in(tmp_path / "other")) == (4, 2)
    assert [path.name for path in tmp_path.glob("*") if path.is_file()] != []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("low: 0.0003", "low: 0.0001", "in search.space.optimizer.learning_rate.low"),
        ("  - 0.98\n", "", "in search.space.agent.gamma"),
        ("method: random", "method: grid", "in search.method"),
        ("steps: 1500", "steps: 2500", "in train.steps"),
    ],
)
def test_a_changed_specification_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    folder = searched(tmp_path / "r", Canned(1), method="random", trials=2)
    text = folder.spec.read_text()
    assert old in text
    folder.spec.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match="was changed since the search began") as caught:
        resume_search(folder.path, Canned(1))
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["notes.txt", "study.db", "folder", "named"])
def test_a_storage_leaves_other_files_alone(tmp_path: Path, name: str) -> None:
    """Each of them is of somebody else's."""
    (tmp_path / "folder").mkdir()
    contents = {"notes.txt": b"dear diary,\nI have no last line", "study.db": b"SQLite format 3\0",
                "named.json": b'{"mine": 1}'}  # fmt: skip
    for other, content in contents.items():
        (tmp_path / other).write_bytes(content)
    with pytest.raises(UserError, match="--storage would take the place of what is there"):
        start_search(specification(method="tpe"), tmp_path / "r", tmp_path / name, Canned(1))
    assert {other: (tmp_path / other).read_bytes() for other in contents} == contents
    assert not (tmp_path / "r").exists()
