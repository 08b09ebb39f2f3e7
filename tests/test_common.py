"""What the programs of `scripts/` share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.programs import program

common = program("common")


def test_a_full_disk_ends_a_program_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And leaves what was there before."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(sys, "argv", ["scripts/it.py"])
    path = tmp_path / "a.png"
    path.write_text("before")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
    try:
        with pytest.raises(SystemExit, match="2"):
            common.save(common.new_figure(2.0, 1.0), path, 50)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert capsys.readouterr().err == f"it.py: cannot write {path}: File too large\n"
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(1234.56, 1, "1,234.6"), (-1234.56, 0, "-1,235"), (0.715, 1, "0.71"), (-9.876, 0, "-9.88"),
     (-0.0004, 1, "0.00"), (-0.0, 0, "0.00")],
)  # fmt: skip
def test_small_returns_keep_two_decimals(value: float, digits: int, text: str) -> None:
    assert common.rounded(value, digits) == text
