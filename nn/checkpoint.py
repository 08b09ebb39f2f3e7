"""Nested states in one file: arrays and a JSON header in an .npz with a checksum, without pickle.

A state is a dictionary of arrays, numbers, strings, lists, None and further dictionaries. Arrays
go into the archive under their path ("state/policy/network/parameters"), everything else goes into
the header. The archive's comment, its last bytes, is the SHA-256 of all bytes before it. It is
checked before anything is parsed, so that all damage is found in one way. The file is written
beside its place, read back, and renamed, so that its name always holds a whole checkpoint.

A file that was read and is wrong is a `CheckpointError`; a disk that fails is an `OSError`, which
names the file and says nothing about its content.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from nn.archive import HEADER, unpack
from nn.typing import Array, State

FORMAT = 1
_SEAL = 2 * hashlib.sha256().digest_size  # bytes, in hexadecimal
_PIECE = 1 << 20
_UNSYNCABLE = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM, errno.ENOSYS)


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged, or of another format.

    Args:
        message: names the file.
        file: the damaged one, if it is another that the checkpoint needs.
    """

    def __init__(self, message: str, file: Path | None = None) -> None:
        super().__init__(message)
        self.file = file


def save(path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Writes `state` to `path`, atomically.

    Raises:
        TypeError: the state holds something that cannot be restored.
        OSError: the file cannot be written; an existing one is unchanged.
    """
    arrays: dict[str, Array] = {}
    tree = _split(state, "state", arrays)
    header = json.dumps({"format": FORMAT, "state": tree}).encode()
    members: dict[str, Any] = {HEADER: np.frombuffer(header, np.uint8), **arrays}
    content = io.BytesIO()  # NumPy 2.0 leaves a traceback of its own where a write fails
    np.savez(content, **members)
    _seal(content)
    with replacing(path) as file:
        file.write(content.getbuffer())
        if not _is_sealed(file):
            raise OSError(errno.EIO, "the file reads back other bytes than were written", str(path))


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A file that replaces the one at `path` as a whole, or not at all if anything is raised.

    It is written beside its place, flushed to the disk and renamed, and the folder is flushed too.
    A link stays a link.

    Raises:
        OSError: the file cannot be written, or `path` is a device or the like; the error names it.
    """
    place = Path(os.path.realpath(path))
    beside = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    with naming(path, beside):
        if _is_special(place):
            raise OSError(errno.EINVAL, "it is not a regular file")
        try:
            with open(beside, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, place)
        finally:
            with suppress(OSError):  # the error above is the one to raise
                beside.unlink(missing_ok=True)
        sync_folder(place.parent)


def _is_special(path: Path) -> bool:
    """Whether there is something that is no regular file, by one look: it may go in between."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:  # there is nothing, or whoever writes is told what is wrong
        return False


@contextmanager
def naming(path: str | os.PathLike[str], beside: Path | None = None) -> Iterator[None]:
    """Within, an `OSError` that names no file, or `beside` or a file in it, names `path`."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        is_beside = beside is not None and str(error.filename).startswith(str(beside))
        if error.filename is None or is_beside:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from None
        raise


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Flushes the names in a folder to the disk, where the system can do that.

    Raises:
        OSError: the disk has failed.
    """
    if os.name == "nt":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _UNSYNCABLE:
            raise


def regular(path: str | os.PathLike[str], flags: int) -> int:
    """The descriptor of a regular file, as an opener for `open`; a pipe or device might block.

    Raises:
        OSError: it is not a regular file, or cannot be opened.
    """
    number = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0), 0o666)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, "it is not a regular file", os.fspath(path))
    return number


def open_regular(path: str | os.PathLike[str]) -> IO[bytes]:
    """A regular file, open for reading.

    Raises:
        OSError: as for `regular`.
    """
    return os.fdopen(regular(path, os.O_RDONLY), "rb")


@contextmanager
def growing(path: Path, size: int) -> Iterator[None]:
    """Within, a file of `size` bytes is appended to; a failure removes it if it was empty.

    Raises:
        OSError: it cannot be written; the error names it.
    """
    try:
        with naming(path):
            yield
    except OSError:
        if not size:
            with suppress(OSError):
                path.unlink()
        raise


def load(path: str | os.PathLike[str]) -> State:
    """The state that `save` wrote.

    Raises:
        CheckpointError: there is no file, it is damaged, or it has another format.
        OSError: the file cannot be read.
    """
    try:
        with naming(path), open_regular(path) as file:
            if not _is_sealed(file):
                raise CheckpointError(f"{path}: is not a checkpoint, or is damaged")
            file.seek(0)
            content = file.read()
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such checkpoint") from None
    except OSError as error:
        if error.errno == errno.EINVAL:  # a folder or the like
            raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from None
        raise
    try:
        header, arrays = unpack(content)
        if header["format"] != FORMAT:
            raise CheckpointError(
                f"{path}: has format {header['format']!r}; this version reads {FORMAT}"
            )
        state: State = _join(header["state"], "state", arrays)
        if arrays or not isinstance(state, dict):
            raise ValueError(f"unexpected arrays: {', '.join(arrays)}")
    except CheckpointError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        complaint = f"{path}: is intact, but not a checkpoint of this lab ({error})"
        raise CheckpointError(complaint) from None
    return state


def _seal(file: IO[bytes]) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = b"0" * _SEAL
    end = file.seek(-_SEAL, os.SEEK_END)
    digest = _digest(file, end)
    file.seek(end)
    file.write(digest)


def _is_sealed(file: IO[bytes]) -> bool:
    size = file.seek(0, os.SEEK_END)
    if size < _SEAL:
        return False
    file.seek(size - _SEAL)
    seal = file.read(_SEAL)
    return seal.isalnum() and seal == _digest(file, size - _SEAL)  # the former is quick


def _digest(file: IO[bytes], end: int) -> bytes:
    """The SHA-256 of the first `end` bytes, in hexadecimal."""
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(min(_PIECE, end - file.tell())):
        digest.update(piece)
    return digest.hexdigest().encode()


def _split(value: Any, path: str, arrays: dict[str, Array]) -> Any:
    """The JSON form of a state, whose arrays go into `arrays`."""
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError(f"{path}: an array of objects cannot be saved")
        arrays[path] = value
        return {"array": str(value.dtype)}
    if isinstance(value, Mapping):
        return {
            "items": {_key(key, path): _split(item, f"{path}/{key}", arrays)
                      for key, item in value.items()}
        }  # fmt: skip
    if isinstance(value, (list, tuple)):
        return {"list": [_split(item, f"{path}/{i}", arrays) for i, item in enumerate(value)]}
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is not None and not isinstance(plain, (bool, int, float, str)):
        raise TypeError(f"{path}: a {type(value).__name__} cannot be saved")
    return {"value": plain}


def _key(key: Any, path: str) -> str:
    # An archive takes "x.npy" for x, and a slash separates the keys of a path.
    if not isinstance(key, str) or "/" in key or key.endswith(".npy"):
        raise TypeError(f"{path}: the key {key!r} is not a string, has a slash, or ends in .npy")
    return key


def _join(tree: Any, path: str, arrays: dict[str, Array]) -> Any:
    if "array" in tree:
        array = arrays.pop(path)
        if str(array.dtype) != tree["array"]:
            raise ValueError(f"{path} has dtype {array.dtype}, not {tree['array']}")
        return array
    if "items" in tree:
        return {key: _join(item, f"{path}/{key}", arrays) for key, item in tree["items"].items()}
    if "list" in tree:
        return [_join(item, f"{path}/{i}", arrays) for i, item in enumerate(tree["list"])]
    return tree["value"]
