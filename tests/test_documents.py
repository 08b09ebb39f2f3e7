"""The commands and the code in the documents do what they say."""

from __future__ import annotations

import importlib
import operator
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from rl.specification.specification import load_specification
from tests.documents import (
    DOCUMENTS,
    HOLDS,
    LONG,
    MEASUREMENTS,
    PRESUPPOSED,
    ROOT,
    SHORT,
    blocks,
    run_document,
    steps,
)
from tests.programs import program
from tests.rl.conftest import quick

README = (ROOT / "README.md").read_text()
FENCE = "```"


def fenced(language: str, *lines: str) -> str:
    return "\n".join(["A sentence.", "", FENCE + language, *lines, FENCE, ""])


@pytest.mark.parametrize(
    "document",
    [pytest.param(each, marks=[pytest.mark.slow] * (each in LONG)) for each in DOCUMENTS],
)
def test_every_block_of_a_document_runs(document: str, tmp_path: Path) -> None:
    text = (ROOT / document).read_text()
    run_document(text, tmp_path, PRESUPPOSED.get(document, ""), HOLDS.get(document, ""))


@pytest.mark.parametrize(
    "text",
    [
        fenced("bash", "frobnicate --all"),
        fenced("bash", "python -m pip --version && frobnicate"),
        fenced("bash", "python mine.py"),
        fenced("ruby", "puts 1"),
        fenced("console", "$ rl list"),
        "1. A list:\n\n   ```bash\n   rl list\n   ```\n",
        "~~~bash\nrl list\n~~~\n",
        "```bash\nrl list\n",
    ],
    ids=["command", "second", "python", "ruby", "console", "indented", "tilde", "open"],
)
def test_a_block_that_nobody_runs_is_an_error(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nobody runs|a fence"):
        run_document(text, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        fenced("bash", "rl list --everything"),
        fenced("bash", "rl list", "rl evaluate runs/none  # there is no such run"),
        fenced("bash", "python scripts/fitness_matrix.py --pattern x"),
        fenced("bash", "python scripts/none.py"),
        fenced("bash", 'python -m pip install -e ".[tests]"'),
        fenced("python", "raise SystemExit(1)"),
        fenced("python", "x = 1") + fenced("bash", "rl list") + fenced("python", "print(x)"),
        fenced("yaml", "mine: {problem: CartPole-v1, agent: {name: DQN}, optimiser: {}}"),
    ],
    ids=["option", "second", "script", "no script", "extra", "python", "two programs", "yaml"],
)
def test_a_block_that_fails_is_an_error(text: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        run_document(text, tmp_path)


def test_blocks_that_follow_on_each_other_are_one_program(tmp_path: Path) -> None:
    text = fenced("python", "# a.py", "y = 2") + fenced("python", "import a", "x = a.y")
    text += fenced("", "x/") + fenced("python", "print(x)")
    assert [step.file for step in steps(text)] == ["a.py", None]
    run_document(text, tmp_path, holds="assert x == 2")
    with pytest.raises(AssertionError):
        run_document(text, tmp_path, holds="assert x == 3")


def test_what_only_a_person_runs_is_there() -> None:
    assert all((ROOT / "scripts" / name).exists() for name in MEASUREMENTS)
    assert {*PRESUPPOSED, *HOLDS, *LONG} <= set(DOCUMENTS)


@pytest.mark.slow
def test_a_command_trains_for_a_moment_whatever_it_says(tmp_path: Path) -> None:
    run_document(fenced("bash", "rl run cartpole_dqn --steps 5000000 --output a"), tmp_path)
    assert f"steps: {SHORT[1]}\n" in (tmp_path / "a/spec.yaml").read_text()


def test_the_two_commands_stand_at_the_top() -> None:
    first, second = blocks(README)[0].text.splitlines()
    assert first == "python -m pip install -e . && python -m rl.run lunarlander_dqn"
    assert second == 'python -m pip install -e ".[test]" && python -m pytest'
    assert README.index(first) < 60


def test_the_readmes_results_are_those_that_were_measured() -> None:
    """Experiment, problem, return, interval, solved and steps."""
    rows = re.findall(r"^\| (\S+) \| `rl run (\w+)` \| (.*) \|$", README, re.M)
    measured = {row["experiment"]: row for row in measured_rows()}
    assert len(rows) >= 8
    for problem, name, figures in rows:
        assert load_specification(name).values["problem"] == problem
        found = [measured[name][key] for key in ("mean return", "95% interval", "solved")]
        steps = measured[name]["steps, median and most"].split(", ")[0]
        assert figures.split(" | ") == [*found, steps]


def measured_rows() -> Iterator[dict[str, str]]:
    """The rows of the fitness matrix, and of what was measured of it earlier, by their columns."""
    for name in ("earlier fitness matrix", "fitness matrix"):
        lines = program("common").table_in_results(name).splitlines()
        head, *rows = ([each.strip() for each in line.split("|")[1:-1]] for line in lines)
        yield from (dict(zip(head, row, strict=True)) for row in rows[1:])


def test_the_readme_names_every_part() -> None:
    import nn
    from rl.agents import AGENTS
    from rl.memory import REPLAYS, ROLLOUTS
    from rl.preprocessors import PREPROCESSORS
    from rl.specification.parts import EXPLORERS

    tables: tuple[Mapping[str, Any], ...] = (
        nn.ACTIVATIONS, nn.COSTS, nn.INITIALIZERS, nn.BIAS_INITIALIZERS, nn.OPTIMIZERS,
        nn.SCHEDULES, AGENTS, REPLAYS, ROLLOUTS, PREPROCESSORS, *EXPLORERS.values(),
    )  # fmt: skip
    for name in (name for table in tables for name in table):
        assert re.search(rf"\b{name}\b", README), name


SHARED = {
    "bsuite_scores.py",
    "common.py",
    "deformation.py",
    "fitness_tables.py",
    "mnist_pictures.py",
    "published.py",
    "rows.py",
}  # no programs: others import them
SCRIPTS = sorted({path.name for path in (ROOT / "scripts").glob("*.py")} - SHARED)


@pytest.mark.parametrize("script", quick(3, SCRIPTS))
def test_every_script_says_how_it_is_used(script: str) -> None:
    answer = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / script), "--help"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert f"usage: {script}" in answer.stdout


def anchors(text: str) -> set[str]:
    """What the headings of a document are linked to by."""
    titles = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for file, anchor in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", path.read_text()):
        target = path.parent / file if file else path
        assert target.exists(), file
        assert not anchor or anchor in anchors(target.read_text()), f"{file}#{anchor}"


def headless(text: str) -> list[str]:
    """The first rows of tables that have no head, and so are shown as plain text."""
    lines = ["", *text.splitlines(), ""]
    return [
        line for above, line, below in zip(lines, lines[1:], lines[2:], strict=False)
        if line.startswith("|") and not above.startswith("|") and not re.match(r"\|[ :|-]+$", below)
    ]  # fmt: skip


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_table_has_a_head(document: str) -> None:
    assert not headless((ROOT / document).read_text())


def test_a_table_without_a_head_is_found() -> None:
    whole = "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
    assert headless(f"{whole}| 3 | 4 |\n") == []
    assert headless(f"{whole}\n| 3 | 4 |\n| 5 | 6 |\n") == ["| 3 | 4 |"]


NAMED = re.compile(  # as in: [`rl/targets.py`](../rl/targets.py) `td_target` and `advantages`
    r"\[`((?:nn|rl)/[\w/]+)\.py`\]\([\w./]+\)((?:,?(?:\s+and)?\s+`[\w.]+`)*)"
)


def named(text: str) -> list[tuple[str, list[str]]]:
    """The modules that a document links to, with the names that it says are in them."""
    return [(file.replace("/", "."), re.findall(r"`([\w.]+)`", names))
            for file, names in NAMED.findall(text)]  # fmt: skip


def absent(text: str) -> list[str]:
    """The names that a document says are in a module, and are not."""
    missing = []
    for module, names in named(text):
        for name in names:
            try:
                operator.attrgetter(name)(importlib.import_module(module))
            except AttributeError:
                missing.append(f"{module}: {name}")
    return missing


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_names_in_a_file_is_there(document: str) -> None:
    assert not absent((ROOT / document).read_text())


def test_a_name_that_is_not_there_is_found() -> None:
    text = "[`rl/targets.py`](../rl/targets.py) `td_target`, `advantages` and\n  `Nothing.at_all`."
    assert absent(text) == ["rl.targets: Nothing.at_all"]


def test_each_algorithm_names_its_functions() -> None:
    found = named((ROOT / "docs/algorithms.md").read_text())
    assert len(found) > 30
    assert all(names for _, names in found), found


def test_the_reference_of_a_specification_is_what_the_code_gives() -> None:
    script = ROOT / "scripts/spec_reference.py"
    answer = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, timeout=300
    )
    assert answer.returncode == 0, answer.stderr


def extensions() -> str:
    """The program of docs/extending.md."""
    program, *_ = steps((ROOT / "docs/extending.md").read_text())
    assert program.is_program
    return program.text


@pytest.mark.slow
def test_the_gradient_checks_cover_an_extension_without_another_line(tmp_path: Path) -> None:
    """The tests run in a process in which the tables hold the new parts."""
    parts, _ = extensions().split("from nn.gradient_check")
    program = f"""{parts}
import pytest
path = r"{ROOT / "tests/nn/test_gradient_check.py"}"
which = ["-x", "-k", "softsign or log_cosh"]
raise SystemExit(pytest.main([path, *which, "-p", "no:cacheprovider", "-n", "0"]))
"""
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert answer.returncode == 0, answer.stdout
    assert "passed" in answer.stdout
    wrong = program.replace("np.square(slope, out=slope)", "pass")
    answer = subprocess.run(
        [sys.executable, "-c", wrong], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert "failed" in answer.stdout
