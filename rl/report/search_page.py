"""The page of a search."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from rl.analysis.charts import name_of
from rl.analysis.search_charts import pair_charts, parameter_charts, score_chart
from rl.analysis.search_figures import Result, Search, describe_parameters, read_search
from rl.console.place import shown
from rl.formatting import count_of, figure_of
from rl.report.blocks import Charts, Figure, Page, Section, Table, Text, Verdict
from rl.report.origin import origin, reproduction
from rl.report.pictures import moving
from rl.saved.run import Run
from rl.storage.forms import is_number
from rl.storage.run_folder import RunFolder

MOST_PAIRS = 10


def search_page(folder: RunFolder, saliency: bool = False) -> Page:
    """What a search tried, and what it found.

    Args:
        folder: of the search.
        saliency: whether the episodes of the best trial show which pixels matter.

    Raises:
        UserError: a file is damaged, or there is no saliency.
    """
    manifest, search = folder.read_manifest(), read_search(folder)
    best = search.scored[0] if search.scored else None
    here = best and not folder.trial(best["trial"]).made_elsewhere
    found = Run(folder, best["trial"]) if best and here else None
    episodes, learning = moving(found, saliency) if found else ([], [])
    return Page(
        "search",
        manifest["experiment"],
        f"{count_of(len(search.results), 'trial')} of {', '.join(search.space)}",
        _verdict(folder, search, best),
        [
            Section("Trials", [_table(search)]),
            Section("Parameters", [_charts(search)] if best else []),
            Section("Film of the best", learning),
            Section("Episodes of the best", episodes),
            failures(search.results),
            origin(manifest, folder.spec),
            reproduction(_commands(folder, manifest, best)),
        ],
    )


def _verdict(folder: RunFolder, search: Search, best: Result | None) -> Verdict:
    states = search.described_states
    if best is None:
        return Verdict("Nothing found", False, [f"No trial has a score ({states})."])
    sentences = [
        f"Trial {best['trial']} is the best: {describe_parameters(best['parameters'])}.",
        "The best of many is flattered by the choice: run it on other seeds before you trust its "
        "score.",
    ]
    if made := folder.trial(best["trial"]).made_elsewhere:
        sentences.append(f"It was run {made}, where its checkpoints are.")
    figures = [
        Figure(search.statistic, figure_of(best["score"]), f"of trial {best['trial']}"),
        Figure("trials", str(len(search.results)), states),
    ]
    shares = folder.read_summary().get("importances") or {}
    figures += [Figure(path, f"{share:.0%}", "importance") for path, share in shares.items()]
    return Verdict("Best of the trials", None, sentences, figures)


def _table(search: Search) -> Table:
    """A row for each trial, the best first."""
    head = ("rank", "trial", "state", search.statistic, *search.space, "solved", "fitness")
    rows = []
    for rank, each in enumerate(search.results, 1):
        values = (_cell(each["parameters"].get(path)) for path in search.space)
        row = [rank, each["trial"], each["state"], each["score"], *values]
        rows.append([*row, each.get("solved"), each.get("fitness")])
    return Table(head, rows, "All trials; a click on a title sorts by that column.")


def _cell(value: Any) -> Any:
    return value if value is None or is_number(value) else name_of(value)


def _charts(search: Search) -> Charts:
    pairs = pair_charts(search)[:MOST_PAIRS]
    return Charts([score_chart(search), *parameter_charts(search), *pairs])


def failures(results: Sequence[Result]) -> Section:
    """The trials that did not finish, and why."""
    reasons = [
        Text(f"Trial {each['trial']}: {each['state']}: {each['reason']}.")
        for each in sorted(results, key=lambda result: result["trial"])
        if each.get("reason")
    ]
    return Section("What went wrong", reasons)


def _commands(folder: RunFolder, manifest: Mapping[str, Any], best: Result | None) -> list[str]:
    path, name = shlex.quote(shown(folder.path)), shlex.quote(manifest["experiment"])
    resume = f"rl resume {path}"
    if best is None:
        return [resume]
    spec = shlex.quote(shown(folder.path / "best_spec.json"))
    return [
        f"rl run {name} --spec {spec} --seed 1000 --sessions 5",
        f"rl verify {path} --trial {best['trial']} --evaluation",
        resume,
    ]
