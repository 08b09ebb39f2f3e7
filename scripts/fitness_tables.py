"""The tables of the fitness matrix, made of its rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import common
import numpy as np
from published import PUBLISHED, Published, tried
from rows import Row

from nn.typing import Array
from rl.analysis.fitness_2017 import Parts, combined_2017
from rl.analysis.metrics import fitness
from rl.analysis.statistics import bootstrap_interval, interquartile_mean
from rl.environments.problems import find_problem
from rl.specification.specification import Specification

README = Path(__file__).parents[1] / "README.md"
HEADER = ("experiment", "agent", "mean return", "95% interval", "IQM", "worst", "each seed",
          "last", "solved", "steps, median and most", "s", "fitness", "published",
          "short of it")  # fmt: skip
TRAINING = ("experiment", "agent", "in training", "each seed", "published", "greedy", "s")
MISSING = ("experiment", "problem", "agent", "missing seeds", "published", "command")


@dataclass(frozen=True)
class Cell:
    """An experiment and those of its sessions that were measured with its present settings."""

    specification: Specification
    planned: int
    rows: Sequence[Row]

    @property
    def name(self) -> str:
        """Of the experiment."""
        return self.specification.name

    @property
    def agent(self) -> str:
        """Its name; OpenAI Lab's agents are those that they became."""
        return str(self.specification.values["agent"]["name"]).removesuffix("_2017")

    @property
    def published(self) -> Published | None:
        """The figure beside it."""
        return PUBLISHED.get(self.name)

    @property
    def missing(self) -> list[int]:
        """The seeds without a row."""
        there = {int(row["seed"]) for row in self.rows}
        return [seed for seed in range(self.planned) if seed not in there]

    def column(self, name: str) -> Array:
        """The numbers of a column, of the sessions that have one; those that diverged lack some."""
        return np.array([float(row[name]) for row in self.rows if row[name]])

    @property
    def fitness(self) -> float | None:
        """The lab's, over the sessions."""
        mean, stable = _mean(self.column("power")), _mean(self.column("stability"))
        return fitness(mean, stable, _mean(self.column("solved")))

    @property
    def fitness_2017(self) -> float | None:
        """OpenAI Lab's, over the sessions."""
        parts = [
            Parts(float(row["power_2017"]), float(row["stability_2017"]), row["solved_2017"] == "1")
            for row in self.rows if row["power_2017"]
        ]  # fmt: skip
        return combined_2017(parts, len(self.rows))


def _mean(values: Array) -> float | None:
    return float(values.mean()) if len(values) else None


def grid(found: Iterable[Cell]) -> str:
    """The best experiment of each agent on each problem, as a table."""
    best: dict[tuple[str, str], Cell] = {}
    for each in found:
        pair = each.specification.environment_id, each.agent
        if len(each.column("mean_return")):
            best[pair] = max(best.get(pair, each), each, key=_mean_return)
    agents = sorted({agent for _, agent in best})
    lines = (
        (problem, *(_square(best.get((problem, agent))) for agent in agents))
        for problem in dict.fromkeys(problem for problem, _ in best)
    )
    return common.table(("problem", *agents), lines, aligned=False)


def _mean_return(cell: Cell) -> float:
    return float(cell.column("mean_return").mean())


def _square(cell: Cell | None) -> str:
    if cell is None:
        return ""
    scores = ", ".join("-" if each is None else f"{each:.4g}"
                       for each in (cell.fitness, cell.fitness_2017))  # fmt: skip
    return f"{common.rounded(_mean_return(cell))} ({scores})"


def line(cell: Cell) -> tuple[str, ...]:
    """The line of a cell."""
    returns, last = cell.column("mean_return"), cell.column("last")
    low, high = bootstrap_interval(returns)
    steps, seconds = cell.column("steps"), cell.column("seconds")
    score = cell.fitness
    return (
        cell.name, cell.agent, common.rounded(returns.mean()),
        f"{common.rounded(low)} to {common.rounded(high)}",
        common.rounded(interquartile_mean(returns)), _worst(cell), _each(cell),
        common.rounded(last.mean()) if len(last) else "", _solved(cell),
        f"{np.median(steps):,.0f}, {steps.max():,.0f}", f"{np.median(seconds):.0f}",
        "" if score is None else f"{score:.3g}", str(cell.published or ""), _short(cell),
    )  # fmt: skip


def _worst(cell: Cell) -> str:
    returns = cell.column("mean_return")
    return common.rounded(returns.min()) if len(returns) == len(cell.rows) else "diverged"


def _each(cell: Cell) -> str:
    return " ".join(
        common.rounded(float(row["mean_return"]), 0) if row["mean_return"] else row["status"]
        for row in cell.rows
    )


def _solved(cell: Cell) -> str:
    if find_problem(cell.specification.environment_id).solved is None:
        return ""
    return f"{cell.column('solved').sum():.0f} of {len(cell.rows)}"


def _short(cell: Cell) -> str:
    """Where the cell falls short of the published figure, and where the log says what was tried."""
    published = cell.published
    if published is None:
        return ""
    by = published.mean_return - float(cell.column(_compared(published)).mean())
    more = cell.column("steps").max() > published.steps
    what = [f"by {by:.1f}"] * (round(by, 1) > 0) + ["in more steps"] * bool(more)
    return f"{', '.join(what)}; [tried](TUNING.md#{tried(cell.name)})" if what else ""


def _compared(published: Published) -> str:
    return "trained" if published.is_of_training else "mean_return"


def _in_training(cell: Cell) -> tuple[str, ...]:
    """The line of a cell whose published figure is of training."""
    trained = cell.column("trained")
    return (
        cell.name, cell.agent, common.rounded(trained.mean()),
        " ".join(map(common.rounded, trained)), str(cell.published),
        common.rounded(_mean_return(cell)), f"{np.median(cell.column('seconds')):.0f}",
    )  # fmt: skip


def missing(found: Iterable[Cell], spec: Path | None = None) -> str:
    """The cells that are not complete, each with the command that goes on."""
    command = "python scripts/fitness_matrix.py" + (f" --spec {spec}" if spec else "")
    return common.table(MISSING, [
        (each.name, each.specification.environment_id, each.agent, _seeds(each.missing),
         str(each.published or ""), f"`{command} --only {each.name}`")
        for each in found if each.missing
    ], aligned=False)  # fmt: skip


def _seeds(seeds: Sequence[int]) -> str:
    if len(seeds) > 1 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"{seeds[0]} to {seeds[-1]}"
    return " ".join(map(str, seeds))


def tables(found: Sequence[Cell], spec: Path | None = None) -> dict[str, str]:
    """The tables of docs/RESULTS.md, by their marks; `spec` is the file of other experiments."""
    complete = [each for each in found if each.rows and not each.missing]
    return {
        "fitness matrix": common.table(HEADER, map(line, complete), aligned=False),
        "fitness grid": grid(complete),
        "returns in training": common.table(TRAINING, [
            _in_training(each) for each in found
            if each.rows and each.published and each.published.is_of_training
        ], aligned=False),
        "missing cells": missing(found, spec),
    }  # fmt: skip


def publish(found: Sequence[Cell]) -> None:
    """Writes the tables into docs/RESULTS.md and README.md."""
    for name, text in tables(found).items():
        common.put_into_results(name, text)
    complete = {each.name: each for each in found if each.rows and not each.missing}
    earlier = [text for text in common.table_in_results("earlier fitness matrix").splitlines()
               if text.split("|")[1].strip() not in complete]  # fmt: skip
    common.put_into_results("earlier fitness matrix", "\n".join(earlier))
    text = README.read_text()
    if (now := renewed(text, complete)) != text:
        with common.written(README) as file:
            file.write(now.encode())


def renewed(text: str, complete: Mapping[str, Cell]) -> str:
    """The README with the lines of its table renewed whose cells are complete."""

    def of(found: re.Match[str]) -> str:
        if found["name"] not in complete:
            return found[0]
        cells = line(complete[found["name"]])
        shown = dict(zip(HEADER, cells, strict=True))
        steps = shown["steps, median and most"].split(", ")[0]
        figures = (shown["mean return"], shown["95% interval"], shown["solved"], steps)
        return f"{found['start']}{' | '.join(figures)} |"

    return re.sub(r"^(?P<start>\| [\w-]+ \| `rl run (?P<name>\w+)` \| ).*\|$", of, text, flags=re.M)
