"""The `environment` block of a specification: which environment, and how it is made."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nn.settings import BaseSettings, SettingError, setting
from rl.errors import UserError, brief

# Arguments of `gymnasium.make` that are not the environment's own, and what to do instead.
RESERVED = {
    "render_mode": "is chosen by the lab; leave it out (rl watch, rl film and --render show it)",
    "max_episode_steps": "is no argument of a constructor; write environment.max_episode_steps",
    "disable_env_checker": "is chosen by the lab; leave it out (rl doctor --env checks it)",
    **dict.fromkeys(
        ("num_envs", "vectorization_mode", "vector_kwargs"),
        "is for vector environments; leave it out (train.lanes steps several at a time)",
    ),
}
_ENDLESS = -1  # the time limit that stands for none, as in Gymnasium


class UnfitEnvironment(UserError):
    """What an environment block says does not fit; nothing is wrong with the environment.

    Args:
        id: of the environment.
        key: of the block.
        complaint: what is wrong with it.
    """

    def __init__(self, id: str, key: str, complaint: str) -> None:
        super().__init__(f"environment {id}: {key} {complaint}")
        self.key, self.complaint = key, complaint


@dataclass(frozen=True, kw_only=True)
class EnvironmentSettings(BaseSettings):
    """Which environment, and how it is made."""

    id: str = setting(
        "a Gymnasium id; `module:Id-v0` imports the module that registers it, and `module:Class` "
        "names a class, or a function that makes an environment"
    )
    kwargs: dict[str, Any] | None = setting("arguments of its constructor", None)
    wrappers: tuple[Any, ...] | None = setting(
        "names of wrappers, the innermost first: Gymnasium's, or `module:Class`. One with "
        "arguments is a block, such as `{name: RescaleAction, min_action: -1, max_action: 1}`",
        None,
    )
    max_episode_steps: int | None = setting(
        "its time limit, in training and in evaluation; null keeps the registered one, and -1 "
        "removes it",
        None,
        least=_ENDLESS,
    )
    reset_options: dict[str, Any] | None = setting("the `options` of each `reset`", None)
    solved: float | None = setting(
        "mean return of 100 episodes that counts as solved; null keeps the registered one", None
    )
    action_names: tuple[str, ...] | None = setting(
        "what the actions are called, or the entries of continuous ones, where an agent is "
        "watched; null takes what the environment's `metadata` says",
        None,
    )
    observation_names: tuple[str, ...] | None = setting(
        "what the entries of an observation are called; likewise", None
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.id:
            raise SettingError("id", "must not be empty")
        if self.max_episode_steps == 0:
            raise SettingError("max_episode_steps", "must be at least 1, or -1 for none, not 0")
        for key in ("kwargs", "reset_options", "wrappers"):
            _refuse_endless_numbers(key, getattr(self, key))
        for key in self.kwargs or {}:
            if key in RESERVED:
                raise SettingError(f"kwargs.{key}", RESERVED[key])
        list(self.named_wrappers())

    def named_wrappers(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The name and the arguments of each wrapper, the innermost first.

        Raises:
            SettingError: one is neither a name nor a block with a name.
        """
        for number, given in enumerate(self.wrappers or ()):
            yield _named(number, given)

    @property
    def is_plain(self) -> bool:
        """Whether it is the registered environment as it is, but perhaps for what is solved."""
        changed = self.kwargs, self.wrappers, self.max_episode_steps, self.reset_options
        return not any(changed)

    @property
    def label(self) -> str:
        """The id and what makes it differ: "FrozenLake-v1 (is_slippery=false, TimeLimit)"."""
        said = _listed({**(self.kwargs or {}), **(self.reset_options or {})})
        if self.max_episode_steps:
            said.append(f"max_episode_steps={self.max_episode_steps}")
        for name, arguments in self.named_wrappers():
            said.append(f"{name}({', '.join(_listed(arguments))})" if arguments else name)
        return f"{self.id} ({', '.join(said)})" if said else self.id


def _listed(arguments: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in arguments.items()
    ]


def _named(number: int, given: Any) -> tuple[str, dict[str, Any]]:
    """A wrapper's name and arguments, from NAME, {name: NAME, ...} or {NAME: {...}}."""
    name, arguments = given, {}
    if isinstance(given, Mapping):
        arguments = {key: value for key, value in given.items() if key != "name"}
        name = given.get("name")
        if name is None and len(given) == 1:
            ((name, arguments),) = given.items()
            arguments = {} if arguments is None else arguments  # `- NAME:` in YAML
    if isinstance(name, str) and name and isinstance(arguments, Mapping):
        return name, dict(arguments)
    wanted = "must be a wrapper's name, or a block such as {name: RescaleAction, min_action: 0}"
    raise SettingError(f"wrappers.{number}", f"{wanted}, not {brief(given)}")


def _refuse_endless_numbers(path: str, value: Any) -> None:
    """Refuses infinite numbers and nan, which JSON cannot hold, and so no manifest."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            _refuse_endless_numbers(f"{path}.{key}", each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            _refuse_endless_numbers(path, each)
    elif isinstance(value, float) and not math.isfinite(value):
        raise SettingError(path, f"is {value}, which JSON cannot hold; write a finite number")
