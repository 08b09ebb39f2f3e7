"""Checkpoints: what goes in comes out, and what is damaged is refused."""

from __future__ import annotations

import gc
import hashlib
import math
import os
import pickle
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn import checkpoint
from nn.checkpoint import CheckpointError
from nn.typing import State

ARRAYS = {
    "float32": np.array([[1.5, -0.0], [np.inf, np.nan]], np.float32),
    "float64": np.array([0.1, 5e-324]),
    "float16": np.array([0.5], np.float16),
    "int64": np.array([-(2**63), 2**63 - 1]),
    "uint8": np.arange(256, dtype=np.uint8).reshape(4, 8, 8),
    "bool": np.array([True, False]),
    "complex": np.array([1 + 2j]),
    "text": np.array(["a", "größer"]),
    "big-endian": np.array([1, 2], ">i4"),
    "fields": np.array([(1, 2.5)], [("number", "<i4"), ("value", "<f8")]),
    "empty": np.empty(0, np.float32),
    "empty rows": np.empty((3, 0), np.int32),
    "zero-dimensional": np.array(7.0),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(10)[1::3],
}


def everything() -> State:
    """A state with one of each kind, nested."""
    return {
        "arrays": ARRAYS,
        "number": 3,
        "negative": -0.0,
        "tenth": 0.1,
        "tiny": 5e-324,
        "nan": math.nan,
        "infinite": -math.inf,
        "wide": 2**127 + 1,  # half of a PCG64's state
        "true": True,
        "none": None,
        "text": 'größer "als" \n\\ /',
        "no text": "",
        "list": [1, 2.5, "three", None, [True, []], {"four": 4}],
        "nothing": {},
        "agent": {"network": {"parameters": np.arange(4, dtype=np.float32), "sizes": [1, 2]}},
        "array": {"items": {"value": 1}},  # the words of the header itself
        "header": np.arange(3),
        "file": np.arange(2),
        "state": 5,
    }


def small() -> State:
    return {"p": np.array([1.5, -2.0], np.float32), "steps": 7, "rng": {"name": "PCG64"}}


def same(one: Any, other: Any) -> bool:
    """Equal in type, form and bits."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        form = one.dtype == other.dtype and one.shape == other.shape
        return form and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one.hex() == other.hex()  # tells -0.0 from 0.0, and takes nan for itself
    return bool(one == other)


def roundtrip(folder: Path, state: State) -> State:
    checkpoint.save(folder / "state.npz", state)
    return checkpoint.load(folder / "state.npz")


def test_a_state_of_every_kind_comes_back_to_the_bit(tmp_path: Path) -> None:
    assert same(roundtrip(tmp_path, everything()), everything())


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_of_every_kind_comes_back_to_the_bit(name: str, tmp_path: Path) -> None:
    assert same(roundtrip(tmp_path, {"x": ARRAYS[name]}), {"x": ARRAYS[name]})


def test_an_empty_state_comes_back(tmp_path: Path) -> None:
    assert roundtrip(tmp_path, {}) == {}


@pytest.mark.parametrize(
    ("scalar", "plain"),
    [
        (np.float32(0.1), float(np.float32(0.1))),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
    ],
)
def test_numpy_scalars_come_back_as_pythons(scalar: Any, plain: Any, tmp_path: Path) -> None:
    assert same(roundtrip(tmp_path, {"x": scalar})["x"], plain)


def test_loaded_arrays_may_be_written_to(tmp_path: Path) -> None:
    roundtrip(tmp_path, small())["p"][:] = 0.0


def test_the_state_of_a_generator_comes_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rng.normal(size=3)
    other = np.random.default_rng()
    other.bit_generator.state = roundtrip(tmp_path, {"rng": rng.bit_generator.state})["rng"]
    np.testing.assert_array_equal(other.normal(size=5), rng.normal(size=5))


def test_saving_does_not_change_the_state(tmp_path: Path) -> None:
    state = everything()
    checkpoint.save(tmp_path / "state", state)
    assert same(state, everything())


def test_the_path_may_be_text_and_need_not_end_in_npz(tmp_path: Path) -> None:
    checkpoint.save(str(tmp_path / "last"), small())
    assert os.listdir(tmp_path) == ["last"]
    assert same(checkpoint.load(str(tmp_path / "last")), small())


UNSAVEABLE: dict[str, Any] = {
    "objects": np.array([object()]),
    "objects in fields": np.array([(1, None)], [("number", int), ("object", object)]),
    "an object": object(),
    "bytes": b"bytes",
    "a set": {1, 2},
}


@pytest.mark.parametrize("kind", UNSAVEABLE)
def test_what_cannot_be_saved_is_refused_and_the_old_file_stays(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "state"
    checkpoint.save(path, small())
    before = path.read_bytes()
    with pytest.raises(TypeError):
        checkpoint.save(path, {"agent": {"x": np.zeros(3), "bad": UNSAVEABLE[kind]}})
    assert os.listdir(tmp_path) == ["state"]
    assert path.read_bytes() == before


def test_a_refused_array_of_objects_is_named(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="agent/memory: an array of objects"):
        checkpoint.save(tmp_path / "state", {"agent": {"memory": np.array([None])}})


@pytest.mark.parametrize(
    "state",
    [
        {"lanes": {2: np.zeros(1), 10: np.ones(1)}},
        {"counts": {2: "a", 10: "b"}},
        {"counts": {1: "a"}},
        {"counts": {True: "a"}},
        {"list": [{2: "a", 10: "b"}]},
        {"list": [np.zeros(2), np.ones(3)]},
        {"a/b": np.zeros(1), "a": {"b": np.ones(1)}},
        {"x": np.zeros(1), "x.npy": np.ones(1)},
    ],
    ids=str,
)
def test_what_is_saved_comes_back_and_what_would_not_is_refused(
    state: State, tmp_path: Path
) -> None:
    """JSON makes text of a key that is a number; a slash can give two arrays one name; np.load
    takes a name with .npy for the one without."""
    path = tmp_path / "state"
    try:
        checkpoint.save(path, state)
    except (TypeError, ValueError):
        assert os.listdir(tmp_path) == []
    else:
        assert same(checkpoint.load(path), state)


def failing(*_: Any, **__: Any) -> None:
    raise OSError("no space left on device")


@pytest.mark.parametrize("step", ["os.fsync", "os.replace", "numpy.savez"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_failed_save_leaves_the_old_file_and_nothing_beside_it(
    step: str, exists: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state"
    if exists:
        checkpoint.save(path, small())
    before = [(each.name, each.read_bytes()) for each in tmp_path.iterdir()]
    monkeypatch.setattr(step, failing)
    with pytest.raises(OSError, match="no space left"):
        checkpoint.save(path, everything())
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == before


def test_a_full_disk_is_told_by_the_error_alone(tmp_path: Path) -> None:
    """NumPy's own writer, of some versions, prints a traceback too when it is thrown away."""
    resource = pytest.importorskip("resource")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limit[1]))
    try:
        with pytest.raises(OSError, match="state"):
            checkpoint.save(tmp_path / "state", {"values": np.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_until_the_new_file_is_on_the_disk_the_name_holds_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is flushed before it gets its name, and the folder once it has."""
    path, sync = tmp_path / "state", os.fsync
    found: list[tuple[bool, State]] = []

    def watching(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        found.append((is_folder, checkpoint.load(path)))
        sync(descriptor)

    checkpoint.save(path, small())
    monkeypatch.setattr(os, "fsync", watching)
    checkpoint.save(path, {"steps": 8})
    (is_folder, before), (is_folder_then, after) = found
    assert (is_folder, is_folder_then) == (False, True)
    assert same(before, small())
    assert after == {"steps": 8}
    assert checkpoint.load(path) == {"steps": 8}
    assert os.listdir(tmp_path) == ["state"]


def test_a_folder_that_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        checkpoint.save(tmp_path / "no" / "state", small())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="gone: there is no such checkpoint"):
        checkpoint.load(tmp_path / "gone")


def test_a_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint.load(tmp_path)


def _bytes(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def _npy(path: Path) -> None:
    with open(path, "wb") as file:
        np.save(file, np.arange(3))


def _foreign_npz(path: Path) -> None:
    with open(path, "wb") as file:
        np.savez(file, x=np.arange(3))


def _header(text: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with open(path, "wb") as file:
            np.savez(file, header=np.frombuffer(text, np.uint8))

    return write


FOREIGN: dict[str, Callable[[Path], None]] = {
    "nothing": _bytes(b""),
    "text": _bytes(b"a,b\n1,2\n"),
    "a pickle": _bytes(pickle.dumps({"format": 1})),
    "an array": _npy,
    "an archive without a header": _foreign_npz,
    "a header that is no JSON": _header(b"{"),
    "a header that is no text": _header(b"\xff\xfe"),
    "a header that is a list": _header(b"[1, 2]"),
    "a header that is a number": _header(b"3"),
    "a header without its parts": _header(b"{}"),
    "a header of nothing": _header(b""),
    "a state that is a number": _header(b'{"format": 1, "state": 3}'),
    "a state without its array": _header(b'{"format": 1, "state": {"array": "float32"}}'),
    "a state of another form": _header(b'{"format": 1, "state": {"thing": 1}}'),
}


def seal(path: Path) -> None:
    """Makes the last bytes the SHA-256 of those before; in an archive they are its comment."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path, "a") as archive:
            archive.comment = b"0" * 64
        path.write_bytes(path.read_bytes()[:-64])
    content = path.read_bytes()
    path.write_bytes(content + hashlib.sha256(content).hexdigest().encode())


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="counts bytes by /proc")
def test_of_a_large_file_without_a_seal_the_end_alone_is_read(tmp_path: Path) -> None:
    def bytes_read() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    path, before = tmp_path / "state", bytes_read()
    with open(path, "wb") as file:
        file.truncate(5_000_000_000)
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        checkpoint.load(path)
    assert bytes_read() - before < 1_000_000


def test_a_checkpoint_sealed_by_hand_is_taken(tmp_path: Path) -> None:
    """The control of the tests below, which are to reach behind the seal."""
    path = tmp_path / "state"
    checkpoint.save(path, small())
    with np.load(path) as archive:
        members = {name: archive[name] for name in archive.files}
    with open(path, "wb") as file:
        np.savez(file, **members)
    assert not loads(path, small())
    seal(path)
    assert loads(path, small())


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_of_another_kind_is_refused_by_name(kind: str, sealed: bool, tmp_path: Path) -> None:
    path = tmp_path / "state"
    FOREIGN[kind](path)
    if sealed:
        seal(path)
    with pytest.raises(CheckpointError, match="state: "):
        checkpoint.load(path)


def test_another_format_is_refused_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state"
    monkeypatch.setattr(checkpoint, "FORMAT", 99)
    checkpoint.save(path, small())
    assert same(checkpoint.load(path), small())
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=f"format 99; this version reads {checkpoint.FORMAT}"):
        checkpoint.load(path)


class Trap:
    """Unpickling this would make the folder `sprung`."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.sprung),)


@pytest.mark.parametrize("place", ["header", "/p", "/unknown"])
def test_a_pickled_array_is_refused_and_not_unpickled(place: str, tmp_path: Path) -> None:
    path, sprung = tmp_path / "state", tmp_path / "sprung"
    checkpoint.save(path, small())
    with np.load(path) as archive:
        members = {name: archive[name] for name in archive.files}
    members[place] = np.array([Trap(sprung)], object)
    with open(path, "wb") as file:
        np.savez(file, **members)
    seal(path)
    with pytest.raises(CheckpointError):
        checkpoint.load(path)
    assert not sprung.exists()
    # The negative control: the trap works.
    with np.load(path, allow_pickle=True) as archive:
        archive[place]
    assert sprung.exists()


def large() -> State:
    """Arrays of more bytes than an archive's reader takes at once."""
    return {
        "p": np.arange(3000, dtype=np.float32).reshape(1500, 2),
        "text": np.array(["abc"] * 600),
        "words": [str(number) for number in range(1000)],
    }


def loads(path: Path, state: State) -> bool:
    """Whether the checkpoint at `path` is taken; it must be `state` then."""
    try:
        loaded = checkpoint.load(path)
    except CheckpointError:
        return False
    assert same(loaded, state)
    return True


@pytest.mark.parametrize("make", [small, large])
def test_a_file_that_was_cut_is_refused(make: Callable[[], State], tmp_path: Path) -> None:
    path = tmp_path / "state"
    checkpoint.save(path, make())
    whole = path.read_bytes()
    lengths = {*range(0, len(whole), 1 + len(whole) // 150), *range(len(whole) - 100, len(whole))}
    for length in lengths:
        path.write_bytes(whole[:length])
        assert not loads(path, make()), length


@pytest.mark.parametrize("mask", [0x01, 0x09, 0x20, 0x80, 0xFF])
@pytest.mark.parametrize("make", [small, large])
def test_a_changed_byte_is_refused(make: Callable[[], State], mask: int, tmp_path: Path) -> None:
    path, state = tmp_path / "state", make()
    checkpoint.save(path, state)
    content = path.read_bytes()
    ends = {
        *range(300),
        *range(max(0, len(content) - 600), len(content)),
    }  # headers, and the directory
    positions = sorted({*ends, *range(0, len(content), 1 + len(content) // 200)})
    with open(path, "r+b", buffering=0) as file:
        for position in positions:
            file.seek(position)
            file.write(bytes([content[position] ^ mask]))
            assert not loads(path, state), position
            file.seek(position)
            file.write(content[position : position + 1])
    assert loads(path, state)


def test_further_bytes_at_the_end_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    checkpoint.save(path, small())
    path.write_bytes(path.read_bytes() + b"0")
    assert not loads(path, small())


def test_what_is_removed_while_one_looks_is_no_special_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: True)  # a moment ago
    with checkpoint.replacing(tmp_path / "a.npz") as file:
        file.write(b"new")
    assert (tmp_path / "a.npz").read_bytes() == b"new"
