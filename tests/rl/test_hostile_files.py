"""What somebody put in place of a run's files is refused in one line, by every reader and verb."""

from __future__ import annotations

import ast
import hashlib
import json
import math
import os
import pickle
import shutil
import signal
import zipfile
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy

from nn import checkpoint
from rl.cli import main
from rl.dashboard.app import create_app
from rl.errors import UserError, printable
from rl.running.display import Lines
from rl.running.train import train
from rl.saved.run import Run
from rl.session.job import Job
from rl.session.saved import _arrays
from rl.session.session import Session
from rl.specification.build import build
from rl.storage.files import LARGEST, Table, read_json, read_specification, read_text
from rl.storage.paths import user_path
from rl.storage.run_folder import RunFolder, TrialFolder
from rl.storage.session_folder import SessionFolder
from rl.storage.tables import Read, Tables, last_rows, parse_rows, read_table
from tests.rl.conftest import LONGEST, quick
from tests.rl.test_resume import Notes

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp\u2066\u2028\r\n\0\ud800"
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _nothing_hangs() -> Iterator[None]:
    """A reader that waits for a pipe would wait for ever."""

    def fail(*_: Any) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(LONGEST)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def run(tmp_path: Path, cartpole_run: Path) -> Path:
    shutil.copytree(cartpole_run, tmp_path / "runs" / "it")
    return tmp_path / "runs" / "it"


def sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(5_000_000_000)


def endless_link(path: Path) -> None:
    path.symlink_to(path.name)


Maker = Callable[[Path], Any]


def holds(content: bytes | str) -> Maker:
    encoded = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    return lambda path: path.write_bytes(encoded)


# What is no file at all, or none that ends.
ODD: dict[str, Maker] = {
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a device that never ends": lambda path: path.symlink_to("/dev/zero"),
    "a terminal": lambda path: path.symlink_to("/dev/tty"),
    "memory": lambda path: path.symlink_to("/proc/self/mem"),
    "5 GB": sparse,
    "a link to itself": endless_link,
}
TEXTS: dict[str, Maker] = {
    "nothing": holds(""),
    "zeros": holds(b"\0" * 5000),
    "no UTF-8": holds(b"\xff\xfe{\0}\0"),
    "1,200 brackets": holds("[" * 1200 + "]" * 1200),
    "60 blocks": holds('{"a":' * 60 + "1" + "}" * 60),
    "open brackets": holds("[" * 100_000),
    "YAML as deep": holds("\n".join(" " * depth + "a:" for depth in range(600))),
    "a number of 5,000 digits": holds('{"seeds": [' + "9" * 5000 + "]}"),
    "the same key twice": holds('{"a": 1, "a": 2}'),
    "half a surrogate": holds('{"experiment": "\\ud800", "seeds": [0]}'),
    "escapes": holds('{"experiment": "\\u001b[31m\\n", "seeds": [0]}'),
    "a bomb of aliases": holds(
        "a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*{'a' if not i else f'b{i - 1}'}, *a]\n"
                                   for i in range(40))
    ),
}  # fmt: skip


def replace(path: Path, maker: Maker) -> None:
    path.unlink(missing_ok=True)
    maker(path)


def refusal(attempt: Callable[[], Any]) -> str:
    with pytest.raises(UserError) as caught:
        attempt()
    message = str(caught.value)
    assert message.isprintable()
    return message


READERS: dict[str, Callable[[Path], Any]] = {
    "read_text": read_text,
    "read_json": read_json,
    "read_specification": lambda path: read_specification(path, "x"),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_not_read(tmp_path: Path, reader: str, odd: str) -> None:
    path = tmp_path / "it"
    ODD[odd](path)
    assert str(path) in refusal(lambda: READERS[reader](path))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("reader", ["read_json", "read_specification"])
def test_a_text_that_is_none_of_ours(tmp_path: Path, reader: str, text: str) -> None:
    path = tmp_path / "it"
    TEXTS[text](path)
    if reader == "read_json" and text in ("half a surrogate", "escapes"):
        return  # JSON as any other; what they are shown as is another matter
    assert str(path) in refusal(lambda: READERS[reader](path))


def test_a_file_that_is_too_long(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b" " * (LARGEST + 1))
    assert "has more than 30,000,000 bytes" in refusal(lambda: read_json(tmp_path / "it"))


def test_a_mark_of_the_byte_order_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(tmp_path / "it") == {"a": 1}


VERBS: dict[str, list[str]] = {
    "evaluate": ["evaluate", "RUN", "--episodes", "1"],
    "watch": ["watch", "RUN", "--gif", "it.gif"],
    "film": ["film", "RUN"],
    "report": ["report", "RUN"],
    "analyze": ["analyze", "RUN"],
    "compare": ["compare", "RUN", "RUN", "--output", "out"],
    "search": ["search", "--resume", "RUN"],
    "resume": ["resume", "RUN"],
    "verify": ["verify", "RUN", "--evaluation"],
    "export": ["export", "RUN"],
    "run": ["run", "x", "--spec", "RUN"],
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("what", quick(2, ["a pipe", "escapes", "a folder", "1,200 brackets"]))
@pytest.mark.parametrize("file", ["manifest.json", "spec.yaml"])
def test_every_verb_answers_in_one_line(
    run: Path, verb: str, what: str, file: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(run.parent)
    replace(run / file, {**ODD, **TEXTS}[what])
    subject = str(run / file) if verb == "run" else str(run)
    assert main([subject if each == "RUN" else each for each in VERBS[verb]]) == 2
    said = capsys.readouterr().err
    assert said.startswith("rl: ")
    assert said.count("\n") == 1
    assert said.rstrip("\n").isprintable()


OF_A_SESSION = ("session.json", "episodes.csv", "updates.csv", "evaluations.csv", "traceback.txt")
FILES = [
    "manifest.json",
    "spec.yaml",
    "note.json",
    *(f"trial_000/session_000/{name}" for name in OF_A_SESSION),
]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("what", [*quick(1, ODD), *quick(1, TEXTS)])
def test_the_dashboard_shows_the_other_runs(run: Path, file: str, what: str) -> None:
    shutil.copytree(run, run.parent / "other")
    replace(run / file, {**ODD, **TEXTS}[what])
    client = create_app(run.parent).test_client()
    text = client.get("/").text
    assert "name=other" in text
    assert client.get("/data?name=other").status_code == 200
    for address in ("/run", "/data", "/episode", "/report", "/comparison"):
        assert client.get(f"{address}?name=it").status_code in (200, 202, 404, 422)
    answer = client.get("/curves?name=it&name=other")
    assert any(series["name"] == "other" for series in answer.get_json()["chart"]["data"]["series"])


# What is wrong further up is not seen at the end of a table.
FURTHER_UP = ("a million cells", "a cell of 9 MB", "9 MB of quotes", "a row that is too short",
              "an empty row")  # fmt: skip
TABLES: dict[str, Maker] = {
    "a million columns": holds("step," * 1_000_000 + "x\n" + "1," * 1_000_000 + "1\n"),
    "a million cells": holds("step,return\n" + "1," * 1_000_000 + "1\n"),
    "a cell of 9 MB": holds("step,return\n1," + "9" * 9_000_000 + "\n"),
    "9 MB of quotes": holds("step,return\n" + '"' * 9_000_000),
    "NUL": holds("step,return\n1,\0\n"),
    "nan": holds("step,return\n1,nan\n"),
    "inf": holds("step,return\n1,1e999\n"),
    "negative steps": holds("step,return\n-1,2\n"),
    "words": holds("step,return\nfew,many\n"),
    "a row that is too short": holds("step,return\n1,2\n3\n4,5\n"),
    "rows that are too short": holds("step,return\n1\n2\n"),
    "an empty row": holds("step,return\n\n1,2\n"),
    "the same title twice": holds("step,step\n1,2\n"),
    "no ASCII": holds("step,return\n1,\u0661\n"),
}


@pytest.mark.parametrize("what", [*ODD, *TABLES])
@pytest.mark.parametrize("read", [read_table, Tables().read])
def test_a_table_that_is_none_of_ours(tmp_path: Path, read: Read, what: str) -> None:
    path = tmp_path / "it.csv"
    {**ODD, **TABLES}[what](path)
    assert str(path) in refusal(lambda: read(path))
    if what not in FURTHER_UP:
        assert str(path) in refusal(lambda: last_rows(path, 5))


def test_only_the_new_rows_of_a_table_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, tables = tmp_path / "t.csv", Tables()
    path.write_text("step,return\n" + "".join(f"{i},{i / 8}\n" for i in range(20_000)))
    parsed: list[int] = []

    def counted(lines: Sequence[str], titles: Sequence[str]) -> Any:
        parsed.append(len(lines))
        return parse_rows(lines, titles)

    monkeypatch.setattr("rl.storage.tables.parse_rows", counted)
    monkeypatch.setattr("rl.storage.tables.PIECE", 100_000)
    before = tables.read(path)
    assert sum(parsed) == 20_000
    assert len(parsed) > 1
    assert [*before["return"]] == read_table(path)["return"] == [i / 8 for i in range(20_000)]
    parsed.clear()
    with open(path, "a") as file:
        file.write("20000,1.5\n20001,")
    assert len(tables.read(path)["step"]) == 20_001
    assert tables.read(path)["return"][-1] == 1.5
    assert parsed == [1]


def test_tables_that_take_too_much_are_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rl.storage.tables.MOST_KEPT", 40)
    tables = Tables()
    for name in "abc":
        (tmp_path / name).write_text("step\n1\n2\n3\n")
        assert tables.read(tmp_path / name)["step"].tolist() == [1, 2, 3]  # type: ignore[union-attr]
    assert [path.name for path in tables._kept] == ["c"]


# Checkpoints, all of them sealed as ours are


def sealed(fill: Callable[[zipfile.ZipFile], object]) -> Maker:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            fill(archive)
        with open(path, "r+b") as file:
            checkpoint._seal(file)

    return make


def saved(**changed: Any) -> Maker:
    """A checkpoint of ours with other values at its first level."""

    def make(path: Path) -> None:
        state = {"step": 1, "seconds": 1.0, "policy": {}, "preprocessor": {}, **changed}
        checkpoint.save(path, {key: value for key, value in state.items() if value != "left out"})

    return make


def array(header: dict[str, Any], data: bytes = b"") -> bytes:
    file = BytesIO()
    npy.write_array_header_1_0(file, header)
    return file.getvalue() + data


def header(tree: Any, text: str = "") -> bytes:
    content = (text or json.dumps({"format": 1, "state": tree})).encode()
    kind = {"descr": "|u1", "fortran_order": False, "shape": (len(content),)}
    return array(kind, content)


def one(kind: str, shape: tuple[int, ...], data: bytes = b"1234", **more: Any) -> Maker:
    """An archive of one array, which says that it is of such a kind and shape."""
    content = array({"descr": kind, "fortran_order": False, "shape": shape}, data)
    return members({"state/a.npy": content}, **more)


def members(contents: dict[str, bytes], **more: Any) -> Maker:
    tree = header({"items": {"a": {"array": "float32"}}})

    def fill(archive: zipfile.ZipFile) -> None:
        for name, content in {"header.npy": tree, **contents}.items():
            archive.writestr(name, content, **more)

    return sealed(fill)


def encrypted(path: Path) -> None:
    one("<f4", (1,))(path)
    content = bytearray(path.read_bytes()[:-64])
    for start in (b"PK\3\4", b"PK\1\2"):
        at = -1
        while (at := content.find(start, at + 1)) >= 0:
            content[at + (6 if start == b"PK\3\4" else 8)] |= 1
    path.write_bytes(bytes(content) + hashlib.sha256(content).hexdigest().encode())


def twice(archive: zipfile.ZipFile) -> None:
    archive.writestr("header.npy", header({"items": {}}))
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("header.npy", header({"items": {}}))


DEEP = '{"format": 1, "state": ' + '{"list": [' * 900 + '{"value": 1}' + "]}" * 900 + "}"
CHECKPOINTS: dict[str, Maker] = {
    "encrypted": encrypted,
    "4 TiB": one("<f4", (2**40,)),
    "a negative shape": one("<f4", (-1,)),
    "a shape that overflows": one("<f4", (2**62, 2**62)),
    "objects": one("|O", (1,), pickle.dumps("x")),
    "no bytes a cell": one("|V0", (9,), b""),
    "other bytes than it says": one("<f4", (9,)),
    "another kind": one("<f8", (1,), b"12345678"),
    "texts": one("<U1", (1,)),
    "a bomb": one("<f4", (2**24,), b"\0" * 2**26, compress_type=zipfile.ZIP_DEFLATED),
    "packed by bzip2": one("<f4", (1,), compress_type=zipfile.ZIP_BZIP2),
    "a missing array": members({}),
    "one array more": members(
        {
            "state/a.npy": array({"descr": "<f4", "fortran_order": False, "shape": (1,)}, b"1234"),
            "x.npy": b"",
        }
    ),
    "no array": members({"state/a.npy": b"what is this"}),
    "two headers": sealed(twice),
    "nothing": sealed(lambda archive: None),
    "a header that is none": sealed(lambda archive: archive.writestr("header.npy", header(0, "["))),
    "a header of numbers": sealed(lambda archive: archive.writestr("header.npy", header(7))),
    "a deep header": sealed(lambda archive: archive.writestr("header.npy", header(0, DEEP))),
    "deeper": sealed(lambda archive: archive.writestr("header.npy", header(0, "[" * 10**5))),
    "no state": sealed(lambda archive: archive.writestr("header.npy", header({"value": 3}))),
    "text for a step": saved(step="many"),
    "a negative step": saved(step=-1),
    "text for the seconds": saved(seconds="\x1b[31m"),
    "text for the policy": saved(policy="x"),
    "no policy": saved(policy="left out"),
    "an empty policy": saved(),
    "a policy of other names": saved(policy={"\x1b[2J": {"parameters": np.ones(3)}}),
    "no preprocessor": saved(preprocessor=None),
}


@pytest.mark.parametrize("what", [*ODD, *CHECKPOINTS])
def test_a_checkpoint_that_is_none_of_ours(run: Path, what: str) -> None:
    path = Run.open(run).session.checkpoint("best")
    replace(path, {**ODD, **CHECKPOINTS}[what])
    message = refusal(lambda: Run.open(run).player("best"))
    assert "best.npz: " in message


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(run: Path, wrong: float) -> None:
    path = Run.open(run).session.checkpoint("best")
    state = checkpoint.load(path)
    array = next(each for _, each in _arrays(state) if each.dtype.kind == "f")
    array[0] = wrong
    checkpoint.save(path, state)
    assert "a number that is not finite" in refusal(lambda: Run.open(run).player("best"))


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    grid = np.arange(6, dtype=np.float32).reshape(2, 3)
    state: dict[str, Any] = {
        "rows": grid, "columns": np.asfortranarray(grid), "none": np.empty((0, 3)),
        "one": np.array(7), "swapped": grid.astype(">f4"), "flags": np.array([True, False]),
    }  # fmt: skip
    checkpoint.save(tmp_path / "it", state)
    back = checkpoint.load(tmp_path / "it")
    for name, before in state.items():
        np.testing.assert_array_equal(back[name], before)
        assert back[name].flags.c_contiguous == before.flags.c_contiguous
        assert back[name].flags.writeable
        assert back[name].dtype == before.dtype


MARK = {"file": "transitions_000000000000.bin", "first": 0, "count": 0, "sha256": ""}


@pytest.mark.parametrize(
    "changed",
    quick(3, [
        {"transitions": [{**MARK, "file": "../../../session.json"}]},
        {"transitions": [{**MARK, "count": -1}]},
        {"transitions": 7},
        {"tables": {"episodes": "x"}},
        {"specification": 3},
        {"agent": "x"},
        {"seeds": {}},
    ]),
)  # fmt: skip
def test_a_session_does_not_go_on_from_what_is_none(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    overrides = ["train.steps=1200", "train.evaluate_every=400", "network.hidden=[4]",
                 "memory.capacity=500", "agent.learn_start=64"]  # fmt: skip
    run = train("cartpole_dqn", overrides=overrides, output=tmp_path / "it", callbacks=Notes(True))
    latest = run.session.resume / "latest.npz"
    state = {**checkpoint.load(latest), **changed}
    for name in ("latest", "previous"):
        checkpoint.save(latest.with_name(f"{name}.npz"), state)
    notes = Notes()
    job = Job(run.specification, 0, run.session.path)
    session = Session(job, build(run.specification, seed=0), notes)
    said = ""
    try:
        session.go_on()
    except UserError as error:
        said = str(error)
    assert "its checkpoint does not fit" in said or notes.texts[-1].endswith("begins anew")


# Paths


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("x" * 300, "File name too long"),
        ("x/" * 3000, "File name too long"),
        ("a\0b", "a name has no NUL"),
        ("a\udcffb", "bytes in its name"),
    ],
)
def test_a_path_that_there_cannot_be(
    path: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    attempts: list[list[str]] = [
        [path if each == "RUN" else each for each in VERBS[verb]] for verb in VERBS
    ]
    attempts += [
        ["run", "cartpole_dqn", "--output", path],
        ["search", "cartpole_dqn", "--output", path],
        ["search", "cartpole_dqn", "--method", "tpe", "--storage", path],
        ["film", "x", "--output", f"{path}.gif"],
        ["watch", "x", "--gif", f"{path}.gif"],
        ["dashboard", path],
    ]
    for attempt in attempts:
        error = refused(attempt)
        assert said in error, attempt
    assert list(tmp_path.iterdir()) == []


def refused(arguments: list[str]) -> str:
    from contextlib import redirect_stderr
    from io import StringIO

    with redirect_stderr(StringIO()) as said:
        assert main(arguments) == 2
    text = said.getvalue()
    assert text.startswith("rl: ")
    assert text.count("\n") == 1
    return text


VALUES = {
    "run cartpole_dqn": ("seed", "set", "steps", "episodes", "spec", "agent", "env-kwargs",
                         "output", "jobs", "executor", "ray-address", "sessions", "from"),
    "search cartpole_dqn": ("method", "trials", "pruner", "statistic", "storage", "resume"),
    "evaluate x": ("session", "trial", "checkpoint"), "watch x": ("slow", "gif", "mp4"),
    "film x": ("output",), "export x": ("format", "output"), "compare x": ("output",),
    "dashboard .": ("port", "host"), "doctor": ("env", "import"), "list": ("spec",),
}  # fmt: skip


@pytest.mark.parametrize("value", ["", " ", "\t", "--"])
def test_an_option_needs_a_value(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a variable of the shell that is not set: the working folder is no run folder."""
    monkeypatch.chdir(tmp_path)
    for command, options in VALUES.items():
        for option in options:
            said = refused([*command.split(), f"--{option}={value}"])
            assert said == f"rl: --{option}: needs a value, not {value!r}\n"
    if value != "--":
        for call in (lambda: train("cartpole_dqn", output=value), lambda: Run.open(value)):
            assert "is no path" in refusal(call)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/proc/1/root", "/dev/null", "/dev/zero", "/proc/self/fd", "/",
                                  "/proc/1/mem", ""])  # fmt: skip
def test_a_strange_path_is_no_run(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for verb in VERBS:
        refused([path if each == "RUN" else each for each in VERBS[verb]])


def test_a_folder_that_nobody_may_look_into(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    assert "cannot be read: Permission denied" in refusal(lambda: RunFolder.open("x"))


def test_a_path_that_may_be(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "new" / "é", Path("/dev/null/x")):
        assert user_path(path) == path


# What is printed


def test_no_text_steers_a_terminal(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert printable(ESCAPES).isprintable()
    name = f"evil{ESCAPES.replace(chr(0), '').replace(chr(0xD800), '').replace(chr(10), '')}"
    run.rename(run.with_name(name))
    monkeypatch.chdir(run.parent)
    for verb in ("analyze", "resume", "evaluate"):
        main([name if each == "RUN" else each for each in VERBS[verb]])
    Lines(0).noted(f"it failed: {ESCAPES}")
    said, complained = capsys.readouterr()
    for line in (said + complained).split("\n"):
        assert line.isprintable(), line


def test_everything_is_printed_in_one_place() -> None:
    for file in sorted((ROOT / "rl").rglob("*.py")):
        calls = [
            node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)
        ]
        named = {each.func.id for each in calls if isinstance(each.func, ast.Name)}
        assert "print" not in named or file.name in ("output.py", "hidden.py", "cli.py"), file


# What is in them


WORTH: dict[str, Any] = {
    "state": "complete", "score": 1.0, "parameters": {}, "counted": 1, "fitness": None,
    **{key: {"mean": 1.0, "median": 1.0, "iqm": 1.0, "min": 1.0} for key in ("best", "final")},
}  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        *({key: wrong} for key in ("best", "final") for wrong in ({}, 7, [1], {"mean": "text"})),
        {"score": "text"}, {"score": [1]}, {"score": 10**400}, {"score": {}},
        {"curve": [[1]]}, {"curve": [[1, 2, 3]]}, {"curve": [[]]}, {"curve": 7},
        {"curve": [["a", 1]]}, {"rungs": [1]}, {"rungs": {"completed_rung_0": "text"}},
        *({"state": wrong} for wrong in (None, 7, ["complete"])),
        *({key: {}} for key in ("strength", "stability", "consistency", "power", "counted")),
        {"parameters": None}, {"best": None}, {"steps_to_threshold": {}}, {"fitness": "text"},
    ],
)  # fmt: skip
def test_a_trial_of_a_search_is_what_it_says(tmp_path: Path, changed: dict[str, Any]) -> None:
    trial = TrialFolder(tmp_path)
    trial.result.write_text(json.dumps(WORTH))
    assert trial.read_result() == WORTH
    trial.result.write_text(json.dumps({**WORTH, **changed}))
    assert "trial.json: is damaged" in refusal(trial.read_result)


WRONG: list[Any] = [
    None,
    "text",
    [],
    [1],
    {},
    7,
    True,
    {"mean_return": math.nan},
    {"a": {"b": [[]]}},
]
OF_EVALUATION: dict[str, tuple[Any, ...]] = {
    "mean_return": (None, "9", [9], math.nan, math.inf, 10**400, True),
    "returns": (None, "9", [], ["9"], [[9]], [math.nan], {}, 9),
    "ci95": (None, [], [1], [1, 2, 3], [1, "2"], [math.nan, 1], {}),
    "episodes": (None, -1, 0.5, "9", [9]), "solved": ("yes", 1, [], {}), "problem": (None, 7, []),
    "threshold": ("475", [475], math.nan), "min_length": (None, -1, 0.5),
}  # fmt: skip
OUTCOMES = [
    *({key: wrong} for key in ("evaluation", "final") for wrong in WRONG),
    *({key: (name, wrong)} for key in ("evaluation", "final")
      for name, each in OF_EVALUATION.items() for wrong in each),
    {"status": None}, {"status": 7}, {"steps": "many"}, {"seconds": math.nan}, {"best_step": -1},
]  # fmt: skip


def with_changes(outcome: dict[str, Any], changed: dict[str, Any]) -> str:
    ((key, wrong),) = changed.items()
    if isinstance(wrong, tuple):
        wrong = {**outcome[key], wrong[0]: wrong[1]}
    return json.dumps({**outcome, key: wrong})


def test_an_outcome_of_a_session_is_what_it_says(run: Path) -> None:
    session = SessionFolder(run / "trial_000/session_000")
    outcome = session.read_outcome()
    for changed in OUTCOMES:
        session.outcome.write_text(with_changes(outcome, changed))
        with pytest.raises(UserError, match=r"session\.json: is damaged"):
            session.read_outcome()


def test_an_outcome_that_is_damaged_has_one_line(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent)
    shutil.copytree(run, run.parent / "other")
    session = SessionFolder(run / "trial_000/session_000")
    session.outcome.write_text(with_changes(session.read_outcome(), {"final": None}))
    for verb in ("report", "analyze", "compare", "resume", "verify"):
        said = refused([str(run) if each == "RUN" else each for each in VERBS[verb]])
        assert "session.json: is damaged; remove it, and `rl resume` runs it again" in said, verb
    client = create_app(run.parent).test_client()
    assert "name=other" in client.get("/").text
    assert client.get("/run?name=it").status_code in (200, 422)


SUMMARIES: list[dict[str, Any]] = [
    *({"best_trial": wrong} for wrong in (-1, 0.5, "text", [1], True)),
    {"importances": 1}, {"importances": "text"}, {"importances": {"agent.gamma": "text"}},
]  # fmt: skip


@pytest.mark.parametrize("summary", SUMMARIES)
def test_a_summary_of_a_search_is_what_it_says(
    run: Path, summary: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "search.json").write_text(json.dumps(summary))
    assert main(["evaluate", str(run), "--episodes", "1"]) == 2
    said = f"rl: {run}/search.json: is damaged; `rl analyze RUN` writes it again\n"
    assert capsys.readouterr().err == said


SEARCHED = {
    "statistic": "fitness",
    "space": {},
    "journal": "study.journal",
    "lag": 1,
    "trials": None,
}


@pytest.mark.parametrize(
    "changed",
    [
        {"search": None}, {"search": {}}, {"search": [1]},
        *({"search": {**SEARCHED, key: wrong}} for key in SEARCHED for wrong in (-1, [1])),
    ],
)  # fmt: skip
def test_a_search_is_what_its_manifest_says(tmp_path: Path, changed: dict[str, Any]) -> None:
    folder = RunFolder(tmp_path)
    manifest = {"experiment": "x", "seeds": [0], "kind": "search", "search": SEARCHED}
    folder.manifest.write_text(json.dumps(manifest))
    assert folder.read_manifest() == manifest
    folder.manifest.write_text(json.dumps({**manifest, **changed}))
    assert "manifest.json: is damaged" in refusal(folder.read_manifest)


@pytest.mark.parametrize("odd", [each for each in ODD if each not in ("5 GB", "memory")])
def test_a_table_is_not_written_to_what_is_no_file(tmp_path: Path, odd: str) -> None:
    path = tmp_path / "it.csv"
    ODD[odd](path)
    before = path.lstat()
    with pytest.raises(OSError, match=r"it\.csv"):
        Table(path, ["step"])
    after = path.lstat()
    assert (*after[:7], *after[8:]) == (*before[:7], *before[8:])  # but when it was looked at
