"""A file in the working folder with the name of a module that is needed is named, in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.rl.conftest import Command, quick

FILES = [
    ("nn.py", ""), ("nn.py", "x ="), ("nn.py", "raise RuntimeError"), ("nn/__init__.py", ""),
    ("numpy.py", ""), ("numpy.py", "import gymnasium"), ("gymnasium.py", ""), ("yaml.py", ""),
    ("secrets.py", "from random import nothing_of_this_name"), ("dataclasses.py", "1 / 0"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"), quick(4, FILES), ids=[f"{name}: {text}" for name, text in FILES]
)
def test_a_file_that_hides_a_module(rl: Command, tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    (tmp_path / "x.yaml").write_text("x: {problem: CartPole-v1, agent: {name: DQN}}")
    verb, module = ([], "rl.run") if name == "nn/__init__.py" else (["run"], "rl")
    answer = rl(*verb, "x", "--spec", "x.yaml", module=module)
    hidden = name.partition("/")[0].removesuffix(".py")
    assert answer.stderr == (
        f"rl: {file} hides the module {hidden!r}, which the lab needs; give it another name\n"
    )
    assert answer.returncode == 2


def test_what_hides_nothing_that_is_needed_is_left_alone(rl: Command, tmp_path: Path) -> None:
    for name in ("test.py", "code.py", "train.py", "cgi.py", "rl.yaml"):
        (tmp_path / name).write_text("1 / 0")
    answer = rl("list")
    assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python looks in the working folder first")
def test_workers_of_rl_do_not_look_in_the_working_folder(tmp_path: Path) -> None:
    for name in ("socket.py", "types.py", "selectors.py", "random.py", "numpy.py"):
        (tmp_path / name).write_text("1 / 0")
    program = (
        "import os, sys; from rl.running.executors import _one_thread_each as each\n"
        "import subprocess\n"
        "with each():\n"
        "    code = 'import socket, os, rl.running.executors as e'\n"
        "    code += '; print([os.environ.get(name) for name in e.SAFE_PATH])'\n"
        "    sys.exit(subprocess.run([sys.executable, '-c', code], cwd=sys.argv[1]).returncode)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, timeout=60
    )
    assert (answer.returncode, answer.stdout) == (0, "[None]\n"), answer.stderr


def test_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    """Also where the command that was called is a file `rl`, as it always is."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "rl").write_text(
        "import sys; sys.path.pop(0); import rl.cli, rl.verbs.look as look\n"
        "sys.path.insert(0, sys.argv[0].removesuffix('/rl'))\n"
        "rl.verbs.look.list_experiments = lambda options: 1 / 0\n"
        "import sys; sys.exit(rl.cli.main(['list']))"
    )
    (tmp_path / "code.py").write_text("")
    answer = subprocess.run(
        [sys.executable, tmp_path / "bin" / "rl"], cwd=tmp_path, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert "ZeroDivisionError" in answer.stderr
    assert "hides" not in answer.stderr


def test_a_program_gets_an_import_error(tmp_path: Path) -> None:
    (tmp_path / "nn.py").write_text("")
    (tmp_path / "program.py").write_text(
        "import rl\ntry:\n    rl.train\nexcept ImportError as e:\n    print(e)"
    )
    answer = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert answer.stdout.startswith(f"{tmp_path}/nn.py hides the module 'nn'")
