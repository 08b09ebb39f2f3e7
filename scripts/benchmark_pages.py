"""How long reports and the dashboard take.

    python scripts/benchmark_pages.py                     # of runs that are made here
    python scripts/benchmark_pages.py --many 2000         # of a dashboard over so many small runs
    python scripts/benchmark_pages.py runs/a runs/b       # of run folders; writes their reports

For a report, the goals are 20 s for the film, 10 s for the rest, and 10 MB. The dashboard is asked
for the data of a run with tables of a million rows: for the first time, unchanged, and after a row
was added.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import common
import numpy as np
from werkzeug.test import TestResponse

import rl
from rl.dashboard.app import create_app
from rl.report import write_report
from rl.saved.run import Run
from rl.storage.files import write_text
from rl.storage.notes import write_note
from rl.watching.film import make_film
from rl.watching.window import draw_off_screen

ROWS = 1_000_000
SETTINGS = ("train.steps=2000", "train.evaluate_every=1000", "train.evaluate_episodes=2",
            "memory.capacity=500", "agent.learn_start=64", "network.hidden=[4]")  # fmt: skip


def report(path: Path) -> None:
    """Prints the times and the size of a run's report."""
    run = Run.open(path)
    film = common.both_clocks(lambda: make_film(run, run.session.film))
    rest = common.both_clocks(lambda: write_report(path))
    size = (path / "report.html").stat().st_size / 1e6
    print(f"{path}: film {film}, the rest {rest}, {size:.1f} MB", flush=True)


def lengthen(path: Path, rows: int) -> str:
    """Gives a table this many rows, whose floats have all their digits; returns the last."""
    head, *lines = path.read_text().splitlines()
    titles, first = head.split(","), lines[0].split(",")
    noise = np.random.default_rng(0).normal(size=rows)
    is_real = ["." in cell for cell in first]

    def row(number: int) -> str:
        cells = (repr(float(noise[number])) if real else str(number) for real in is_real)
        return ",".join(cells)

    write_text(path, "\r\n".join([",".join(titles), *map(row, range(rows)), ""]))
    return row(rows - 1)


def dashboard(folder: Path) -> None:
    """Prints the times of the data of a run with a million rows."""
    run = rl.train("cartpole_dqn", overrides=SETTINGS, output=folder.resolve() / "long")
    lengthen(run.session.updates, ROWS)
    row = lengthen(run.session.episodes, ROWS)
    client = create_app(run.path.parent).test_client()
    for what in ("the first time", "unchanged", "with a new row", "with a new row"):
        if what == "with a new row":
            with open(run.session.episodes, "a", newline="") as file:
                file.write(f"{row}\r\n")
        print(f"{what}: {common.both_clocks(lambda: client.get('/data?name=long'))}")


def many(folder: Path, count: int) -> None:
    """Prints the times of the list of many small runs, one of which changes."""
    run = rl.train("cartpole_dqn", overrides=SETTINGS, output=folder.resolve() / "one").path
    runs = folder.resolve() / "runs"
    for number in range(count):
        shutil.copytree(run, runs / f"run_{number:04d}", copy_function=os.link)
    client, version = create_app(runs).test_client(), ""
    answers: list[TestResponse] = []
    for what in ("the page", "all rows", "unchanged", "with a new note"):
        if what == "with a new note":
            write_note(runs / "run_0000", "a note")

        def ask(address: str = f"/rows?known={version}" if answers else "/") -> None:
            answers.append(client.get(address))
            while (answers[-1].get_json(silent=True) or {}).get("unread"):
                answers.append(client.get("/rows"))

        took = common.both_clocks(ask)
        version = (answers[-1].get_json(silent=True) or {}).get("version", "")
        print(f"{count} runs, {what}: {took}, {len(answers[-1].data) / 1e3:,.1f} kB", flush=True)


def main() -> None:
    parser = common.Parser(description="Times reports and the dashboard.")
    parser.add_argument("runs", metavar="RUN", nargs="*", type=Path, help="run folders")
    parser.add_argument("--many", metavar="N", type=int, help="time the list of N small runs")
    options = parser.parse_args()
    draw_off_screen()
    for run in options.runs:
        report(run)
    if options.many:
        with tempfile.TemporaryDirectory() as folder:
            many(Path(folder), options.many)
    elif not options.runs:
        with tempfile.TemporaryDirectory() as folder:
            report(rl.train("lunarlander_dqn", output=Path(folder) / "run").path)
            dashboard(Path(folder))


if __name__ == "__main__":
    main()
