"""From the trials of a search to its table, its pictures and its best specification.

A damaged file of a trial raises a UserError.
"""

from __future__ import annotations

import csv
import io
import json
import shlex
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rl.analysis.charts import name_of
from rl.analysis.drawer import draw
from rl.analysis.figures import any_backend
from rl.analysis.metrics import METRICS, STATISTICS
from rl.console.optional import optional
from rl.formatting import count_of
from rl.storage.files import read_specification, write_json, write_specification, write_text
from rl.storage.forms import is_number
from rl.storage.run_folder import RunFolder

Result = dict[str, Any]

LEAST_FOR_IMPORTANCE = 8  # complete trials; with fewer, importances are noise


@dataclass(frozen=True)
class Search:
    """The trials of a search so far."""

    space: Mapping[str, Any]  # the definition of each parameter by its dotted path
    statistic: str  # by which trials are ranked
    results: Sequence[Result]  # the best first, then those without a score

    @property
    def scored(self) -> list[Result]:
        """The results that have a score, the best first."""
        return [result for result in self.results if result["score"] is not None]

    @property
    def states(self) -> dict[str, int]:
        """The number of trials in each state."""
        return dict(Counter(result["state"] for result in self.results))

    @property
    def described_states(self) -> str:
        """The same in words."""
        return ", ".join(f"{count} {state}" for state, count in self.states.items())

    def is_log(self, path: str) -> bool:
        """Whether a parameter is searched on a logarithmic scale."""
        definition = self.space[path]
        return isinstance(definition, Mapping) and bool(definition.get("log"))


def read_search(folder: RunFolder) -> Search:
    """What the trials of a search were worth; one that was interrupted is "unfinished".

    Raises:
        UserError: a file is damaged.
    """
    search, results = folder.read_manifest()["search"], []
    for trial in folder.trials():
        if result := trial.read_result():
            state = "unfinished" if result["state"] == "running" else result["state"]
            results.append({**result, "state": state, "trial": trial.number})
    return Search(search["space"], search["statistic"], sorted(results, key=_rank))


def _rank(result: Result) -> tuple[bool, float, int]:
    """Sorts the best first; without a score, by the latest value before a trial was pruned."""
    score, curve = result["score"], result.get("curve") or [(0, -np.inf)]
    return score is None, -(curve[-1][1] if score is None else score), result["trial"]


def analyze_search(folder: RunFolder) -> Result:
    """Writes the CSV table, `search.json`, `best_spec.json` and PNGs; returns the summary."""
    search = read_search(folder)
    write_text(folder.path / "trials.csv", _table(search))
    best = search.scored[0] if search.scored else {}
    summary: Result = {
        "statistic": search.statistic,
        "trials": len(search.results),
        "states": search.states,
        "best_trial": best.get("trial"),
        "best_score": best.get("score"),
        "best_parameters": best.get("parameters"),
        "importances": importances(search),
    }
    write_json(folder.path / "search.json", summary)
    if best:  # ready for `rl run --spec`
        name = folder.read_manifest()["experiment"]
        values = read_specification(folder.trial(best["trial"]).spec, name)
        values.pop("search", None)
        write_specification(folder.path / "best_spec.json", name, values)
    if len(search.scored) > 1:
        _draw(search, folder)
    return summary


def _draw(search: Search, folder: RunFolder) -> None:
    from rl.analysis.search_charts import metric_charts, pair_charts

    remedy = f"`rl analyze {shlex.quote(str(folder.path))}` tries again"
    for name, make in (("metrics", metric_charts), ("pairs", pair_charts)):
        picture = folder.path / f"search_{name}.png"
        with optional(picture.name, remedy):
            if drawn := make(search):
                draw(
                    drawn,
                    picture,
                    count_of(len(search.scored), "trial"),
                    len(search.space),
                    wide=False,
                )


def _table(search: Search) -> str:
    """The results as CSV: parameters by their dotted paths, then every metric."""
    text, paths = io.StringIO(), list(search.space)
    writer = csv.writer(text)
    units = (f"{unit}_to_threshold" for unit in ("steps", "episodes", "seconds"))
    measured = ["counted", "solved", *units, *(name for name in METRICS if name not in STATISTICS)]
    hosts = ["host"] if any("made" in result for result in search.results) else []
    names = [*paths, *STATISTICS, *measured, "reason", *hosts]
    writer.writerow(["rank", "trial", "state", "score", *names])
    for rank, result in enumerate(search.results, 1):
        counted = result.get("counted")
        values = [
            result["score"],
            *map(result["parameters"].get, paths),
            *(measure(result) if counted else None for measure in STATISTICS.values()),
            *map(result.get, measured),
        ]
        row = [rank, result["trial"], result["state"], *map(_cell, values)]
        host = [result.get("made", {}).get("host") for _ in hosts]
        writer.writerow([*row, result.get("reason"), *host])
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A number, a text or None as it is, the median of several values, or JSON."""
    if isinstance(value, Mapping) and "median" in value:
        return value["median"]
    return value if value is None or isinstance(value, (int, float, str)) else json.dumps(value)


def importances(search: Search) -> dict[str, float] | None:
    """How much of the difference between good and bad trials each parameter explains: sums to 1.

    By Optuna's PED-ANOVA (Watanabe et al. 2023); None without Optuna, or if there are too few
    trials or parameters to tell.
    """
    paths = list(search.space)
    complete = [each for each in search.scored if each["parameters"].keys() >= set(paths)]
    if len(complete) < LEAST_FOR_IMPORTANCE or len(paths) < 2:
        return None
    try:
        with any_backend():
            import optuna
    except ImportError:
        return None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(direction="maximize")
        distributions = {path: _distribution(complete, path) for path in paths}
        for result in complete:
            values = {path: _plain(result["parameters"][path]) for path in paths}
            trial = optuna.trial.create_trial(
                params=values, distributions=distributions, value=result["score"]
            )
            study.add_trial(trial)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {path: float(found.get(path, 0.0)) for path in paths}


def _plain(value: Any) -> Any:
    """A number as it is, anything else as JSON."""
    return value if is_number(value) else json.dumps(value)


def _distribution(results: Sequence[Result], path: str) -> Any:
    """The distribution of a parameter, as far as the trials show."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    values = [_plain(result["parameters"][path]) for result in results]
    if all(map(is_number, values)) and min(values) < max(values):
        return FloatDistribution(float(min(values)), float(max(values)))
    return CategoricalDistribution(list(dict.fromkeys(values)))


def describe_parameters(parameters: Mapping[str, Any]) -> str:
    """The parameters of a trial in one line."""
    texts = (f"{path}={name_of(value)}" for path, value in parameters.items())
    return ", ".join(texts) or "the specification as it stands"


def describe_search(folder: RunFolder, summary: Result) -> list[str]:
    """The summary in lines to read, with the best trials."""
    search = read_search(folder)
    trials = f"{count_of(summary['trials'], 'trial')} ({search.described_states})"
    lines = [f"{trials}, ranked by {search.statistic}"]
    for result in search.scored[:5]:
        parameters = describe_parameters(result["parameters"])
        lines.append(f"  {result['score']:10.4g}  trial {result['trial']}: {parameters}")
    if summary["importances"]:
        order = sorted(summary["importances"].items(), key=lambda item: -item[1])
        lines.append("importance: " + ", ".join(f"{path} {share:.0%}" for path, share in order))
    if summary["best_trial"] is None:
        lines.append("no trial has a score")
    return lines
