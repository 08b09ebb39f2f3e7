"""Every direct dependency has a lowest version, with which .ci/run tests."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]
lowest = runpy.run_path(str(ROOT / "scripts/lowest_versions.py"))["lowest"]
REQUIREMENT = r'"([\w-]+)(?:\[[\w,]*\])?([<>=!~][^"]*)?"[,\]\n]'


def test_the_lowest_versions_are_those_of_the_project() -> None:
    text = """[build-system]
requires = ["setuptools>=68"]
[project]
dependencies = [
    "numpy>=2.0",
    "gymnasium[box2d]>=1.3",
]
test = ["pytest>=8", "mine[search,video]", "pandas>=2,<3", "types-PyYAML"]
peers = ["pytest>=8"]
"""
    assert lowest(text) == ["gymnasium==1.3", "numpy==2.0", "pandas==2", "pytest==8"]


def test_every_dependency_has_one() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    (own,) = re.findall(r'^name = "(.*)"$', text, re.M)
    lists = text.partition("\ndependencies = ")[2].partition("[project.scripts]")[0]
    found = {name for name, _ in re.findall(REQUIREMENT, lists)} - {own}
    assert {"numpy", "gymnasium", "optuna", "flask", "wandb", "pandas"} <= found
    bounded = {line.partition("==")[0] for line in lowest(text)}
    assert {name for name in found if not name.startswith("types-")} == bounded
