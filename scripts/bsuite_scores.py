"""bsuite's experiments and scores, and the tables and charts of them, for `bsuite_radar.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import common
import numpy as np
from rows import Row

from rl.analysis import charts
from rl.analysis.charts import Axis, Chart

LEFT_OUT = "mnist"
TAGS = ("basic", "noise", "scale", "exploration", "credit_assignment", "memory", "generalization")
# What bsuite logs of an episode; each experiment has some of the last ones.
LOGGED = ("steps", "episode", "total_return", "episode_len", "episode_return", "total_regret",
          "raw_return", "best_episode", "total_upright", "total_bad_episodes", "denoised_return",
          "total_perfect")  # fmt: skip
# A deep sea is solved at the first logged episode from here on with fewer bad ones than this share.
SOLVED = {"deep_sea": (1, 0.9), "deep_sea_stochastic": (100, 0.8)}
# What the agents of bsuite's authors score, read to about 0.01 from the bars of the report in their
# repository, reports/standalone/images/bar_plot.png.
_PUBLISHED = {  # experiment: DQN, bootstrapped DQN, recurrent A2C
    "bandit": (0.88, 0.98, 0.94),
    "bandit_noise": (0.60, 0.74, 0.73),
    "bandit_scale": (0.59, 0.84, 0.67),
    "cartpole": (0.79, 0.69, 0.67),
    "cartpole_noise": (0.71, 0.68, 0.38),
    "cartpole_scale": (0.45, 0.53, 0.24),
    "cartpole_swingup": (0.00, 0.28, 0.00),
    "catch": (0.91, 0.98, 0.86),
    "catch_noise": (0.46, 0.66, 0.37),
    "catch_scale": (0.59, 0.70, 0.20),
    "deep_sea": (0.00, 0.99, 0.00),
    "deep_sea_stochastic": (0.00, 0.86, 0.05),
    "discounting_chain": (0.25, 0.21, 0.38),
    "memory_len": (0.04, 0.04, 0.65),
    "memory_size": (0.00, 0.00, 0.35),
    "mountain_car": (0.94, 0.96, 0.93),
    "mountain_car_noise": (0.82, 0.93, 0.41),
    "mountain_car_scale": (0.89, 0.41, 0.94),
    "umbrella_distract": (0.48, 0.26, 0.17),
    "umbrella_length": (0.48, 0.39, 0.35),
}
PUBLISHED: dict[str, dict[str, float]] = {
    agent: {experiment: scores[number] for experiment, scores in _PUBLISHED.items()}
    for number, agent in enumerate(("DQN", "bootstrapped DQN", "recurrent A2C"))
}

Measured = Mapping[str, Mapping[str, Sequence[Row]]]  # the rows of each agent and experiment
Scores = Mapping[str, Mapping[str, float]]  # of each agent, or series, and experiment, or tag


@cache
def suite() -> dict[str, list[str]]:
    """The ids of each experiment's settings, in bsuite's order."""
    from bsuite import sweep

    found: dict[str, list[str]] = {}
    for bsuite_id in sweep.SWEEP:
        if not bsuite_id.startswith(LEFT_OUT):
            found.setdefault(experiment_of(bsuite_id), []).append(bsuite_id)
    return found


def experiment_of(bsuite_id: str) -> str:
    """The experiment of a setting: "catch" of "catch/0"."""
    return bsuite_id.partition("/")[0]


def tags_of(experiment: str) -> tuple[str, ...]:
    """The tags that an experiment counts for."""
    from bsuite import sweep

    return tuple(tag for tag in TAGS if f"{experiment}/0" in sweep.TAGS[tag])


def is_decided(row: Mapping[str, Any]) -> bool:
    """Whether later episodes cannot change the score of a setting."""
    least, share = SOLVED.get(experiment_of(row["bsuite_id"]), (0, 0.0))
    episode = int(row["episode"])
    return bool(share and episode >= least and float(row["total_bad_episodes"]) / episode < share)


def by_experiment(rows: Sequence[Row]) -> dict[str, float]:
    """bsuite's scores of one agent's rows."""
    import pandas

    if not hasattr(pandas.Series, "append"):  # which pandas 2 has removed, and bsuite calls
        pandas.Series.append = lambda self, other: pandas.concat([self, other])
    from bsuite.experiments import summary_analysis
    from bsuite.logging import logging_utils

    logged = [
        {"bsuite_id": row["bsuite_id"], **{key: float(row[key]) for key in LOGGED if row.get(key)}}
        for row in rows
    ]
    frame = logging_utils.join_metadata(pandas.DataFrame(logged))
    scored = summary_analysis.bsuite_score(frame)
    return dict(zip(scored["bsuite_env"], map(float, scored["score"]), strict=True))


def by_tag(scores: Mapping[str, float]) -> dict[str, float]:
    """The mean score of the experiments of each tag, as bsuite's radar has it."""
    found: dict[str, list[float]] = {}
    for experiment, score in scores.items():
        for tag in tags_of(experiment):
            found.setdefault(tag, []).append(score)
    return {tag: float(np.mean(found[tag])) for tag in TAGS if tag in found}


def tables(measured: Measured, scores: Scores) -> str:
    """The scores by tag and by experiment, with what was measured, beside the published ones."""
    agents = *scores, *(f"{name}, published" for name in PUBLISHED)
    parts = {agent: {name for name, rows in found.items() if is_part(rows)}
             for agent, found in measured.items()}  # fmt: skip
    tags = (
        (words(tag), *(tag_cell(tag, each, parts[agent]) for agent, each in scores.items()),
         *(tag_cell(tag, each) for each in PUBLISHED.values()))
        for tag in TAGS
    )  # fmt: skip
    experiments = (
        (name, *(cell(measured[agent].get(name, ()), scores[agent]) for agent in scores),
         *(f"{each[name]:.2f}" for each in PUBLISHED.values()))
        for name in suite()
    )  # fmt: skip
    return "\n\n".join(
        common.table((kind, *agents), rows, aligned=False)
        for kind, rows in (("tag", tags), ("experiment", experiments))
    )


def tag_cell(tag: str, scores: Mapping[str, float], parts: Collection[str] = ()) -> str:
    """A mean score, and of how many of the tag's experiments where it is not of all.

    Args:
        tag: one of `TAGS`.
        scores: of the experiments.
        parts: the experiments of which only a part is measured.
    """
    every = [name for name in suite() if tag in tags_of(name)]
    known = [name for name in every if name in scores]
    if not known:
        return ""
    in_part = ["in part"] if any(name in parts for name in known) else []
    return f"{by_tag(scores)[tag]:.2f}{brackets(len(known), len(every), in_part)}"


def cell(rows: Sequence[Row], scores: Mapping[str, float]) -> str:
    """A score, and of how many settings and which share of the episodes where not of all."""
    if not rows:
        return ""
    experiment, share = experiment_of(rows[0]["bsuite_id"]), share_of_episodes(rows)
    episodes = [f"{share:.3g} of the episodes"] if share < 1 else []
    return f"{scores[experiment]:.2f}{brackets(len(rows), _settings(rows), episodes)}"


def is_part(rows: Sequence[Row]) -> bool:
    """Whether settings or episodes are missing from the rows of an experiment."""
    return len(rows) < _settings(rows) or share_of_episodes(rows) < 1


def share_of_episodes(rows: Sequence[Row]) -> float:
    """The share of an experiment's episodes that was played where the score is not decided."""
    from bsuite import sweep

    return min((int(row["episode"]) / sweep.EPISODES[row["bsuite_id"]]
                for row in rows if not is_decided(row)), default=1.0)  # fmt: skip


def _settings(rows: Sequence[Row]) -> int:
    return len(suite()[experiment_of(rows[0]["bsuite_id"])])


def brackets(count: int, every: int, more: Sequence[str]) -> str:
    """In brackets, of how many of all something is, unless it is of all."""
    parts = [f"{count} of {every}"] * (count < every) + [*more]
    return f" ({', '.join(parts)})" if parts else ""


def words(name: str) -> str:
    """A name of bsuite's in words."""
    return name.replace("_", " ")


def pictures(scores: Scores) -> list[Chart]:
    """The bars of all experiments, the radar of the lab's agents, and that of published ones."""
    experiments = [each for each in suite() if any(each in found for found in scores.values())]
    names = Axis("", names=[words(each) for each in experiments])
    bars = [
        _bars(agent, [found.get(each, 0.0) for each in experiments], number, len(scores))
        for number, (agent, found) in enumerate(scores.items())
    ]
    ours = {agent: by_tag(each) for agent, each in scores.items()}
    theirs = {f"{name}, published": by_tag(each) for name, each in PUBLISHED.items()}
    return [
        Chart("score by experiment", "a bar for each agent", names, Axis("score"), bars),
        _radar("this lab, of what was measured", ours, 0),
        _radar("Osband et al. (2020)", theirs, len(ours)),
    ]


def _bars(name: str, scores: Sequence[float], number: int, agents: int) -> charts.Series:
    """Bars beside those of the other agents: one histogram with gaps."""
    width = 0.8 / agents
    left = np.arange(len(scores)) - 0.4 + number * width
    edges = np.stack([left, left + width], axis=1).ravel()
    heights = np.stack([scores, np.zeros(len(scores))], axis=1).ravel()[:-1]
    return charts.bars(name, edges, heights, number)


def _radar(title: str, scores: Scores, colour: int) -> Chart:
    """The tags of which an agent has a score; a line has a gap where its agent has none."""
    tags = [tag for tag in TAGS if any(tag in each for each in scores.values())]
    lines = [
        charts.line(name, range(len(tags)), [each.get(tag, np.nan) for tag in tags],
                    colour + number)
        for number, (name, each) in enumerate(scores.items())
    ]  # fmt: skip
    around = Axis("", names=[words(tag) for tag in tags])
    return Chart(title, "mean score by tag", around, Axis("score"), lines, radar=True)
