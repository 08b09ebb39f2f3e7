"""The project's own files: the version, the licence, the wheel, the workflow."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

import rl
from rl import distribution
from rl.cli import main
from rl.storage import machine
from tests.documents import run

ROOT = Path(__file__).parents[1]
PROJECT = (ROOT / "pyproject.toml").read_text()
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())
VERSION = distribution.__version__


def test_the_version_is_stated_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"rl {VERSION}\n"
    assert rl.__version__ == VERSION
    assert 'dynamic = ["version"]' in PROJECT
    assert not re.search(r"^version = [\"']", PROJECT, re.M)


def test_the_citation_and_the_changelog_know_the_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (VERSION, "MIT")
    assert re.search(rf"^## (?:Unreleased|{re.escape(VERSION)})", read("CHANGELOG.md"), re.M)


def read(name: str) -> str:
    return (ROOT / name).read_text()


def test_the_licence_is_an_expression_with_its_file() -> None:
    """Setuptools refuses the earlier form, a table and a classifier, from 2027 on (PEP 639)."""
    assert '\nlicense = "MIT"\nlicense-files = ["LICENSE"]\n' in PROJECT
    assert "License ::" not in PROJECT
    assert read("LICENSE").startswith("MIT License")


def test_the_workflow_runs_every_python_and_system_that_the_project_promises() -> None:
    matrix = WORKFLOW["jobs"]["quick"]["strategy"]["matrix"]
    assert matrix["python"] == re.findall(r"Python :: (3\.\d+)", PROJECT)
    assert matrix["python"][0] == re.findall(r'requires-python = ">=(.*)"', PROJECT)[0]
    assert {each.split("-")[0] for each in matrix["os"]} == {"ubuntu", "macos", "windows"}


def commands() -> list[str]:
    steps = (step for job in WORKFLOW["jobs"].values() for step in job["steps"])
    return [line for step in steps for line in str(step.get("run", "")).splitlines()]


@pytest.mark.parametrize("command", commands())
def test_the_workflow_names_what_is_there(command: str) -> None:
    extras = re.findall(r"^([\w-]+) = \[", PROJECT, re.M)
    for asked in re.findall(r"\.\[([\w,]+)\]", command):
        assert set(asked.split(",")) <= set(extras)
    for script in re.findall(r"scripts/\w+\.py", command):
        assert (ROOT / script).exists()


@pytest.mark.parametrize("form", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml")),
                         ids=lambda path: path.stem)  # fmt: skip
def test_an_issue_form_has_what_github_requires(form: Path) -> None:
    content: dict[str, Any] = yaml.safe_load(form.read_text())
    assert {"name", "description", "body"} <= content.keys()
    for field in content["body"]:
        assert field["type"] in ("markdown", "textarea", "input", "dropdown", "checkboxes")
        assert field["attributes"]["label"]
    ids = [field["id"] for field in content["body"]]
    assert len(set(ids)) == len(ids)


def test_commits_are_judged_by_the_tools_of_the_extra() -> None:
    hooks = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"][0]["hooks"]
    assert "mypy nn rl scripts tests" in [hook["entry"] for hook in hooks]
    for hook in hooks:
        assert f'"{hook["entry"].split()[0]}>=' in PROJECT


def shipped() -> set[str]:
    """What a wheel must contain: every file of the two packages."""
    files = (path for package in ("nn", "rl") for path in (ROOT / package).rglob("*"))
    return {path.relative_to(ROOT).as_posix() for path in files
            if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip


@pytest.mark.slow
def test_a_wheel_works_in_an_empty_environment(tmp_path: Path) -> None:
    """It is built from the source distribution, and used from a folder outside the checkout."""
    pytest.importorskip("build")
    source = tmp_path / "source"  # a copy, as a build leaves files behind
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*LEFT_OUT))
    command = [sys.executable, "-m", "build", "--outdir", str(tmp_path), str(source)]
    run(command, tmp_path)
    (wheel,), (archive,) = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    assert f"-{VERSION}-" in wheel.name
    assert archive.name.endswith(f"-{VERSION}.tar.gz")
    with zipfile.ZipFile(wheel) as content:
        names = {name for name in content.namelist() if ".dist-info/" not in name}
        metadata = content.read(next(n for n in content.namelist() if n.endswith("/METADATA")))
    assert names == shipped()
    assert b"License-Expression: MIT\n" in metadata
    rl_there = install(wheel, tmp_path / "empty")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for arguments in (
        ["--version"],
        ["list"],
        ["run", "cartpole_dqn", "--output", "r", *SMALL],
        ["run", "cartpole_dqn", "--output", "t", "--sessions", "2", *SMALL],
    ):
        run([*rl_there, *arguments], folder)
    assert "makeSortable" in (folder / "r/report.html").read_text()  # of a script in the wheel
    where = "import rl, nn; print(rl.__file__, nn.__file__, rl.__version__)"
    told = subprocess.run([rl_there[0], "-c", where], check=True, capture_output=True, cwd=folder)
    *files, version = told.stdout.decode().split()
    assert version == VERSION
    assert all(file.startswith(str(tmp_path)) for file in files)


LEFT_OUT = (".git", "*.egg-info", "__pycache__", ".*_cache", "tests", "docs", "build", "runs")
SMALL = ("--steps", "600", "--set", "train.evaluate_every=300", "agent.learn_start=64")


def install(wheel: Path, place: Path) -> list[str]:
    """The command `rl` of an environment that has the wheel and, of this one, the dependencies."""
    venv.create(place, with_pip=True)
    bin_ = place / ("Scripts" if os.name == "nt" else "bin")
    python = str(bin_ / "python")
    run([python, "-m", "pip", "install", "-q", "--no-deps", str(wheel)], place)
    (site,) = (path for path in place.rglob("site-packages"))
    ours = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (site / "dependencies.pth").write_text("\n".join(ours))  # without an editable installation
    return [python, str(bin_ / "rl")]


def test_the_manifest_names_the_version() -> None:
    assert machine.installed(distribution.DISTRIBUTION) in (None, VERSION)
