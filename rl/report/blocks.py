"""What a page consists of; the templates turn it into HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rl.analysis.charts import Chart
from rl.storage.notes import NOTHING, Note


class Block:
    """A part of a section."""

    @property
    def kind(self) -> str:
        """The template's name for blocks of this class."""
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Text(Block):
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Code(Block):
    """Commands or data as they are written."""

    text: str
    label: str = ""
    folded: bool = False  # shown on request only


@dataclass(frozen=True)
class Table(Block):
    """Rows under a head, by which the reader can sort them."""

    head: Sequence[str]  # a title for each column; empty if each row begins with its title
    rows: Sequence[Sequence[Any]]  # a cell for each column, empty if None
    caption: str = ""


@dataclass(frozen=True)
class Picture(Block):
    """A still or animated picture."""

    source: str  # a data URI
    description: str  # what it shows, for those who cannot see it
    caption: str = ""
    still: str = ""  # a data URI of what is printed in its place


@dataclass(frozen=True)
class Replay(Block):
    """An episode to play."""

    title: str
    description: str  # what it shows, for those who cannot see it
    data: dict[str, Any]  # its frames and the agent's thoughts, for JSON


@dataclass(frozen=True)
class Charts(Block):
    """Charts, side by side if there is room."""

    charts: Sequence[Chart]
    wide: bool = False  # each takes the whole width


@dataclass(frozen=True)
class Figure:
    """A number in large print."""

    label: str
    value: str
    note: str = ""  # such as its interval


@dataclass(frozen=True)
class Verdict:
    """The outcome in a word, in sentences and in figures."""

    word: str
    good: bool | None  # None if the outcome is neither good nor bad
    sentences: Sequence[str]
    figures: Sequence[Figure] = ()


@dataclass(frozen=True)
class Section:
    """A part of the page with a title; without blocks it is left out."""

    title: str
    blocks: Sequence[Block] = ()

    @property
    def id(self) -> str:
        """Its anchor in the page."""
        return self.title.lower().replace(" ", "-")


@dataclass(frozen=True)
class Page:
    """A report."""

    kind: str  # "run", "trial", "search" or "comparison"
    title: str
    subtitle: str
    verdict: Verdict
    sections: Sequence[Section]
    note: Note = NOTHING
