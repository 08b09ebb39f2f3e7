"""Nested states in one file: arrays and a JSON header in an .npz, checksummed, without pickle.

A state is a dictionary of arrays, numbers, strings, lists, None and further dictionaries. Arrays
go into the archive under their path ("agent/network/parameters"); everything else goes into the
header. The file is written beside its place and renamed, so that its name always holds a whole
checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nn.typing import State

FORMAT = 1
_HEADER = "header"


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged, or of another format."""


def save(path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Writes `state` to `path`, atomically.

    Raises:
        OSError: the folder cannot be written; what was at `path` before is still there.
    """
    arrays: dict[str, np.ndarray] = {}
    tree = _split(state, "", arrays)
    header = json.dumps({"format": FORMAT, "checksum": _checksum(tree, arrays), "state": tree})
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(beside, "wb") as file:
            encoded = np.frombuffer(header.encode(), np.uint8)
            np.savez(file, allow_pickle=False, **{_HEADER: encoded}, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def load(path: str | os.PathLike[str]) -> State:
    """The state that `save` wrote.

    Raises:
        CheckpointError: there is no file, it is damaged, or it has another format.
    """
    try:
        # The file is opened here, since np.load leaves it open when it finds it damaged.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays.pop(_HEADER).tobytes())
        version, checksum, tree = header["format"], header["checksum"], header["state"]
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such checkpoint") from None
    except IsADirectoryError:
        raise CheckpointError(f"{path}: is a folder, not a checkpoint") from None
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path}: not a checkpoint, or a damaged one ({error})") from None
    if version != FORMAT:
        raise CheckpointError(f"{path}: has format {version!r}; this version reads {FORMAT}")
    if checksum != _checksum(tree, arrays):
        raise CheckpointError(f"{path}: is damaged: its checksum does not fit its contents")
    state: State = _join(tree, "", arrays)
    return state


def _split(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    """The JSON form of a state; its arrays are moved into `arrays` and leave their type behind."""
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError(f"{path}: an array of objects cannot be saved")
        arrays[path] = value
        return {"array": str(value.dtype)}
    if isinstance(value, Mapping):
        return {
            "items": {key: _split(item, f"{path}/{key}", arrays) for key, item in value.items()}
        }
    return {"value": value.item() if isinstance(value, np.generic) else value}


def _join(tree: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    if "array" in tree:
        return arrays[path]
    if "items" in tree:
        return {key: _join(item, f"{path}/{key}", arrays) for key, item in tree["items"].items()}
    return tree["value"]


def _checksum(tree: Any, arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(tree, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
