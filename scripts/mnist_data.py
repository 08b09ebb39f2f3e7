"""The MNIST digits: what a folder of IDX files holds, and how to fetch them from a mirror.

    python scripts/mnist_data.py DIR                    # checks the files and counts their digits
    python scripts/mnist_data.py DIR --download URL     # first fetches those that are missing

A part of the data set, `train` or `t10k`, is two files, gzipped or not: the images
(`t10k-images-idx3-ubyte.gz`) and the labels (`t10k-labels-idx1-ubyte.gz`). An IDX file is a magic
number, the length of each axis as big-endian integers, and one byte per entry. URL is the folder of
the four `.gz` files, at http://, https:// or file://.
"""

from __future__ import annotations

import gzip
import http.client
import math
import os
import struct
import sys
import urllib.request
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import common
import numpy as np

if TYPE_CHECKING:
    from nn.typing import Array

PARTS = {"train": 60_000, "t10k": 10_000}  # and the examples of each
SIDE, CLASSES = 28, 10
TIMEOUT = 60.0  # seconds without an answer from the mirror


class DataError(Exception):
    """Something about the files or the settings that the user can put right."""


class Kind(NamedTuple):
    """One of the two kinds of file; the magic number's last byte counts the axes."""

    name: str
    magic: int
    axes: tuple[int, ...]  # the lengths of all axes after the first, which counts the examples


IMAGES, LABELS = Kind("images", 2051, (SIDE, SIDE)), Kind("labels", 2049, ())


class Digits(NamedTuple):
    """Handwritten digits.

    Attributes:
        pixels: [n, 784], from 0 for paper to 1 for ink.
        labels: [n], 0 to 9.
    """

    pixels: Array
    labels: Array

    def take(self, which: Array | slice) -> Digits:
        """Those at the given indices."""
        return Digits(self.pixels[which], self.labels[which])


def file_name(part: str, kind: Kind) -> str:
    """The name of a file at a mirror."""
    return f"{part}-{kind.name}-idx{1 + len(kind.axes)}-ubyte.gz"


NAMES = [file_name(part, kind) for part in PARTS for kind in (IMAGES, LABELS)]
REMEDY = f"put the MNIST files there ({', '.join(NAMES)}) or fetch them with --download URL"


def read_part(folder: Path, part: str) -> Digits:
    """The digits of `train` or `t10k`.

    Raises:
        DataError: the folder or a file is missing or damaged, or the two files differ in length.
    """
    paths = [_locate(folder, part, kind) for kind in (IMAGES, LABELS)]
    images, labels = map(read_idx, paths, (IMAGES, LABELS))
    if len(images) != len(labels):
        raise DataError(
            f"{paths[0]} holds {len(images):,} images, but {paths[1]} {len(labels):,} labels; "
            f"the two do not belong together: {REMEDY}"
        )
    pixels = np.divide(images.reshape(len(images), -1), 255, dtype=np.float32)
    return Digits(pixels, labels.astype(np.int64))


def has_part(folder: Path, part: str) -> bool:
    """Whether any file of that part is there."""
    return any(find(folder, part, kind) for kind in (IMAGES, LABELS))


def _locate(folder: Path, part: str, kind: Kind) -> Path:
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; {REMEDY}")
    path = find(folder, part, kind)
    if path is None:
        raise DataError(f"{folder} holds no {file_name(part, kind)}; {REMEDY}")
    return path


def find(folder: Path, part: str, kind: Kind) -> Path | None:
    """The file of that part and kind, under one of the names in use."""
    zipped = file_name(part, kind)
    dotted = zipped.replace("-idx", ".idx")
    names = [zipped, zipped.removesuffix(".gz"), dotted, dotted.removesuffix(".gz")]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def read_idx(path: Path, kind: Kind) -> Array:
    """The bytes of a file: images [n, 28, 28] or labels [n].

    Raises:
        DataError: the file cannot be read or is not what it should be.
    """
    try:
        return parse(path.read_bytes(), kind)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except Damaged as error:
        raise DataError(f"{path} {error}; {REMEDY}") from None


class Damaged(Exception):
    """Why some bytes are no file of that kind; the message begins after the file's name."""


def parse(raw: bytes, kind: Kind) -> Array:
    """The array [n, *kind.axes] of an IDX file's bytes, gzipped or not.

    Raises:
        Damaged: the bytes end early or late, or are something else.
    """
    data = _inflate(raw)
    count, header = _read_header(data, kind)
    length, wanted = len(data) - header, count * math.prod(kind.axes)
    if length != wanted:
        raise Damaged(f"is {'truncated' if length < wanted else 'too long'}: {count:,} {kind.name} "
                      f"are {wanted:,} bytes, but {length:,} follow the header")  # fmt: skip
    array = np.frombuffer(data, np.uint8, offset=header).reshape(count, *kind.axes)
    if kind is LABELS and (array >= CLASSES).any():
        raise Damaged(f"has the label {array.max()}, but digits go up to {CLASSES - 1}")
    return array


def _inflate(raw: bytes) -> bytes:
    if not raw.startswith(b"\x1f\x8b"):  # told by content: some programs unzip but keep the name
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, OSError, zlib.error):
        raise Damaged("is a truncated or damaged gzip file") from None


def _read_header(data: bytes, kind: Kind) -> tuple[int, int]:
    """How many examples the header says there are, and where it ends, in bytes."""
    header = struct.Struct(f">{2 + len(kind.axes)}I")
    if len(data) < header.size:
        raise Damaged("is truncated: it ends within its header")
    magic, count, *axes = header.unpack_from(data)
    if magic != kind.magic:
        raise Damaged(f"has the magic number {magic}, but {kind.name} have {kind.magic}")
    if tuple(axes) != kind.axes:
        raise Damaged(f"has images of {axes[0]} x {axes[1]} pixels, not {SIDE} x {SIDE}")
    return count, header.size


def download(folder: Path, url: str) -> None:
    """Fetches each of the four files that is not in the folder, whole and of the right size.

    Args:
        folder: created if it does not exist.
        url: of the mirror's folder.

    Raises:
        DataError: the mirror lacks a file, a file is wrong, or the folder cannot be written. Files
            already fetched stay; nothing of the failing file does.
    """
    if not url.startswith(("http://", "https://", "file://")):
        raise DataError(f"--download takes an http://, https:// or file:// address, not {url}")
    for part in PARTS:
        for kind in (IMAGES, LABELS):
            if not _is_there(folder, part, kind):
                name = file_name(part, kind)
                raw = _fetch(f"{url.rstrip('/')}/{name}", part, kind)
                _keep(folder / name, raw)
                print(f"fetched {name}, {len(raw):,} bytes", file=sys.stderr, flush=True)


def _is_there(folder: Path, part: str, kind: Kind) -> bool:
    """Whether the folder holds that file whole."""
    path = find(folder, part, kind)
    try:
        return path is not None and len(read_idx(path, kind)) == PARTS[part]
    except DataError:
        return False


def _fetch(url: str, part: str, kind: Kind) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            raw = bytes(answer.read())
        if (count := len(parse(raw, kind))) != PARTS[part]:
            raise Damaged(f"holds {count:,} {kind.name}, not {PARTS[part]:,}")
    except Damaged as error:
        raise DataError(f"{url} {error}; name another mirror") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DataError(
            f"{url} cannot be fetched ({error}); check the address and the connection, or name "
            "another mirror"
        ) from None
    return raw


def _keep(path: Path, raw: bytes) -> None:
    """Writes a temporary file and renames it, so that no file is ever half-written."""
    beside = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(raw)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}") from None


def main() -> None:
    parser = common.Parser(description="The MNIST digits: check a folder, or fill it.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="of the IDX files")
    parser.add_argument("--download", metavar="URL", help="fetch what is missing from this mirror")
    options = parser.parse_args()
    try:
        if options.download:
            download(options.folder, options.download)
        for part in PARTS:
            if part == "t10k" or has_part(options.folder, part):
                print(f"{part}: {len(read_part(options.folder, part).labels):,} digits")
    except DataError as error:
        parser.refuse(str(error))


if __name__ == "__main__":
    main()
