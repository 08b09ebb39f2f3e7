"""What the site has beside the pages of docs/.

README.md becomes its first page, CONTRIBUTING.md and CHANGELOG.md are taken as they are, and each
room of the packages gets a page made of its docstrings. Links that lead to a source file in the
repository lead to that module on the page of its room. Formulas become MathML, which browsers draw
without a script.
"""

from __future__ import annotations

import html
import posixpath
import re
from pathlib import Path

import latex2mathml.converter
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OUTSIDE = {"README.md": "index.md", "CONTRIBUTING.md": "CONTRIBUTING.md",
           "CHANGELOG.md": "CHANGELOG.md"}  # fmt: skip
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.S)


def rooms() -> dict[str, list[str]]:
    """The modules of each page, by the page's address: those of `nn`, `rl` and each room of it."""
    found: dict[str, list[str]] = {}
    for file in sorted((*ROOT.glob("nn/*.py"), *ROOT.glob("rl/**/*.py"))):
        module = file.relative_to(ROOT).with_suffix("").parts
        if module[-1] not in ("__init__", "__main__"):
            found.setdefault(f"api/{'.'.join(module[:-1])}.md", []).append(".".join(module))
    return found


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Adds the pages that are no files of docs/."""
    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text()))
    for page, modules in rooms().items():
        text = f"# {Path(page).stem}\n\n" + "".join(f"::: {module}\n\n" for module in modules)
        files.append(File.generated(config, page, content=text))
    listed = "".join(f"- [`{Path(page).stem}`]({page})\n" for page in rooms())
    text = f"# Interface\n\nThe packages, room by room.\n\n{listed}"
    files.append(File.generated(config, "api.md", content=text))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as they are on the site; a file that is only in the repository is named without one."""
    name = page.file.src_uri
    at_root = name in OUTSIDE.values()

    def linked(match: re.Match[str]) -> str:
        mark, label, target, anchor = match.groups("")
        path = posixpath.normpath(posixpath.join("" if at_root else "docs", target))
        place = address(path, name)
        return f"{mark}[{label}]({place}{anchor})" if place else label

    return markdown if name.startswith("api") else LINK.sub(linked, markdown)


def address(path: str, page: str) -> str | None:
    """Where a file of the repository is on the site, from a page of it; None if it is not."""
    if path in OUTSIDE:
        return OUTSIDE[path]
    if path.startswith("docs/") and not path.startswith("docs/example_package"):
        return posixpath.relpath(path[len("docs/") :], posixpath.dirname(page) or ".")
    module = path.removesuffix(".py").replace("/", ".")
    for room, modules in rooms().items():
        if module in modules:
            return f"{room}#{module}"
        if room == f"api/{module}.md":
            return room
    return None


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Formulas as MathML."""

    def formula(match: re.Match[str]) -> str:
        display = "block" if match[1] == "div" else "inline"
        return latex2mathml.converter.convert(html.unescape(match[2]), display=display)

    return FORMULA.sub(formula, content)
