"""What is shown of sessions under way: lines that fit, on every terminal."""

from __future__ import annotations

import math
import os
import re
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from rich.live import Live

from rl.console.output import above, say, warn
from rl.console.terminal import ASCII, UNICODE, Glyphs, glyphs_of, is_live
from rl.running.display import Lines, Redrawn, describe, describe_end
from rl.running.view import (
    Curve,
    Line,
    Seen,
    bar,
    cells,
    duration,
    phase,
    screen,
    sparkline,
    table,
    time_left,
)
from rl.session.evaluation import Evaluation
from rl.session.forecast import Forecast
from rl.session.job import Job
from rl.session.progress import EVALUATING, Progress
from rl.specification.specification import load_specification

TITLE = "cartpole_dqn on CartPole-v1"
SPECIFICATION = load_specification("cartpole_dqn")


def halfway(**changed: Any) -> Progress:
    progress = Progress(10_000, step=5000, episodes=40, seconds=10.0, title=TITLE, threshold=475.0)
    progress.recent.extend([1.0, 4.0])
    progress.metrics = {"loss": 0.125, "exploration": 0.3}
    progress.evaluation = Evaluation([7.0, 9.0], [1, 1])
    progress.seconds_left = 12.0
    for name, value in changed.items():
        setattr(progress, name, value)
    return progress


def evaluating(played: int = 37, to_play: int = 100) -> dict[str, Any]:
    return {"phase": EVALUATING, "played": played, "to_play": to_play}


def seen(title: str = TITLE, **changed: Any) -> Seen:
    progress = halfway(**changed)
    short = title.partition(" on ")[0]
    curve = Curve()
    curve.follow(progress)
    return Seen([title, title.replace(" on ", " ", 1), short], progress, curve)


def text(line: Line) -> str:
    return "".join(piece for piece, _ in line)


def job(session: int, trial: int | None = None) -> Job:
    return Job(SPECIFICATION, 7 + session, Path("x"), session, trial)


# A line of a session


def test_the_line_of_a_session_at_80_columns() -> None:
    session = seen()
    session.curve._means = [1.0, 2.0, 3.0, 5.0]
    learning = text(table([session], 79, UNICODE)[0])
    assert learning == (
        "cartpole_dqn CartPole-v1 learning ▁▃▅█         ━━━━━───── 8.00/475   12 s left"
    )
    session.progress = halfway(**evaluating())
    assert text(table([session], 79, UNICODE)[0]) == (
        "cartpole_dqn CartPole-v1 evaluating 37 of 100  ━━━━━───── 8.00/475   12 s left"
    )


def test_a_wide_terminal_shows_all_figures() -> None:
    line = text(table([seen(**evaluating())], 220, UNICODE)[0])
    for part in (TITLE, "evaluating 37 of 100 episodes", "50%", "greedy 8.00, threshold 475",
                 "12 s left", "5,000 of 10,000 steps", "500 steps/s", "return 2.50",
                 "exploration 0.300", "loss 0.125"):  # fmt: skip
        assert part in line


ODD: dict[str, dict[str, Any]] = {
    "usual": {},
    "nothing yet": {"evaluation": None, "seconds_left": None, "step": 0, "seconds": 0.0,
                    "metrics": {}},
    "no threshold": {"threshold": None},
    "nan": {"evaluation": Evaluation([math.nan], [1]), "metrics": {"loss": math.nan}},
    "huge": {"evaluation": Evaluation([-1.5e12], [1]), "step": 10**12, "total_steps": 2 * 10**12},
    "by episodes": {"total_steps": None, "total_episodes": 2000},
    "many to play": evaluating(1234, 20_000),
    "days": {"seconds_left": 1e6},
    "beyond the budget": {"step": 12_000},
}  # fmt: skip
TITLES = {"short": TITLE, "long": "a_name_of_very_many_words_" * 8 + " on Some/Environment-v0",
          "wide": "实验名称很长很长很长很长很长 on 環境の名前-v0"}  # fmt: skip


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize("title", TITLES.values(), ids=TITLES)
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_line_fits_every_width(odd: dict[str, Any], title: str, glyphs: Glyphs) -> None:
    for width in (5, 10, 20, 30, 39, 50, 65, 79, 100, 130, 250):
        assert cells(text(table([seen(title, **odd)], width, glyphs)[0])) <= width
    at_40 = text(table([seen(title, **odd)], 39, glyphs)[0])
    assert at_40.startswith(title[:3])
    assert ("/475" in at_40) == (odd.get("threshold", 475) is not None)
    assert phase(seen(title, **odd).progress, 3) in at_40


def test_sessions_stand_in_columns() -> None:
    sessions = [seen(), seen(**evaluating(), seconds_left=3600.0, step=100), seen(evaluation=None)]
    for width in (40, 60, 79, 120, 250):
        lines = list(map(text, table(sessions, width, UNICODE)))
        assert len({cells(line) for line in lines}) == 1
        bars = [re.search("[━─]", line) for line in lines]
        assert len({found and found.start() for found in bars}) == 1


@pytest.mark.parametrize(("sessions", "height"), [(3, 24), (100, 24), (5, 4), (30, 1)])
def test_more_sessions_than_rows(sessions: int, height: int) -> None:
    lines = [text(line) for line in screen("title", [seen()] * sessions, 79, height, UNICODE)]
    assert len(lines) <= max(2, height - 1)
    assert lines[0] == "title"
    rows = sum(line.startswith("cartpole_dqn") for line in lines)
    assert rows == sessions or lines[-1] == f"and {sessions - rows} more"


# Its parts


@pytest.mark.parametrize(
    ("fraction", "drawn"), [(0.0, "----"), (0.49, "#---"), (0.999, "###-"), (1.0, "####")]
)
def test_a_bar_is_full_at_the_end_alone(fraction: float, drawn: str) -> None:
    assert bar(fraction, 4, ASCII) == drawn


@pytest.mark.parametrize(
    ("points", "drawn"),
    [([], ""), ([math.nan] * 3, ""), ([5.0, 5.0], "▅▅"), ([0.0, 7.0], "▁█"),
     ([0.0, math.nan, 7.0], "▁ █"), ([0.0, math.inf, 7.0], "▁ █"), ([-1e308, 1e308], "▁█"),
     ([float(n) for n in range(16)], "▁▂▃▄▅▆▇█")],
)  # fmt: skip
def test_a_curve_in_one_line(points: list[float], drawn: str) -> None:
    assert sparkline(points, 8, UNICODE) == drawn


def test_a_curve_remembers_all_episodes_in_few_points() -> None:
    curve, progress = Curve(), Progress(None)
    for episode in range(1000):
        progress.recent.append(float(episode))
        progress.episodes += 1
        if episode % 7 == 0:
            curve.follow(progress)
    assert 16 <= len(curve.points) < 64
    assert curve.points == sorted(curve.points)
    assert curve.points[0] < 32
    assert curve.points[-1] > 950


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, ""), (0.0, "1 s"), (45.2, "46 s"), (130.0, "2 min"), (5940.0, "99 min"),
     (9000.0, "2.5 h"), (1e6, "12 days")],
)  # fmt: skip
def test_a_time_in_few_characters(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said


# The time left


def test_the_time_left_counts_learning_evaluations_and_the_end() -> None:
    """Ten steps a second; an evaluation each 100 steps takes 2 s, and 5 of its episodes a lane."""
    progress = Progress(1000)
    forecast = Forecast(progress, every=100)
    forecast.update(0.0)
    assert progress.seconds_left is None
    progress.step = 100
    forecast.update(10.0)
    assert progress.seconds_left == pytest.approx(90.0)
    for now, played in ((10.0, 0), (11.0, 25)):
        forecast.plays(played, 50, now)
        forecast.update(now)
    assert progress.phase == EVALUATING
    forecast.plays(50, 50, 12.0)
    forecast.learns(12.0)
    assert (progress.phase, progress.played) == ("learning", 0)
    forecast.update(12.0)  # a round of ten takes 0.4 s, and the end has twice ten of them
    assert progress.seconds_left == pytest.approx(90.0 + 9 * 2.0 + 8.0)


def test_at_the_end_the_time_left_is_that_of_the_evaluation() -> None:
    progress = Progress(1000, step=1000)
    forecast = Forecast(progress, every=None)
    forecast.plays(0, 200, 50.0)
    forecast.update(50.0, is_last=True)
    assert progress.seconds_left is None
    forecast.plays(50, 200, 55.0)
    forecast.update(55.0, is_last=True)
    assert progress.seconds_left == pytest.approx(15.0)


def test_few_episodes_do_not_set_the_pace() -> None:
    progress = Progress(1000, step=500)
    forecast = Forecast(progress, every=None)
    forecast.plays(10, 10, 0.0)
    forecast.plays(10, 10, 2.0)
    forecast.learns(2.0)
    forecast.plays(1, 100, 10.0)
    forecast.update(11.0, is_last=True)
    assert progress.seconds_left == pytest.approx(10 * 2.0 - 1.0)


def test_the_time_left_of_all_sessions() -> None:
    running = [halfway(seconds=10.0, seconds_left=left) for left in (10.0, 30.0)]
    assert time_left(running, 0) == pytest.approx(30.0)
    assert time_left(running, 4) == pytest.approx((40.0 + 4 * 30.0) / 2)
    assert time_left([*running, Progress(5)], 0) is None
    assert time_left([], 3) is None


# Lines


def test_the_figures_of_a_run_under_way() -> None:
    assert describe(halfway()) == {
        "phase": "learning",
        "steps": "5,000 of 10,000",
        "steps/s": "500",
        "episodes": "40",
        "return (last 100)": "2.50",
        "greedy": "8.00 (threshold 475, 2 episodes)",
        "exploration": "0.300",
        "loss": "0.125",
        "time left": "about 12 s",
    }
    assert describe(Progress(10))["greedy"] == "-"


@pytest.mark.parametrize(
    ("metrics", "shown"),
    [({"entropy": 0.5, "policy_loss": 1.0}, {"entropy": "0.500"}),
     ({"elite_return": 12.34, "std": 0.1}, {"elite_return": "12.3", "std": "0.1"})],
)  # fmt: skip
def test_the_figures_of_an_agent_without_a_loss(metrics: Any, shown: dict[str, str]) -> None:
    figures = describe(halfway(metrics=metrics))
    assert "loss" not in figures
    assert figures.items() >= shown.items()


def test_lines_are_occasional(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    lines = Lines(1, lambda: now[0])
    for tenths in range(120):
        now[0] = tenths / 10
        lines.progressed(job(0), halfway())
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2
    assert said[0].startswith(f"{TITLE}: learning  steps 5,000 of 10,000  ")
    for minutes in range(60):
        now[0] = 60.0 * minutes
        lines.progressed(job(0), halfway())
    assert capsys.readouterr().out.count("\n") <= 60


def test_each_session_has_its_line_until_it_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    lines = Lines(3, lambda: now[0])
    for session in (0, 1):
        lines.progressed(job(session), halfway())
    lines.ended(job(0), {"status": "failed", "reason": "no luck"})
    now[0] = 6.0
    lines.progressed(job(1), halfway())
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "session 0 (seed 7): failed: no luck"
    assert [line.split(":")[0] for line in said[1:]] == ["session 1 (seed 8)"]
    assert lines.summary() == "1 of 3 sessions ended (1 failed)"


def test_a_hundred_sessions_do_not_fill_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    lines = Lines(200, lambda: now[0])
    for session in range(100):
        lines.progressed(job(session), halfway())
    now[0] = 6.0
    lines.show()
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 11
    assert said[-1].startswith(f"and 90 more; {TITLE}: 0 of 200 sessions ended, about ")


def test_how_a_job_ended() -> None:
    outcome = {
        "status": "solved",
        "steps": 25000,
        "seconds": 2.04,
        "evaluation": {"mean_return": 9},
    }
    assert describe_end(job(1, trial=4), outcome) == (
        "trial 4, session 1 (seed 8): solved after 25,000 steps and 2.0 s, mean return 9.00"
    )


# Lines that are redrawn


def redrawn(total: int, width: int = 131) -> Redrawn:
    console = Console(force_terminal=True, file=StringIO(), width=width)
    return Redrawn(total, Live(console=console, auto_refresh=False))


def test_the_table_forgets_sessions_that_have_ended() -> None:
    shown = redrawn(2)
    for session in (0, 1):
        shown.progressed(job(session), halfway())
    title, *rows = map(text, shown.lines())
    assert title == f"{TITLE}: 0 of 2 sessions ended, about 12 s left"
    assert [row.split(")")[0] for row in rows] == ["session 0 (seed 7", "session 1 (seed 8"]
    shown.ended(job(0), {"status": "solved"})
    assert len(shown.lines()) == 2
    shown.ended(job(1), {"status": "solved"})
    assert [text(line) for line in shown.lines()] == [
        f"{TITLE}: 2 of 2 sessions ended (2 solved); report"
    ]


def test_a_search_shows_its_trials() -> None:
    shown = redrawn(0, width=81)
    shown.total = 6
    shown.progressed(job(1, trial=12), halfway())
    title, row = map(text, shown.lines())
    assert title.startswith(f"{TITLE}: 0 of 6 sessions ended")
    assert row.startswith("trial 12, session 1 learning ")


def test_a_single_session_ends_with_its_report() -> None:
    shown = redrawn(1)
    shown.progressed(job(0), halfway())
    shown.ended(job(0), {"status": "finished"})
    (line,) = map(text, shown.lines())
    assert " report " in line
    assert "left" not in line


def test_a_terminal_of_another_size_is_noticed() -> None:
    shown = redrawn(1)
    shown.progressed(job(0), halfway())
    wide = shown.lines()
    shown._live.console.width = 41
    assert cells(text(shown.lines()[0])) <= 40 < cells(text(wide[0]))


def test_what_is_printed_goes_above(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    out, err, printed = Terminal(), StringIO(), list[str]()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    with above(printed.append):
        say("one", "two")
        warn("three")
    say("four")
    assert printed == ["one", "two"]
    assert err.getvalue() == "rl: three\n"  # it is no terminal
    assert out.getvalue() == "four\n"


# Where somebody looks


def stream(encoding: str = "utf-8", terminal: bool = True) -> Any:
    return SimpleNamespace(encoding=encoding, isatty=lambda: terminal)


@pytest.mark.parametrize(
    ("settings", "live"),
    [({}, True), ({"TERM": "dumb"}, False), ({"TERM": "unknown"}, False), ({"TERM": ""}, False),
     ({"TERM": None}, os.name == "nt"), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True),
     ({"CI": "true"}, False), ({"CI": "false"}, True), ({"CI": "0"}, True)],
)  # fmt: skip
def test_lines_are_redrawn_where_the_terminal_can(
    settings: dict[str, str | None], live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TERM": "xterm", "NO_COLOR": None, "CI": None, **settings}.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    closed = StringIO()
    closed.close()
    assert is_live(stream()) is live
    assert not any(map(is_live, (stream(terminal=False), closed, None)))


@pytest.mark.parametrize(
    ("encoding", "glyphs"),
    [("utf-8", UNICODE), ("ascii", ASCII), ("cp1252", ASCII), ("cp437", ASCII), ("latin-1", ASCII),
     ("no such", ASCII)],
)  # fmt: skip
def test_a_console_without_unicode_has_ascii(encoding: str, glyphs: Glyphs) -> None:
    assert glyphs_of(stream(encoding)) is glyphs
    assert all(each.isascii() for each in vars(ASCII).values())
