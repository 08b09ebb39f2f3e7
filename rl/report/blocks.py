"""What a page is made of. Which form each takes in HTML is the template's affair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from rl.analysis.charts import Chart


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar = "text"
    text: str


@dataclass(frozen=True)
class Code:
    """Commands or data as they are written.

    Args:
        text: the lines.
        label: what they are.
        folded: whether they are shown only when asked for.
    """

    kind: ClassVar = "code"
    text: str
    label: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under a head, by which the reader can sort them.

    Args:
        head: a title for each column; empty if the first cell of a row is its title.
        rows: a cell for each column; None is an empty one.
        caption: what the table is.
    """

    kind: ClassVar = "table"
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture, moving or not.

    Args:
        source: a data URI.
        description: what there is to see, for those who cannot.
        caption: under it.
    """

    kind: ClassVar = "picture"
    source: str
    description: str
    caption: str = ""


@dataclass(frozen=True)
class Replay:
    """An episode to be played.

    Args:
        title: above it.
        description: what there is to see, for those who cannot.
        data: its frames and what the agent thought, for JSON.
    """

    kind: ClassVar = "replay"
    title: str
    description: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Charts:
    """Charts, side by side where there is room.

    Args:
        charts: in their order.
        wide: whether each takes the whole width.
    """

    kind: ClassVar = "charts"
    charts: Sequence[Chart]
    wide: bool = False


Block = Text | Code | Table | Picture | Replay | Charts


@dataclass(frozen=True)
class Figure:
    """A number worth large print.

    Args:
        label: what it is.
        value: the number.
        note: its interval, or what else it needs to be understood.
    """

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """What came of it.

    Args:
        word: in one or two words.
        good: whether that is what was wanted; None where it cannot be said.
        sentences: what the data support.
        figures: the numbers behind it.
    """

    word: str
    good: bool | None
    sentences: Sequence[str]
    figures: Sequence[Figure] = ()


@dataclass(frozen=True)
class Section:
    """A part of the page with a title of its own.

    Args:
        title: of the section.
        blocks: in their order; a section without any is left out.
    """

    title: str
    blocks: Sequence[Block] = field(default=())

    @property
    def id(self) -> str:
        """Its name within the page."""
        return self.title.lower().replace(" ", "-")


@dataclass(frozen=True)
class Page:
    """A report.

    Args:
        kind: "run", "trial", "search" or "comparison".
        title: of the whole.
        subtitle: what it is about.
        verdict: what came of it.
        sections: in their order.
    """

    kind: str
    title: str
    subtitle: str
    verdict: Verdict
    sections: Sequence[Section]
