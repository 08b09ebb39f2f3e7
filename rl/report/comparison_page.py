"""The page of a comparison."""

from __future__ import annotations

from pathlib import Path

from rl.analysis.comparison import Comparison, Estimate, compare, group_of
from rl.analysis.comparison_charts import comparison_charts
from rl.analysis.names import names_over
from rl.errors import UserError
from rl.formatting import figure_of
from rl.report.blocks import Charts, Code, Figure, Page, Section, Table, Text, Verdict
from rl.report.origin import command_of
from rl.storage.files import read_json
from rl.storage.forms import COMPARISON

FILE = "comparison.json"


def comparison_page(folder: Path) -> Page:
    """What a comparison found.

    Raises:
        UserError: its file is damaged, or an earlier version wrote it without the data.
    """
    values = read_json(folder / FILE)
    if not COMPARISON(values):
        raise UserError(f"{folder / FILE}: lacks what a report shows; run `rl compare` again")
    try:
        comparison = compare([group_of(each) for each in values["data"]])
    except (TypeError, ValueError) as error:
        raise UserError(f"{folder / FILE}: is damaged: {error}; run `rl compare` again") from None
    difference, *others = comparison_charts(comparison)
    return Page(
        "comparison",
        " or ".join(each.name for each in comparison.summaries) + "?",
        f"on {comparison.problem}",
        _verdict(comparison),
        [
            Section(
                "Differences",
                [
                    Charts([difference], wide=True),
                    _pairs(comparison),
                    Text(" ".join(comparison.caption())),
                ],
            ),
            Section("Runs", [_summaries(comparison), Charts(others)]),
            Section("Run it again", [Code(command_of(values))]),
        ],
    )


def _verdict(comparison: Comparison) -> Verdict:
    shown = any(pair.better for pair in comparison.pairs)
    figures = [
        Figure(each.name, figure_of(each.iqm.value), names_over(each.sessions)[0])
        for each in comparison.summaries
    ]
    word = "A difference" if shown else "No difference shown"
    return Verdict(word, None, comparison.verdicts, figures)


def _summaries(comparison: Comparison) -> Table:
    """A row for each run; without the IQM if that of each would be its mean."""
    has_iqm = any(each.has_iqm for each in comparison.summaries)
    iqm = ("IQM", "its interval") if has_iqm else ()
    head = ("run", "sessions", "mean", "its interval", *iqm, "share solved")
    rows = [
        [each.name, each.sessions, *_cells(each.mean),
         *(_cells(each.iqm) if each.has_iqm else (None, None))[: len(iqm)], each.solved]
        for each in comparison.summaries
    ]  # fmt: skip
    return Table(head, rows)


def _pairs(comparison: Comparison) -> Table:
    head = ("first", "second", "difference of means", "interval", "P(first > second)", "interval")
    rows = [
        [each.first, each.second, *_cells(each.difference), *_cells(each.improvement)]
        for each in comparison.pairs
    ]
    return Table(head, rows)


def _cells(estimate: Estimate) -> tuple[float, str | None]:
    """The value and its interval."""
    ends = estimate.interval
    return estimate.value, ends and f"{ends[0]:,.4g} to {ends[1]:,.4g}"
