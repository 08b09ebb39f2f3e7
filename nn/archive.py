"""Reading a checkpoint's archive, whose content is checked before it is trusted."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
from numpy.lib import format as npy

from nn.typing import Array

HEADER = "header"
_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def unpack(content: bytes) -> tuple[Any, dict[str, Array]]:
    """The header and the arrays, by name, of an archive with this content.

    An array takes no more memory than its actual bytes, whatever size it declares.

    Raises:
        ValueError: it is not an archive that `checkpoint.save` wrote.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            arrays = {each.filename.removesuffix(".npy"): _array(archive, each, len(content))
                      for each in members}  # fmt: skip
        if len(arrays) < len(members):
            raise ValueError("a name occurs twice")
        return json.loads(arrays.pop(HEADER).tobytes()), arrays
    except Exception as error:  # all of it is in memory: the content is to blame
        raise ValueError(f"{type(error).__name__}: {error}") from None


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> Array:
    """One array; ours are neither compressed nor encrypted."""
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        raise ValueError(f"{member.filename} is compressed or encrypted")
    if member.file_size > most:
        raise ValueError(f"{member.filename} declares {member.file_size} bytes")
    data = archive.read(member)
    start = io.BytesIO(data)
    shape, in_columns, kind = _READERS[npy.read_magic(start)](start)
    flat: Array = np.frombuffer(data[start.tell() :], kind).copy()
    return flat.reshape(shape[::-1]).transpose() if in_columns else flat.reshape(shape)
