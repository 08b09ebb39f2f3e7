"""A folder of reports with an index, for any static web server."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

from nn.checkpoint import open_regular, replacing
from rl.dashboard.listing import AnyRow, Damaged, Rows
from rl.dashboard.plan import day_of
from rl.errors import UserError, on_disk
from rl.formatting import figure_of
from rl.report import page, write_report
from rl.report.report import NAME
from rl.storage.files import is_there, make_folder, read_json, read_text, write_json, write_text
from rl.storage.forms import block_of, is_text, list_of, maybe_empty
from rl.storage.texts import encodable

ASSETS = Path(__file__).parent / "assets"
STYLE = ASSETS / "dashboard.css"
INDEX, MARK, WITHIN = "index.html", ".rl-site.json", "runs"
FORM = block_of({"files": maybe_empty(list_of(is_text))})
LINK = re.compile(r"""\b(?:href|src)=["']([^"'#?:]{1,400})[?#"']""")  # to a file beside the page
LARGEST = 200_000_000  # bytes of a report


@dataclass(frozen=True)
class Site:
    """What was written."""

    index: Path
    runs: int
    written: int  # files
    unchanged: int
    removed: int
    missing: list[str]  # the runs without a report
    damaged: list[str]


def write_site(runs: Path, output: Path, with_reports: bool = False) -> Site:
    """Writes the reports of a folder of runs and an index of them into another folder.

    Only what has changed since an earlier call is copied; what is gone is removed. Each file is
    replaced as a whole, and the index is written when all that it links to is there.

    Args:
        runs: the folder, whose path must have no links.
        output: the other one: new, empty, or of an earlier call.
        with_reports: whether to write the reports that are missing, into the run folders.

    Raises:
        UserError: the output holds other files, or something cannot be read or written.
    """
    rows, _ = Rows(runs).read()
    ours = _ours(output, [runs / row.name for row in rows])
    if with_reports:
        _write_missing(runs, rows)
        rows, _ = Rows(runs).read()
    there = {row.name for row in rows if _has_report(runs, row)}
    sources = {f"{WITHIN}/{path}": runs / path for name in there for path in _files(runs, name)}
    _refuse_foreign(output, (sources.keys() | {INDEX}) - ours)
    with on_disk(output, remedy="name another folder with --output"):
        make_folder(output)
        write_json(output / MARK, {"files": sorted(ours | sources.keys() | {INDEX})})
        written = sum(_copy(source, output / name) for name, source in sources.items())
        written += _write_index(output / INDEX, runs, rows, there)
        gone = ours - sources.keys() - {INDEX}
        for name in gone:
            _remove(output, name)
        write_json(output / MARK, {"files": sorted(sources.keys() | {INDEX})})
    missing = [row.name for row in rows if row.name not in there and row.kind != "damaged"]
    damaged = [row.name for row in rows if row.kind == "damaged"]
    unchanged = len(sources) + 1 - written
    return Site(output / INDEX, len(rows), written, unchanged, len(gone), missing, damaged)


def _ours(output: Path, folders: list[Path]) -> Set[str]:
    """The files that an earlier call has written.

    Raises:
        UserError: there are others and none of ours, or the output is a run's own folder.
    """
    place = output.resolve()
    if any(place == folder or folder in place.parents for folder in folders):
        raise UserError(f"{output}: is the folder of a run; name another one with --output")
    is_folder = output.is_dir()
    if not is_folder or not is_there(output / MARK):
        if is_there(output) and not (is_folder and not any(output.iterdir())):
            raise UserError(
                f"{output}: holds other files; name a new or an empty folder with --output"
            )
        return set()
    values = read_json(output / MARK)
    if not FORM(values) or not all(map(_is_within, values["files"])):
        raise UserError(f"{output / MARK}: is damaged; name another folder with --output")
    return set(values["files"])


def _is_within(name: str) -> bool:
    """Whether a file of the site has this name, which leads nowhere else."""
    parts = PurePosixPath(name).parts
    return name == INDEX or (parts[:1] == (WITHIN,) and ".." not in parts)


def _refuse_foreign(output: Path, names: Set[str]) -> None:
    for name in sorted(names):
        if is_there(output / name):
            raise UserError(f"{output / name}: is not from rl site; move it, and try again")


def _has_report(runs: Path, row: AnyRow) -> bool:
    return not isinstance(row, Damaged) and is_there(runs / row.name / NAME)


def _write_missing(runs: Path, rows: list[AnyRow]) -> None:
    for row in rows:
        if not isinstance(row, Damaged) and not _has_report(runs, row):
            with suppress(UserError):  # it is among the missing then
                write_report(runs / row.name)


def _files(runs: Path, name: str) -> Iterator[str]:
    """A report and the files of runs that it links to, by their paths in the folder of runs."""
    report = PurePosixPath(name) / NAME
    yield str(report)
    for link in set(LINK.findall(read_text(runs / report, LARGEST))):
        path = os.path.normpath(str(report.parent / unquote(unescape(link))))
        if not path.startswith(("..", "/")) and _is_plain(runs, Path(path)):
            yield Path(path).as_posix()


def _is_plain(root: Path, path: Path) -> bool:
    """Whether a file is one, and neither it nor a folder on the way to it is a link."""
    with suppress(OSError, ValueError):
        ways = [root / each for each in (path, *path.parents)]
        modes = [os.lstat(each).st_mode for each in ways]
        return stat.S_ISREG(modes[0]) and not any(map(stat.S_ISLNK, modes))
    return False


def _copy(source: Path, target: Path) -> bool:
    """Copies a file, with its time, unless it is there; returns True if it was not."""
    with open_regular(source) as file:
        found = os.fstat(file.fileno())
        with suppress(FileNotFoundError):
            known = os.lstat(target)
            if (known.st_size, known.st_mtime_ns) == (found.st_size, found.st_mtime_ns):
                return False
        make_folder(target.parent)
        with replacing(target) as copy:
            shutil.copyfileobj(file, copy)
        os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
    return True


def _remove(output: Path, name: str) -> None:
    """Removes a file, and the folders that are then empty."""
    (output / name).unlink(missing_ok=True)
    for folder in PurePosixPath(name).parents:
        if str(folder) != ".":
            with suppress(OSError):  # it holds others
                (output / folder).rmdir()


def _write_index(file: Path, runs: Path, rows: list[AnyRow], there: Set[str]) -> bool:
    """Writes the index, unless it is there; returns True if it was not.

    Messages in it do not say where the folder of runs is on this machine.
    """
    public = [
        replace(row, message=row.message.replace(f"{runs}{os.sep}", ""))
        if isinstance(row, Damaged)
        else row
        for row in rows
    ]
    text = _index(runs.name, public, {name: _address(name) for name in there})
    with suppress(FileNotFoundError):
        if read_text(file, LARGEST) == text:
            return False
    write_text(file, text)
    return True


def _address(name: str) -> str:
    return quote(str(PurePosixPath(WITHIN) / name / NAME))


def _index(title: str, rows: list[AnyRow], links: Mapping[str, str]) -> str:
    from jinja2 import Environment, FileSystemLoader

    loader = FileSystemLoader([ASSETS, page.ASSETS])
    environment = Environment(loader=loader, autoescape=True, **page.options())
    environment.filters |= {"figure": figure_of, "day": day_of}
    row = environment.get_template("row.html")
    text = environment.get_template("site.html").render(
        title=title,
        rows=[row.render(row=each, link=lambda one: links.get(one.name)) for each in rows],
        styles=list(map(_text, [*(page.ASSETS / name for name in page.STYLES), STYLE])),
        script=_text(ASSETS / "list.js"),
    )
    return encodable(text)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
