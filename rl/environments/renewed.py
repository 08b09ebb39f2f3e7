"""An environment that carries nothing over from one episode to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium

from rl.environments import rules


class Renewed(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Makes its environment anew for each episode.

    BipedalWalker keeps one physical world for all its episodes, and the order in which that
    resolves contacts depends on earlier ones. So the last bits of an episode do not follow from its
    seed and actions. In a new world they do, and a run can be resumed and verified.

    Args:
        make: makes the environment.
    """

    def __init__(self, make: Callable[[], gymnasium.Env[Any, Any]]) -> None:
        super().__init__(make())
        self._make, self._is_new = make, True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins an episode, in another environment than the one before."""
        if not self._is_new:
            rules.close(self.env)
            self.env = self._make()
        self._is_new = False
        return self.env.reset(seed=seed, options=options)
