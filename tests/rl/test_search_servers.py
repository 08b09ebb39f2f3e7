"""Searches that machines share by a server, without a common folder."""

from __future__ import annotations

import importlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rl.errors import UserError
from rl.search.opening import resume_search, start_search
from rl.search.servers import server
from rl.storage.files import read_json, write_json
from rl.storage.run_folder import RunFolder
from rl.storage.urls import without_password
from tests.rl.conftest import Command, wait_until
from tests.rl.servers import QUOTED, SECRET, SERVERS, Running
from tests.rl.sharing import begin
from tests.rl.test_search import Canned, rows_of, searched, specification
from tests.rl.test_search_shared import end, write_specification

IMPATIENT = {"rl.search.members.SECONDS_TO_LIVE": 2.0,
             "rl.search.members.SECONDS_BETWEEN_BEATS": 0.2,
             "rl.search.driver.SECONDS_TO_WAIT": 0.1}  # fmt: skip


@pytest.fixture(scope="module", params=SERVERS)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with SERVERS[request.param]() as running:
        yield running.url


@pytest.fixture
def command(url: str, request: pytest.FixtureRequest) -> tuple[str, ...]:
    """A search of its own for each test."""
    name = request.node.name.partition("[")[0]
    return ("pole", "--spec", "my.json", "--storage", url, "--study", name)


def said(folder: Path) -> str:
    return (folder / "said.txt").read_text()


def table(folder: Path) -> list[tuple[int, str]]:
    return sorted((int(row["trial"]), row["state"]) for row in rows_of(RunFolder(folder)))


@pytest.mark.slow
def test_machines_share_a_search(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Each trial is run once, every folder has the whole table, and no file has the password."""
    write_specification(tmp_path, method="tpe", pruner="median", trials=6)
    both = [begin(tmp_path, *command, "--output", name) for name in "ab"]
    assert [end(each) for each in both] == [0, 0], said(tmp_path)
    assert end(begin(tmp_path, *command, "--output", "a")) == 0, said(tmp_path)
    assert end(begin(tmp_path, *command, "--output", "b")) == 0, said(tmp_path)
    first, second = table(tmp_path / "a"), table(tmp_path / "b")
    assert first == second
    assert [number for number, _ in first] == list(range(6))
    assert {state for _, state in first} <= {"complete", "pruned"}
    lines = (tmp_path / "sessions.txt").read_text().splitlines()
    assert sorted(int(line.split()[0]) for line in lines) == list(range(6))
    for number in range(6):
        results = [read_json(RunFolder(tmp_path / name).trial(number).result) for name in "ab"]
        made = [each.pop("made", None) for each in results]
        assert [each and Path(each["folder"]).name for each in made] in (["b", None], [None, "a"])
        assert results[0] == results[1]
    assert (tmp_path / "a/best_spec.json").read_text() == (
        tmp_path / "b/best_spec.json"
    ).read_text()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert SECRET.encode() not in content, path
            assert QUOTED.encode() not in content, path


@pytest.mark.slow
@pytest.mark.parametrize("method", ["random", "tpe"])
def test_the_trials_of_a_dead_machine_are_begun_again(
    tmp_path: Path, command: tuple[str, ...], method: str
) -> None:
    write_specification(tmp_path, method=method, trials=4)
    command = (*command[:-1], f"dead-{method}")
    dead = begin(tmp_path, *command, "--output", "a", **{"tests.rl.sharing.HOLD": True})
    wait_until((tmp_path / "held.txt").exists)
    dead.kill()
    assert end(begin(tmp_path, *command, "--output", "b", **IMPATIENT)) == 0, said(tmp_path)
    assert table(tmp_path / "b") == [(number, "complete") for number in range(4)]
    lines = (tmp_path / "sessions.txt").read_text().split("\n")
    assert sorted(lines) == ["", *(f"{number} 0 finished" for number in range(4))]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["random", "tpe"])
def test_a_machine_that_was_cut_off_comes_back(
    tmp_path: Path, url: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another has run its trial meanwhile, and its own result does not count."""
    for name in ("rl.search.conclusion.draw_trial", "rl.analysis.search_figures.draw"):
        monkeypatch.setattr(name, lambda *_, **__: None)
    for name in ("members.SECONDS_TO_LIVE", "driver.SECONDS_TO_WAIT"):
        monkeypatch.setattr(f"rl.search.{name}", 0.0)
    search, study = specification(method=method, trials=3), f"back-{method}"
    cut_off, other = Canned(1), Canned(1)
    wait = cut_off.wait

    def back() -> Any:
        if not other.started:
            start_search(search, tmp_path / "b", url, other, study).run()
        return wait()

    cut_off.wait = back  # type: ignore[method-assign]
    start_search(search, tmp_path / "a", url, cut_off, study).run()
    assert sorted(other.started) == [(0, 0), (1, 0), (2, 0)]
    assert cut_off.started == [(0, 0)]
    told = server(url, study).open().get_trials()
    assert [each.state.name for each in told] == ["COMPLETE"] * 3
    assert table(tmp_path / "a") == table(tmp_path / "b")


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_that_goes_away_loses_nothing(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rl.search.servers.SECONDS_TO_RETURN", 0.2)
    search = specification(method="tpe", trials=3)
    executor = Canned(1)
    wait = executor.wait
    with SERVERS[kind]() as running:

        def gone() -> Any:
            running.stop()
            return wait()

        found = start_search(search, tmp_path / "r", running.url, executor)
        executor.wait = gone  # type: ignore[method-assign]
        with pytest.raises(UserError, match=r"is the server up, .* It was tried again for 0 s; "):
            found.run()
    assert read_json(found.folder.trial(0).result)["state"] == "complete"
    with pytest.raises(UserError, match="is the server up"):
        resume_search(tmp_path / "r", Canned(1))


# Where a server is stopped: before or after a step of a proposal, or of a result that is told.
STEPS = {
    "before a trial is asked for": ("Study.ask", False),
    "after it was": ("Study.ask", True),
    "before it is taken": ("Trial.set_user_attr", False),
    "before its parameters are drawn": ("Trial.suggest_float", False),
    "after they were": ("Trial.suggest_float", True),
    "before its result is told": ("Study.tell", False),
    "after it was told": ("Study.tell", True),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_that_is_restarted_changes_nothing(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trials are those of a search beside a server that stays, and none is left over."""
    for name in ("rl.search.conclusion.draw_trial", "rl.analysis.search_figures.draw"):
        monkeypatch.setattr(name, lambda *_, **__: None)
    search = specification(method="tpe", trials=3)

    def found(study: str) -> list[tuple[str, Any]]:
        start_search(search, tmp_path / study, running.url, Canned(1), study).run()
        trials = server(running.url, study).open().get_trials()
        return [(each.state.name, each.params) for each in trials]

    with SERVERS[kind]() as running:
        whole = found("whole")
        assert [state for state, _ in whole] == ["COMPLETE"] * 3
        for number, (name, is_after) in enumerate(STEPS.values()):
            with monkeypatch.context() as patch:
                patch.setattr("rl.search.servers.time", Waiting(running.start))
                stopped = stop_at(patch, name, is_after, running)
                assert found(f"study_{number}") == whole
                assert stopped == ["stopped"]


class Waiting:
    """A clock for `Server.patiently`, which does something before it waits for a moment."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self, before: Callable[[], object]) -> None:
        self._before = before

    def sleep(self, _: float) -> None:
        self._before()
        time.sleep(0.05)


def stop_at(patch: pytest.MonkeyPatch, name: str, is_after: bool, running: Running) -> list[str]:
    """Stops a server at the second call of a method of Optuna's; returns what has happened."""
    kind, _, method = name.partition(".")
    owner = getattr(importlib.import_module(f"optuna.{kind.lower()}"), kind)
    step = getattr(owner, method)
    calls, stopped = iter(range(1000)), list[str]()

    def stop(is_now: bool) -> None:
        if is_now and next(calls) == 1:
            running.stop()
            stopped.append("stopped")

    def wrapped(*arguments: Any, **options: Any) -> Any:
        stop(not is_after)
        result = step(*arguments, **options)
        stop(is_after)
        return result

    patch.setattr(owner, method, wrapped)
    return stopped


@pytest.mark.slow
def test_a_server_that_comes_back_empty_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = specification(method="tpe", trials=3)
    with SERVERS["redis"]() as running:

        def empty() -> None:
            running.start()
            assert server(running.url, "any")._client.flushall()  # type: ignore[attr-defined]

        monkeypatch.setattr("rl.search.servers.time", Waiting(empty))
        stop_at(monkeypatch, "Study.ask", True, running)
        with pytest.raises(UserError, match="was restarted and has lost the study; let it keep"):
            start_search(search, tmp_path / "r", running.url, Canned(1)).run()


@pytest.mark.slow
def test_the_same_command_goes_on_and_another_search_is_refused(
    tmp_path: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_specification(tmp_path, method="grid", trials=2)
    both = [begin(tmp_path, *command) for _ in range(2)]  # in the same moment
    assert [end(each) for each in both] == [0, 0], said(tmp_path)
    (run,) = (tmp_path / "runs/pole").iterdir()
    assert end(begin(tmp_path, *command, "--trials", "3")) == 0
    assert [path.name for path in (tmp_path / "runs/pole").iterdir()] == [run.name]
    assert len(table(run)) == 3
    assert end(begin(tmp_path, *command, "--set", "agent.gamma=0.7")) == 2
    assert "whose specification is another (in agent.gamma" in said(tmp_path)
    assert end(begin(tmp_path, "--resume", str(run), "--trials", "4")) == 2  # has no password
    assert said(tmp_path).count("are its name and the password right?") == 1
    storage = command[command.index("--storage") + 1]
    assert end(begin(tmp_path, "--resume", str(run), "--storage", storage)) == 0, said(tmp_path)
    shutil.copytree(run, tmp_path / "copy")  # takes part as another machine would
    resuming = ("--resume", "copy", "--trials", "5", "--storage", storage)
    assert end(begin(tmp_path, *resuming)) == 0, said(tmp_path)
    assert (len(table(tmp_path / "copy")), len(table(run))) == (5, 3)


@pytest.mark.slow
def test_a_server_that_refuses_leaves_nothing(tmp_path: Path, url: str, rl_here: Command) -> None:
    wrong = url.replace(QUOTED, "wrong-password")
    for bad in (wrong, url.replace(url.rpartition(":")[2].partition("/")[0], "1")):
        answer = rl_here("search", "cartpole_dqn", "--storage", bad)
        assert (answer.returncode, answer.stdout) == (2, "")
        assert answer.stderr.startswith(f"rl: --storage {without_password(bad)}: ")
        assert answer.stderr.count("\n") == 1
        assert "wrong-password" not in answer.stderr
        assert QUOTED not in answer.stderr
        assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_passwords_of_the_surroundings_are_used(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if url.startswith("redis"):
        pytest.skip("only PostgreSQL's driver reads one")
    monkeypatch.setenv("PGPASSWORD", SECRET)
    assert server(without_password(url), "any").open().get_trials() == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me@host:5432/db"),
        ("postgresql+psycopg://me:se:cr@et@host/db?x=1", "postgresql+psycopg://me@host/db?x=1"),
        ("postgresql://host/db?user=me&password=secret", "postgresql://host/db?user=me"),
        ("postgresql://host/db?password=secret&user=me", "postgresql://host/db?user=me"),
        ("redis://:secret@host:6379/0", "redis://host:6379/0"),
        ("--storage=rediss://me:secret@host", "--storage=rediss://me@host"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("mine:Corridor-v0", "mine:Corridor-v0"),
        ("a/b:c@d?", "a/b:c@d?"),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize(
    ("storage", "complaint"),
    [
        ("sqlite:///study.db", "sqlite:///study.db is a database, and a file is supported"),
        ("mysql://me:secret@here/db", "mysql://me@here/db is a database of another kind"),
        ("mongodb://here", "postgresql://... and redis://... are supported"),
    ],
)
def test_other_databases_are_refused(
    tmp_path: Path, rl_here: Command, storage: str, complaint: str
) -> None:
    answer = rl_here("search", "cartpole_dqn", "--method", "tpe", "--storage", storage)
    assert answer.returncode == 2
    assert complaint in answer.stderr
    assert "secret" not in answer.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["postgresql", "redis"])
def test_a_driver_that_is_missing_is_named(
    tmp_path: Path, rl_here: Command, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for name in ("psycopg", "psycopg2", "redis"):
        monkeypatch.setitem(sys.modules, name, None)
    answer = rl_here("search", "cartpole_dqn", "--storage", f"{kind}://me:secret@here/db")
    assert answer.returncode == 2
    assert f'pip install "reinforcement-by-hand[{kind}]"' in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_trial_that_another_machine_has_run(
    tmp_path: Path, rl_here: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in every table; what needs its sessions says where they are."""
    for name in ("rl.search.conclusion.draw_trial", "rl.analysis.search_figures.draw"):
        monkeypatch.setattr(name, lambda *_, **__: None)
    folder = searched(tmp_path / "r", Canned(1), method="random", trials=2)
    trial = folder.trial(folder.best_trial())
    made = {"host": "node7", "folder": "/home/me/r"}
    write_json(trial.result, {**read_json(trial.result), "made": made})
    shutil.rmtree(trial.session(0).path)
    for verb in ("analyze", "report"):
        answer = rl_here(verb, "r")
        assert (answer.returncode, answer.stderr) == (0, "")
    assert [row["host"] for row in rows_of(folder)] == ["node7", ""]
    assert "It was run on node7, in /home/me/r" in (tmp_path / "r/report.html").read_text()
    answer = rl_here("evaluate", "r")
    assert answer.returncode == 2
    assert f"trial {trial.number} was run on node7, in /home/me/r" in answer.stderr
    assert answer.stderr.count("\n") == 1
