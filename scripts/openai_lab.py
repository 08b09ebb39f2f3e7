"""What of OpenAI Lab's specifications can be run here: builds each, and says what differs.

    python scripts/openai_lab.py FOLDER    # of its *_experiment_specs.json and problems.json
    python scripts/openai_lab.py FOLDER --steps 2000 --jobs 2    # trains each for so many as well

The table of docs/openai_lab.md is the output for the files that are there. Episodes are cut after
200 steps when it trains: the 100 at the end of a run would take half an hour in Breakout.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import common

from rl.errors import UserError
from rl.openai_lab.reading import APPROXIMATES
from rl.search.settings import read_settings
from rl.specification.build import build
from rl.specification.specification import Specification, read_specifications

KINDS = ("as the original", "approximated", "refused")


def verdict(specification: Specification) -> tuple[str, str]:
    """One of `KINDS`, and what is approximated or why it is refused."""
    if not specification.refusal:
        try:
            build(specification, seed=0)
            if specification.block("search"):
                read_settings(specification)
        except UserError as error:
            return "refused", str(error)
        note = specification.note
        is_exact = not note.startswith(APPROXIMATES)
        return KINDS[not is_exact], note if is_exact else note.partition(": ")[2]
    return "refused", specification.refusal


def trained(name: str, file: Path, steps: int) -> str:
    """What came of `rl run`: "yes", or why it did not get to its end."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "rl", "run", name, "--spec", file.resolve(), "--steps", steps,
            "--set", "environment.max_episode_steps=200", "--quiet", "--no-report",
            "--output", Path(folder, "run"),
        ]  # fmt: skip
        ended = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    return "yes" if ended.returncode == 0 else ended.stderr.strip().rpartition("\n")[2]


def table(folder: Path, steps: int | None = None, jobs: int = 1) -> Iterator[str]:
    """The lines of a table of all experiments, and the counts."""
    rows = [
        (name, file, *verdict(specification))
        for file in sorted(folder.glob("*_experiment_specs.json"))
        for name, specification in read_specifications(file).items()
    ]
    head = ["experiment", "builds", "what differs"]
    ends: Iterator[str] = iter(())
    if steps:
        head.append(f"runs {steps:,} steps")
        ends = common.in_processes(
            [partial(trained, *row[:2], steps) for row in rows if row[2] != "refused"], jobs
        )
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join(['---'] * len(head))} |"
    for name, _, kind, said in rows:
        run = [] if not steps else ["" if kind == "refused" else next(ends)]
        yield f"| {' | '.join([name, kind, said, *run])} |"
    yield ""
    counts = Counter(kind for _, _, kind, _ in rows)
    counted = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS)
    yield f"Of {counts.total()} experiments: {counted}."


def main() -> None:
    """Prints the table."""
    parser = common.Parser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=common.positive)
    parser.add_argument("--jobs", type=common.positive, default=1)
    options = parser.parse_args()
    for line in table(options.folder, options.steps, options.jobs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
