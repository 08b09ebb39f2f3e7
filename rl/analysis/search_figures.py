"""From the trials of a search to its table, its pictures and its best specification."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rl.analysis.charts import name_of
from rl.analysis.drawer import draw
from rl.analysis.figures import any_backend
from rl.analysis.metrics import METRICS, STATISTICS
from rl.console.optional import optional
from rl.storage.files import (
    read_specification,
    write_json,
    write_specification,
    write_text,
)
from rl.storage.forms import is_number
from rl.storage.run_folder import RunFolder

Result = dict[str, Any]

LEAST_FOR_IMPORTANCE = 8  # complete trials; of fewer, importances are noise


def analyze_search(folder: RunFolder) -> Result:
    """Writes `trials.csv`, `search.json`, `best_spec.json` and the pictures; returns the summary.

    Args:
        folder: of the run.

    Raises:
        UserError: a file is damaged.
    """
    search = folder.read_manifest()["search"]
    statistic, paths = search["statistic"], list(search["space"])
    results = ranked(read_results(folder))
    write_text(folder.path / "trials.csv", _table(results, paths))
    scored = [result for result in results if result["score"] is not None]
    summary: Result = {
        "statistic": statistic,
        "trials": len(results),
        "states": dict(Counter(result["state"] for result in results)),
        "best_trial": scored[0]["trial"] if scored else None,
        "best_score": scored[0]["score"] if scored else None,
        "best_parameters": scored[0]["parameters"] if scored else None,
        "importances": importances(scored, paths),
    }
    write_json(folder.path / "search.json", summary)
    if scored:
        _write_best(folder, scored[0]["trial"])
    if len(scored) > 1:
        from rl.analysis.search_charts import metric_charts, pair_charts

        logs = {path for path in paths if is_log(search["space"][path])}
        remedy = f"`rl analyze {shlex.quote(str(folder.path))}` tries again"
        for name, make in (("metrics", metric_charts), ("pairs", pair_charts)):
            picture = folder.path / f"search_{name}.png"
            with optional(picture.name, remedy):
                if drawn := make(scored, paths, logs, statistic):
                    draw(drawn, picture, f"{len(scored)} trials", len(paths), wide=False)
    return summary


def read_results(folder: RunFolder) -> list[Result]:
    """What each trial was worth, in their order; one that was interrupted is "unfinished".

    Raises:
        UserError: a file is damaged.
    """
    results = []
    for trial in folder.trials():
        if result := trial.read_result():
            state = "unfinished" if result["state"] == "running" else result["state"]
            results.append({**result, "state": state, "trial": trial.number})
    return results


def ranked(results: Sequence[Result]) -> list[Result]:
    """Best first; behind them those without a score, a pruned one by how far it had come."""

    def key(result: Result) -> tuple[bool, float, int]:
        score, curve = result["score"], result.get("curve") or [(0, -np.inf)]
        return score is None, -(curve[-1][1] if score is None else score), result["trial"]

    return sorted(results, key=key)


def _table(results: Sequence[Result], paths: Sequence[str]) -> str:
    """The results as CSV: parameters under their dotted paths, then every metric."""
    text = io.StringIO()
    writer = csv.writer(text)
    units = (f"{unit}_to_threshold" for unit in ("steps", "episodes", "seconds"))
    measured = ["counted", "solved", *units, *(name for name in METRICS if name not in STATISTICS)]
    writer.writerow(["rank", "trial", "state", "score", *paths, *STATISTICS, *measured, "reason"])
    for rank, result in enumerate(results, 1):
        parameters = result["parameters"]
        cells = [_cell(parameters[path]) if path in parameters else "" for path in paths]
        figures = [_measure(result, name) for name in STATISTICS]
        row = [rank, result["trial"], result["state"], _cell(result["score"]), *cells]
        rest = [_cell(_median(result.get(name))) for name in measured]
        writer.writerow([*row, *map(_cell, figures), *rest, result.get("reason", "")])
    return text.getvalue()


def _measure(result: Result, name: str) -> float | None:
    """A statistic of a trial's sessions, if any has finished."""
    return STATISTICS[name](result) if result.get("counted") else None


def _median(value: Any) -> Any:
    return value["median"] if isinstance(value, Mapping) else value


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return value if isinstance(value, (int, float, str)) else json.dumps(value)


def is_log(definition: Any) -> bool:
    return isinstance(definition, Mapping) and bool(definition.get("log"))


def _write_best(folder: RunFolder, number: int) -> None:
    """Writes the best trial's specification, ready for `rl run --spec`."""
    name = folder.read_manifest()["experiment"]
    values = read_specification(folder.trial(number).spec, name)
    values.pop("search", None)
    write_specification(folder.path / "best_spec.json", name, values)


def importances(scored: Sequence[Result], paths: Sequence[str]) -> dict[str, float] | None:
    """How much of the difference between good and bad trials each parameter explains: sums to 1.

    By PED-ANOVA (Watanabe et al. 2023) as Optuna has it; None where Optuna is missing, or where
    there are too few trials or parameters to say.
    """
    complete = [result for result in scored if all(path in result["parameters"] for path in paths)]
    if len(complete) < LEAST_FOR_IMPORTANCE or len(paths) < 2:
        return None
    try:
        with any_backend():
            import optuna
    except ImportError:
        return None
    import warnings

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(direction="maximize")
        distributions = {path: _distribution(complete, path) for path in paths}
        for result in complete:
            values = {path: _plain(result["parameters"][path]) for path in paths}
            study.add_trial(
                optuna.trial.create_trial(
                    params=values, distributions=distributions, value=result["score"]
                )
            )
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {path: float(found.get(path, 0.0)) for path in paths}


def _plain(value: Any) -> Any:
    """A number as it is, anything else as its JSON."""
    return value if is_number(value) else json.dumps(value)


def _distribution(results: Sequence[Result], path: str) -> Any:
    """What a parameter was drawn from, as far as the trials show."""
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
    states = ", ".join(f"{count} {state}" for state, count in summary["states"].items())
    lines = [f"{summary['trials']} trials ({states}), ranked by {summary['statistic']}"]
    for result in ranked(read_results(folder))[:5]:
        if result["score"] is not None:
            parameters = describe_parameters(result["parameters"])
            lines.append(f"  {result['score']:10.4g}  trial {result['trial']}: {parameters}")
    if summary["importances"]:
        order = sorted(summary["importances"].items(), key=lambda item: -item[1])
        lines.append("importance: " + ", ".join(f"{path} {share:.0%}" for path, share in order))
    if summary["best_trial"] is None:
        lines.append("no trial has a score")
    return lines
