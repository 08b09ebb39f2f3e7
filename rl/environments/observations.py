"""Observations of any form as vectors: which parts they have, and where each stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from nn.typing import Array
from rl.environments import rules
from rl.environments.rules import Unfit
from rl.preprocessors.picture import LARGEST_PICTURE, Picture

_Space = spaces.Space[Any]
_Path = tuple[Any, ...]  # keys and places that lead to a part
_VARIES = "has no fixed number of entries"
_REASONS: dict[type[_Space], str] = {
    spaces.Graph: _VARIES,
    spaces.Sequence: _VARIES,
    spaces.OneOf: "has alternatives of different sizes",
}
_REMEDY = "add a wrapper that turns it into numbers (gymnasium.wrappers.TransformObservation)"
_OMIT = ", or one that leaves it out (gymnasium.wrappers.FilterObservation)"
_ALONE = " beside other parts: add a wrapper that keeps it alone, for convolutions"
SHRINK = (
    "make it smaller by a preprocessor (Resize, with grayscale: true) or a wrapper "
    "(gymnasium.wrappers.ResizeObservation)"
)


@dataclass(frozen=True)
class Part:
    """A part of an observation that is made of numbers, and its entries in the vector.

    Args:
        path: the keys of dictionaries and places in tuples that lead to it.
        space: that it lies in.
        first: its first entry.
        size: the number of its entries.
    """

    path: _Path
    space: _Space
    first: int
    size: int

    @property
    def name(self) -> str:
        """The keys on its path, such as "goal.position"; empty if it is the whole observation."""
        return _dotted(self.path)

    @property
    def entries(self) -> slice:
        """Where it stands in the vector."""
        return slice(self.first, self.first + self.size)

    @property
    def is_box(self) -> bool:
        """Whether its numbers are its entries; if not, they are one-hot."""
        return isinstance(self.space, spaces.Box)

    def __str__(self) -> str:
        said = f"{self.name} {'' if self.is_box else '(one-hot)'}".strip()
        return f"observation[{self.first}:{self.first + self.size}] {said}".rstrip()


@dataclass(frozen=True)
class Flattener:
    """Turns observations into vectors [n].

    Dictionaries are taken in the order of the space's keys, and Gymnasium sorts those of a plain
    dict by name; tuples and grids in theirs, the last axis first. Discrete parts become one-hot.

    Args:
        parts: one behind the other.
        left_out: the names of texts, which are no numbers.
    """

    parts: tuple[Part, ...]
    left_out: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """n."""
        return sum(part.size for part in self.parts)

    @property
    def picture(self) -> Picture | None:
        """The form of an observation with one array of two axes, or three; None of any other.

        The axis of the channels is the last, unless the first is the shortest.
        """
        part = self.parts[0]
        shape = part.space.shape or ()
        if len(self.parts) > 1 or not part.is_box or len(shape) not in (2, 3):
            return None
        height, width, channels = shape if len(shape) == 3 else (*shape, 1)
        first = len(shape) == 3 and height < min(width, channels)
        sides = (width, channels, height) if first else (height, width, channels)
        return Picture(sides, first, part.space.dtype == np.uint8)

    def __call__(self, observation: Any) -> Array:
        """The vector of an observation.

        Raises:
            Breach: it has another form than its space; the message names the part.
            NotFinite: an entry is not finite.
        """
        if len(self.parts) == 1 and self.parts[0].space.dtype == np.uint8:
            return _numbers(self.parts[0], _at(observation, self.parts[0].path))
        vector = np.empty(self.size)
        for part in self.parts:
            vector[part.entries] = _numbers(part, _at(observation, part.path))
        return vector


def flattener(space: _Space) -> Flattener:
    """What turns the observations of a space into vectors.

    Raises:
        Unfit: it has a part that cannot be one, or nothing but texts.
    """
    parts: list[Part] = []
    left_out = []
    for path, each in _leaves(space, ()):
        if path and _is_text(each):
            left_out.append(_dotted(path))
        else:
            first = parts[-1].first + parts[-1].size if parts else 0
            parts.append(Part(path, each, first, _size(each, path)))
    for part in parts if len(parts) > 1 else ():  # one alone is for convolutions
        if _is_picture(part.space) and part.size > LARGEST_PICTURE:
            said = f", a picture of {part.size:,} numbers{_ALONE}"
            raise _unfit(part.space, part.path, f"at most {LARGEST_PICTURE:,} numbers", said)
    found = Flattener(tuple(parts), tuple(left_out))
    if not found.size:
        texts = f" beside texts ({', '.join(left_out)})" if left_out else ""
        raise Unfit(f"observations must have at least one entry{texts}")
    return found


def _dotted(path: _Path) -> str:
    """Keys and places as one name."""
    return ".".join(map(str, path))


def _leaves(space: _Space, path: _Path) -> Iterator[tuple[_Path, _Space]]:
    """The spaces that contain no others, with the paths to them."""
    if isinstance(space, (spaces.Dict, spaces.Tuple)):
        inner = space.spaces
        for key, each in inner.items() if isinstance(inner, Mapping) else enumerate(inner):
            yield from _leaves(each, (*path, key))
    else:
        yield path, space


def _is_text(space: _Space) -> bool:
    return space.dtype is not None and space.dtype.kind in "US"


def _size(space: _Space, path: _Path) -> int:
    discrete = isinstance(space, (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary))
    if not (isinstance(space, spaces.Box) and space.dtype.kind in rules.NUMBERS) and not discrete:
        own = "is text" if _is_text(space) else "has entries that the lab does not know"
        reason = next((why for kind, why in _REASONS.items() if isinstance(space, kind)), own)
        raise _unfit(space, path, "made of numbers", f", which {reason}; {_REMEDY}")
    return int(spaces.flatdim(space))


def _unfit(space: _Space, path: _Path, wanted: str, said: str) -> Unfit:
    where, are = (f"the observations' {_dotted(path)!r}", "is") if path else ("observations", "are")
    omit = _OMIT if path else ""
    return Unfit(f"{where} must be {wanted}, but {are} {_brief(space)}{said}{omit}")


def _is_picture(space: _Space) -> bool:
    return space.dtype == np.uint8 and len(space.shape or ()) > 1


def _brief(space: _Space) -> str:
    """A space's kind and shape; the bounds of an image would fill pages."""
    kind = type(space).__name__
    return f"{kind}{list(space.shape)}" if isinstance(space, spaces.Box) else kind


def _at(observation: Any, path: _Path) -> Any:
    """The part of an observation at a path."""
    for depth, key in enumerate(path):
        name = _name(path[:depth])
        if isinstance(key, int) and isinstance(observation, (tuple, list)):
            if key >= len(observation):
                raise rules.Breach(f"{name} must have more than {key} parts")
        elif not isinstance(observation, Mapping):
            form = "tuple" if isinstance(key, int) else "dictionary"
            raise rules.Breach(f"{name} must be a {form}, but is {rules.kind_of(observation)}")
        elif key not in observation:
            keys = ", ".join(map(str, observation)) or "none"
            raise rules.Breach(f"{name} must have the key {key!r}; it has {keys}")
        observation = observation[key]
    return observation


def _numbers(part: Part, value: Any) -> Array:
    """The entries of a part [size]."""
    name = _name(part.path)
    if not part.is_box:
        rules.require_member(value, part.space, name)
        return np.asarray(spaces.flatten(part.space, value))
    return rules.numbers(value, part.space.shape or (), name).ravel()


def _name(path: _Path) -> str:
    """What a message calls the part at a path."""
    return f"an observation's {_dotted(path)!r}" if path else "an observation"
