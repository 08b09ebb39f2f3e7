"""Who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"matplotlib", "PIL", "rich", "yaml", "threadpoolctl", "optuna", "ray", "filelock",
         "onnx", "tensorboard", "wandb", "pygame", "imageio", "jinja2", "markupsafe",
         "flask", "werkzeug", "waitress"}  # fmt: skip
LADDER = (
    ("rl.errors", "rl.distribution", "rl.formatting", "rl.targets", "rl.proposing", "rl.memory",
     "rl.exploration", "rl.preprocessors"),
    ("rl.console",),
    ("rl.storage",),
    ("rl.environments",),
    ("rl.analysis",),
    ("rl.agents",),
    ("rl.openai_lab",),
    ("rl.specification",),
    ("rl.session",),
    ("rl.saved",),
    ("rl.running",),
    ("rl.watching",),
    ("rl.search",),
    ("rl.checks",),
    ("rl.export", "rl.report"),
    ("rl.dashboard",),
    ("rl.verbs",),
    ("rl.cli",),
    ("rl.run", "rl.__main__"),
    ("rl",),
)  # fmt: skip
RUNGS = {room: rung for rung, rooms in enumerate(LADDER) for room in rooms}


def modules(package: str) -> list[str]:
    files = sorted((ROOT / package).rglob("*.py"))
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    return [name.removesuffix(".__init__") for name in names]


def imports(module: str, at_import_only: bool = False) -> Iterator[str]:
    """The modules that `module` names in its imports; on request, those run when it is imported."""
    path = ROOT / Path(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(file.read_text())
    nodes = _executed(tree) if at_import_only else _all(tree)
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


def _all(tree: ast.Module) -> Iterator[ast.AST]:
    """Those within functions too, but none that only a type checker reads."""
    for node in _executed(tree):
        yield from ast.walk(node)


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("module", modules("nn"))
def test_the_engine_imports_numpy_and_the_standard_library_only(module: str) -> None:
    for name in imports(module):
        top = name.split(".")[0]
        assert top in {"numpy", "nn"} or top in sys.stdlib_module_names, name


def room(module: str) -> str:
    """The room of a module: the package under `rl`, or the module itself if it is loose."""
    return ".".join(module.split(".")[:2])


@pytest.mark.parametrize("module", modules("rl"))
def test_imports_go_down_the_ladder(module: str) -> None:
    """A room knows those on lower rungs; rooms of one rung do not know each other."""
    own = room(module)
    for name in imports(module):
        if within(name, "rl") and room(name) != own:
            assert RUNGS[room(name)] < RUNGS[own], f"{module} imports {name}"


def test_every_room_has_its_rung_and_no_other_has() -> None:
    assert RUNGS.keys() == {room(module) for module in modules("rl")}


def test_no_room_holds_more_than_a_seventh_of_the_lines() -> None:
    lines = Counter[str]()
    for file in [*(ROOT / "rl").rglob("*"), *(ROOT / "nn").rglob("*.py")]:
        if file.suffix in (".py", ".js", ".css", ".html"):
            parts = file.relative_to(ROOT).with_suffix("").parts
            name = "nn" if parts[0] == "nn" else room(".".join(parts))
            lines[name] += len(file.read_text().splitlines())
    largest, size = lines.most_common(1)[0]
    assert size <= sum(lines.values()) / 7, f"{largest}: {size} of {sum(lines.values())}"


def test_the_agents_load_no_experiment() -> None:
    code = "import sys, rl.agents; print(*(name for name in sys.modules if name[:3] == 'rl.'))"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {room(name) for name in answer.stdout.split()}
    assert "rl.agents" in loaded
    assert not loaded & {name for name, rung in RUNGS.items() if rung > RUNGS["rl.agents"]}


@pytest.mark.parametrize("module", modules("rl"))
def test_what_only_the_end_needs_is_imported_late(module: str) -> None:
    for name in imports(module, at_import_only=True):
        assert name.split(".")[0] not in HEAVY, f"{module} imports {name} at import"
