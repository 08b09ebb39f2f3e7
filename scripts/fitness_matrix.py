"""The fitness matrix: what every agent reaches on every problem, over several seeds.

    python scripts/fitness_matrix.py --jobs 2
    python scripts/fitness_matrix.py --only "pendulum*"      # some; may be given more than once
    python scripts/fitness_matrix.py --part 1/3              # one machine of three
    python scripts/fitness_matrix.py --collect FOLDER ...    # what other machines have finished
    python scripts/fitness_matrix.py --grid                  # runs nothing; prints the grid
    python scripts/fitness_matrix.py --grid --spec classic_experiment_specs.json

Trains each experiment of rl/spec/ with the seeds 0 to n - 1, each in a process of its own with one
BLAS thread: twenty seeds of lunarlander_dqn, three of BipedalWalker and of MuJoCo, five where a
session takes more than five minutes, ten of the others.

A session is a folder in --folder, under the experiment's name and a digest of its settings, and a
row of docs/fitness_matrix.csv. One that has a row is not run again, one that was interrupted is
resumed, and changed settings are measured anew. Machines that share no disk run a part of the
sessions each; then --collect adds the rows of the folders that they bring. After every call the
tables of docs/RESULTS.md and README.md are those of the rows: the cells that are complete, and what
is missing, with the command that measures it. A row of the earlier table stays until its cell is
complete.

The return is that of the run's best checkpoint on 100 episodes other than those it was chosen on;
"last" is that of the last checkpoint on the same episodes. Mean, IQM (the mean without the lowest
and highest quarter) and interval are over the sessions. Published figures: scripts/published.py.

The grid has a row for each problem, a column for each agent, and in each cell the mean return and
two scores of docs/metrics.md: the lab's fitness, and fitness_2017. Of several experiments it has
the one with the best mean. --spec takes the experiments of a file instead of the lab's, such as
OpenAI Lab's; then the rows are kept in --folder, and the tables are only printed.
"""

from __future__ import annotations

import argparse
import fnmatch
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path

import common
from fitness_tables import Cell, grid, publish, tables
from published import GAMES
from rows import Row, Rows

from rl.analysis.fitness_2017 import parts_2017
from rl.analysis.metrics import power, stability
from rl.analysis.records import read_record
from rl.environments.registered import is_installed
from rl.errors import UserError
from rl.specification.specification import (
    Specification,
    all_specifications,
    digest_of,
    read_specifications,
)
from rl.storage.run_folder import RunFolder
from rl.storage.session_folder import SessionFolder, has_ended

ROWS = Path(__file__).parents[1] / "docs" / "fitness_matrix.csv"
COLUMNS = ("experiment", "seed", "settings", "status", "solved", "mean_return", "last", "trained",
           "steps", "seconds", "power", "stability", "power_2017", "stability_2017",
           "solved_2017")  # fmt: skip
# More for the main job, fewer for what takes hours or, in fewer steps, more than five minutes.
SESSIONS = {"lunarlander_dqn": 20, "bipedalwalker_*": 3, "hopper_*": 3, "pong_*": 3,
            "carracing_*": 3, "lunarlander_continuous_sac": 5,
            "lunarlander_continuous_crossq": 5, "lunarlander_continuous_tqc": 5,
            **{f"{game}_*": 3 for game in GAMES}}  # fmt: skip
OTHERS = 10
LAST = 100  # training episodes


def settings_of(specification: Specification) -> str:
    """A digest of what the results depend on."""
    values = {key: each for key, each in specification.values.items()
              if key not in ("description", "search")}  # fmt: skip
    return digest_of(values)[:8]


def planned(name: str) -> int:
    """How many seeds an experiment is measured on."""
    return next((count for pattern, count in SESSIONS.items() if fnmatch.fnmatch(name, pattern)),
                OTHERS)  # fmt: skip


def place(specification: Specification, seed: int, folder: Path) -> SessionFolder:
    """Where a session is or will be."""
    path = folder / f"{specification.name}-{settings_of(specification)}" / f"seed_{seed}"
    return RunFolder(path).session()


def session(
    specification: Specification, seed: int, folder: Path, more: Sequence[object] = ()
) -> Row | None:
    """The row of one session, which is run or resumed unless it has ended.

    Args:
        specification: of the experiment.
        seed: of the session.
        folder: of all of them.
        more: further options of `rl run`.

    Returns:
        It; None if the session failed.
    """
    found = place(specification, seed, folder)
    path = found.path.parents[1]
    if not has_ended(found.read_outcome()):
        options: tuple[object, ...] = ("resume", path)
        if not RunFolder(path).exists:
            shutil.rmtree(path, ignore_errors=True)  # what a killed process has left
            options = ("run", specification.name, "--seed", seed, *more, "--output", path)
        with suppress(subprocess.CalledProcessError):  # which `rl` explains
            common.rl(*options, "--quiet", "--no-report")
    return row_of(specification, seed, found)


def row_of(specification: Specification, seed: int, folder: SessionFolder) -> Row | None:
    """The row of a session; None unless it has ended."""
    outcome = folder.read_outcome()
    if not has_ended(outcome):
        return None
    record = read_record(folder)
    counted = record.counted
    trained = parts_2017(record.trained, record.threshold) if len(record.trained) else None
    values: dict[str, object] = {
        "experiment": specification.name, "seed": seed, "settings": settings_of(specification),
        "status": record.status, "solved": int(record.solved),
        "mean_return": record.best if counted else None, "last": record.final,
        "trained": float(record.trained[-LAST:].mean()) if len(record.trained) else None,
        "steps": outcome["steps"], "seconds": outcome["seconds"],
        "power": power(record) if counted else None,
        "stability": stability(record) if counted else None,
        "power_2017": trained and trained.power, "stability_2017": trained and trained.stability,
        "solved_2017": trained and int(trained.solved),
    }  # fmt: skip
    return {name: _text(value) for name, value in values.items()}


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def rows_of(path: Path, specifications: Iterable[str]) -> Rows:
    """The rows of a file, in the order of the experiments."""
    order = {name: at for at, name in enumerate(specifications)}

    def key(row: Row) -> tuple[int, str, int]:
        return order.get(row["experiment"], len(order)), row["experiment"], int(row["seed"])

    return Rows(path, COLUMNS, key)


def cells(
    specifications: Iterable[Specification], rows: Rows, sessions: int | None = None
) -> list[Cell]:
    """The cells of experiments, complete or not."""
    return [
        Cell(each, sessions or planned(each.name),
             rows.matching({"experiment": each.name, "settings": settings_of(each)}))
        for each in specifications
    ]  # fmt: skip


def collect(found: Sequence[Cell], folders: Iterable[Path], rows: Rows) -> int:
    """Adds the rows that are missing and whose sessions have ended in one of the folders.

    Returns:
        How many there were.

    Raises:
        UserError: a file in there is damaged.
    """
    new = {}
    for folder in folders:
        for cell in found:
            for seed in cell.missing:
                if row := row_of(cell.specification, seed, place(cell.specification, seed, folder)):
                    new[cell.name, seed] = row
    if new:
        rows.add(*new.values())
    return len(new)


def measure(due: Sequence[tuple[Specification, int]], options: argparse.Namespace, rows: Rows,
            more: Sequence[object] = ()) -> list[str]:  # fmt: skip
    """Runs sessions, and adds a row for each.

    Returns:
        Those that failed.
    """
    failed = []
    pool = ThreadPoolExecutor(options.jobs)
    try:
        pending = {pool.submit(session, each, seed, options.folder, more): f"{each.name} {seed}"
                   for each, seed in due}  # fmt: skip
        for future in as_completed(pending):
            row = future.result()
            if row is None:
                failed.append(pending[future])
                continue
            rows.add(row)
            print(*(row[name] for name in COLUMNS[:10]), flush=True)
    finally:
        pool.shutdown(cancel_futures=True)
    return failed


def part(text: str) -> tuple[int, int]:
    """Parses K/N, the K-th part of N, as the type of an option."""
    found = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"must be K/N, with K from 1 to N, not {text}")
    return int(found[1]), int(found[2])


def due_in(found: Sequence[Cell], one_of: tuple[int, int]) -> Iterator[tuple[Specification, int]]:
    """The sessions of one part that have no row. A part is the same whatever has a row."""
    number, parts = one_of
    every = [(cell, seed) for cell in found for seed in range(cell.planned)]
    for cell, seed in every[number - 1 :: parts]:
        if seed in cell.missing:
            yield cell.specification, seed


def main() -> None:
    parser = common.Parser(description="Every experiment over several seeds.")
    parser.add_only("experiments, such as 'lunarlander*'")
    parser.add_argument("--sessions", type=common.positive,
                        help="default 10; 20 of the main job, 3 or 5 of others")  # fmt: skip
    parser.add_argument("--jobs", type=common.positive, default=2)
    parser.add_argument("--folder", type=Path, default=Path("runs/matrix"))
    parser.add_argument("--part", metavar="K/N", type=part, default=(1, 1),
                        help="the K-th of N parts, for one of N machines")  # fmt: skip
    parser.add_argument("--collect", metavar="FOLDER", type=Path, nargs="*",
                        help="run nothing; take over what has ended in other folders")  # fmt: skip
    parser.add_argument("--grid", action="store_true", help="run nothing; print the grid alone")
    parser.add_argument("--spec", type=Path, help="a file of experiments, instead of the lab's")
    options = parser.parse_args()
    with parser.answering(UserError, goes_on=True):
        sys.exit(run(options, parser))


def run(options: argparse.Namespace, parser: common.Parser) -> int:
    """Measures what is due, and shows or writes the tables. Returns the exit status."""
    known = read_specifications(options.spec) if options.spec else all_specifications()
    every = [each for each in known.values() if not each.refusal]
    some = parser.named(options.only, every, lambda each: [each.name])
    rows = rows_of(options.folder / "rows.csv" if options.spec else ROWS, known)
    chosen = cells(some, rows, options.sessions)
    for folder in options.collect or ():
        if not folder.is_dir():
            raise UserError(f"--collect {folder}: there is no such folder")
    found = collect(chosen, options.collect or [options.folder], rows)
    print(f"sessions collected: {found}", flush=True)
    if options.grid:
        print(grid(cells(some, rows)))
        return 0
    failed: list[str] = []
    if options.collect is None:
        due = list(due_in(_those_that_can_run(cells(some, rows, options.sessions)), options.part))
        failed = measure(due, options, rows, ("--spec", options.spec) if options.spec else ())
    for text in tables(cells(some, rows, options.sessions), options.spec).values():
        print(f"\n{text}")
    if not options.spec:
        publish(cells(every, rows))
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


def _those_that_can_run(found: Iterable[Cell]) -> list[Cell]:
    """The cells whose environment is there; of the others a line says what they need."""
    there = []
    for cell in found:
        id = cell.specification.environment_id
        if is_installed(id):
            there.append(cell)
        else:
            print(f"{cell.name}: left out, as {id} needs a package that is not installed")
    return there


if __name__ == "__main__":
    main()
