"""From a page to its HTML. Whatever a name or a value contains is shown, never run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl.report.blocks import Page
from rl.storage.texts import encodable

if TYPE_CHECKING:
    from markupsafe import Markup

ASSETS = Path(__file__).parent / "assets"
STYLES = ("charts.css", "style.css")
DRAWING = ("scales.js", "shapes.js", "readings.js", "exports.js", "charts.js", "replay.js")
SCRIPTS = (*DRAWING, "tables.js", "contents.js")


def render(page: Page) -> str:
    """The page as one self-contained HTML document."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(ASSETS), autoescape=True, **options())
    environment.filters["json"] = to_json
    template = environment.get_template("page.html")
    return encodable(template.render(page=page, styles=_assets(STYLES), scripts=_assets(SCRIPTS)))


def options() -> dict[str, Any]:
    """How the templates are read."""
    from jinja2 import StrictUndefined

    return {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}


def to_json(value: Any) -> Markup:
    """JSON for a script element, which no text in it can end."""
    from markupsafe import Markup

    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def _assets(names: tuple[str, ...]) -> Markup:
    from markupsafe import Markup

    return Markup("\n".join((ASSETS / name).read_text(encoding="utf-8") for name in names))
