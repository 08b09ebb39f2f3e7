"""What the programs of `scripts/` share."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import SCRIPTS, program
from tests.rl.conftest import wait_until

common = program("common")


def test_a_full_disk_ends_a_program_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And leaves what was there before."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(sys, "argv", ["scripts/it.py"])
    path = tmp_path / "a.png"
    path.write_text("before")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
    try:
        with pytest.raises(SystemExit, match="2"):
            common.save(common.new_figure(2.0, 1.0), path, 50)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert capsys.readouterr().err == f"it.py: cannot write {path}: File too large\n"
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(1234.56, 1, "1,234.6"), (-1234.56, 0, "-1,235"), (0.715, 1, "0.71"), (-9.876, 0, "-9.88"),
     (-0.0004, 1, "0.00"), (-0.0, 0, "0.00")],
)  # fmt: skip
def test_small_returns_keep_two_decimals(value: float, digits: int, text: str) -> None:
    assert common.rounded(value, digits) == text


def named(*patterns: str) -> list[str]:
    parser = common.Parser(prog="it.py")
    parser.add_only("animals")
    options = parser.parse_args([each for pattern in patterns for each in ("--only", pattern)])
    animals = {"cat": ["mammal"], "crow": ["bird"], "cow": ["mammal"]}
    found: list[str] = parser.named(options.only, animals, lambda each: [each, *animals[each]])
    return found


@pytest.mark.parametrize(
    ("patterns", "found"),
    [((), ["cat", "crow", "cow"]), (("C*w",), ["crow", "cow"]), (("cow", "cat"), ["cat", "cow"]),
     (("bird", "cat", "c?t"), ["cat", "crow"]), (("mammal",), ["cat", "cow"])],
)  # fmt: skip
def test_every_pattern_counts(patterns: tuple[str, ...], found: list[str]) -> None:
    assert named(*patterns) == found


def test_a_pattern_that_matches_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        named("cow", "craw")
    assert capsys.readouterr().err.startswith(
        "it.py: --only craw: there is none; did you mean 'crow'? Known: bird, cat, "
    )


def test_every_program_answers_a_mistake_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its parser is that of `common`, which leaves the usage to --help."""
    others = [file.name for file in SCRIPTS.glob("*.py") if "ArgumentParser(" in file.read_text()]
    assert not others
    monkeypatch.setattr("sys.argv", ["lowest_versions.py", "--mistyped"])
    with pytest.raises(SystemExit, match="2"):
        program("lowest_versions").main()
    assert capsys.readouterr().err == (
        "lowest_versions.py: unrecognized arguments: --mistyped; see --help\n"
    )


ENDING = """\"\"\"What it does.

    python -m pip install -e ".[more]" library     # in an environment of its own
\"\"\"
import sys
sys.path.append({scripts!r})
import common
{end}
"""


@pytest.mark.parametrize(
    ("end", "status", "said"),
    [
        ("raise KeyboardInterrupt", -signal.SIGINT, "it.py: interrupted\n"),
        (
            "import no_such_module",
            1,
            "it.py: No module named 'no_such_module': "
            'python -m pip install -e ".[more]" library\n',
        ),
        ("raise KeyError", 1, "Traceback (most recent call last):\n"),
    ],
)
def test_a_program_ends_in_one_line_where_the_user_knows_why(
    end: str, status: int, said: str, tmp_path: Path
) -> None:
    """Every program does; a fault of its own has the traceback."""
    texts = [file.read_text() for file in SCRIPTS.glob("*.py")]
    programs = [text for text in texts if "\n    main()" in text]
    assert len(programs) > 20
    assert all("\nimport common\n" in text for text in programs)
    (tmp_path / "it.py").write_text(ENDING.format(scripts=str(SCRIPTS), end=end))
    ended = subprocess.run([sys.executable, tmp_path / "it.py"], capture_output=True, text=True)
    assert ended.returncode == status
    assert ended.stderr.startswith(said)
    assert ended.stderr == said or end == "raise KeyError"


def test_no_program_takes_the_last_of_several_names() -> None:
    """`--only a --only b` is both."""
    options = {
        file.name: option
        for file in SCRIPTS.glob("*.py")
        for option in re.findall(r'"--only",.{100}', file.read_text(), re.DOTALL)
    }
    assert len(options) > 4
    last = {name for name, option in options.items() if "action=" not in option}
    assert not last


SLEEPERS = """
import sys, tempfile, time
sys.path.insert(0, {scripts!r})
from functools import partial
from pathlib import Path
import common

def work(seconds):
    with tempfile.TemporaryDirectory(dir={folder!r}) as place:
        Path(place, "open").touch()
        time.sleep(seconds)
    return seconds

if __name__ == "__main__":
    parser = common.Parser(prog="it.py")
    with parser.answering(goes_on=True):
        works = [partial(work, each) for each in (600, 0, 0, 600, 600, 600)]
        for found in common.in_processes(works, 2, in_order=False):
            print(found, flush=True)
"""


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_its_end_keeps_what_has_ended_and_waits_for_nothing(how: str, tmp_path: Path) -> None:
    """What the processes have open is closed; the result of the second comes before the first's."""
    (tmp_path / "it.py").write_text(SLEEPERS.format(scripts=str(SCRIPTS), folder=str(tmp_path)))
    with subprocess.Popen(
        [sys.executable, tmp_path / "it.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as program:  # fmt: skip
        assert program.stdout is not None
        assert [program.stdout.readline() for _ in range(2)] == ["0\n", "0\n"]
        wait_until(lambda: len([*tmp_path.glob("*/open")]) == 2)
        program.send_signal(getattr(signal, how))
        out, err = program.communicate(timeout=60)  # its processes hold the pipes as long
    said = (-signal.SIGINT, "", "it.py: interrupted; the same command goes on\n")
    assert (program.returncode, out, err) == (
        said if how == "SIGINT" else (-getattr(signal, how), "", err)
    )
    assert {each.name for each in tmp_path.iterdir()} <= {"it.py", "__pycache__"}
