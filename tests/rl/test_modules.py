"""The module that `import` names is found, remembered, and answered for in one line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import pytest

from rl.cli import main
from rl.errors import UserError
from rl.specification.environment import module_files
from rl.specification.modules import import_module
from rl.specification.specification import load_specification
from tests.rl.conftest import Command

ENVIRONMENT = """
import gymnasium
import numpy as np
import {helper}


class Mine(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {{}}

    def step(self, action):
        return np.zeros(2, np.float32), {helper}.REWARD, False, False, {{}}


gymnasium.register("Mine-v0", Mine, max_episode_steps=10)
"""
SPECIFICATION = """\
mine:
  import: {module}
  problem: Mine-v0
  agent: {{name: DQN, learn_start: 64}}
  memory: {{capacity: 1e3, batch_size: 32}}
  train: {{steps: 2e2, evaluate_every: 1e2, evaluate_episodes: 1}}
"""


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What a test imports is not there for the next."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith(("mine", "typed", "pack")):
            del sys.modules[name]
    gymnasium.registry.pop("Mine-v0", None)


def a_world(folder: Path, module: str = "mine_beside") -> Path:
    """A folder with a specification, its module and what that imports."""
    folder.mkdir()
    (folder / f"{module}.py").write_text(ENVIRONMENT.format(helper=f"{module}_helper"))
    (folder / f"{module}_helper.py").write_text("REWARD = 1.0")
    (folder / "random.py").write_text("raise RuntimeError('Python has one')")
    (folder / "mine.yaml").write_text(SPECIFICATION.format(module=module))
    return folder


@pytest.mark.slow
def test_a_run_from_elsewhere_to_the_end(tmp_path: Path) -> None:
    """Of the command `rl`, whose folder Python looks in instead of the working folder."""
    world, other = a_world(tmp_path / "world"), tmp_path / "other"
    other.mkdir()
    command = [sys.executable, "-c", "import sys; sys.path.remove(''); from rl.cli import main; "
               "sys.exit(main())"]  # fmt: skip

    def rl(*arguments: object, folder: Path = other) -> subprocess.CompletedProcess[str]:
        answer = subprocess.run(
            [*command, *map(str, arguments)], cwd=folder, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}, timeout=120,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr
        return answer

    run = tmp_path / "run"
    rl("run", "mine", "--spec", world / "mine.yaml", "--sessions", 2, "--jobs", 2,
       "--output", run, "--no-report", "--quiet")  # fmt: skip
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["import_folder"] == str(world)
    shutil.rmtree(run / "trial_000/session_001")
    rl("resume", run, "--no-report", "--quiet")
    assert "identical" in rl("verify", run, "--evaluation").stdout
    assert "identical" in rl("verify", run, "--sessions", 1, "--quiet").stdout
    rl("evaluate", run, "--episodes", 1, folder=tmp_path)
    rl("run", "mine", "--spec", run / "spec.yaml", "--no-report", "--quiet")


@pytest.mark.parametrize("folder", ["world", "elsewhere"])
def test_it_is_found_beside_the_specification_and_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    world, elsewhere = a_world(tmp_path / "world", "mine_" + folder), tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    if folder == "elsewhere":
        for file in world.glob("mine_*.py"):
            file.rename(elsewhere / file.name)
    arguments = ["--steps=1e2", "--quiet", "--no-report", "--output=r"]
    assert main(["run", "mine", "--spec", str(world / "mine.yaml"), *arguments]) == 0
    manifest = json.loads(Path("r/manifest.json").read_text())
    assert manifest["import_folder"] == str(tmp_path / folder)


CODES = [
    ("import typed_nowhere", "(ModuleNotFoundError: No module named 'typed_nowhere'), at {}:1"),
    ("\nfrom math import sinus", "(ImportError: cannot import name 'sinus' from 'math'"),
    ("x = 1\nif x\n", "(SyntaxError: expected ':'), at {}:2"),
    ("def f():\nx", "(IndentationError: expected an indented block after function definition"),
    ("\n\n1 / 0", "(ZeroDivisionError: division by zero), at {}:3"),
    ("import json\njson.loads('{')", "at {}:2"),
    ("raise SystemExit(3)", "(SystemExit: 3), at {}:1"),
    ("import sys\nsys.exit()", "(SystemExit: ), at {}:2"),
    ("raise RuntimeError('two\\nlines')", "(RuntimeError: two lines), at {}:1"),
    ("from typed_half import it", "(ImportError: cannot import name 'it' from 'typed_half'"),
    ("x = '\x00'", "null byte"),
]


@pytest.mark.parametrize(("code", "said"), CODES, ids=[code for code, _ in CODES])
def test_an_import_that_fails_says_the_error_and_the_line(
    tmp_path: Path, code: str, said: str
) -> None:
    file = tmp_path / "typed_broken.py"
    file.write_text(code)
    (tmp_path / "typed_half.py").write_text("")
    with pytest.raises(UserError) as caught:
        import_module("typed_broken", [tmp_path])
    message = str(caught.value)
    assert message.startswith("names 'typed_broken', which fails as it is imported (")
    assert said.format(file) in message
    assert "pip install" not in message
    assert "typed_broken" not in sys.modules
    file.write_text("")
    os.utime(file, (1, 1))  # not the time of the file that was compiled
    assert import_module("typed_broken", [tmp_path]) == tmp_path


def test_packages_and_folders_without_an_init(tmp_path: Path) -> None:
    for path in ("packed/__init__.py", "packed/inner.py", "packed_loose/inner.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("")
    for name in ("packed", "packed.inner", "packed_loose.inner"):
        assert import_module(name, [tmp_path]) == tmp_path
    with pytest.raises(UserError, match="but packed has no module 'outer'"):
        import_module("packed.outer", [tmp_path])
    assert import_module("gymnasium", [tmp_path]) is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("typed_envs", "; did you mean 'typed_env'?"),
        ("Typed_Env", "; did you mean 'typed_env'?"),
        ("typed_pakage", "; did you mean 'typed_package'?"),
        ("nowhere_at_all", "; put nowhere_at_all.py there, or the package: python -m pip install"),
    ],
)
def test_a_name_that_is_nowhere(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "typed_env.py").write_text("")
    (tmp_path / "typed_package").mkdir()
    (tmp_path / "typed_package/__init__.py").write_text("")
    with pytest.raises(UserError) as caught:
        import_module(name, [tmp_path])
    assert f"names {name!r}, which is not installed, nor in {tmp_path}{said}" in str(caught.value)
    assert ("pip" in str(caught.value)) == (name == "nowhere_at_all")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("typed_env.py", "typed_env"), ("./typed_env.py", "typed_env"),
        ("packed/inner.py", "packed.inner"), ("packed\\inner.py", "packed.inner"),
        ("packed.inner.py", "packed.inner"), ("typed_env:Mine-v0", "typed_env"),
        ("typed-env", "typed_env"), ("/home/me/typed_env.py", "typed_env"),
        ("C:\\me\\typed_env.py", "typed_env"), ("~/typed_env.py", "typed_env"),
        (".typed_env", "typed_env"), ("typed env", "typed_env"),
        ("a..b", None), ("", None), ("1st", None),
    ],
)  # fmt: skip
def test_what_is_no_name_of_a_module(tmp_path: Path, name: str, meant: str | None) -> None:
    with pytest.raises(UserError) as caught:
        import_module(name, [tmp_path])
    said = f"must be the name of a package, not {name!r}"
    assert str(caught.value) == (f"{said}; write {meant!r}" if meant else said)


@pytest.mark.parametrize("name", ["random", "queue", "numpy", "rl", "nn"])
def test_a_file_with_the_name_of_a_package_that_is_needed(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text("raise RuntimeError")
    with pytest.raises(UserError, match=f"rename {tmp_path}/{name}.py, and import that"):
        import_module(name, [tmp_path])


def test_two_modules_of_one_name_are_not_mixed_up(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "typed_twice.py").write_text("")
    assert import_module(" typed_twice ", [tmp_path / "a"]) == tmp_path / "a"
    assert import_module("typed_twice", [tmp_path / "a", tmp_path / "b"]) == tmp_path / "a"
    with pytest.raises(UserError, match=f"rename {tmp_path}/b/typed_twice.py"):
        import_module("typed_twice", [tmp_path / "b"])


def test_doctor_finds_it_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rl: Command
) -> None:
    (tmp_path / "mine_doctor.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "--env", "Mine-v0", "--import", "mine_doctor"]) == 2


def test_the_files_that_go_to_other_machines_are_those_beside_the_specification(
    tmp_path: Path,
) -> None:
    """A module, the one that it imports itself, and a package; none that is installed."""
    (tmp_path / "mine_helper.py").write_text("REWARD = 1.0\n")
    (tmp_path / "mine_unused.py").write_text("")
    package = tmp_path / "mine_package"
    package.mkdir()
    (package / "__init__.py").write_text("import mine_helper\n")
    (package / "world.py").write_text(ENVIRONMENT.format(helper="mine_helper"))
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPECIFICATION.format(module="mine_package.world"))
    found = module_files(load_specification("mine", spec))
    assert found == [package, tmp_path / "mine_helper.py"]
    assert module_files(load_specification("cartpole_dqn")) == []
