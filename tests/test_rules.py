"""Who may import whom."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"matplotlib", "PIL", "rich", "yaml", "threadpoolctl", "optuna", "ray", "filelock",
         "onnx", "tensorboard", "wandb", "pygame", "imageio", "jinja2", "markupsafe",
         "flask", "werkzeug", "waitress"}  # fmt: skip
LEAVES = ("rl.targets", "rl.exploration", "rl.memory", "rl.preprocessors")


def modules(package: str) -> list[str]:
    files = sorted((ROOT / package).rglob("*.py"))
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    return [name.removesuffix(".__init__") for name in names]


def imports(module: str, at_import_only: bool = False) -> Iterator[str]:
    """The modules that `module` names in its imports; on request, those run when it is imported."""
    path = ROOT / Path(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(file.read_text())
    nodes = _executed(tree) if at_import_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            yield str(node.module)


def _executed(tree: ast.Module) -> Iterator[ast.AST]:
    for node in tree.body:
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("module", modules("nn"))
def test_the_engine_imports_numpy_and_the_standard_library_only(module: str) -> None:
    for name in imports(module):
        top = name.split(".")[0]
        assert top in {"numpy", "nn"} or top in sys.stdlib_module_names, name


@pytest.mark.parametrize("module", [each for each in modules("rl") if within(each, *LEAVES)])
def test_the_leaves_know_neither_each_other_nor_the_rest(module: str) -> None:
    own = next(leaf for leaf in LEAVES if within(module, leaf))
    for name in imports(module):
        if within(name, "rl"):
            assert within(name, own), name


@pytest.mark.parametrize("module", [each for each in modules("rl") if within(each, "rl.agents")])
def test_agents_know_nothing_of_experiments(module: str) -> None:
    for name in imports(module):
        assert not within(name, "rl.experiment", "rl.analysis", "rl.cli", "rl.display"), name


@pytest.mark.parametrize("module", [each for each in modules("rl") if within(each, "rl.analysis")])
def test_analysis_reads_files_and_never_imports_an_agent(module: str) -> None:
    for name in imports(module):
        assert not within(name, "rl.agents", "rl.experiment", "rl.environments"), name


@pytest.mark.parametrize("module", modules("rl"))
def test_only_the_command_line_knows_the_pages(module: str) -> None:
    if not within(module, "rl.dashboard", "rl.verbs"):  # the dashboard shows what a report has
        hidden = ["rl.dashboard", *([] if within(module, "rl.report") else ["rl.report"])]
        for name in imports(module):
            assert not within(name, *hidden), name


ORDER = (
    "rl.experiment.build",
    "rl.experiment.session",
    "rl.experiment.jobs",
    "rl.experiment.executors",
    "rl.experiment.ray_executor",
    "rl.experiment.trial",
    "rl.experiment.search",
    "rl.cli",
)


def test_experiments_import_one_way() -> None:
    for place, module in enumerate(ORDER):
        for name in imports(module):
            assert name not in ORDER[place + 1 :], f"{module} imports {name}"


@pytest.mark.parametrize("module", modules("rl"))
def test_what_only_the_end_needs_is_imported_late(module: str) -> None:
    for name in imports(module, at_import_only=True):
        assert name.split(".")[0] not in HEAVY, f"{module} imports {name} at import"
