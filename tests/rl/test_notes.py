"""Notes and tags of runs: kept beside the manifest, shown as they are, and never in the way."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rl.cli import main
from rl.dashboard.app import create_app
from rl.errors import UserError
from rl.report import write_report
from rl.report.blocks import Page, Verdict
from rl.report.page import render
from rl.running.train import train
from rl.storage import notes
from rl.storage.notes import Note, read_note, write_note
from tests.rl.test_dashboard import EVIL, SMALL, contents
from tests.rl.test_hostile_files import ESCAPES


@pytest.fixture
def run(tmp_path: Path, cartpole_run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(cartpole_run, tmp_path / "runs" / "it")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs" / "it"


STEPS: list[tuple[list[str], Note]] = [
    (["the first"], Note("the first")),
    (["two", "words", "--tag", "keep"], Note("two words", ("keep",))),
    (["--tag", "b,a", "behind", "an option"], Note("behind an option", ("keep", "b", "a"))),
    (["--tag", "keep"], Note("behind an option", ("keep", "b", "a"))),
    (["--untag", "b", "--untag", "none such"], Note("behind an option", ("keep", "a"))),
    ([""], Note("", ("keep", "a"))),
    (["--", "-1 is\nthe return"], Note("-1 is\nthe return", ("keep", "a"))),
    (["  ", "--untag", "a, keep"], Note()),
]


def test_a_note_is_changed_printed_and_removed(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(run)
    for arguments, expected in STEPS:
        assert main(["note", str(run), *arguments]) == 0
        assert read_note(run) == expected
        capsys.readouterr()
        assert main(["note", str(run)]) == 0
        said = capsys.readouterr().out.splitlines()
        tags = [f"tags: {', '.join(expected.tags)}"] if expected.tags else []
        assert said == [*tags, *expected.text.splitlines()]
    assert not (run / notes.NAME).exists()
    after = contents(run)
    assert {path: after[path][2] for path in before} == {
        path: before[path][2] for path in before
    }  # no other file was touched


@pytest.mark.parametrize("tag", ["", " ", "a,,b", "x" * 61, "\x1b[2J", "a\nb\0", "\u202e"])
def test_what_is_no_tag(run: Path, tag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["note", str(run), f"--tag={tag}"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (run / notes.NAME).exists()


def test_a_note_has_an_end(run: Path) -> None:
    with pytest.raises(UserError, match="at most 10,000 characters"):
        write_note(run, "x" * 10_001)
    with pytest.raises(UserError, match="50 tags"):
        write_note(run, tags=map(str, range(51)))


def test_tags_of_two_processes_are_both_kept(run: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda tag: write_note(run, tags=[tag]), "abcdefgh"))
    assert sorted(read_note(run).tags) == list("abcdefgh")


@pytest.mark.parametrize(
    "wrong", ["[]", '{"note": 7}', '{"tags": "x"}', '{"tags": [1]}', '{"note": null}', "{"]
)
def test_a_damaged_note_is_told(run: Path, wrong: str) -> None:
    (run / notes.NAME).write_text(wrong)
    with pytest.raises(UserError, match=r"note\.json: is damaged"):
        read_note(run)
    assert ">damaged<" in create_app(run.parent).test_client().get("/").text


@pytest.mark.slow
def test_a_run_begins_with_its_tags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "runs" / "tagged"
    command = ["run", "cartpole_dqn", "--steps", "200", "--output", str(output), "--tag", "a,b"]
    assert main([*command, "--tag=c", "--quiet", "--no-report", "--set", *SMALL]) == 0
    assert read_note(output) == Note("", ("a", "b", "c"))
    train("cartpole_dqn", overrides=["train.steps=128", *SMALL], output=tmp_path / "runs" / "other")
    capsys.readouterr()
    assert main(["analyze", str(tmp_path / "runs")]) == 0
    assert "[a] [b] [c]" in capsys.readouterr().out


def test_trials_and_comparisons_have_notes_too(run: Path) -> None:
    assert main(["note", str(run), "--trial", "0", "of the trial"]) == 0
    assert read_note(run / "trial_000").text == "of the trial"
    assert main(["note", str(run), "--trial", "7", "of none"]) == 2
    compared = run.parent / "comparisons" / "one"
    compared.mkdir(parents=True)
    (compared / "comparison.json").write_text("{}")
    assert main(["note", str(compared), "a comparison"]) == 0
    assert read_note(compared).text == "a comparison"


def test_hostile_notes_are_shown_and_not_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"{EVIL}</script>{ESCAPES}"
    write_note(run, text, [EVIL])
    client = create_app(run.parent).test_client()
    pages = [client.get(address).text for address in ("/", "/rows", "/run?name=it")]
    page = Page("run", "", "", Verdict("", None, ()), (), read_note(run))
    for shown in (*pages, render(page)):
        assert "<img" not in shown
        assert "&lt;img src=x onerror=alert(1)&gt;" in shown
    capsys.readouterr()
    assert main(["note", str(run)]) == 0
    assert all(line.isprintable() for line in capsys.readouterr().out.split("\n"))


@pytest.mark.slow
def test_a_report_shows_the_note_and_verify_does_not_mind(run: Path) -> None:
    write_note(run, "worth a look", ["keep"])
    page = write_report(run).read_text()
    assert "worth a look" in page
    assert ">keep<" in page
    assert main(["verify", str(run)]) == 0
