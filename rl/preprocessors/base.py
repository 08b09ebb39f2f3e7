"""What an agent sees instead of the raw observation, and what it is rewarded with."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nn.settings import BaseSettings, setting
from nn.typing import Array, State
from rl.preprocessors.picture import Picture


def within(value: float, limit: float) -> float:
    """The number from -limit to limit that is nearest; what is no number stays so."""
    return min(max(value, -limit), limit)


class Preprocessor:
    """Passes observations on as they are, and rewards times a constant, within bounds if wanted.

    A preprocessor works on lanes: `start` is given the first observation of an episode, `follow`
    each further one. What it remembers of an episode belongs to a lane; what it learns about the
    problem is shared by all that `for_lanes` makes, and is its `state`.

    Args:
        raw_size: entries of the environment's observation.
        settings: of the class's own `Settings`.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(BaseSettings):
        """Those that every preprocessor has."""

        reward_scale: float = setting(
            "factor of the agent's rewards; reported returns are not scaled", 1.0, above=0
        )
        reward_clip: float | None = setting(
            "maximum magnitude of the scaled rewards (1 in Mnih et al. 2015), null for no bound; "
            "reported returns are not clipped",
            None,
            above=0,
        )

    settings: Settings
    kind: Any = np.float32  # of the numbers that the agent sees
    brings = False  # whether `environment` says something
    of_pictures = False  # whether it needs pictures, whose form is its third argument

    def __init__(self, raw_size: int, settings: Settings | None = None) -> None:
        self.raw_size, self.settings = raw_size, settings or self.Settings()
        self.learning = False
        self._prepare(1)

    @property
    def frames(self) -> int:
        """Equal parts of what the agent sees, all of them earlier ones but the last."""
        return 1

    @property
    def size(self) -> int:
        """Entries of what the agent sees."""
        return self.raw_size

    @classmethod
    def environment(cls, id: str, settings: Any) -> dict[str, Any]:
        """What an environment block lacks for it: `kwargs`, and `wrappers` that come last.

        Args:
            id: of the environment.
            settings: of the class's own `Settings`.
        """
        return {}

    def picture(self, raw: Picture | None) -> Picture | None:
        """The form of what the agent sees, given that of the raw observation, if it is one."""
        if raw is None or self.size != self.raw_size:
            return None
        as_they_are = type(self).follow is Preprocessor.follow
        return replace(raw, is_bytes=raw.is_bytes and as_they_are)

    def bounds(self, low: Array, high: Array) -> tuple[Array, Array]:
        """The least and greatest entries of what the agent sees [size], given the raw ones [n].

        They are infinite where nothing bounds them.
        """
        if self.size == len(low):
            return low, high
        return np.full(self.size, -np.inf), np.full(self.size, np.inf)

    @property
    def remembers(self) -> bool:
        """Whether what the agent sees depends on earlier observations of the episode."""
        return type(self).start is not Preprocessor.start

    def for_lanes(self, lanes: int, learning: bool) -> Preprocessor:
        """One like this for lanes of its own; it learns about the problem only if `learning`."""
        twin = copy.copy(self)
        twin.learning = learning
        twin._prepare(lanes)
        return twin

    def _prepare(self, lanes: int) -> None:
        """Makes what each lane's episode needs."""

    def start(self, lane: int, raw: Array, out: Array) -> None:
        """Writes into `out` [size] what the agent sees of an episode's first observation."""
        self.follow(lane, raw, out)

    def follow(self, lane: int, raw: Array, out: Array) -> None:
        """Writes into `out` [size] what the agent sees of a further observation `raw`."""
        out[:] = raw

    def follow_lanes(self, lanes: Sequence[int], raws: Sequence[Array], out: Array) -> None:
        """`follow` of several lanes at once.

        Args:
            lanes: which of them.
            raws: an observation of every lane [N].
            out: [N, size], of which the rows of `lanes` are written.
        """
        for lane in lanes:
            self.follow(lane, raws[lane], out[lane])

    def reward(self, lane: int, reward: float, ended: bool) -> float:
        """The agent's reward."""
        reward, limit = reward * self.settings.reward_scale, self.settings.reward_clip
        return reward if limit is None else within(reward, limit)

    def state(self) -> State:
        """What `restore` needs."""
        return {}

    def restore(self, state: State) -> None:
        """Takes over a saved state."""
