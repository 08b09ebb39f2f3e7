"""The page of a comparison."""

from __future__ import annotations

from pathlib import Path

from rl.analysis.comparison import Comparison, Estimate, Pair, Summary, compare, group_of
from rl.analysis.comparison_charts import comparison_charts
from rl.errors import UserError
from rl.report.blocks import Charts, Code, Figure, Page, Section, Table, Text, Verdict
from rl.report.origin import command_of
from rl.storage.files import read_json
from rl.storage.forms import COMPARISON

FILE = "comparison.json"


def comparison_page(folder: Path) -> Page:
    """What a comparison found.

    Raises:
        UserError: its file is damaged, or was written before it held the sessions' figures.
    """
    values = read_json(folder / FILE)
    if not COMPARISON(values):
        raise UserError(f"{folder / FILE}: lacks what a report shows; run `rl compare` again")
    try:
        comparison = compare([group_of(each) for each in values["data"]])
    except (TypeError, ValueError) as error:
        raise UserError(f"{folder / FILE}: is damaged: {error}; run `rl compare` again") from None
    return Page(
        "comparison",
        " or ".join(each.name for each in comparison.summaries) + "?",
        f"on {comparison.problem}",
        _verdict(comparison),
        [
            Section("Runs", [_summaries(comparison)]),
            Section("Pairs", [_pairs(comparison), Text(" ".join(comparison.caption()))]),
            Section("Charts", [Charts(comparison_charts(comparison))]),
            Section("Run it again", [Code(command_of(values))]),
        ],
    )


def _verdict(comparison: Comparison) -> Verdict:
    sentences = list(dict.fromkeys(pair.verdict for pair in comparison.pairs))
    shown = any(pair.better for pair in comparison.pairs)
    figures = [
        Figure(each.name, f"{each.iqm.value:,.1f}", f"IQM of {each.sessions} sessions")
        for each in comparison.summaries
    ]
    return Verdict("A difference" if shown else "No difference shown", None, sentences, figures)


def _summaries(comparison: Comparison) -> Table:
    head = ("run", "sessions", "mean", "95% interval", "IQM", "95% interval", "share solved")
    return Table(head, [_summary(each) for each in comparison.summaries])


def _summary(summary: Summary) -> list[object]:
    figures = [*_estimate(summary.mean), *_estimate(summary.iqm)]
    return [summary.name, summary.sessions, *figures, summary.solved]


def _pairs(comparison: Comparison) -> Table:
    head = ("first", "second", "difference of means", "interval", "P(first > second)", "interval")
    return Table(head, [_pair(each) for each in comparison.pairs])


def _pair(pair: Pair) -> list[object]:
    return [pair.first, pair.second, *_estimate(pair.difference), *_estimate(pair.improvement)]


def _estimate(estimate: Estimate) -> tuple[float, str | None]:
    """Its value and its interval, a cell for each."""
    ends = estimate.interval
    return estimate.value, ends and f"{ends[0]:,.4g} to {ends[1]:,.4g}"
