"""How each name and key of OpenAI Lab (2017) is written in this lab's form.

A component has the keys of `param` that it reads, each with the dotted path of its setting; what
it puts at other paths; and a note for each path where the meaning is not quite the original's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Component:
    """What a name of OpenAI Lab stands for.

    Args:
        keys: the dotted path of each key of `param` that it reads.
        puts: values by their dotted paths: the part's name, and the original's defaults.
        notes: what is approximated, by dotted path.
        policies: of an agent, those that it can act by.
        alone: of a memory, notes where the latest transition alone is learned from.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    puts: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    policies: tuple[str, ...] = ()
    alone: Mapping[str, str] = field(default_factory=dict)


_NETWORK = {"hidden_layers": "network.hidden", "hidden_layers_activation": "network.activation"}
_LEARNING = {
    "gamma": "agent.gamma",
    "train_per_n_new_exp": "agent.train_per_n_new_exp",
    "n_epoch": "agent.n_epoch",
    "batch_size": "memory.batch_size",
    **_NETWORK,
}
_VALUES = {
    **_LEARNING, "epi_change_lr": "agent.epi_change_lr", "output_layer_activation": "agent.output"
}  # fmt: skip
_DEFAULTS = {
    "network.hidden": [4],
    "network.activation": "sigmoid",
    "network.initializer": "lecun_uniform",
    "memory.batch_size": 16,
}
_LATEST = {  # Sarsa learns from the latest transition, once
    **_DEFAULTS, "agent.n_epoch": 1, "memory.name": "Replay", "memory.capacity": 1,
    "memory.batch_size": 1,
}  # fmt: skip
_LATEST_KEYS = {key: path for key, path in _VALUES.items()
                if key not in ("batch_size", "n_epoch", "train_per_n_new_exp")}  # fmt: skip
_EPSILON = ("EpsilonGreedyPolicy", "DecayingEpsilonGreedyPolicy", "OscillatingEpsilonGreedyPolicy",
            "TargetedEpsilonGreedyPolicy")  # fmt: skip
_BY_VALUES = ("BoltzmannPolicy", *_EPSILON)
_BY_BOTH = ("DoubleDQNBoltzmannPolicy", "DoubleDQNEpsilonGreedyPolicy")
NOISES = ("NoNoisePolicy", "LinearNoisePolicy", "EpsilonGreedyNoisePolicy",
           "GaussianWhiteNoisePolicy", "OUNoisePolicy")  # fmt: skip


CONV = "network.conv"


def _values(name: str, *more: str) -> Component:
    return Component(_VALUES, {"agent.name": name, **_DEFAULTS}, policies=(*_BY_VALUES, *more))


def _of_pictures(name: str, *more: str) -> Component:
    """An agent whose hidden layers are convolutions, before one of 256 units."""
    return Component(
        {**_VALUES, "hidden_layers": CONV},
        {"agent.name": name, **_DEFAULTS, "network.hidden": [256]},
        policies=(*_BY_VALUES, *more),
    )


AGENTS: dict[str, Component] = {
    "DQN": _values("DQN_2017"),
    "FreezeDQN": _values("FreezeDQN_2017", *_BY_BOTH),
    "OffPolicySarsa": _values("OffPolicySarsa_2017"),
    "DoubleDQN": _values("DoubleDQN_2017", *_BY_BOTH),
    "ConvDQN": _of_pictures("DQN_2017"),
    "DoubleConvDQN": _of_pictures("DoubleDQN_2017", *_BY_BOTH),
    "DeepSarsa": Component(
        _LATEST_KEYS, {"agent.name": "DeepSarsa_2017", **_LATEST},
        policies=_BY_VALUES,
    ),
    "DeepExpectedSarsa": Component(
        _LATEST_KEYS, {"agent.name": "DeepExpectedSarsa_2017", **_LATEST},
        policies=_EPSILON,
    ),
    "ActorCritic": Component(
        _VALUES,
        {"agent.name": "ActorCritic_2017", **_DEFAULTS},
        policies=("ArgmaxPolicy", "SoftmaxPolicy", "GaussianPolicy", "BoundedPolicy", *NOISES),
    ),
    "DDPG": Component(
        {**_LEARNING, "tau": "agent.tau", "output_layer_activation": "agent.output",
         "lr": "optimizer.actor.learning_rate",
         "critic_lr": "optimizer.critic.learning_rate"},
        {"agent.name": "DDPG_2017", "agent.output": "identity", **_DEFAULTS,
         "optimizer.actor": {"name": "Adam_2017", "learning_rate": 0.1},
         "optimizer.critic": {"name": "Adam_2017", "learning_rate": 0.001}},
        policies=("GaussianPolicy", *NOISES),
    ),
    # Numbers without bounds had 10 bins up to 3.4e38: one of each sign is ever seen, as with 100.
    "QTable": Component(
        {"gamma": "agent.gamma", "lr": "agent.learning_rate", "resolution": "agent.bins",
         "init_e": "exploration.start", "final_e": "exploration.end",
         "exploration_anneal_episodes": "exploration.steps"},
        {"agent.name": "QTable_2017", "agent.gamma": 0.95, "agent.learning_rate": 0.1,
         "agent.bins": [10], "agent.reach": 100.0, "exploration.name": "EpsilonGreedy",
         "exploration.start": 1.0, "exploration.end": 0.1, "exploration.steps": 1000},
        policies=(*_BY_VALUES, *_BY_BOTH),
    ),
    "Dummy": Component({}, {"agent.name": "Random"}, policies=(*_BY_VALUES, *_BY_BOTH)),
}  # fmt: skip
RECOMPILED = (
    "DQN",
    "FreezeDQN",
    "OffPolicySarsa",
    "DoubleDQN",
    "DeepSarsa",
    "DeepExpectedSarsa",
    "ActorCritic",
    "ConvDQN",
    "DoubleConvDQN",
)  # those with `epi_change_lr`
BARE = ("QTable", "Dummy")  # agents that have no network, optimizer, memory or policy of their own
_BOLTZMANN = Component(
    {"init_tau": "exploration.init", "final_tau": "exploration.final",
     "exploration_anneal_episodes": "exploration.episodes"},
    {"exploration.name": "Boltzmann_2017"},
)  # fmt: skip
_BY_EPSILON = {"init_e": "exploration.init", "final_e": "exploration.final",
               "exploration_anneal_episodes": "exploration.episodes"}  # fmt: skip
_BY_SIGMA = {"mu": "exploration.mu", "sigma": "exploration.sigma",
             "sigma_min": "exploration.sigma_min",
             "exploration_anneal_episodes": "exploration.episodes"}  # fmt: skip


def _explorer(name: str, keys: Mapping[str, str], **more: Any) -> Component:
    return Component(keys, {"exploration.name": name, **more})


POLICIES: dict[str, Component] = {
    "BoltzmannPolicy": _BOLTZMANN,
    "DoubleDQNBoltzmannPolicy": _BOLTZMANN,
    "EpsilonGreedyPolicy": _explorer("EpsilonGreedy_2017", _BY_EPSILON),
    "DoubleDQNEpsilonGreedyPolicy": _explorer("EpsilonGreedy_2017", _BY_EPSILON),
    "DecayingEpsilonGreedyPolicy": _explorer("DecayingEpsilonGreedy_2017", _BY_EPSILON),
    "OscillatingEpsilonGreedyPolicy": _explorer("OscillatingEpsilonGreedy_2017", _BY_EPSILON),
    "TargetedEpsilonGreedyPolicy": _explorer("TargetedEpsilonGreedy_2017", _BY_EPSILON),
    "ArgmaxPolicy": _explorer("None", {}),
    "SoftmaxPolicy": _explorer(
        "Boltzmann_2017", {}, **{"exploration.init": 1.0, "exploration.final": 1.0}
    ),
    "GaussianPolicy": _explorer(
        "Gaussian_2017", {"variance": "exploration.sigma"}, **{"exploration.sigma": 1.0}
    ),
    "BoundedPolicy": _explorer("None", {}, **{"agent.squash": True}),
    "NoNoisePolicy": _explorer("None", {}),
    "LinearNoisePolicy": _explorer(
        "LinearNoise_2017", {"exploration_anneal_episodes": "exploration.episodes"}
    ),
    "EpsilonGreedyNoisePolicy": _explorer("EpsilonGreedyNoise_2017", _BY_EPSILON),
    "GaussianWhiteNoisePolicy": _explorer("Gaussian_2017", _BY_SIGMA),
    "OUNoisePolicy": _explorer(
        "OrnsteinUhlenbeck_2017",
        {**_BY_SIGMA, **{key: f"exploration.{key}" for key in ("theta", "dt", "x0")}},
    ),
}
MOST_KEPT = 1_000_000  # transitions of a memory that forgets none
GIVES_UP_AFTER = 2  # sessions without a solution
MEAN_OF = 100  # training episodes, whose mean return is that of a session
MEMORIES: dict[str, Component] = {
    "LinearMemory": Component({}, {"memory.name": "Replay", "memory.capacity": MOST_KEPT}),
    "LinearMemoryWithForgetting": Component(
        {"max_mem_len": "memory.capacity"}, {"memory.name": "Replay", "memory.capacity": 50_000}
    ),
    "PrioritizedExperienceReplay": Component(
        {"max_mem_len": "memory.capacity", "e": "memory.epsilon", "alpha": "memory.alpha"},
        {"memory.name": "Prioritized_2017", "memory.capacity": MOST_KEPT},
        alone={"memory": "the latest transition; the original fails with priorities"},
    ),
    "LeftTailMemory": Component(
        {"train_per_n_new_exp": "memory.newest"},
        {"memory.name": "LeftTail_2017", "memory.capacity": MOST_KEPT},
    ),
    **dict.fromkeys(
        ("HighLowMemory", "HighLowMemoryWithForgetting"),
        Component(
            {},
            {"memory.name": "HighLow", "memory.capacity": MOST_KEPT, "memory.high_share": 0.66},
            {"memory": "high and low are divided by the median of the latest returns; the "
             "original fails at its 11th episode"},
            alone={"memory": "the latest transition, not the last one of the episode before"},
        ),
    ),
}  # fmt: skip
DECAY = "optimizer.learning_rate.decay"  # of a rate that is a schedule, not a number
OPTIMIZERS: dict[str, Component] = {
    "AdamOptimizer": Component(
        {"lr": "optimizer.learning_rate", "beta_1": "optimizer.beta1",
         "beta_2": "optimizer.beta2", "epsilon": "optimizer.epsilon", "decay": DECAY},
        {"optimizer.name": "Adam_2017", "optimizer.learning_rate": 0.001},
    ),
    "SGDOptimizer": Component(
        {"lr": "optimizer.learning_rate", "momentum": "optimizer.momentum",
         "nesterov": "optimizer.nesterov", "decay": DECAY},
        {"optimizer.name": "SGD_2017", "optimizer.learning_rate": 0.01},
    ),
    "RMSpropOptimizer": Component(
        {"lr": "optimizer.learning_rate", "rho": "optimizer.decay",
         "epsilon": "optimizer.epsilon", "decay": DECAY},
        {"optimizer.name": "RMSProp", "optimizer.learning_rate": 0.001, "optimizer.decay": 0.9},
    ),
}  # fmt: skip
PREPROCESSORS: dict[str, Component] = {
    "NoPreProcessor": Component(),
    "StackStates": Component(puts={"preprocessor.name": "Stack_2017"}),
    "DiffStates": Component(puts={"preprocessor.name": "Difference_2017"}),
    "Atari": Component(
        puts={"preprocessor.name": "Atari_2017"},
        notes={
            "preprocessor": "an episode's first frames stand behind dark ones, in the memory "
            "too, which had the last of the episode before"
        },
    ),
}
METHODS: dict[str, Component] = {
    "GridSearch": Component(puts={"search.method": "grid"}),
    "LineSearch": Component(puts={"search.method": "line_2017"}),
    "RandomSearch": Component(puts={"search.method": "random_2017", "search.trials": 10}),
}
ACTIVATIONS = {"linear": "identity", **{name: name for name in
               ("sigmoid", "tanh", "relu", "elu", "softplus", "softmax")}}  # fmt: skip


@dataclass(frozen=True)
class Known:
    """An environment.

    Args:
        id: as it is registered now.
        limit: steps of an episode.
        episodes: of a session, where there is no problems.json.
        unit: half the range of its continuous actions.
        puts: values by their dotted paths.
        sides: height and width of its pictures; empty if it shows none.
        differs: how it differs from what it was; empty if it does not.
    """

    id: str
    limit: int
    episodes: int
    unit: float = 1.0
    differs: str = ""
    puts: Mapping[str, Any] = field(default_factory=dict)
    sides: tuple[int, ...] = ()


def _atari(name: str) -> Known:
    """A game whose episodes Gym cut after 10,000 steps."""
    return Known(
        f"ale_py:{name}", 10_000, 5_000, differs="of a later emulator", sides=(210, 160),
        puts={"environment.max_episode_steps": 10_000},
    )  # fmt: skip


_PHYSICS = "which it differs from"
ENVIRONMENTS = {
    "CartPole-v0": Known("CartPole-v0", 200, 250),
    "CartPole-v1": Known("CartPole-v1", 500, 500),
    "Acrobot-v1": Known("Acrobot-v1", 500, 600),
    "MountainCar-v0": Known("MountainCar-v0", 200, 1400),
    "MountainCarContinuous-v0": Known("MountainCarContinuous-v0", 999, 5000),
    "Pendulum-v0": Known(
        "Pendulum-v1", 200, 300, unit=2.0, differs="which bounded the speed after moving by it"
    ),
    "LunarLander-v2": Known("LunarLander-v3", 1000, 600, differs=_PHYSICS),
    "LunarLanderContinuous-v2": Known("LunarLanderContinuous-v3", 1000, 800, differs=_PHYSICS),
    "BipedalWalker-v2": Known("BipedalWalker-v3", 1600, 5000, differs=_PHYSICS),
    "BipedalWalkerHardcore-v2": Known("BipedalWalkerHardcore-v3", 2000, 5000, differs=_PHYSICS),
    **{name: _atari(name) for name in ("AirRaid-v0", "Alien-v0", "Assault-v0", "Breakout-v0",
                                       "MsPacman-v0", "Pong-v0", "Qbert-v0")},
    "FlappyBird-v0": Known(
        "FlappyBird-v0", 10_000, 1_000, sides=(512, 288),
        differs="of flappy_bird_gymnasium, whose rewards and speed are not those of gym_ple",
        puts={"environment.wrappers": ["AddRenderObservation"],
              "environment.max_episode_steps": 10_000},
    ),
}  # fmt: skip
REFUSED = {
    "problem": {
        "Snake-v0": "a game of the package gym_ple (PyGame Learning Environment), which Gymnasium "
                    "does not know; Snake-v1 of gymnasium-snake-game is another game",
        "SpaceInvader-v0": "Gym had no such game",
        "CarRacing-v0": "its actions are continuous, and no agent of OpenAI Lab took these with "
                        "pictures",
    },
}  # fmt: skip
COMPONENTS: dict[str, Mapping[str, Component]] = {
    "Agent": AGENTS, "Policy": POLICIES, "Memory": MEMORIES, "Optimizer": OPTIMIZERS,
    "PreProcessor": PREPROCESSORS, "HyperOptimizer": METHODS,
}  # fmt: skip
# Where a component has not been named, or is not needed.
ABSENT = {"HyperOptimizer": "GridSearch", "PreProcessor": "NoPreProcessor"}
