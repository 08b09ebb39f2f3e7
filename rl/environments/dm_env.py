"""Environments of the interface `dm_env` for Gymnasium."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from rl.errors import UserError


class DmEnv(gymnasium.Env[Any, Any]):
    """An environment of `dm_env` as one of Gymnasium.

    An episode that ends with a discount of 0 has terminated, with another one it was truncated;
    discounts before the end are not looked at. `dm_env` knows no seeds: `reset(seed=...)` seeds
    each random generator that the environment, what it wraps and its task keep in an attribute.

    Args:
        env: with `reset`, `step`, `observation_spec` and `action_spec`.
        render_mode: None; such an environment draws nothing.

    Raises:
        UserError: a spec is of something else than numbers.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(self, env: Any, render_mode: str | None = None) -> None:
        self.dm_env, self.render_mode = env, render_mode
        self.observation_space = space_of(env.observation_spec())
        self.action_space = space_of(env.action_spec(), are_choices=True)
        self._generators = [*_generators_of(env)]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins an episode."""
        super().reset(seed=seed)
        if seed is not None:
            seeds = np.random.SeedSequence(seed).generate_state(len(self._generators))
            for generator, each in zip(self._generators, seeds.tolist(), strict=True):
                _seed(generator, each)
        return self.dm_env.reset().observation, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Acts for one step."""
        timestep = self.dm_env.step(action)
        ended = bool(timestep.last())
        terminated = ended and not timestep.discount
        reward = 0.0 if timestep.reward is None else float(timestep.reward)
        return timestep.observation, reward, terminated, ended and not terminated, {}

    def close(self) -> None:
        """Frees what the environment holds."""
        if callable(close := getattr(self.dm_env, "close", None)):
            close()


def space_of(spec: Any, are_choices: bool = False) -> spaces.Space[Any]:
    """The space of a spec, or of a dictionary or sequence of specs.

    Args:
        spec: one or several.
        are_choices: whether several bounded whole numbers stand for as many choices.

    Raises:
        UserError: it is of something else than numbers.
    """
    if isinstance(spec, Mapping):
        return spaces.Dict({name: space_of(each, are_choices) for name, each in spec.items()})
    if isinstance(spec, (list, tuple)):
        return spaces.Tuple([space_of(each, are_choices) for each in spec])
    kind, shape = np.dtype(spec.dtype), tuple(spec.shape)
    if kind == np.bool_:
        return spaces.MultiBinary(shape)
    if kind.kind not in "iuf":
        raise UserError(f"the spec {spec.name!r} is of {kind}; specs must be of numbers")
    low, high = (np.broadcast_to(end, shape).astype(kind) for end in _ends(spec, kind))
    if kind.kind != "f" and hasattr(spec, "minimum") and shape == ():
        return spaces.Discrete(int(high) - int(low) + 1, start=int(low))
    if kind.kind != "f" and hasattr(spec, "minimum") and are_choices:
        return spaces.MultiDiscrete(high.astype(np.int64) - low + 1, start=low.astype(np.int64))
    return spaces.Box(low, high, shape, kind.type)


def _ends(spec: Any, kind: np.dtype[Any]) -> tuple[Any, Any]:
    """The least and the greatest value of a spec, or of its type."""
    if hasattr(spec, "minimum"):
        return spec.minimum, spec.maximum
    return (-np.inf, np.inf) if kind.kind == "f" else (np.iinfo(kind).min, np.iinfo(kind).max)


def _generators_of(env: Any) -> Iterator[Any]:
    """The random generators of an environment, of those that it wraps, and of their tasks."""
    known: list[Any] = []
    while env is not None:
        for owner in (env, getattr(env, "task", None)):
            for each in getattr(owner, "__dict__", {}).values():
                is_new = not any(each is other for other in known)
                if is_new and isinstance(each, (np.random.RandomState, np.random.Generator)):
                    known.append(each)
                    yield each
        attributes = getattr(env, "__dict__", {})
        env = attributes.get("_env", attributes.get("_environment"))


def _seed(generator: Any, seed: int) -> None:
    if isinstance(generator, np.random.RandomState):
        generator.seed(seed)
    else:
        bits = generator.bit_generator
        bits.state = type(bits)(seed).state
