"""Parts that installed packages bring: found by their names, listed, never loaded for others."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rl
from rl.agents import AGENTS, DQN
from rl.cli import main
from rl.errors import UserError
from rl.saved.run import Run
from rl.specification import packages
from rl.specification.build import build
from rl.specification.commented import commented
from rl.specification.specification import Specification, load_specification
from tests.rl.test_callback import SMALL

ROOT = Path(__file__).parents[2]
MODULE = """
from nn import Activation
from rl.agents import DQN
from rl.memory import Replay
from rl.preprocessors import Preprocessor

class Mine(DQN):
    pass

class Kept(Replay):
    pass

class Seen(Preprocessor):
    pass

class Bent(Activation):
    def forward(self, z, scratch): pass
    def backward(self, a, gradient, scratch): pass

def function(): pass
"""
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Makes a package that declares parts: `install("one", {"agents": {"Mine": "one:Mine"}})`."""
    before = {kind: dict(table) for kind, (table, _) in packages.KINDS.items()}
    monkeypatch.setattr(packages, "_loaded", {})
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    def make(package: str, parts: dict[str, dict[str, str]], module: str = MODULE) -> None:
        site, name = tmp_path / "site", package.replace("-", "_")
        about = site / f"{name}-1.2.dist-info"
        about.mkdir(parents=True)
        (site / f"{name}.py").write_text(module)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        groups = (
            f"[rl.{kind}]\n" + "".join(f"{key} = {value}\n" for key, value in names.items())
            for kind, names in parts.items()
        )
        (about / "entry_points.txt").write_text("\n".join(groups))
        importlib.invalidate_caches()

    yield make
    for kind, (table, _) in packages.KINDS.items():
        table.clear()
        table.update(before[kind])
    for name in ("one", "two"):
        sys.modules.pop(name, None)


def built(**blocks: Any) -> Any:
    given: Any = load_specification("cartpole_dqn").values
    return build(Specification("mine", "mine.yaml", {**given, **blocks}), seed=0)


def test_a_name_that_the_lab_has_not_is_looked_for_in_the_packages(install: Install) -> None:
    install("one", {"agents": {"Mine": "one:Mine"}, "preprocessors": {"Seen": "one:Seen"},
                    "replays": {"Kept": "one:Kept"},
                    "activations": {"bent": "one:Bent"}})  # fmt: skip
    made = built(agent={"name": "mine"}, preprocessor={"name": "Seen"}, memory={"name": "Kept"},
                 network={"activation": "bent"})  # fmt: skip
    assert type(made.agent).__name__ == "Mine"
    assert type(made.preprocessor).__name__ == "Seen"
    values = made.specification.values
    assert (values["agent"]["name"], values["network"]["activation"]) == ("Mine", "bent")
    assert packages.packages_in(values) == {"packages": {"one": "1.2"}}
    values.pop("search")
    assert "name: Kept" in commented("mine", values)


def test_a_run_that_needs_no_package_reads_nothing_of_them(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("one", {"agents": {"Mine": "one:Mine"}}, module="raise SystemExit(3)")
    monkeypatch.setattr("importlib.metadata.distributions", lambda: 1 / 0)
    made = built()
    assert type(made.agent) is DQN
    assert packages.packages_in(made.specification.values) == {}
    assert "one" not in sys.modules


@pytest.mark.parametrize(
    ("parts", "module", "said"),
    [
        ({"Mine": "one:Mine"}, "import nowhere", "package one 1.2: 'Mine' of its rl.agents cannot "
         r"be loaded \(one:Mine\): ModuleNotFoundError: No module named 'nowhere'"),
        ({"Mine": "one:Mine"}, "raise SystemExit(3)", "SystemExit: 3"),
        ({"Mine": "one:Mine"}, "def", "SyntaxError"),
        ({"Mine": "one:Yours"}, MODULE, "AttributeError: module 'one' has no attribute 'Yours'"),
        ({"Mine": "no module!"}, MODULE, "package one 1.2: 'Mine' of its rl.agents cannot be"),
        ({"Mine": "one:Seen"}, MODULE, r"must be a class derived from Agent \(one:Seen\)"),
        ({"Mine": "one:function"}, MODULE, "must be a class derived from Agent"),
        ({"Mime": "one:Mine"}, MODULE, "agent.name names an unknown agent 'Mine'; did you mean "
         "'Mime'"),
    ],
)  # fmt: skip
def test_a_broken_entry_point_is_one_line_that_names_the_package(
    parts: dict[str, str], module: str, said: str, install: Install
) -> None:
    install("one", {"agents": parts}, module)
    with pytest.raises(UserError, match=said) as raised:
        built(agent={"name": "Mine"})
    assert "\n" not in str(raised.value)
    assert "Mine" not in AGENTS


def test_a_name_that_two_packages_declare_is_refused(install: Install) -> None:
    for name in ("one", "two"):
        install(name, {"agents": {"Mine": f"{name}:Mine"}})
    said = r"'Mine' of rl.agents is declared by (one|two) 1.2 \(.*\) and .*: uninstall one of them"
    with pytest.raises(UserError, match=said):
        built(agent={"name": "Mine"})


def test_an_older_version_further_down_the_path_does_not_count(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("one", {"agents": {"Mine": "one:Mine"}})
    shutil.copytree(tmp_path / "site", tmp_path / "older")
    older = tmp_path / "older" / "one-1.2.dist-info" / "METADATA"
    older.write_text(older.read_text().replace("1.2", "1.1"))
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "older")])
    assert [each.version for each in packages.declared() if each.package == "one"] == ["1.2"]
    assert type(built(agent={"name": "Mine"}).agent).__name__ == "Mine"


@pytest.mark.parametrize("file", ["entry_points.txt", "METADATA"])
def test_a_damaged_package_is_said_and_hides_nothing(
    file: str, install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install("one", {"agents": {"Mine": "one:Mine"}})
    install("two", {"agents": {"Yours": "two:Mine"}})
    damaged = tmp_path / "site" / "two-1.2.dist-info" / file
    damaged.write_bytes(b"[rl.agents]\n\xff\xfe no equals sign\n")
    assert type(built(agent={"name": "Mine"}).agent).__name__ == "Mine"
    with pytest.raises(UserError, match="unknown agent 'DQM'; did you mean 'DQN'"):
        built(agent={"name": "DQM"})
    assert main(["list", "--parts"]) == 0
    assert f"{damaged.parent}: its entry points cannot be read" in capsys.readouterr().err


def test_all_parts_are_listed_with_where_they_come_from(
    install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """None is loaded for it, and what cannot be used is said."""
    install("one", {"agents": {"Mine": "one:Mine", "DQN": "one:DQN"}}, module="raise OSError")
    install("two", {"agents": {"Mine": "two:Mine"}, "schedules": {"slow": "two:slow"},
                    "agent": {"Lost": "two:Lost"}})  # fmt: skip
    (tmp_path / "parts_of_a_module.py").write_text(
        "from rl.preprocessors import PREPROCESSORS, Preprocessor\n"
        "class Local(Preprocessor): pass\n"
        "PREPROCESSORS['Local'] = Local\n"
    )
    spec = tmp_path / "mine.yaml"
    spec.write_text("mine: {import: parts_of_a_module, problem: CartPole-v1, agent: {name: DQN}}")
    assert main(["list", "--parts", "--spec", str(spec)]) == 0
    printed = capsys.readouterr()
    rows = [line.split(None, 2) for line in printed.out.splitlines()]
    for row in (
        ["agents", "DQN", "the lab"],
        ["preprocessors", "Local", "module parts_of_a_module"],
        ["schedules", "slow", "two 1.2 (two:slow)"],
        ["costs", "huber", "the lab"],
    ):
        assert row in rows
    assert "'DQN' of rl.agents is the lab's; that of one 1.2 (one:DQN) is not used" in printed.err
    assert "'Mine' of rl.agents is declared by" in printed.err
    assert (
        "two 1.2 (two:Lost): rl.agent is no group of parts; did you mean 'rl.agents'" in printed.err
    )
    assert main(["list", "--spec", str(spec)]) == 2


def test_a_module_does_not_replace_the_labs_own_parts(install: Install, tmp_path: Path) -> None:
    (tmp_path / "replaces_dqn.py").write_text(
        "from rl.agents import AGENTS, DQN\nAGENTS['DQN'] = type('DQN', (DQN,), {})\n"
    )
    values = load_specification("cartpole_dqn").values
    given = Specification("mine", "mine.yaml", {**values, "import": "replaces_dqn"},
                          folders=(str(tmp_path),))  # fmt: skip
    with pytest.raises(UserError, match="import replaces 'DQN' of the lab's agents: give it"):
        build(given, seed=0)
    assert AGENTS["DQN"] is DQN


def test_the_manifest_names_the_packages_and_who_reads_the_run_needs_them(
    install: Install, tmp_path: Path
) -> None:
    from rl.storage.manifest import differences

    install("one", {"agents": {"Mine": "one:Mine"}})
    overrides = {**SMALL, "agent.name": "Mine"}
    run = rl.train("cartpole_dqn", overrides=overrides, output=tmp_path / "run", draw=False)
    assert run.manifest["packages"] == {"one": "1.2"}
    assert not [line for line in differences(run.manifest) if line.startswith("one")]
    shutil.rmtree(tmp_path / "site" / "one-1.2.dist-info")
    assert "one none here, 1.2 there" in differences(run.manifest)
    said = "was trained with the package one 1.2, which is not installed: python -m pip install one"
    for use in (lambda: Run.open(run.path).player(), lambda: rl.resume(run.path)):
        with pytest.raises(UserError, match=said):
            use()


def test_a_part_of_a_package_needs_no_specification(
    install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install("one", {"agents": {"Mine": "one:Mine"}})
    assert main(["spec", "CartPole-v1", "--agent", "mine"]) == 0
    assert "name: Mine" in capsys.readouterr().out
    run = rl.train("Chain-v0", agent="Mine", steps=300, output=tmp_path / "run", draw=False,
                   overrides={"import": "tests.rl.worlds", "agent.learn_start": 100})  # fmt: skip
    assert run.manifest["packages"] == {"one": "1.2"}


@pytest.mark.slow
def test_the_example_package_is_installed_trained_and_verified(tmp_path: Path) -> None:
    """And goes through the contract suite like the lab's own parts."""
    shutil.copytree(ROOT / "docs/example_package", tmp_path / "source")
    site = tmp_path / "site"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}

    def python(*words: str, folder: Path = tmp_path) -> str:
        answer = subprocess.run([sys.executable, *words], cwd=folder, env=env,
                                capture_output=True, text=True)  # fmt: skip
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    python("-m", "pip", "install", "--no-deps", "--quiet", "--target",
           str(site), str(tmp_path / "source"))  # fmt: skip
    settings = ("agent.name=MellowDQN", "agent.omega=2", "preprocessor.name=Clip",
                "train.evaluate_every=500")  # fmt: skip
    python("-m", "rl", "run", "cartpole_dqn", "--set", *settings, "--steps", "1500", "--sessions",
           "2", "--jobs", "2", "--output", "run", "--no-report")  # fmt: skip
    assert "identical" in python("-m", "rl", "verify", "run", "--sessions", "1")
    listed = python("-m", "rl", "list", "--parts")
    assert "rl-example-parts 0.1.0 (rl_example_parts.clip:Clip)" in listed
    (tmp_path / "all_parts.py").write_text(
        "from rl.specification.packages import load_all\nload_all()\n"
    )
    env["PYTHONPATH"] += os.pathsep + str(tmp_path)
    said = python("-m", "pytest", "-p", "all_parts", "-n", "0", "-k", "MellowDQN or Clip",
                  "tests/contracts", folder=ROOT)  # fmt: skip
    assert " passed" in said or "[100%]" in said
