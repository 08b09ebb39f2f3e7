"""The rules that the lab relies on in an environment: those of Gymnasium's interface."""

from __future__ import annotations

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
    "register the environment with max_episode_steps, or set train.max_episode_steps"
)
_RESET = "reset must give two values: observation, info"
_KEYWORDS = "reset must take the keywords seed and options"
_STEP = "step must give five values: observation, reward, terminated, truncated, info"
_LARGEST = float(np.finfo(np.float32).max)  # what the agent sees is in single precision
_SHOWN = 16  # entries of a vector in a message
_NUMBERS = "biuf"  # the kinds of dtypes that are real numbers


class Breach(Exception):
    """An environment has broken a rule; the message says which, and what it did instead.

    Where the environment has raised an exception of its own, that is the cause.
    """


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
    try:
        with signals.kept():
            yield
    except BaseException as error:
        raise _breach(method, error) from error


def _breach(method: str, error: BaseException) -> Breach:
    if signals.is_asked(error):
        raise error
    return Breach(_raised(method, error))


def reset(env: gymnasium.Env, seed: int, options: dict[str, Any] | None = None) -> Any:
    """The first observation of an episode.

    Raises:
        Breach: it raised something, or gave no pair of an observation and a dictionary.
    """
    with guarded("reset"):
        given = env.reset(seed=seed) if options is None else env.reset(seed=seed, options=options)
    if not isinstance(given, tuple) or len(given) != 2:
        raise Breach(f"{_RESET}; it gave {_kind(given)}")
    if not isinstance(given[1], Mapping):
        raise Breach(f"info, which reset gives, must be a dictionary, but is {_kind(given[1])}")
    return given[0]


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
        raise Breach(f"{_STEP}; it gave {_kind(given)}")
    _, _, terminated, truncated, info = given
    if type(terminated) is not bool or type(truncated) is not bool:
        _require_truth("terminated", terminated)
        _require_truth("truncated", truncated)
    if type(info) is not dict and not isinstance(info, Mapping):
        raise Breach(f"info, which step gives, must be a dictionary, but is {_kind(info)}")
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
    array = _array(value)
    if array.shape != () or array.dtype.kind not in "biu" or array not in (0, 1):
        raise Breach(f"{name} must be true or false, but is {_kind(value)}")


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
            and observation.dtype.kind in _NUMBERS
        ):
            return observation.copy()
    except (AttributeError, TypeError):
        pass
    array = np.array(_array(observation))
    if array.dtype.kind not in _NUMBERS:
        raise Breach(f"an observation must be made of numbers, but is {_kind(observation)}")
    if array.shape != (size,):
        raise Breach(f"an observation must have the shape [{size}], not {list(array.shape)}")
    require_finite("observation", array)
    return array


def require_finite(name: str, values: Array) -> None:
    """Refuses a vector with an entry that is not finite as a float32.

    Raises:
        NotFinite: the message has the name and the values, of many only some.
    """
    if not (np.abs(values) <= _LARGEST).all():
        raise NotFinite(f"{name} {_brief(values)}")


def require_member(observation: Any, space: Space[Any]) -> None:
    """Refuses a discrete observation that is outside of its space.

    Raises:
        Breach: the message shows both.
    """
    if not space.contains(observation):
        raise Breach(f"an observation must lie in {space}, but is {str(observation)[:80]}")


def number(reward: Any) -> float:
    """A reward as a number.

    Raises:
        Breach: it is none, such as None, a text or an array [1].
        NotFinite: it is not finite, or too large for a float32.
    """
    if not isinstance(reward, (float, int)):
        array = _array(reward)
        if array.shape != () or array.dtype.kind not in _NUMBERS:
            raise Breach(f"a reward must be a number, but is {_kind(reward)}")
    if not -_LARGEST <= reward <= _LARGEST:
        raise NotFinite(f"reward {brief(reward) if isinstance(reward, int) else reward}")
    return float(reward)


def _array(value: Any) -> Array:
    try:
        return np.asarray(value)
    except Exception:  # lists of several lengths, tensors of another device
        return np.asarray(None)


def _brief(values: Array) -> str:
    """Values on one line; of many, those at the ends and the first that is not finite."""
    shown = np.array2string(values, precision=3, threshold=_SHOWN, max_line_width=1000)
    place = int((np.abs(values) <= _LARGEST).argmin())
    return shown if len(values) <= _SHOWN else f"{shown}, entry {place} of which is {values[place]}"


def _kind(value: Any) -> str:
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
