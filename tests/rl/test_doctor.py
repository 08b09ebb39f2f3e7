"""What `rl doctor` finds, of an installation and of an environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rl.checks import doctor
from rl.checks.doctor import Finding, examine_installation
from rl.checks.environment_check import examine_environment
from rl.cli import main
from rl.environments import rules
from rl.errors import UserError
from rl.storage import machine
from tests.rl import gates, worlds
from tests.rl.conftest import Command, quick

assert worlds, gates  # which register their environments


def failing(findings: list[Finding]) -> list[str]:
    return [finding.name for finding in findings if finding.fails]


def test_a_sound_installation(rl: Command) -> None:
    answer = rl("doctor")
    assert (answer.returncode, answer.stderr) == (0, "")
    lines = answer.stdout.splitlines()
    named = {line.split()[1]: line.split()[0] for line in lines[:-1]}
    for name in ("Python", "numpy", "gymnasium", "Box2D", "BLAS", "runs", "[test]"):
        assert named[name] == "ok"
    assert named["display"] == "missing"  # which is no reason to fail
    assert "make a file instead" in answer.stdout
    assert lines[-1] == "the installation: all is well"


def test_a_missing_package_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "installed", lambda *names: None if "rich" in names else "1.0")
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "missing  rich                 python -m pip install rich\n" in said
    assert said.endswith("the installation: 1 to be fixed\n")


# Each package by the module that it brings, missing as `import` sees it.
WITHOUT = """
import sys
sys.modules[{module!r}] = None
from rl.cli import main
raise SystemExit(main(["doctor"]))
"""


@pytest.mark.parametrize(
    "module",
    quick(1, ["threadpoolctl", "matplotlib", "rich", "yaml", "filelock", "PIL", "jinja2", "optuna",
              "flask", "pygame", "Box2D"]),
)  # fmt: skip
def test_a_package_that_cannot_be_imported_costs_no_other_finding(module: str) -> None:
    command = [sys.executable, "-c", WITHOUT.format(module=module)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in answer.stderr
    said = answer.stdout or answer.stderr
    assert said.splitlines()[-1].startswith(("the installation: ", "rl: "))


@pytest.mark.slow
def test_without_a_package_that_it_needs_a_verb_says_one_line(tmp_path: Path, rl: Command) -> None:
    (tmp_path / "before" / "gymnasium").mkdir(parents=True)
    text = "raise ModuleNotFoundError(\"No module named 'gymnasium'\", name='gymnasium')"
    (tmp_path / "before" / "gymnasium" / "__init__.py").write_text(text)
    path = os.pathsep.join([str(tmp_path / "before"), str(Path(__file__).parents[2])])
    for verb in (("run", "cartpole_dqn"), ("list",), ("evaluate", "x"), ("film", "x")):
        answer = rl(*verb, PYTHONPATH=path)
        assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (2, "", 1)
        assert "the package gymnasium is missing" in answer.stderr


@pytest.mark.parametrize("error", [KeyError("Version"), ValueError("a name"), OSError("I/O"), None])
def test_damaged_metadata_is_a_package_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    monkeypatch.setattr(machine, "version", lambda name: worlds.give(error) if error else None)
    assert machine.installed("numpy") is None


def test_whatever_breaks_a_finding_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "blas", lambda: worlds.give(RuntimeError("no kernel")))
    (found,) = (each for each in examine_installation() if each.name == "BLAS")
    assert (found.status, found.fails) == ("problem", True)
    assert "RuntimeError: no kernel" in found.said


def test_without_an_extra_the_core_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "installed", lambda *names: None if "optuna" in names else "1.0")
    findings = list(examine_installation())
    assert failing(findings) == []
    (search,) = (finding for finding in findings if finding.name == "[search]")
    assert search.status == "missing"
    assert 'no optuna; python -m pip install "reinforcement-by-hand[search]"' in search.said


def test_every_extra_has_a_purpose() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    extras = project.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    assert set(doctor.PURPOSES) == set(re.findall(r"^([\w-]+) = ", extras, re.M))


@pytest.mark.parametrize(
    ("error", "status"),
    [(UserError("needs a package that is missing"), "missing"), (ImportError("libX"), "problem")],
)
def test_a_box2d_that_does_not_step(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: str
) -> None:
    monkeypatch.setattr("rl.environments.make_env", lambda id: worlds.give(error))
    (found,) = (finding for finding in examine_installation() if finding.name == "Box2D")
    assert found.status == status
    assert found.fails
    assert 'python -m pip install "gymnasium[box2d]"' in found.said


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for runs, status in ((tmp_path / "file" / "runs", "problem"), (tmp_path / "runs", "ok")):
        monkeypatch.setattr(doctor, "RUNS", runs)
        assert list(examine_installation())[-1].status == status
    monkeypatch.setattr(doctor, "ENOUGH_DISK", 1e18)
    assert "make room" in list(examine_installation())[-1].said


@pytest.mark.parametrize(
    "id", ["CartPole-v1", "Pendulum-v1", "LunarLander-v3", "FrozenLake-v1", "Chain-v0", "Pushed-v0",
           "Pictured-v0"]
)  # fmt: skip
def test_a_good_environment(id: str) -> None:
    findings = list(examine_environment(id))
    assert failing(findings) == []
    named = [finding.name for finding in findings if finding.status == "ok"]
    assert named[-5:] == ["rules", "options", "ends", "repeats itself", "repeats itself"]


BROKEN = [
    ("Raising-v0", ["rules"], "step raised ZeroDivisionError: nothing left"),
    ("Unpaid-v0", ["rules"], "a reward must be a number, but is None, at step 3"),
    ("Misshapen-v0", ["Gymnasium's check", "rules"], "must have the shape [1], not [2]"),
    (
        "Moody-v0",
        ["Gymnasium's check", "repeats itself", "repeats itself"],
        "cannot be resumed to the bit",
    ),
    ("Endless-v0", ["rules"], "an episode must end"),
    ("Odd-made-v0", ["is made"], "its constructor raised RuntimeError: no licence"),
    ("Odd-no-space-v0", ["Gymnasium's check", "spaces"], "must have an observation_space"),
    ("Odd-no-actions-v0", ["Gymnasium's check", "spaces"], "must have an action_space"),
    ("Odd-grows-v0", ["Gymnasium's check", "rules"], "its observation_space must stay Box"),
    ("Odd-reset-info-v0", ["Gymnasium's check", "rules"], "info, which reset gives, must be a"),
    ("Odd-terminated-v0", ["rules"], "terminated must be true or false"),
    ("Odd-truncated-v0", ["Gymnasium's check", "rules"], "truncated must be true or false"),
    ("Odd-info-v0", ["Gymnasium's check", "rules"], "info, which step gives, must be a"),
    ("Odd-object-v0", ["rules"], "an observation must be made of numbers"),
    ("Odd-reward-v0", ["rules"], "a reward must be a number"),
    ("Odd-close-v0", ["Gymnasium's check", "close"], "close raised OSError: port in use"),
    ("Bare-v0", ["Gymnasium's check", "rules"], "reset must take the keywords seed and options"),
    (
        "Worn-v0",
        ["Gymnasium's check", "repeats itself", "repeats itself"],
        "cannot be resumed to the bit",
    ),
]


@pytest.mark.parametrize(("id", "names", "said"), BROKEN)
def test_a_broken_environment(
    id: str, names: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "ENDLESS", 100)
    findings = list(examine_environment(id))
    assert failing(findings) == names
    assert any(said in finding.said for finding in findings if finding.fails)


@pytest.mark.parametrize(
    ("id", "said"),
    [("Odd-outside-v0", "some lie outside of observation_space"),
     ("Odd-buffer-v0", "the same array is given again and again"),
     ("Odd-no-options-v0", "an evaluation does without {'evaluation': True}"),
     ("Worn-v0", "made anew for each episode it does: train.renew_environment")],
)  # fmt: skip
def test_what_the_lab_can_live_with_is_a_note(id: str, said: str) -> None:
    notes = [each for each in examine_environment(id) if each.status == "note"]
    assert any(said in note.said for note in notes)


def test_what_gymnasium_warns_of_is_a_line_without_colours() -> None:
    notes = [each for each in examine_environment("Pushed-v0") if each.status == "note"]
    assert any("observation space minimum value is -infinity" in note.said for note in notes)
    assert "\x1b" not in "".join(map(str, notes))


def test_the_verdict_of_an_environment(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor", "--env", "Chain-v0", "--import", "tests.rl.worlds"]) == 0
    assert capsys.readouterr().out.endswith("\nChain-v0: all is well\n")
    assert main(["doctor", "--env", "Unpaid-v0"]) == 1
    assert capsys.readouterr().out.endswith("\nUnpaid-v0: 1 to be fixed\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--env", "CartPol-v1"], "did you mean 'CartPole-v1'"),
        (["--env", "X-v0", "--import", "nowhere"], "--import names 'nowhere', which is not inst"),
        (["--import", "nowhere"], "add --env ID"),
    ],
)
def test_a_wrong_question(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", *arguments]) == 2
    assert said in capsys.readouterr().err
