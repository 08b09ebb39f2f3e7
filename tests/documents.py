"""The blocks of the documents, and how each of them is run.

A document's blocks are run in the order in which they stand, in one empty folder:

    bash      each command; training is cut to a few steps, a measurement only parses its options,
              a server is ended once it has answered, and what installs or tests is compared with
              where that is done
    python    a program; blocks that follow on each other are one
    yaml      a file; each experiment in it is run, and searched if it has a search, unless a
    json      command of the document does it

A block that begins with the comment `# NAME.EXT` is the file of that name; a script for a scheduler
has `#!/bin/bash` before that, and tests/test_clusters.py runs it. What has no language is a picture
of something. A command that is none of these is an error, so that none escapes.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from rl.distribution import DISTRIBUTION
from rl.verbs.dashboard import PORT

ROOT = Path(__file__).parents[1]
DOCUMENTS = tuple(
    path.relative_to(ROOT).as_posix()
    for path in (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")))
)
LANGUAGES = ("bash", "python", "yaml", "json")

# What a document takes to be there.
PRESUPPOSED = {
    "docs/dashboard.md": "rl run cartpole_dqn --output runs/first",
    "docs/export.md": "rl run cartpole_dqn --output runs/first",
    "docs/resuming.md": "rl run cartpole_dqn --output runs/NAME/TIMESTAMP",
}

# Their commands train again and again.
LONG = ("README.md", "docs/PERFORMANCE.md", "docs/RESULTS.md", "docs/clusters.md",
        "docs/dashboard.md", "docs/environments.md", "docs/export.md", "docs/extending.md",
        "docs/specification.md", "docs/troubleshooting.md", "docs/openai_lab.md", "docs/python.md",
        "docs/reports.md", "docs/resuming.md", "docs/search.md", "docs/theory.md", "docs/tips.md",
        "docs/tutorial.md", "docs/which-agent.md")  # fmt: skip

# What must hold where the last program of a document has ended.
HOLDS = {
    "docs/python.md": """
assert rl.evaluate(agent, "CartPole-v1", episodes=20, preprocessor=normalize).mean > 50
""",
    "README.md": "assert net.accuracy(x, y) > 0.97",
    "docs/extending.md": """
assert gradient_error(net, x, y) < 1e-6
assert nn.load("surface.npz").cost(x, y) == net.cost(x, y) < 0.01
assert nn.NeuralNet((2, 1), seed=0).cost(x, y) > 0.05
""",
}

# Enough for every agent to learn a little and to be evaluated twice; `rl report` has tests of its
# own.
SHORT = ("--steps", "1500", "--set", "train.evaluate_every=750", "--no-report")

# Programs that a person runs, and why; that their options are right is what is tested.
MEASUREMENTS = {
    "benchmark_checkpoint.py": "ten minutes on a quiet machine",
    "benchmark_checks.py": "minutes on a quiet machine",
    "benchmark_commands.py": "minutes on a quiet machine",
    "benchmark_throughput.py": "wants stable-baselines3 and SBX",
    "benchmark_versions.py": "wants another checkout",
    "benchmark_fit.py": "minutes on a quiet machine",
    "benchmark_mnist.py": "wants PyTorch, scikit-learn and files of digits",
    "benchmark_pages.py": "a run, and its film",
    "benchmark_solve.py": "wants stable-baselines3, and half an hour",
    "benchmark_update.py": "wants PyTorch, JAX and scikit-learn",
    "donutball.py": "minutes; tests/test_donutball.py runs its parts",
    "bsuite_radar.py": "wants bsuite, and hours",
    "defaults_matrix.py": "wants stable-baselines3, and hours",
    "fitness_matrix.py": "hours",
    "mnist.py": "wants files of digits; tests/test_mnist.py runs its parts on others",
    "openai_lab.py": "wants OpenAI Lab's files; tests/rl/test_openai_lab.py runs it on them",
    "notebooks.py": "a quarter of an hour, and files of digits; tests/test_notebooks.py runs parts",
    "profile_update.py": "a quiet machine",
    "ship_agents.py": "wants sessions of the matrix; tests/rl/test_shipped.py runs it on one",
}

# What .ci/run does itself.
CHECKS = (
    "python -m pytest",
    "python -m pytest -m slow",
    "ruff check .",
    "ruff format --check .",
    "mypy nn rl scripts tests",
    "mkdocs build --strict",
)

# Packages that an extra brings, by the word of a command that wants it. Without it, the command
# must say how it is installed.
OPTIONAL = {"--tensorboard": "tensorboard", "--wandb": "wandb", "onnx": "onnx"}
UNUSABLE = 2  # the exit status of what a user can put right

# `rl` as its script runs it: unlike `python -m rl`, it finds no module of the current folder.
RL = "import sys; sys.path.remove(''); from rl.cli import main; sys.exit(main())"

# Runs a script until it has parsed its options.
PARSE = """
import argparse, runpy, sys
parse = argparse.ArgumentParser.parse_args
def parse_alone(parser):
    parse(parser)
    sys.exit(0)
argparse.ArgumentParser.parse_args = parse_alone
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
sys.exit("it has parsed nothing")
"""


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The name of the file that it is, if it says so."""
        named = re.match(r"(?:#!/bin/bash\n)?# ([\w.]+\.(?:py|yaml|sh|pbs))\n", self.text)
        return named[1] if named else None

    @property
    def is_program(self) -> bool:
        """Whether it is run as it stands."""
        return self.language == "python" and not self.file


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a document.

    Raises:
        ValueError: a fence that is indented, is not closed, or has an unknown language.
    """
    found = [Block(*each) for each in re.findall(r"^```(.*)\n((?:(?!```).*\n)*)```$", text, re.M)]
    if re.findall(r"^[ \t]*(?:```|~~~)", text, re.M) != ["```"] * 2 * len(found):
        raise ValueError("a fence is indented, or is not closed")
    for block in found:
        if block.language not in ("", *LANGUAGES):
            raise ValueError(f"nobody runs blocks of {block.language!r}")
    return found


def steps(text: str) -> list[Block]:
    """The blocks to be run, those put together that are one program."""
    found: list[Block] = []
    for block in blocks(text):
        if block.is_program and found and found[-1].is_program:
            found[-1] = Block("python", f"{found[-1].text}\n{block.text}")
        elif block.language:
            found.append(block)
    return found


def run_document(text: str, folder: Path, before: str = "", holds: str = "") -> None:
    """Runs every block of a document.

    Args:
        text: the document.
        folder: where.
        before: a command that makes what the document takes to be there.
        holds: statements that end its last program.

    Raises:
        ValueError: a block that nobody runs.
        AssertionError: one that fails.
    """
    found = steps(text)
    shell = "".join(block.text for block in found if block.language == "bash")
    last = [block for block in found if block.is_program][-1:]
    run_commands(before, folder)
    for block in found:
        if block.language == "bash" and block.file:
            (folder / block.file).write_text(block.text)
        elif block.language == "bash":
            run_commands(block.text, folder)
        elif block.is_program:
            run([sys.executable, "-c", block.text + (holds if [block] == last else "")], folder)
        elif block.language == "python":
            (folder / str(block.file)).write_text(block.text)
        else:
            run_experiments(block, folder, shell)


def run_experiments(block: Block, folder: Path, shell: str) -> None:
    """Writes a file of experiments, and runs them unless a command in `shell` names the file."""
    file = block.file or f"mine.{block.language}"
    (folder / file).write_text(block.text)
    if f"--spec {file}" in shell:
        return
    for name, experiment in yaml.safe_load(block.text).items():
        run_commands(f"rl run {name} --spec {file}", folder)
        if "search" in experiment:
            run_commands(f"rl search {name} --spec {file} --trials 2 --sessions 1", folder)


def run_commands(text: str, folder: Path) -> None:
    """Runs each line of a shell, by the rules above."""
    for line in text.replace("\\\n", " ").splitlines():
        for command in line.split(" && "):
            if words := shlex.split(command, comments=True):
                run_command(words, folder)


def run_command(words: list[str], folder: Path) -> None:
    """Runs one command.

    Raises:
        ValueError: no rule is for it.
    """
    settings, words = environment(words)
    command = " ".join(words)
    if command.startswith("python -m pip install "):
        check_requirements(command)
    elif command in (*CHECKS, ".ci/run"):
        check_ci(command)
    elif command.startswith("python scripts/"):
        run_script(ROOT / words[1], words[2:], folder)
    elif command.startswith("python -m rl.run "):
        run_lab(["-m", "rl.run"], words[3:], folder, settings)
    elif command.startswith("python -m rl "):
        run_lab(["-m", "rl", words[3]], words[4:], folder, settings)
    elif command.startswith("rl dashboard "):
        run_dashboard(words[2:], folder)
    elif command.startswith("parallel --jobs "):
        for each in combinations(words[3:]):
            run_command(each, folder)
    elif command.startswith("ssh "):  # wants another machine
        assert f" {PORT}:127.0.0.1:{PORT} " in command
    elif command.startswith("rl "):
        run_lab(["-c", RL, words[1]], words[2:], folder, settings)
    elif command.startswith("apt-get install "):
        check_ci(" ".join(words[2:]))
    elif command.startswith("tensorboard --logdir "):  # a server, which does not end
        assert (folder / words[2]).is_dir() or not importlib.util.find_spec("tensorboard")
    else:
        raise ValueError(f"nobody runs `{command}`")


def combinations(words: list[str]) -> Iterator[list[str]]:
    """The commands that GNU parallel makes of its words; of a range only the first."""
    ends = [place for place, word in enumerate(words) if word == ":::"]
    sources = [words[a + 1 : b] for a, b in itertools.pairwise([*ends, len(words)])]
    for values in itertools.product(*sources):
        command = " ".join(words[: ends[0]])
        for number, value in enumerate(values, 1):
            command = command.replace(f"{{{number}}}", re.sub(r"{(\d+)\.\..*", r"\1", value))
        yield command.split()


def environment(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """The variables that a command begins with, and the rest; those that it unsets are left."""
    if words[0] == "env":
        words = words[1:]
        while words[0] == "-u":
            words = words[2:]
    settings = {}
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        name, _, value = words[0].partition("=")
        settings[name], words = value, words[1:]
    return settings, words


def run_lab(verb: list[str], options: list[str], folder: Path, settings: dict[str, str]) -> None:
    """Runs a verb of the lab; one that trains does so for a moment."""
    missing = any(word in options and not importlib.util.find_spec(package)
                  for word, package in OPTIONAL.items())  # fmt: skip
    if options[-2:-1] == [">"]:  # which a shell would see to
        *options, _, file = options
        command = [sys.executable, *verb, *options]
        written = subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=300)
        (folder / file).write_bytes(written.stdout)
        return
    short: tuple[str, ...] = SHORT if verb[-1] in ("run", "rl.run", "search") else ()
    if verb[-1] == "resume" and "--steps" in options:
        short = ("--steps", "2250", "--no-report")
    said = run([sys.executable, *verb, *options, *short], folder, UNUSABLE if missing else 0,
               settings)  # fmt: skip
    assert not missing or "pip install" in said


def run_dashboard(options: list[str], folder: Path) -> None:
    """Starts the server, at a port that is free, and ends it once it has answered."""
    command = [sys.executable, "-m", "rl", "dashboard", *options, "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            with urllib.request.urlopen(address, timeout=300) as answer:
                assert b"cartpole_dqn" in answer.read()
        finally:
            process.terminate()  # where tests run in the background, Ctrl-C is ignored
    assert process.returncode == -signal.SIGTERM


def run_script(script: Path, options: list[str], folder: Path) -> None:
    """Runs a script, or lets it parse its options if it is a measurement."""
    assert script.exists(), script
    driver = ["-c", PARSE] if script.name in MEASUREMENTS else []
    run([sys.executable, *driver, str(script), *options], folder)


def check_requirements(command: str) -> None:
    """Refuses an extra that the project does not have; what pip then does is not tested."""
    known = set(re.findall(r"^([\w-]+) = \[", (ROOT / "pyproject.toml").read_text(), re.M))
    for extras in re.findall(rf"(?:\.|{DISTRIBUTION})\[([\w,-]+)\]", command):
        assert set(extras.split(",")) <= known, extras


def check_ci(command: str) -> None:
    """Refuses a command, or packages, that the continuous integration does not have."""
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert command == ".ci/run" or command in script.read_text()


def run(
    command: list[str], folder: Path, status: int = 0, settings: dict[str, str] | None = None
) -> str:
    """What a command prints where things go wrong; its exit status must be `status`."""
    answer = subprocess.run(
        command, cwd=folder, env={**os.environ, **(settings or {})},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert answer.returncode == status, (command, answer.stdout, answer.stderr)
    return answer.stderr
