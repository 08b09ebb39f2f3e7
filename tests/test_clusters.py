"""The scripts for schedulers in docs/clusters.md, run as the tasks of an array."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import RL, ROOT, SHORT, blocks

SCRIPTS = {
    block.file: block.text
    for block in blocks((ROOT / "docs/clusters.md").read_text())
    if block.file and block.text.startswith("#!")
}
INDEX = {"seeds.sh": "SLURM_ARRAY_TASK_ID", "seeds.pbs": "PBS_ARRAY_INDEX"}
OPTIONS = ("--set", "--only-session", "--sessions", "--output")
ECHO = '#!/bin/bash\necho "$@"\n'


def make_task(folder: Path, script: str, rl: str) -> None:
    """Writes a job script, and the command `rl` that it finds."""
    (folder / "bin").mkdir()
    (folder / "bin/rl").write_text(rl)
    (folder / "bin/rl").chmod(0o755)
    (folder / script).write_text(SCRIPTS[script])


def begin(folder: Path, script: str, number: int) -> subprocess.Popen[str]:
    """A task as the scheduler begins it: the script, with its number in the environment."""
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    variables = {INDEX[script]: str(number), "PBS_O_WORKDIR": str(folder), "PATH": path}
    return subprocess.Popen(
        ["bash", script], cwd=folder, env={**os.environ, **variables}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_each_scheduler_has_its_script() -> None:
    assert SCRIPTS.keys() == INDEX.keys()


@pytest.mark.parametrize("script", INDEX)
def test_the_tasks_of_an_array_are_100_sessions_of_each_of_5_settings(
    script: str, tmp_path: Path
) -> None:
    assert "0-499\n" in SCRIPTS[script]
    make_task(tmp_path, script, ECHO)
    said = {}
    for number in (0, 1, 99, 100, 250, 399, 400, 499):
        answer, _ = begin(tmp_path, script, number).communicate(timeout=300)
        words = answer.split()
        said[number] = [words[words.index(each) + 1] for each in OPTIONS]
    gammas = {0: "0.9", 1: "0.9", 99: "0.9", 100: "0.95", 250: "0.98", 399: "0.99",
              400: "0.995", 499: "0.995"}  # fmt: skip
    assert said == {
        number: [f"agent.gamma={gamma}", str(number % 100), "100", f"runs/gamma_{gamma}"]
        for number, gamma in gammas.items()
    }


@pytest.mark.slow
def test_tasks_that_run_at_once_fill_one_folder_a_setting(tmp_path: Path) -> None:
    """Two settings of two sessions, in place of five of a hundred, begun at once and again."""
    command = " ".join([sys.executable, "-c", shlex.quote(RL), '"$@"', *SHORT])
    make_task(tmp_path, "seeds.sh", f"#!/bin/bash\nexport PYTHONPATH={ROOT}\nexec {command}\n")
    text = (tmp_path / "seeds.sh").read_text().replace("100", "2")
    (tmp_path / "seeds.sh").write_text(text)
    for _ in range(2):
        tasks = [begin(tmp_path, "seeds.sh", number) for number in (3, 0, 2, 1)]
        said = [task.communicate(timeout=300)[0] for task in tasks]
        assert [task.returncode for task in tasks] == [0] * 4, said
    for gamma in (0.9, 0.95):
        figures = json.loads((tmp_path / f"runs/gamma_{gamma}/trial_000/trial.json").read_text())
        assert (figures["planned"], figures["counted"]) == (2, 2)
        manifest = json.loads((tmp_path / f"runs/gamma_{gamma}/manifest.json").read_text())
        assert manifest["specification"]["agent"]["gamma"] == gamma
