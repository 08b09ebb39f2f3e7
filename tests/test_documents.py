"""The commands and the code in the documents do what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SETUP = ("python -m pip install",)  # these two are run by the continuous integration


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(text: str) -> list[str]:
    lines = "\n".join(blocks(text, "bash")).splitlines()
    return [line.split("  #")[0].strip() for line in lines if not line.startswith(SETUP)]


def run(command: list[str], folder: Path) -> None:
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280)
    assert answer.returncode == 0, (command, answer.stderr)


def test_the_two_commands_stand_at_the_top() -> None:
    first, second = blocks(README, "bash")[0].splitlines()
    assert first == "python -m pip install -e . && python -m rl.run lunarlander_dqn"
    assert second == 'python -m pip install -e ".[test]" && python -m pytest'
    assert README.index(first) < 60


def test_the_readmes_commands_run(tmp_path: Path) -> None:
    found = [command for command in commands(README) if command.startswith("rl ")]
    assert len(found) >= 5
    for command in found:
        run([sys.executable, "-m", *command.split()], tmp_path)


@pytest.mark.parametrize("number", range(len(blocks(README, "python"))))
def test_the_readmes_code_runs(tmp_path: Path, number: int) -> None:
    run([sys.executable, "-c", blocks(README, "python")[number]], tmp_path)


def test_the_readmes_network_learns() -> None:
    (code,) = (each for each in blocks(README, "python") if "import nn" in each)
    names: dict[str, Any] = {}
    exec(code.replace('net.save("disc.npz")', ""), names)
    assert names["net"].accuracy(names["x"], names["y"]) > 0.97


def test_the_readme_names_every_part() -> None:
    import nn
    from rl.experiment import build

    tables: tuple[Mapping[str, Any], ...] = (
        nn.ACTIVATIONS, nn.COSTS, nn.INITIALIZERS, nn.BIAS_INITIALIZERS, nn.OPTIMIZERS,
        nn.SCHEDULES, build.AGENTS, build.REPLAYS, build.ROLLOUTS, build.PREPROCESSORS,
        *build.EXPLORERS.values(),
    )  # fmt: skip
    for name in (name for table in tables for name in table):
        assert re.search(rf"\b{name}\b", README), name


def test_the_readmes_specification_is_one(tmp_path: Path) -> None:
    (specification,) = blocks(README, "yaml")
    (tmp_path / "mine.yaml").write_text(specification)
    name = specification.split(":")[0]
    run([sys.executable, "-m", "rl", "run", name, "--spec", "mine.yaml", "--steps", "1500",
         "--quiet", "--no-report"], tmp_path)  # fmt: skip


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "scripts").glob("*.py")))
def test_every_script_says_how_it_is_used(script: str) -> None:
    answer = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / script), "--help"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert f"usage: {script}" in answer.stdout


def test_links_lead_somewhere() -> None:
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def extensions() -> str:
    """The program of docs/extending.md."""
    return "\n".join(blocks((ROOT / "docs/extending.md").read_text(), "python"))


def test_the_extensions_work(tmp_path: Path) -> None:
    checks = """
assert gradient_error(net, x, y) < 1e-6
assert nn.load("surface.npz").cost(x, y) == net.cost(x, y) < 0.01
assert nn.NeuralNet((2, 1), seed=0).cost(x, y) > 0.05
"""
    run([sys.executable, "-c", extensions() + checks], tmp_path)


def test_the_gradient_checks_cover_an_extension_without_another_line(tmp_path: Path) -> None:
    """The tests run in a process in which the tables hold the new parts."""
    parts, _ = extensions().split("from nn.gradient_check")
    program = f"""{parts}
import pytest
path = r"{ROOT / "tests/nn/test_gradient_check.py"}"
which = ["-k", "softsign or log_cosh"]
raise SystemExit(pytest.main([path, *which, "-p", "no:cacheprovider", "-n", "0"]))
"""
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=280
    )
    assert answer.returncode == 0, answer.stdout
    assert "passed" in answer.stdout
    wrong = program.replace("np.square(slope, out=slope)", "pass")
    answer = subprocess.run(
        [sys.executable, "-c", wrong], cwd=ROOT, capture_output=True, text=True, timeout=280
    )
    assert "failed" in answer.stdout
