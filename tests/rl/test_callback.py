"""Callbacks: what a user's own are told of, and how they log metrics and stop a session."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import Mock, call, sentinel

import numpy as np
import pytest

import rl
from rl.analysis.records import read_records
from rl.analysis.trial_charts import metric_charts
from rl.checks.verification import verify
from rl.cli import main
from rl.errors import UserError
from rl.report.verdicts import verdict_of
from rl.running.executors import Inline
from rl.running.feeding import Feed
from rl.running.jobs import attempt
from rl.running.loggers import Logger, Row
from rl.running.reporter import Reporter
from rl.running.trial import create_trial
from rl.saved.run import Run
from rl.session.callback import Callback, Callbacks, callbacks_of, packed
from rl.session.job import Job, Outcome
from rl.session.player import Player
from rl.session.progress import Progress
from rl.specification.specification import load_specification
from rl.storage.tables import read_table

# The arguments of each method.
ARGUMENTS = {
    "started": (sentinel.job, sentinel.session),
    "progressed": (sentinel.job, sentinel.progress),
    "stepped": (sentinel.job, sentinel.session, sentinel.transitions),
    "episode_ended": (sentinel.job, sentinel.session, sentinel.episode),
    "evaluated": (sentinel.job, sentinel.progress, sentinel.player),
    "restarted": (sentinel.job, "its node died"),
    "ended": (sentinel.job, {}),
    "noted": ("a text",),
}


def test_each_method_is_known() -> None:
    known = {*ARGUMENTS, "state", "restore"}
    assert {name for name in vars(Callback) if not name.startswith("_")} == known


@pytest.mark.parametrize("method", ARGUMENTS)
def test_each_of_several_is_called_in_their_order(method: str) -> None:
    both = Mock(first=Mock(spec=Callback), second=Mock(spec=Callback))
    getattr(Callbacks([both.first, both.second]), method)(*ARGUMENTS[method])
    assert both.mock_calls == [
        getattr(call, each)(*ARGUMENTS[method]) for each in (f"first.{method}", f"second.{method}")
    ]


SMALL = {
    "problem": "Chain-v0",
    "import": "tests.rl.worlds",
    "network": {"hidden": [4]},
    "agent": {"learn_start": 100},
    "train": {"steps": 600, "evaluate_every": 300, "evaluate_episodes": 2},
}


def train(folder: Path, *callbacks: Callback, **settings: Any) -> Run:
    given = {**SMALL, **settings.pop("overrides", {})}
    return rl.train("cartpole_dqn", overrides=given, output=folder, draw=False,
                    callbacks=callbacks, **settings)  # fmt: skip


class Diary(rl.Callback):
    """What a user may write, of all sessions."""

    def __init__(self) -> None:
        self.evaluations: list[tuple[int, int, bool]] = []
        self.ends: dict[int, str] = {}

    def evaluated(self, job: Job, progress: Progress, player: Player | None) -> None:
        self.evaluations.append((job.seed, progress.step, player is not None))

    def ended(self, job: Job, outcome: Outcome) -> None:
        self.ends[job.seed] = outcome["status"]


def test_a_users_callback_is_told_with_the_player(tmp_path: Path) -> None:
    diary = Diary()
    train(tmp_path / "run", diary)
    assert diary.evaluations == [(0, 300, True), (0, 600, True)]
    assert diary.ends == {0: "finished"}


class Logs(rl.Callback):
    """Logs something of every kind, and goes with the sessions."""

    fails_at_last = False

    def __init__(self, stops_at: int | None = None, raises: bool = False) -> None:
        self.calls = Counter[str]()
        self._stops_at, self._raises = stops_at, raises

    def started(self, job: Job, session: Any) -> None:
        self.session = session
        self.calls["started"] += 1

    def stepped(self, job: Job, session: Any, transitions: Any) -> None:
        self.calls["stepped"] += 1
        step = session.progress.step
        assert step == session.agent.steps
        if step % 50 == 0:
            session.log(reward=transitions.rewards[0], seed=job.seed)
        if step == self._stops_at:
            session.stop("enough")
        if step == 450 and self._raises:
            raise ValueError("mine")

    def episode_ended(self, job: Job, session: Any, episode: Any) -> None:
        self.calls["episode_ended"] += 1
        session.log({"by/length": episode.length, "loss": np.float32(0.5)})
        if session.progress.step > 300:  # late
            session.log(late=math.nan if session.progress.step < 400 else np.array([2]))

    def evaluated(self, job: Job, progress: Progress, player: Player | None) -> None:
        assert player
        self.session.log(greedy=progress.evaluation.mean if progress.evaluation else None)

    def state(self) -> Any:
        return {"calls": dict(self.calls)}

    def restore(self, state: Any) -> None:
        self.calls.update(state["calls"])

    def ended(self, job: Job, outcome: Outcome) -> None:
        if self.fails_at_last:
            raise ValueError("late")
        (job.folder / "calls.json").write_text(json.dumps({**self.calls, **outcome}))


def metrics_of(run: Run, session: int = 0) -> dict[str, dict[str, list[float]]]:
    folder = run.trial.session(session)
    return {name: read_table(folder.metric(name)) for name in folder.metrics()}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(tmp_path_factory.mktemp("plain") / "run")


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(tmp_path_factory.mktemp("logged") / "run", Logs())


def test_metrics_are_logged_and_change_nothing_that_is_learned(logged: Run, plain: Run) -> None:
    assert logged.outcome["weights"] == plain.outcome["weights"]
    assert read_table(logged.session.updates) == read_table(plain.session.updates)
    found, episodes = metrics_of(logged), read_table(logged.session.episodes)
    assert list(found) == ["by/length", "greedy", "late", "loss", "reward", "seed"]
    assert found["by/length"] == {"step": episodes["step"], "value": episodes["length"]}
    assert found["reward"]["step"] == list(range(50, 601, 50))
    assert found["greedy"]["step"] == [300, 600]
    late = found["late"]
    assert min(late["step"]) > 300
    assert [math.isnan(value) for value in late["value"]] == [step < 400 for step in late["step"]]
    calls = json.loads((logged.session.path / "calls.json").read_text())
    assert calls["stepped"] == 600
    assert calls["episode_ended"] == calls["episodes"] == len(episodes["step"])


def test_metrics_are_drawn_and_given_to_loggers(logged: Run) -> None:
    rows: list[Row] = []

    class Keeps(Logger):
        name = "keeps"

        def begin(self, job: Job) -> None: ...

        def log(self, given: Any) -> None:
            rows.extend(given)

        def close(self) -> None: ...

    complaints: list[str] = []
    following = Feed([Keeps], complaints.append)
    job = Job(logged.specification, 0, logged.session.path)
    following.progressed(job, Progress(600))
    following.ended(job, {})
    assert not complaints
    assert {"metrics/by/length", "metrics/late", "updates/loss"} <= {k for _, r in rows for k in r}
    drawn = metric_charts(read_records(logged.trial))
    assert [chart.title for chart in drawn] == logged.session.metrics()
    assert [len(chart.series) for chart in drawn] == [1] * 6


def test_a_session_that_a_callback_stops_is_judged_and_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at its end: it was evaluated at the step where it was stopped."""
    run = train(tmp_path / "run", Logs(stops_at=350))
    outcome = run.outcome
    assert (outcome["status"], outcome["steps"], outcome["reason"]) == ("stopped", 350, "enough")
    assert read_table(run.session.evaluations)["step"] == [300, 350]
    assert len(outcome["evaluation"]["returns"]) == len(outcome["final"]["returns"]) == 100
    (verdict,) = verify(run, None, Inline())
    assert verdict.difference is None
    monkeypatch.setattr("rl.saved.run.draw_session", lambda *_: None)  # seconds
    assert main(["resume", str(run.path), "--no-report"]) == 0
    printed = capsys.readouterr().out
    assert "nothing left to resume" in printed
    assert "cartpole_dqn: stopped after 350 steps" in printed
    said = verdict_of(run, read_records(run.trial))
    assert "A callback stopped it at step 350 (enough)." in said.sentences[0]
    assert run.figures()["counted"] == 1


@pytest.mark.parametrize(
    ("method", "evaluated"),
    [("started", [1]), ("evaluated", [300]), ("progressed", [2])],
)
def test_a_session_can_be_stopped_at_any_time(
    method: str, evaluated: list[float], tmp_path: Path
) -> None:
    callback = Callback()
    sessions: list[Any] = []
    if method == "started":
        monkey = {"started": lambda job, session: session.stop()}
    else:
        monkey = {
            "started": lambda job, session: sessions.append(session),
            method: lambda *_: sessions[0].stop("any"),
        }
    for name, call_ in monkey.items():
        setattr(callback, name, call_)
    run = train(tmp_path / "run", callback)
    assert run.outcome["status"] == "stopped"
    assert read_table(run.session.evaluations)["step"] == evaluated
    assert run.outcome.get("reason") == (None if method == "started" else "any")


def test_a_resumed_run_logs_on_to_the_bit(logged: Run, tmp_path: Path) -> None:
    """What was logged since the checkpoint is cut off, and logged again."""

    def interrupt(job: Job, session: Any, transitions: Any) -> None:
        if session.progress.step == 450:
            session.interrupt()

    folder, interrupts = tmp_path / "run", Callback()
    interrupts.stepped = interrupt  # type: ignore[method-assign]
    session = train(folder, Logs(), interrupts).session
    assert session.read_outcome()["status"] == "interrupted"
    with session.metric("reward").open("a") as file:
        file.write("451,1\n452,")
    session.metric("stray").write_text("step,value\n1,2\n")
    run = rl.resume(folder, Logs(), draw=False)
    assert run.outcome["weights"] == logged.outcome["weights"]
    calls = [json.loads((each.session.path / "calls.json").read_text()) for each in (run, logged)]
    assert calls[0]["stepped"] == calls[1]["stepped"] == 600
    assert str(metrics_of(run)) == str(metrics_of(logged))  # nan is not equal to itself


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(plain: Run, tmp_path: Path) -> None:
    train(tmp_path / "run", Logs(stops_at=350), overrides={"train.steps": 500})
    run = rl.resume(tmp_path / "run", steps=600, draw=False)
    assert run.outcome["status"] == "finished"
    assert run.outcome["weights"] == plain.outcome["weights"]
    assert read_table(run.session.evaluations) == read_table(plain.session.evaluations)


def test_a_class_that_other_processes_cannot_find_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of a notebook, or of a program that Python reads from a pipe."""
    kind = type("Typed", (Logs,), {"__module__": "__main__"})
    for file in (None, "<stdin>"):
        monkeypatch.setattr("__main__.__file__", file, raising=False)
        with pytest.raises(UserError, match="other processes cannot find the class Typed"):
            train(tmp_path / "run", kind(), sessions=2)


@pytest.mark.slow
def test_rl_resume_says_that_it_has_no_callbacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="mine"):
        train(tmp_path / "run", Logs(raises=True), Diary())
    monkeypatch.setattr("rl.running.train.run_sessions", lambda run, _: run)
    main(["resume", str(tmp_path / "run"), "--no-report"])
    assert "the callbacks Logs; with them: rl.resume" in capsys.readouterr().out


@pytest.mark.slow
def test_with_several_sessions_a_callback_hears_of_all_or_goes_with_each(tmp_path: Path) -> None:
    """If it takes the session, each process has a copy; metrics are logged, and it can stop."""
    diary, logs = Diary(), Logs(stops_at=450)
    run = train(tmp_path / "run", diary, logs, sessions=2, jobs=2)
    assert sorted(diary.evaluations) == [(seed, at, False) for seed in (0, 1) for at in (300, 450)]
    assert diary.ends == dict.fromkeys(range(2), "stopped")
    assert not logs.calls
    for number in range(2):
        folder = run.trial.session(number)
        calls = json.loads((folder.path / "calls.json").read_text())
        assert calls["stepped"] == folder.read_outcome()["steps"] == 450
        assert set(read_table(folder.metric("seed"))["value"]) == {number}
    assert run.result["counted"] == 2


class Notes(Reporter):
    """What another process would be told."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def send(self, kind: str, content: Any) -> None: ...

    def noted(self, text: str) -> None:
        self.notes.append(text)


@pytest.mark.parametrize("late", [False, True])
def test_what_a_callback_raises_in_another_process_fails_its_session_once_it_is_saved(
    late: bool, tmp_path: Path
) -> None:
    """But a session that has ended is what it is."""
    logs, notes = Logs(raises=not late), Notes()
    logs.fails_at_last = late
    specification = load_specification("cartpole_dqn", overrides=SMALL)
    run = create_trial(specification, [0], tmp_path / "run")
    job = Job(run.specification, 0, run.session.path, callbacks=packed([logs]))
    outcome = attempt(job, notes)
    written = run.session.read_outcome()
    assert outcome["status"] == written["status"] == ("finished" if late else "failed")
    assert run.session.load_checkpoint("last")["step"] == (600 if late else 450)
    assert written.get("reason") == (None if late else "ValueError: mine")
    assert notes.notes == ["session 0: a callback raised ValueError: late"] * late


class Open(Logs):
    """It cannot be sent to another process."""

    def __init__(self) -> None:
        super().__init__()
        self.file = lambda: None


def having(**methods: Any) -> Callback:
    """A callback with methods of its own."""
    made: Callback = type("Own", (Callback,), methods)()
    return made


def test_what_a_callback_raises_before_any_session_begins_is_raised(tmp_path: Path) -> None:
    def noted(self: Callback, text: str) -> None:
        raise ZeroDivisionError(text)

    with pytest.raises(ZeroDivisionError, match="exploration does not fall to its end"):
        rl.train("CartPole-v1", steps=1500, overrides={"exploration.steps": 2000},
                 output=tmp_path / "r", callbacks=having(noted=noted))  # fmt: skip


def test_a_callback_may_have_methods_that_it_calls_itself() -> None:
    helpers = having(store=lambda self, it: it, note=lambda self, it: it, on_new=lambda self: 0)
    given = [helpers, having(stepped=lambda *_: 0, on_step=lambda self: 0, step=Callback.stepped)]
    assert callbacks_of(given) == given


@pytest.mark.parametrize(
    ("callbacks", "sessions", "said"),
    [
        (Diary, 1, "Diary is a class; write Diary()"),
        (print, 1, "is no rl.Callback"),
        ([Diary(), 3], 1, "3 is no rl.Callback"),
        (Open(), 2, "Open cannot go to the processes of the sessions"),
        (having(step=Diary.stepped), 1, "Own.step is never called; did you mean 'stepped'"),
        (having(epsiode_ended=lambda self, *_: 0), 1, "did you mean 'episode_ended'"),
        (having(on_step=lambda self: None), 1, "Own.on_step is never called; did you mean 'step"),
        (having(_on_step=lambda self: None), 1, "Own._on_step is never called"),
        (having(episode_end=Diary.stepped), 1, "did you mean 'episode_ended'"),
        ([having(evaluate=Diary.stepped)], 1, "did you mean 'evaluated'"),
    ],
)
def test_what_is_no_callback_is_refused_before_anything_is_made(
    callbacks: Any, sessions: int, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        rl.train("cartpole_dqn", output=tmp_path / "run", callbacks=callbacks, sessions=sessions)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("a", "1.0", "metric 'a': must be a number, not '1.0'"),
        ("a", None, "must be a number"),
        ("a", [1.0], "must be a number"),
        ("a", np.zeros(2), "must be a number"),
        ("a", 1j, "must be a number"),
        ("../a", 1, "a name is up to"),
        ("", 1, "a name is up to"),
        (3, 1, "a name is up to"),
        ("a b", 1, "a name is up to"),
        ("step", 1, "is the name of a column"),
        ("Reward", 1, "differs from 'reward' by case alone"),
    ],
)
def test_what_cannot_be_logged_is_one_line(
    name: Any, value: Any, said: str, tmp_path: Path
) -> None:
    def log(job: Job, session: Any, transitions: Any) -> None:
        session.log({"reward": True})
        session.log({name: value})

    callback = Callback()
    callback.stepped = log  # type: ignore[method-assign]
    with pytest.raises(UserError, match=said) as raised:
        train(tmp_path / "run", callback)
    assert "\n" not in str(raised.value)
    session = Run.open(tmp_path / "run").session
    assert read_table(session.metric("reward")) == {"step": [1.0], "value": [1.0]}


def test_nothing_is_logged_once_the_session_has_ended(tmp_path: Path) -> None:
    kept: list[Any] = []
    callback = Callback()
    callback.started = lambda job, session: kept.append(session)  # type: ignore[method-assign]
    callback.ended = lambda *_: kept[0].log(a=1)  # type: ignore[method-assign]
    with pytest.raises(UserError, match="is logged while no session runs"):
        train(tmp_path / "run", callback)
