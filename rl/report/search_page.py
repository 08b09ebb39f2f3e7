"""The page of a search."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rl.analysis.charts import name_of
from rl.analysis.search_charts import pair_charts, parameter_charts, score_chart
from rl.analysis.search_figures import Result, describe_parameters, is_log, ranked, read_results
from rl.report.blocks import Block, Charts, Figure, Page, Section, Table, Text, Verdict
from rl.report.origin import origin, reproduction
from rl.report.pictures import moving
from rl.running.opened_run import Run
from rl.storage.files import read_json
from rl.storage.run_folder import RunFolder

MOST_PAIRS = 10


def search_page(folder: RunFolder) -> Page:
    """What a search tried, and what it found.

    Raises:
        UserError: a file is damaged.
    """
    manifest = folder.read_manifest()
    search, results = manifest["search"], ranked(read_results(folder))
    scored = [result for result in results if result["score"] is not None]
    episodes, learning = moving(Run(folder, scored[0]["trial"])) if scored else ([], [])
    return Page(
        "search",
        manifest["experiment"],
        f"{len(results)} trials of {', '.join(search['space'])}",
        _verdict(folder, results, scored, search["statistic"]),
        [
            Section("Trials", [_table(results, list(search["space"]), search["statistic"])]),
            Section("Parameters", _charts(scored, search)),
            Section("Film of the best", learning),
            Section("Episodes of the best", episodes),
            failures(results),
            origin(folder, manifest, folder.spec),
            reproduction(_commands(folder, manifest, scored)),
        ],
    )


def _verdict(
    folder: RunFolder, results: Sequence[Result], scored: Sequence[Result], statistic: str
) -> Verdict:
    states = ", ".join(f"{n} {state}" for state, n in Counter(r["state"] for r in results).items())
    if not scored:
        return Verdict("Nothing found", False, [f"No trial has a score ({states})."])
    best = scored[0]
    sentences = [f"Trial {best['trial']} is the best: {describe_parameters(best['parameters'])}."]
    sentences.append(
        "It was chosen as the best of many, which flatters it: run it on other seeds before you "
        "believe the figure."
    )
    figures = [
        Figure(statistic, f"{best['score']:,.4g}", f"of trial {best['trial']}"),
        Figure("trials", str(len(results)), states),
    ]
    shares = read_json(folder.path / "search.json").get("importances") or {}
    figures += [Figure(path, f"{share:.0%}", "importance") for path, share in shares.items()]
    return Verdict("Best of the trials", None, sentences, figures)


def _table(results: Sequence[Result], paths: Sequence[str], statistic: str) -> Table:
    """A row for each trial, the best first."""
    head = ("rank", "trial", "state", statistic, *paths, "solved", "fitness")
    rows = [
        [rank, each["trial"], each["state"], each["score"],
         *(_cell(each["parameters"].get(path)) for path in paths),
         each.get("solved"), each.get("fitness")]
        for rank, each in enumerate(results, 1)
    ]  # fmt: skip
    return Table(head, rows, "All trials; a click on a title sorts by that column.")


def _cell(value: Any) -> Any:
    plain = value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
    return value if plain else name_of(value)


def _charts(scored: Sequence[Result], search: Mapping[str, Any]) -> list[Block]:
    if not scored:
        return []
    space, statistic = search["space"], search["statistic"]
    paths, logs = list(space), {path for path in space if is_log(space[path])}
    drawn = [score_chart(scored, statistic), *parameter_charts(scored, paths, logs, statistic)]
    return [Charts([*drawn, *pair_charts(scored, paths, logs, statistic)[:MOST_PAIRS]])]


def failures(results: Sequence[Result]) -> Section:
    """The trials that did not come to their end, and why."""
    reasons = [
        Text(f"Trial {each['trial']}: {each['state']}: {each['reason']}.")
        for each in sorted(results, key=lambda result: result["trial"])
        if each.get("reason")
    ]
    return Section("What went wrong", reasons)


def _commands(
    folder: RunFolder, manifest: Mapping[str, Any], scored: Sequence[Result]
) -> list[str]:
    path, name = shlex.quote(str(folder.path)), shlex.quote(manifest["experiment"])
    if not scored:
        return [f"rl resume {path}"]
    best = shlex.quote(str(folder.path / "best_spec.json"))
    return [
        f"rl run {name} --spec {best} --seed 1000 --sessions 5",
        f"rl verify {path} --trial {scored[0]['trial']} --evaluation",
        f"rl resume {path}",
    ]
