"""A run folder as one page for the browser: everything in one file, nothing from the network."""

from rl.report.report import write_report

__all__ = ["write_report"]
