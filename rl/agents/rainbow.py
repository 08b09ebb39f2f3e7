"""Rainbow (Hessel et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from nn.settings import setting
from rl.agents.double_dqn import DoubleDQN
from rl.agents.qrdqn import QRDQN


class Rainbow(DoubleDQN, QRDQN):
    """Six improvements of DQN together, each of which is a part of its own elsewhere.

    Double Q-learning (`DoubleDQN`), a distribution of the return (`QRDQN`: quantiles, where the
    paper has C51), a dueling head, returns of several steps, noisy layers (`nn.noisy`), and, if the
    block `memory` names it, prioritized replay. The target's quantiles are those of

        a* = argmax_a' mean_j theta_j(s', a'),     by the online network.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(QRDQN.Settings):
        """Those of `Rainbow`."""

        n_step: int = setting("steps between a state and the state it bootstraps from", 3, least=1)
        dueling: bool = setting(
            "whether the network outputs V(s) and advantages A(s, a) (Wang et al. 2016)", True
        )

    network_defaults = MappingProxyType({"noisy": True})
    settings: Settings
