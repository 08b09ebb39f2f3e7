"""How long the dashboard takes for a run of a million rows: python scripts/benchmark_dashboard.py

It trains a short run, replaces its tables by tables of a million rows, and requests the data of its
page: for the first time, unchanged, and after a row was added.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import common
import numpy as np

from rl.dashboard.app import create_app
from rl.running.trial import train
from rl.storage.files import write_text

ROWS = 1_000_000
SETTINGS = ("train.steps=2000", "train.evaluate_every=1000", "train.evaluate_episodes=2",
            "memory.capacity=500", "agent.learn_start=64", "network.hidden=[4]")  # fmt: skip


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


def main() -> None:
    argparse.ArgumentParser(description="Times the dashboard's page of a long run.").parse_args()
    with tempfile.TemporaryDirectory() as place:
        run = train("cartpole_dqn", overrides=SETTINGS, output=Path(place).resolve() / "run")
        session = run.session
        lengthen(session.updates, ROWS)
        row = lengthen(session.episodes, ROWS)
        client = create_app(run.path.parent).test_client()
        for what in ("the first time", "unchanged", "with a new row", "with a new row"):
            if what == "with a new row":
                with open(session.episodes, "a", newline="") as file:
                    file.write(f"{row}\r\n")
            print(f"{what}: {common.both_clocks(lambda: client.get('/data?name=run'))}")


if __name__ == "__main__":
    main()
