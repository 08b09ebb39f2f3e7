"""`rl site`: reports and their index, for any web server."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from rl.cli import main
from rl.dashboard import site
from rl.dashboard.site import write_site
from rl.errors import UserError
from rl.storage.notes import write_note
from tests.rl.test_dashboard import EVIL, SECRET, contents

REPORT = """<img src="curve.png"><a href='../b%20c/report.html#top'>from</a>
<a href="tables/loss.csv?x">CSV</a><a href="/etc/passwd">p</a><a href="gone.png">g</a>
<a href="../../outside/secret.txt">s</a><a href="https://example.org/x.png">w</a>
<img src="data:image/png;base64,AA"><a href="link.png">l</a>
<script>const text = '<a href=\\"tables\\">';</script>"""


@pytest.fixture
def runs(tmp_path: Path, cartpole_run: Path) -> Path:
    """Two runs with reports, one without, a damaged one, and something that is not to be seen."""
    root = tmp_path / "runs"
    for name in ("a", "b c", "bare", "broken"):
        shutil.copytree(cartpole_run, root / name)
    (root / "a" / "report.html").write_text(REPORT)
    (root / "b c" / "report.html").write_text("<p>the other</p>")
    (root / "a" / "curve.png").write_bytes(b"curve")
    (root / "a" / "tables").mkdir()
    (root / "a" / "tables" / "loss.csv").write_text("step,loss")
    (root / "broken" / "manifest.json").write_text("{")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text(SECRET)
    return root


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {
        site.MARK
    }


ALL = {
    "index.html", "runs/a/report.html", "runs/a/curve.png", "runs/a/tables/loss.csv",
    "runs/b c/report.html",
}  # fmt: skip


def test_the_reports_are_copied_with_what_they_link_to(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, output = contents(runs), tmp_path / "public"
    assert main(["site", str(runs), "--output", str(output)]) == 0
    said = capsys.readouterr().out
    assert "4 runs; 5 files written, 0 unchanged, 0 removed" in said
    assert "without a report: bare; to write them: rl site" in said
    assert "cannot be read: broken" in said
    assert files(output) == ALL
    assert contents(runs) == before
    index = (output / "index.html").read_text()
    assert 'href="runs/b%20c/report.html"' in index
    assert "runs/bare/report.html" not in index
    assert "broken/manifest.json: is damaged" in index
    assert str(runs) not in index


def test_a_second_call_copies_only_what_has_changed(runs: Path, tmp_path: Path) -> None:
    output = tmp_path / "public"
    write_site(runs, output)
    before = contents(output)
    again = write_site(runs, output)
    assert (again.written, again.unchanged, again.removed) == (0, 5, 0)
    kept = {path: each for path, each in contents(output).items() if path.is_file()}
    assert {path: each for path, each in kept.items() if path.name != site.MARK} == {
        path: each for path, each in before.items() if path.is_file() and path.name != site.MARK
    }
    (runs / "b c" / "report.html").write_text("<p>new</p>")
    write_note(runs / "bare", "a note", ["keep"])
    (runs / "a" / "curve.png").unlink()
    (output / "CNAME").write_text("mine")  # what others put there stays
    later = write_site(runs, output)
    assert (later.written, later.removed) == (2, 1)
    assert files(output) == ALL - {"runs/a/curve.png"} | {"CNAME"}
    assert ">keep<" in (output / "index.html").read_text()
    shutil.rmtree(runs / "a")
    write_site(runs, output)
    assert files(output) == {"index.html", "runs/b c/report.html", "CNAME"}
    assert not (output / "runs" / "a").exists()


def test_what_is_not_ours_is_left_alone(runs: Path, tmp_path: Path) -> None:
    (output := tmp_path / "public").mkdir()
    (output / "index.html").write_text("mine")
    for place, complaint in (
        (output, "holds other files"),
        (output / "index.html", "holds other files"),
        (runs, "holds other files"),
        (runs / "a", "is the folder of a run"),
        (runs / "a" / "public", "is the folder of a run"),
    ):
        before = contents(tmp_path)
        with pytest.raises(UserError, match=complaint):
            write_site(runs, place)
        assert contents(tmp_path) == before
    (output / "index.html").unlink()
    write_site(runs, output)
    (runs / "new").mkdir()
    shutil.copytree(runs / "b c", runs / "new", dirs_exist_ok=True)
    (output / "runs" / "new").mkdir()
    (output / "runs" / "new" / "report.html").write_text("mine")
    with pytest.raises(UserError, match="is not from rl site"):
        write_site(runs, output)
    assert (output / "runs" / "new" / "report.html").read_text() == "mine"


@pytest.mark.parametrize("wrong", ["{", '{"files": ["../outside/secret.txt"]}', '{"files": ["/x"]}',
                                   '{"files": ["runs/../../outside/secret.txt"]}'])  # fmt: skip
def test_a_damaged_list_of_files_removes_nothing(runs: Path, tmp_path: Path, wrong: str) -> None:
    write_site(runs, tmp_path / "public")
    (tmp_path / "public" / site.MARK).write_text(wrong)
    with pytest.raises(UserError, match="is damaged"):
        write_site(runs, tmp_path / "public")
    assert (tmp_path / "outside" / "secret.txt").exists()


def test_links_lead_nowhere_else(runs: Path, tmp_path: Path) -> None:
    (runs / "a" / "link.png").symlink_to(tmp_path / "outside" / "secret.txt")
    found = write_site(runs, tmp_path / "public")
    assert sorted(found.damaged) == ["a", "broken"]  # a link in a run folder is refused
    assert SECRET not in "".join(
        (tmp_path / "public" / name).read_text() for name in files(tmp_path / "public")
    )


def test_names_and_notes_are_shown_and_not_run(runs: Path, tmp_path: Path) -> None:
    name = EVIL.replace("/", "") + '#?%"'
    (runs / "a").rename(runs / name)
    write_note(runs / name, f"{EVIL}</script>", [EVIL])
    write_site(runs, tmp_path / "public")
    index = (tmp_path / "public" / "index.html").read_text()
    assert "<img" not in index
    assert index.count("</script>") == 1
    assert "%23%3F%25%22/report.html" in index


def test_a_call_that_was_cut_off_leaves_what_was_there(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "public"
    write_site(runs, output)
    index = (output / "index.html").read_text()
    (runs / "b c" / "report.html").write_text("<p>new</p>")
    shutil.copytree(runs / "b c", runs / "z")

    def fail(source: Path, target: Path) -> bool:
        raise OSError(28, os.strerror(28), str(target))

    with monkeypatch.context() as patch:
        patch.setattr(site, "_copy", fail)
        with pytest.raises(UserError, match="No space left"):
            write_site(runs, output)
    assert (output / "index.html").read_text() == index
    assert files(output) == ALL
    write_site(runs, output)
    assert files(output) == ALL | {"runs/z/report.html"}


def test_missing_reports_are_written_if_asked(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(folder: Path) -> None:
        (folder / "report.html").write_text("made")

    monkeypatch.setattr(site, "write_report", write)
    found = write_site(runs, tmp_path / "public", with_reports=True)
    assert found.missing == []
    assert (tmp_path / "public" / "runs" / "bare" / "report.html").read_text() == "made"
