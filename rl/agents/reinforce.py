"""REINFORCE (Williams 1992)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import numpy as np

from nn import Network
from nn.settings import setting
from nn.typing import Array
from rl.agents.a2c import A2C, LOG_STD, PolicySettings
from rl.agents.base import Parts
from rl.agents.thoughts import Thoughts
from rl.environments.spaces import Actions, Continuous
from rl.memory import Rollout
from rl.memory.episodes import Episodes


class REINFORCE(A2C):
    """A2C without a critic: an action is worth the return that followed, to the episode's end.

    Once `episodes` have ended, with G_t = r_t + gamma r_{t+1} + ... of each step,

        ascend along the gradient of (G_t - b) ln pi(a_t|s_t) + entropy_weight H(pi(.|s_t)),

    averaged over all steps (Williams 1992; Sutton and Barto 2018, eq. 13.8, with the baseline of
    13.11 and without the factor gamma^t). The baseline b is the mean of the G_t of these steps, and
    G_t - b is divided by their standard deviation; or b is 0. An episode that a time limit cuts
    counts as if it had ended: there is no critic to say what would have followed. With several
    lanes an episode may have begun before the latest update.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(PolicySettings):
        """Those of `REINFORCE`."""

        episodes: int = setting("complete episodes per update", 1, least=1)
        normalize_advantages: bool = setting(
            "whether each update scales returns to mean 0 and standard deviation 1", True
        )

        # What A2C may vary: here the values are 0, the advantages returns, and a step is one.
        lam: ClassVar[float] = 1.0
        shared: ClassVar[bool] = False
        epochs: ClassVar[int] = 1
        minibatches: ClassVar[int] = 1

        def roles(self, actions: Actions) -> dict[str, str]:
            """The networks, and whose settings each takes."""
            return {"actor": "", **({LOG_STD: ""} if self.has_own_std(actions) else {})}

    kin = "stochastic actor"
    carried = ("squash", "state_dependent_std")
    roles = ()
    waits_for = "agent.episodes"
    metric_names = ("policy_loss", "entropy", "gradient_norm")
    settings: Settings  # type: ignore[assignment]

    @classmethod
    def assemble(cls, parts: Parts, settings: Any) -> REINFORCE:
        actions = parts.spaces.actions
        outputs = settings.policy_outputs(actions)
        networks = {"actor": parts.network(parts.spaces.observation_size, outputs)}
        if settings.has_own_std(actions):
            assert isinstance(actions, Continuous)
            networks[LOG_STD] = Network((1, actions.size))
        optimizers = {name: parts.optimizer(each) for name, each in networks.items()}
        rollout = cast(Rollout, Episodes(parts.lanes, settings.episodes))
        return cls(networks, optimizers, actions, rollout, parts.generator(), settings)

    def gradient_steps(self, steps: int) -> int:
        return 0  # nobody knows how many episodes those are

    def thoughts(self, observations: Array, masks: Array | None = None) -> Thoughts:
        return replace(super().thoughts(observations, masks), value=None)

    def _values(self, observations: Array) -> Array:
        """0 in each state [B], which makes advantages of the returns that followed."""
        return np.zeros(len(observations), np.float32)

    def metrics(self) -> dict[str, float]:
        return {name: self._metrics[name] for name in self.metric_names}
