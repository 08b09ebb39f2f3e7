"""Whatever says what to install names this project, or a package that it knows by name."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from rl.checks import doctor
from rl.distribution import DISTRIBUTION, FORMER, installing
from rl.storage import machine
from rl.storage.manifest import differences, make_manifest

ROOT = Path(__file__).parents[2]
PROJECT = (ROOT / "pyproject.toml").read_text()
SAYING = [
    path
    for pattern in ("*.md", ".ci/run", "docs/*.md", "scripts/*.py", "rl/**/*", "nn/**/*")
    for path in ROOT.glob(pattern)
    if path.suffix in (".md", ".py", ".html", ".js", "")  # what is written by hand
    and path.is_file()
]
# Which the scripts measure beside the lab, and what these need for it.
COMPARED = {
    "stable-baselines3",
    "opencv-python-headless",
    "sbx-rl",
    "jax",
    "scikit-learn",
}


def names(requirements: str) -> set[str]:
    """The packages of a command's or a file's requirements."""
    return set(re.findall(r"""(?:^|[\s"'])([A-Za-z][\w.-]*)""", requirements))


def test_everything_installs_this_project_or_what_it_depends_on() -> None:
    lists = re.findall(r"^(?:dependencies|[\w-]+) = \[(.*?)\]$", PROJECT, re.S | re.M)
    known = {DISTRIBUTION, *COMPARED, *(name for each in lists for name in names(each))}
    commands = 0
    for path in SAYING:
        for command in re.findall(r"pip install ([^#`&\n]+)", path.read_text()):
            packages = re.match(r"""(?:-[qe] |"?\.\S*|"?[A-Za-z][^\s"]*"?| )*""", command)
            assert packages is not None
            asked = names(packages[0])
            assert asked <= known, f"{path}: {command}"
            commands += 1
    assert commands > 20


def test_the_former_name_is_a_strangers() -> None:
    for path in [*SAYING, ROOT / "pyproject.toml"]:
        assert f"{FORMER}[" not in path.read_text(), path


def test_the_project_has_the_name() -> None:
    assert f'\nname = "{DISTRIBUTION}"\n' in PROJECT
    assert f'"{DISTRIBUTION}[search,video,dashboard,completion]"' in PROJECT
    assert installing("video") == f'python -m pip install "{DISTRIBUTION}[video]"'


def test_without_metadata_the_lab_works_from_its_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(machine, "version", missing)
    monkeypatch.setattr(doctor, "requires", missing)
    assert make_manifest("x", [1], ["rl"])["versions"][DISTRIBUTION] is None
    finding = next(iter(doctor._packages()))
    assert (finding.name, finding.said) == (DISTRIBUTION, "python -m pip install -e .")


def test_a_run_of_the_former_name_is_compared() -> None:
    older = {"versions": {FORMER: "0.0.1"}}
    here = machine.installed(DISTRIBUTION) or "none"
    assert differences(older) == [f"{DISTRIBUTION} {here} here, 0.0.1 there"]
