"""Checking the installation: a finding for each thing that the lab needs or can use."""

from __future__ import annotations

import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires

from rl.distribution import DISTRIBUTION, installing
from rl.errors import BrokenEnvironment, UserError
from rl.storage import machine
from rl.storage.run_folder import RUNS

OK, NOTE, MISSING, PROBLEM = "ok", "note", "missing", "problem"

# The purpose of each extra, whose packages are read from the lab's metadata.
PURPOSES = {
    "search": "more methods of `rl search`",
    "postgresql": "searches that share a PostgreSQL server",
    "redis": "searches that share a Redis server",
    "ray": "--executor ray",
    "onnx": "rl export --format onnx",
    "tensorboard": "rl run --tensorboard",
    "wandb": "rl run --wandb",
    "mujoco": "Gymnasium's MuJoCo environments",
    "atari": "Atari's games",
    "minatar": "MinAtar's games",
    "bsuite": "bsuite's experiments",
    "video": "MP4 files of `rl watch` and `rl film`",
    "dashboard": "rl dashboard",
    "completion": "rl completion",
    "docs": "the site of the documents, mkdocs build",
    "examples": "the notebooks in examples/",
    "test": "python -m pytest",
    "test-peers": "tests that compare with other libraries",
    "lint": "the linter, the type checker and the hooks of commits",
}
ENOUGH_DISK = 200e6  # bytes; a run takes a few million, a search some hundred million


@dataclass(frozen=True)
class Finding:
    """The state of one thing.

    Args:
        status: "ok", "note", "missing" or "problem".
        name: of the thing.
        said: its description; if something is wrong, with the remedy.
        needed: whether the lab needs it.
    """

    status: str
    name: str
    said: str
    needed: bool = True

    @property
    def fails(self) -> bool:
        """Returns True if something must be put right."""
        return self.needed and self.status in (MISSING, PROBLEM)

    def __str__(self) -> str:
        return f"{self.status:<8} {self.name:<20} {self.said}"


def examine_installation() -> Iterator[Finding]:
    """Checks Python, packages, Box2D, BLAS, display, extras and the folder of runs."""
    version, kind = platform.python_version(), platform.python_implementation()
    yield Finding(OK, "Python", f"{version} ({kind}) on {platform.platform()}")
    yield from _packages()
    for name, look in (("Box2D", _box2d), ("BLAS", _blas), ("display", _display)):
        yield _found(name, look)
    yield from _extras()
    yield _found("runs", _runs_folder)


def _found(name: str, look: Callable[[], Finding]) -> Finding:
    """The finding of a check, also if a package that it needs is broken."""
    try:
        return look()
    except Exception as error:  # a broken package may raise anything
        return Finding(PROBLEM, name, f"cannot be looked at ({type(error).__name__}: {error})")


def _requirements() -> list[tuple[str, str | None]]:
    """The packages in the lab's metadata, each with its extra."""
    try:
        lines = requires(DISTRIBUTION) or []
    except (PackageNotFoundError, ValueError, OSError):  # the latter two of damaged metadata
        return []
    found = []
    for line in lines:
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        found.append((re.split(r"[^\w.-]", line, maxsplit=1)[0], extra[1] if extra else None))
    return found


def _packages() -> Iterator[Finding]:
    needed = [DISTRIBUTION, *(package for package, extra in _requirements() if extra is None)]
    for package in needed:
        remedy = "python -m pip install " + ("-e ." if package == DISTRIBUTION else package)
        yield _package(package, remedy)


def _package(package: str, remedy: str) -> Finding:
    version = machine.installed(package)
    return Finding(OK, package, version) if version else Finding(MISSING, package, remedy)


def _box2d() -> Finding:
    """Creates and steps a LunarLander, since an installed package may be broken."""
    from rl.environments import make_env

    remedy = 'python -m pip install "gymnasium[box2d]"'
    try:
        env = make_env("LunarLander-v3")
        env.reset(seed=0)
        env.step(0)
        env.close()
    except UserError as error:
        broken = isinstance(error, BrokenEnvironment)
        return Finding(PROBLEM if broken else MISSING, "Box2D", f"{remedy} ({error})")
    except Exception as error:  # a broken build may raise anything
        return Finding(PROBLEM, "Box2D", f"LunarLander-v3 raises {error!r}; again: {remedy}")
    return Finding(OK, "Box2D", f"{machine.installed(*machine.BOX2D)}; LunarLander-v3 steps")


def _blas() -> Finding:
    found = machine.blas()
    kernel, threads = (found[name] or "unknown" for name in ("kernel", "threads"))
    said = f"{found['library']} {found['version']}, kernel {kernel}, threads {threads}"
    return Finding(OK, "BLAS", f"{said} here and 1 in a session")


def _display() -> Finding:
    from rl.watching.window import require_display

    try:
        require_display()
    except UserError as error:
        return Finding(MISSING, "display", str(error), needed=False)
    return Finding(OK, "display", "`rl watch` can open a window")


def _extras() -> Iterator[Finding]:
    requirements = _requirements()
    for extra in dict.fromkeys(extra for _, extra in requirements if extra):
        packages = [name for name, of in requirements if of == extra and name != DISTRIBUTION]
        versions = {name: machine.installed(name) for name in packages}
        purpose = f"for {PURPOSES.get(extra, 'what its packages do')}"
        if all(versions.values()):
            said = ", ".join(f"{name} {version}" for name, version in versions.items())
            yield Finding(OK, f"[{extra}]", f"{purpose}: {said}", needed=False)
        else:
            lacking = ", ".join(name for name, version in versions.items() if not version)
            remedy = installing(extra)
            yield Finding(MISSING, f"[{extra}]", f"{purpose}: no {lacking}; {remedy}", needed=False)


def _runs_folder() -> Finding:
    """Checks whether a run can be written, and how much space there is."""
    folder = RUNS.resolve()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free
    except OSError as error:
        remedy = "work in another folder, or name one with --output"
        return Finding(PROBLEM, "runs", f"{there} cannot be written: {error.strerror}; {remedy}")
    said = f"{folder}, {free / 1e9:.1f} GB free"
    if free < ENOUGH_DISK:
        return Finding(PROBLEM, "runs", f"{said}; make room, or name another disk with --output")
    return Finding(OK, "runs", said)
