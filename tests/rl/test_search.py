"""Searches: what they rank, how they end early, and that they survive being killed."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from rl.checks.verification import verify
from rl.errors import UserError
from rl.running.executors import Executor, Inline, Processes
from rl.saved.run import Run
from rl.search.opening import lag_of, resume_search, start_search
from rl.search.optuna_methods import open_study
from rl.search.trial import joint_curve
from rl.session.evaluation import Evaluation
from rl.session.job import Job, Outcome
from rl.session.progress import Progress
from rl.specification.specification import Specification
from rl.storage.files import read_json
from rl.storage.run_folder import RunFolder
from rl.verbs.search import _conclude_search
from tests.rl.conftest import Command, evaluation, quick, wait_until

SPACE = {
    "optimizer.learning_rate": {"low": 0.0003, "high": 0.01, "log": True},
    "agent.gamma": [0.9, 0.98, 0.99],
    "network.hidden": [[8], [16, 16]],
}


def specification(steps: int = 1500, every: int = 500, **block: Any) -> Specification:
    values = {
        "problem": "CartPole-v1",
        "agent": {"name": "DQN"},
        "network": {"hidden": [8]},
        "train": {"steps": steps, "evaluate_every": every, "evaluate_episodes": 2},
        "search": {"space": SPACE, **block},
    }
    return Specification("pole", "my.json", values)


def searched(folder: Path, executor: Executor | None = None, **block: Any) -> RunFolder:
    search = start_search(specification(**block), folder, None, executor or Inline())
    search.run()
    return search.folder


def results_of(folder: RunFolder) -> list[dict[str, Any]]:
    """What the trials were worth, without wall-clock times and places."""
    results = [read_json(trial.result) for trial in folder.trials()]
    for result in results:
        result.pop("seconds_to_threshold", None)
    return results


def rows_of(folder: RunFolder) -> list[dict[str, str]]:
    with open(folder.path / "trials.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures would take most of the time."""
    monkeypatch.setattr("rl.search.conclusion.draw_trial", lambda *_: None)
    monkeypatch.setattr("rl.analysis.search_figures.draw", lambda *_, **__: None)


class Canned(Executor):
    """Ends jobs in the order that a test wants, with returns that follow from the parameters."""

    def __init__(self, capacity: int, newest_first: bool = False) -> None:
        super().__init__(capacity)
        self.jobs: list[Job] = []
        self.started: list[tuple[int | None, int]] = []
        self.newest_first = newest_first
        self.stopped: dict[Path, str] = {}

    @property
    def unfinished(self) -> int:
        return len(self.jobs)

    def submit(self, job: Job) -> None:
        self.jobs.append(job)
        self.started.append((job.trial, job.session))

    def wait(self) -> list[tuple[Job, Outcome]]:
        running = self.jobs[: self.capacity]
        job = running[-1 if self.newest_first else 0]
        self.jobs.remove(job)
        status = self.stopped.get(job.folder, "finished")
        outcome: Outcome = {"seed": job.seed, "status": status, "steps": 1500, "episodes": 9,
                            "best_step": 1500, "seconds": 1.0}  # fmt: skip
        if status == "finished":
            outcome["evaluation"] = outcome["final"] = evaluation(self.worth(job))
        job.folder.mkdir(parents=True, exist_ok=True)
        (job.folder / "session.json").write_text(json.dumps(outcome))
        (job.folder / "evaluations.csv").write_text(f"step,mean_return\n500,{job.seed}.0\n")
        return [(job, outcome)]

    def worth(self, job: Job) -> float:
        values = job.specification.values
        rate = float(values["optimizer"]["learning_rate"])
        return 100 * values["agent"]["gamma"] - abs(rate - 0.002) * 1000 + job.seed

    def stop(self, job: Job, status: str) -> None:
        self.stopped[job.folder] = status

    def close(self) -> None:
        self.jobs.clear()


def test_trials_are_ranked_and_the_best_is_ready_to_run(tmp_path: Path, rl_here: Command) -> None:
    folder = searched(tmp_path / "r", Canned(2), method="grid", sessions=2)
    rows = rows_of(folder)
    scores = [float(row["score"]) for row in rows]
    assert len(rows) == 3 * 3 * 2
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[-1]
    assert [row["rank"] for row in rows] == [str(n) for n in range(1, 19)]
    best = read_json(folder.path / "best_spec.json")["pole"]
    assert str(best["agent"]["gamma"]) == rows[0]["agent.gamma"] == "0.99"
    rate = float(rows[0]["optimizer.learning_rate"])
    assert best["optimizer"]["learning_rate"] == pytest.approx(rate)
    assert "search" not in best
    answer = rl_here("run", "pole", "--spec", folder.path / "best_spec.json", "--steps", 1100)
    assert answer.returncode == 0, answer.stderr
    summary = read_json(folder.path / "search.json")
    assert summary["best_trial"] == int(rows[0]["trial"]) == folder.best_trial()
    assert sum(summary["importances"].values()) == pytest.approx(1.0)


@pytest.mark.slow
def test_a_search_leaves_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    folder = searched(tmp_path / "r", Canned(2), method="random", trials=2, sessions=2)
    assert (folder.trial(0).path / "learning_curve.png").exists()  # of two sessions
    for name in ("search_metrics.png", "search_pairs.png"):
        with Image.open(folder.path / name) as picture:
            assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50


def test_only_pictures_that_were_made_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = start_search(specification(trials=1), tmp_path / "r", None, Canned(1))
    search.run()
    for files in ("trials.csv", "trials.csv, search_metrics.png"):  # of one parameter: no pairs
        _conclude_search(search, False, False)
        assert f"run folder: {tmp_path}/r  ({files})\n" in capsys.readouterr().out
        (tmp_path / "r/search_metrics.png").touch()


def test_all_trials_have_the_same_seeds(tmp_path: Path) -> None:
    folder = searched(tmp_path / "r", Canned(2), method="line", sessions=2, seed=5)
    for result in results_of(folder):
        assert [each["seed"] for each in result["outcomes"]] == [5, 6]


def test_another_statistic_ranks_otherwise(tmp_path: Path) -> None:
    class Odd(Canned):
        """One setting wins by its mean, the other by its worst session."""

        def worth(self, job: Job) -> float:
            bold = list(job.specification.values["network"]["hidden"]) != [8]
            return [(50.0, 60.0), (0.0, 200.0)][bold][job.session]

    for statistic, best in (("mean_return", 1), ("worst_return", 0)):
        search = specification(sessions=2, method="grid", statistic=statistic)
        search.values["search"]["space"] = {"network.hidden": [[8], [16]]}
        found = start_search(search, tmp_path / statistic, None, Odd(2))
        found.run()
        assert found.folder.best_trial() == best


@pytest.mark.slow
@pytest.mark.parametrize("method", ["random", "tpe", "cmaes"])
def test_what_is_proposed_does_not_hang_on_who_ends_first(tmp_path: Path, method: str) -> None:
    settings = {"method": method, "trials": 16, "sessions": 2}
    results = [
        results_of(searched(tmp_path / str(last), Canned(3, newest_first=last), **settings))
        for last in (False, True)
    ]
    assert results[0] == results[1]
    other = results_of(searched(tmp_path / "other", Canned(3), **settings, seed=1))
    assert other != results[0]


def test_what_is_proposed_follows_from_results(tmp_path: Path) -> None:
    """The control of the test above: other returns, other trials, once there is enough to learn."""

    class Reversed(Canned):
        def worth(self, job: Job) -> float:
            return -super().worth(job)

    one, other = (
        [each["parameters"] for each in results_of(folder)]
        for folder in (
            searched(tmp_path / kind.__name__, kind(1), method="tpe", trials=13)
            for kind in (Canned, Reversed)
        )
    )
    assert one[:10] == other[:10]
    assert one[10:] != other[10:]


@pytest.mark.slow
def test_tpe_learns(tmp_path: Path) -> None:
    folder = searched(tmp_path / "r", Canned(1), method="tpe", trials=40)
    scores = [each["score"] for each in results_of(folder)]
    assert sum(scores[20:]) / 20 > sum(scores[:10]) / 10 + 1


def test_it_keeps_every_process_busy() -> None:
    assert [lag_of(1, 1), lag_of(1, 3), lag_of(2, 1), lag_of(2, 2), lag_of(8, 3)] == [1, 1, 3, 2, 4]


def test_a_joint_curve_by_hand() -> None:
    """Session 0 stops after two of three evaluations and keeps its 20; session 2 waits for 1."""
    curves = {0: {500: 10.0, 1000: 20.0}, 1: {500: 30.0, 1000: 50.0, 1500: 70.0}, 2: {500: 99.0}}
    first = [(1, 10.0), (2, 20.0)]
    assert joint_curve(curves, {}, 3) == first
    second = [*first, (4, 20.0), (5, 35.0), (6, 45.0)]
    assert joint_curve(curves, {0: {}}, 3) == second
    assert joint_curve(curves, {0: {}, 1: {}}, 3) == [*second, (7, pytest.approx(139 / 3))]
    assert joint_curve({}, {}, 3) == []


class Curves(Canned):
    """Plays learning curves: a rate above 0.001 learns, one below does not."""

    def wait(self) -> list[tuple[Job, Outcome]]:
        job = self.jobs[: self.capacity][-1 if self.newest_first else 0]
        rate = float(job.specification.values["optimizer"]["learning_rate"])
        for number in range(1, 13):
            if job.folder in self.stopped:
                break
            value = 1000 * rate + (10 * number if rate > 0.001 else 0)
            progress = Progress(3000, step=250 * number, evaluation=Evaluation([value], [1]))
            self.callback.evaluated(job, progress, None)
        return super().wait()

    def worth(self, job: Job) -> float:
        return 1000 * float(job.specification.values["optimizer"]["learning_rate"])


@pytest.mark.parametrize("pruner", quick(1, ["asha", "median"]))
def test_a_pruner_ends_hopeless_trials(tmp_path: Path, pruner: str) -> None:
    """What it says does not hang on who ends first either. A median wants four trials first."""
    search = specification(steps=3000, every=250, method="grid", pruner=pruner, sessions=2)
    rates = [0.003, 0.004, 0.005, 0.006, 0.0001, 0.0002, 0.007, 0.0003]
    search.values["search"]["space"] = {"optimizer.learning_rate": rates}
    results = []
    for newest_first in (False, True):
        executor = Curves(3, newest_first)
        found = start_search(search, tmp_path / str(newest_first), None, executor)
        found.run()
        results.append(results_of(found.folder))
    states = [each["state"] for each in results[0]]
    assert states[:4] == ["complete"] * 4
    assert states[4:6] == [{"median": "complete", "asha": "pruned"}[pruner]] * 2
    assert states[6:] == ["complete", "pruned"]
    assert found.folder.best_trial() == 6
    pruned = results[0][7]
    assert pruned["score"] is None
    assert len(pruned["curve"]) < 12
    for one, two in zip(*results, strict=True):
        for key in ("state", "score", "parameters", "curve", "rungs"):
            assert one[key] == two[key]


@pytest.mark.slow
def test_a_pruned_session_really_stops(tmp_path: Path) -> None:
    """With real sessions: one that has learned to balance, and one that cannot."""
    search = specification(steps=8000, every=250, method="grid", pruner="asha")
    search.values["network"] = {"hidden": [64]}
    search.values["agent"]["n_step"] = 3
    search.values["search"]["space"] = {"optimizer.learning_rate": [0.003, 1e-9, 2e-9, 3e-9]}
    found = start_search(search, tmp_path / "r", None, Inline())
    found.run()
    outcomes = [trial.session(0).read_outcome() for trial in found.folder.trials()]
    pruned = [each for each in outcomes if each["status"] == "pruned"]
    assert len(pruned) >= 2
    assert all(each["steps"] < 8000 for each in pruned)


@pytest.mark.slow
def test_diverged_and_refused_trials_are_recorded_and_the_search_goes_on(tmp_path: Path) -> None:
    search = specification(method="grid", sessions=2)
    search.values["search"]["space"] = {
        "optimizer.learning_rate": [0.001, 1e30],
        "memory": [{"name": "Replay", "capacity": 1000}, {"name": "Replay", "batch_size": 500}],
        "memory.batch_size": [32, 1500],
    }
    search.values["memory"] = {"capacity": 5000}
    found = start_search(search, tmp_path / "r", None, Processes(2))
    found.run()
    states = [each["state"] for each in results_of(found.folder)]
    assert states[:4] == ["complete", "refused", "complete", "complete"]
    assert states[4:] == ["diverged", "refused", "diverged", "diverged"]
    assert not found.folder.session(0).resume.exists()  # a search keeps no state
    rows = {int(row["trial"]): row for row in rows_of(found.folder)}
    assert "memory.capacity must be at least the batch_size" in rows[1]["reason"]
    assert "loss" in rows[4]["reason"]
    assert rows[4]["score"] == ""


SLOW: dict[str, Any] = {"method": "tpe", "trials": 8, "sessions": 2}


@pytest.fixture(scope="module")
def spec_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("spec") / "my.json"
    file.write_text(json.dumps({"pole": specification(**SLOW).values}))
    return file


def begin(folder: Path, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "rl", "search", *map(str, arguments), "--jobs", "2", "--quiet",
         "--no-report"], cwd=folder, start_new_session=True,
    )  # fmt: skip


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_to_the_same_end(tmp_path: Path, spec_file: Path) -> None:
    command = ("pole", "--spec", spec_file, "--output")
    assert begin(tmp_path, *command, "whole").wait(timeout=300) == 0
    arguments: tuple[object, ...] = (*command, "r")
    for begun in ("manifest.json", *(f"trial_00{trial}/session_001" for trial in (0, 2, 4, 6))):
        process = begin(tmp_path, *arguments)
        wait_until((tmp_path / "r" / begun).exists)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        arguments = ("--resume", "r")
    assert begin(tmp_path, *arguments).wait(timeout=300) == 0
    expected, found = (results_of(RunFolder(tmp_path / name)) for name in ("whole", "r"))
    assert len(found) == 8
    assert found == expected


def test_a_finished_session_is_not_run_again(tmp_path: Path) -> None:
    class Counting(Canned):
        pass

    first = Counting(1)
    block: dict[str, Any] = {"method": "random", "trials": 4, "sessions": 2}
    search = start_search(specification(**block), tmp_path / "r", None, first)
    calls = iter(range(5))

    class Stop(Exception):
        pass

    def wait() -> Any:
        if next(calls, None) is None:
            raise Stop
        return Canned.wait(first)

    first.wait = wait  # type: ignore[method-assign]
    with pytest.raises(Stop):
        search.run()
    assert len(first.started) == 6
    second = Counting(1)
    resume_search(tmp_path / "r", second).run()
    # Five sessions had ended: two trials, and one of two sessions of the third.
    assert second.started[0] == (2, 1)
    assert len(second.started) == 4 * 2 - 5


@pytest.mark.slow
@pytest.mark.parametrize("method", ["tpe", "random"])
def test_two_processes_share_a_search(tmp_path: Path, spec_file: Path, method: str) -> None:
    """Each trial is run once, by one of them, and the table is whole in the end."""
    command: tuple[object, ...] = ("pole", "--spec", spec_file, "--sessions", 1, "--method", method)
    joining: tuple[object, ...] = ("--resume", "r")
    if method == "tpe":
        command = joining = (*command, "--storage", "study.journal")
    first = begin(tmp_path, *command, "--output", "r")
    wait_until((tmp_path / "r/trial_001").exists)
    second = begin(tmp_path, *joining)
    assert [first.wait(timeout=300), second.wait(timeout=120)] == [0, 0]
    folder = RunFolder(tmp_path / "r")
    assert [each["state"] for each in results_of(folder)] == ["complete"] * 8
    assert len(rows_of(folder)) == 8
    if method == "tpe":
        study = open_study(tmp_path / "study.journal")
        assert [trial.number for trial in study.trials] == list(range(8))
        assert {trial.state.name for trial in study.trials} == {"COMPLETE"}


@pytest.mark.slow
def test_the_same_command_with_the_same_storage_goes_on(tmp_path: Path, rl_here: Command) -> None:
    values = specification(steps=200, every=100).values
    values |= {"problem": "Steady-v0", "import": "tests.rl.worlds"}
    values["agent"] |= {"learn_start": 64}
    (tmp_path / "my.json").write_text(json.dumps({"pole": values}))
    arguments = ("search", "pole", "--spec", "my.json", "--method", "tpe", "--storage", "s.journal",
                 "--jobs", 1, "--quiet")  # fmt: skip
    assert rl_here(*arguments, "--trials", 2).returncode == 0
    answer = rl_here(*arguments, "--trials", 2)
    assert (answer.returncode, answer.stderr) == (0, "")
    (run,) = (tmp_path / "runs/pole").iterdir()
    assert len(RunFolder(run).trials()) == 2
    for extra, said in (
        (("--trials", 2, "--output", "elsewhere"), "the storage belongs to"),
        (("--trials", 2, "--set", "agent.gamma=0.5"), "whose specification is another"),
    ):
        answer = rl_here(*arguments, *extra)
        assert answer.returncode == 2
        assert said in answer.stderr
        assert answer.stderr.count("\n") == 1


def test_a_journal_that_was_cut_can_be_gone_on_with(tmp_path: Path) -> None:
    folder = searched(tmp_path / "r", Canned(1), method="tpe", trials=3)
    journal = folder.path / "study.journal"
    with open(journal, "ab") as file:
        file.write(b'{"op_code": 4, "worker')
    search = resume_search(folder.path, Canned(1), trials=5)
    search.run()
    assert len(results_of(search.folder)) == 5


@pytest.mark.slow
def test_ctrl_c_names_the_command_that_goes_on(tmp_path: Path, spec_file: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "rl", "search", "pole", "--spec", spec_file, "--trials", "500",
         "--jobs", "2", "--output", "r"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        wait_until((tmp_path / "r/trial_003").exists)
        os.killpg(process.pid, signal.SIGINT)
        said, complaint = process.communicate(timeout=300)
    assert (process.returncode, complaint) == (130, "")
    assert "to resume: rl resume r" in said
    states = [row["state"] for row in rows_of(RunFolder(tmp_path / "r"))]
    assert "complete" in states
    assert "unfinished" in states


def test_analyzing_a_search_again_gives_the_same(tmp_path: Path, rl_here: Command) -> None:
    folder = searched(tmp_path / "r", Canned(1), method="random", trials=3)
    table = (folder.path / "trials.csv").read_bytes()
    (folder.path / "trials.csv").unlink()
    answer = rl_here("analyze", "r")
    assert answer.returncode == 0, answer.stderr
    assert "3 trials (3 complete), ranked by mean_return" in answer.stdout
    assert (folder.path / "trials.csv").read_bytes() == table


@pytest.mark.slow
def test_the_agent_of_a_search_is_its_best_and_can_be_verified(
    tmp_path: Path, rl_here: Command
) -> None:
    folder = searched(tmp_path / "r", method="random", trials=2)
    best = folder.best_trial()
    answers = [
        json.loads(rl_here("evaluate", "r", *which, "--episodes", 5, "--json").stdout)[
            "mean_return"
        ]
        for which in ((), ("--trial", best), ("--trial", 1 - best))
    ]
    assert answers[0] == answers[1]
    for which in (None, 1 - best):  # each can be run again from the manifest
        (verdict,) = verify(Run.open(folder.path, which), None, Inline())
        assert verdict.difference is None


def test_without_optuna_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    for method, pruner in (("tpe", "none"), ("grid", "asha")):
        search = specification(method=method, pruner=pruner)
        with pytest.raises(UserError, match=r'install "reinforcement-by-hand\[search\]"'):
            start_search(search, tmp_path / "r", None, Inline())
        assert not (tmp_path / "r").exists()
    searched(tmp_path / "plain", Canned(1), method="grid")  # needs none of it


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give the NAME of an experiment, or --resume RUN"),
        (("acrobot_dqn",), "acrobot_dqn: search is missing: a block such as"),
        (("cartpole_dqn", "--method", "gird"), "unknown method 'gird'; did you mean 'grid'?"),
        (("cartpole_dqn", "--pruner", "medan"), "unknown pruner 'medan'; did you mean 'median'?"),
        (("cartpole_dqn", "--statistic", "fun"), "search.statistic names an unknown statistic"),
        (("cartpole_dqn", "--set", "search.trails=3"), "search.trails is no setting"),
        (("cartpole_dqn", "--study", "mine"), "--study: names a search on a server"),
        (("cartpole_dqn", "--storage", "gone/s"), "there is no such folder for --storage"),
        (("--resume", "r", "--study", "mine"), "--study: a search is resumed as it began"),
        (("--resume", "nowhere"), "nowhere: there is no such run folder"),
        (("--resume", "r", "--set", "a=1"), "--set: a search is resumed as it began"),
        *[
            (("--resume", "r", option, "5"), f"{option}: a search is resumed as it began")
            for option in ("--steps", "--episodes", "--agent", "--env-kwargs", "--output")
        ],
        (("--resume", "r", "--method", "grid"), "--method: a search is resumed as it began"),
        (("cartpole_dqn", "--set", "search.sessions=0"), "search.sessions must be at least 1"),
    ],
)
def test_bad_input_leaves_nothing(
    rl_here: Command, tmp_path: Path, arguments: tuple[object, ...], said: str
) -> None:
    answer = rl_here("search", *arguments)
    assert answer.returncode == 2
    assert said in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_only_a_search_can_be_gone_on_with(rl_here: Command, cartpole_run: Path) -> None:
    answer = rl_here("search", "--resume", cartpole_run)
    assert answer.returncode == 2
    assert "is no search" in answer.stderr


def test_a_method_may_be_written_as_one_likes(tmp_path: Path) -> None:
    """As every other name."""
    found = start_search(
        specification(method="Grid", pruner="None"), tmp_path / "r", None, Inline()
    )
    assert (found.settings.method, found.settings.pruner) == ("grid", "none")


def test_a_search_without_a_finished_session_has_nothing_to_analyze(
    tmp_path: Path, rl_here: Command
) -> None:
    start_search(specification(method="grid"), tmp_path / "r", None, Inline())
    before = sorted((tmp_path / "r").rglob("*"))
    answer = rl_here("analyze", "r")
    assert answer.returncode == 2
    assert (
        answer.stderr
        == "rl: r: has no session that finished or was evaluated; there is nothing to analyze\n"
    )
    assert sorted((tmp_path / "r").rglob("*")) == before


def test_cmaes_wants_a_range(tmp_path: Path) -> None:
    search = specification(method="cmaes")
    search.values["search"]["space"] = {"agent.gamma": [0.9, 0.99]}
    with pytest.raises(UserError, match="cmaes needs"):
        start_search(search, tmp_path / "r", None, Inline())
    assert not (tmp_path / "r").exists()
