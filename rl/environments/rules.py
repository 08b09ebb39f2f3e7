"""The rules that the lab relies on in an environment: those of Gymnasium's interface."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Space

from nn.typing import Array
from rl.console import signals
from rl.errors import brief

# Steps after which an episode that has no time limit is one that never ends.
ENDLESS = 100_000

ENDS = (
    f"an episode must end, and this one has not in {ENDLESS:,} steps: "
    "set environment.max_episode_steps, or register the environment with one"
)
_RESET = "reset must give two values: observation, info"
_KEYWORDS = "reset must take the keywords seed and options"
_STEP = "step must give five values: observation, reward, terminated, truncated, info"
_LARGEST = float(np.finfo(np.float32).max)  # what the agent sees is in single precision
_SHOWN = 16  # entries of a vector in a message
_process = os.getpid()  # in which environments are made and reset
NUMBERS = "biuf"  # the kinds of dtypes that are real numbers


class Breach(Exception):
    """An environment has broken a rule; the message says which, and what it did instead.

    Where the environment has raised an exception of its own, that is the cause.
    """


class Unfit(ValueError):
    """A space of observations or actions that no agent can take; the message has a remedy."""


class NotFinite(Exception):
    """A number is nan or infinite; the message says which."""


@contextmanager
def guarded(method: str) -> Iterator[None]:
    """Within, an environment's own code runs, which may raise anything and call `sys.exit`.

    Args:
        method: what the message calls that code.

    Raises:
        Breach: it raised something.
        KeyboardInterrupt, SystemExit: a signal came meanwhile.
    """
    global _process
    _process = os.getpid()
    try:
        with signals.kept():
            yield
    except BaseException as error:
        raise _breach(method, error) from error


def _breach(method: str, error: BaseException) -> Breach:
    if os.getpid() != _process:
        os._exit(1)  # a process that the environment has forked must not go on as a second run
    if signals.is_asked(error):
        raise error
    return Breach(_raised(method, error))


def reset(
    env: gymnasium.Env, seed: int, options: dict[str, Any] | None = None
) -> tuple[Any, Mapping[str, Any]]:
    """The first observation of an episode, and its info.

    Raises:
        Breach: it raised something, or gave no pair of an observation and a dictionary.
    """
    with guarded("reset"):
        given = env.reset(seed=seed) if options is None else env.reset(seed=seed, options=options)
    if not isinstance(given, tuple) or len(given) != 2:
        raise Breach(f"{_RESET}; it gave {kind_of(given)}")
    if not isinstance(given[1], Mapping):
        raise Breach(f"info, which reset gives, must be a dictionary, but is {kind_of(given[1])}")
    return given


def step(env: gymnasium.Env, action: Any) -> Any:
    """What `env.step` gives: observation, reward, terminated, truncated, info.

    Raises:
        Breach: it raised something, gave another number of values, or what is no truth value or no
            dictionary where there must be one.
    """
    try:  # as `guarded` does, which takes a while
        given = env.step(action)
    except BaseException as error:
        raise _breach("step", error) from error
    if not isinstance(given, tuple) or len(given) != 5:
        raise Breach(f"{_STEP}; it gave {kind_of(given)}")
    _, _, terminated, truncated, info = given
    if type(terminated) is not bool or type(truncated) is not bool:
        _require_truth("terminated", terminated)
        _require_truth("truncated", truncated)
    if type(info) is not dict and not isinstance(info, Mapping):
        raise Breach(f"info, which step gives, must be a dictionary, but is {kind_of(info)}")
    return given


def close(env: gymnasium.Env) -> str | None:
    """Frees what an environment holds; says what went wrong, for which no result is to suffer."""
    try:
        with guarded("close"):
            env.close()
    except Breach as found:
        return str(found)
    return None


def _require_truth(name: str, value: Any) -> None:
    """Refuses what is neither true nor false; 1 and 0 are."""
    array = array_of(value)
    if array.shape != () or array.dtype.kind not in "biu" or array not in (0, 1):
        raise Breach(f"{name} must be true or false, but is {kind_of(value)}")


def vector(observation: Any, size: int) -> Array:
    """An observation as an array [size] of its own: the environment may write into its own again.

    Raises:
        Breach: it has another shape, or is not made of numbers.
        NotFinite: an entry is not finite, or too large for a float32.
    """
    try:
        entries = observation.tolist()
        if (  # quick, for what is right
            len(entries) == size
            and -_LARGEST < sum(entries) < _LARGEST
            and observation.dtype.kind in NUMBERS
        ):
            return observation.copy()
    except BaseException as error:  # of whatever it is instead of an array
        if signals.is_asked(error):
            raise
    return numbers(observation, (size,))


def numbers(value: Any, shape: tuple[int, ...], name: str = "an observation") -> Array:
    """A value as an array of a shape, of its own.

    Args:
        value: what the environment gives.
        shape: that it must have.
        name: what a message calls it.

    Raises:
        Breach, NotFinite: as for `vector`.
    """
    array = np.array(array_of(value))
    if array.dtype.kind not in NUMBERS:
        raise Breach(f"{name} must be made of numbers, but is {kind_of(value)}")
    if array.shape != shape:
        raise Breach(f"{name} must have the shape {list(shape)}, not {list(array.shape)}")
    if array.dtype != np.uint8:
        require_finite(name.removeprefix("an "), array)
    return array


def as_bytes(values: Array) -> Array:
    """Values as bytes.

    Raises:
        Breach: they are none.
    """
    found = values.astype(np.uint8)
    if not np.array_equal(found, values):
        raise Breach(
            f"an observation must be made of bytes, as its space, but is {kind_of(values)}"
        )
    return found


def require_finite(name: str, values: Array) -> None:
    """Refuses a vector with an entry that is not finite as a float32.

    Raises:
        NotFinite: the message has the name and the values, of many only some.
    """
    if not (np.abs(values) <= _LARGEST).all():
        raise NotFinite(f"{name} {brief_of(values)}")


def require_member(value: Any, space: Space[Any], name: str = "an observation") -> None:
    """Refuses a discrete observation, or a part of one, that is outside of its space.

    Raises:
        Breach: the message shows both.
    """
    if not space.contains(value):
        raise Breach(f"{name} must lie in {space}, but is {str(value)[:80]}")


def number(reward: Any) -> float:
    """A reward as a number.

    Raises:
        Breach: it is none, such as None, a text or an array [1].
        NotFinite: it is not finite, or too large for a float32.
    """
    if not isinstance(reward, (float, int)):
        array = array_of(reward)
        if array.shape != () or array.dtype.kind not in NUMBERS:
            raise Breach(f"a reward must be a number, but is {kind_of(reward)}")
        reward = array.item()
    if not -_LARGEST <= reward <= _LARGEST:
        raise NotFinite(f"reward {brief(reward) if isinstance(reward, int) else reward}")
    return float(reward)


def array_of(value: Any) -> Array:
    """A value as an array; of objects if it is none."""
    try:
        return np.asarray(value)
    except BaseException as error:  # lists of several lengths, tensors of another device
        if signals.is_asked(error):
            raise
        return np.asarray(None)


def brief_of(values: Array) -> str:
    """Values on one line; of many, those at the ends and the first that is not finite."""
    values = values.ravel()
    shown = np.array2string(values, precision=3, threshold=_SHOWN, max_line_width=1000)
    place = int((np.abs(values) <= _LARGEST).argmin())
    return shown if len(values) <= _SHOWN else f"{shown}, entry {place} of which is {values[place]}"


def kind_of(value: Any) -> str:
    """What a value is, in a few words."""
    if isinstance(value, np.ndarray):
        return f"an array {list(value.shape)} of {value.dtype}"
    if isinstance(value, tuple):
        return f"{len(value)} values"
    return " ".join(brief(value).split())[:80]


def _raised(method: str, error: BaseException) -> str:
    """What `method` raised, and where; Gymnasium's wrappers unpack what a step gives."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    said = " ".join("".join(traceback.format_exception_only(error)).split())[:200]
    if "unpack" in said and "gymnasium/wrappers" in Path(place.filename).as_posix():
        return f"{_STEP} ({said.partition(': ')[2]})"
    if method == "reset" and isinstance(error, TypeError) and "unexpected keyword" in said:
        method = f"{_KEYWORDS}; it"
    return f"{method} raised {said} ({Path(place.filename).name}:{place.lineno})"
