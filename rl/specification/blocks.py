"""The settings of the blocks `train` and `network`, which name no part."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from nn import ACTIVATIONS, INITIALIZERS, Convolution
from nn.noisy import SIGMA
from nn.normalization import BatchRenorm
from nn.settings import BaseSettings, SettingError, fields_of, setting
from rl.environments.problems import EXTENDED_EPISODES
from rl.errors import brief

# Beyond these a setting is a slip of the keyboard rather than an experiment.
MOST_LAYERS = 100
MOST_LANES = 10_000
MOST_EPISODES = 100_000  # of one evaluation


@dataclass(frozen=True, kw_only=True)
class Training(BaseSettings):
    """The `train` block: how long a session learns, and how it is evaluated meanwhile."""

    steps: int | None = setting(
        "environment steps, over all lanes; null ends training after `episodes` alone",
        None,
        least=1,
    )
    episodes: int | None = setting(
        "training episodes, over all lanes: training ends after the step in which the last of them "
        "ends, or after `steps`, whichever comes first. Null counts none",
        None,
        least=1,
    )
    lanes: int = setting("environments stepped together", 1, least=1, most=MOST_LANES)
    max_episode_steps: int | None = setting(
        "truncates training episodes earlier than the environment does. The value that would "
        "follow is bootstrapped, so the task is the same, and the agent sees more initial states. "
        "Evaluation episodes are not truncated by it",
        None,
        least=1,
    )
    max_evaluation_steps: int = setting(
        "truncates evaluation episodes if the environment has no time limit; the result says how "
        "many. It does not affect other environments",
        10_000,
        least=1,
    )
    share_environment: bool = setting(
        "whether training and evaluation take turns with a single instance, for a simulator of "
        "which only one may run. The training episode that an evaluation interrupts is replayed "
        "from its seed and its actions; if it is not reproducible, a new one begins. Requires "
        "`lanes` to be 1",
        False,
    )
    renew_environment: bool | None = setting(
        "whether the environment is created anew for each episode, because it carries state over "
        "from one to the next. With null, a run detects this as it begins",
        None,
    )
    evaluate_every: int | None = setting(
        "environment steps between evaluations; null evaluates only the last checkpoint, after "
        "training, which is then also the best one",
        5000,
        least=1,
    )
    evaluate_episodes: int = setting(
        "greedy episodes per evaluation; one that looks solved is extended", 5, least=1
    )
    extended_episodes: int = setting(
        'episodes of an extended evaluation, at least the 100 that define "solved". The best of '
        "many similar checkpoints was partly lucky with its episodes; more episodes reduce this",
        EXTENDED_EPISODES,
        least=EXTENDED_EPISODES,
        most=MOST_EPISODES,
    )
    stop_when_solved: bool = setting(
        "whether to stop once an evaluation shows that the problem is solved", True
    )
    stop_at_training_mean: bool = setting(
        "whether to stop, too, once the mean return of the latest 100 training episodes (of all, "
        "if there are fewer) is at least the threshold, as OpenAI Lab did",
        False,
    )
    give_up_after: int | None = setting(
        "number of first sessions of which one must solve the problem, by the criterion that stops "
        "it; else a trial's other sessions do not run (OpenAI Lab had 2). Null runs all",
        None,
        least=1,
    )
    checkpoint_seconds: float = setting("wall-clock seconds between checkpoints", 30.0, above=0)
    keep_state: int = setting(
        "megabytes that a session may keep at its end to go on later by `rl resume --steps`: its "
        "networks, its replay memory and all else. What is larger is removed; a search keeps none",
        100,
        least=0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        most = self.extended_episodes
        if self.evaluate_episodes > most:
            complaint = f"must be at most {most}, not {self.evaluate_episodes}"
            raise SettingError("evaluate_episodes", complaint)
        if self.steps is None and self.episodes is None:
            raise SettingError("steps", "is missing; give it, or episodes, or both")
        if self.share_environment and self.lanes > 1:
            raise SettingError("share_environment", f"needs lanes to be 1, not {self.lanes}")


OPTIONS = ("batch_norm", "noisy")  # layers that an agent must be written for


def _batch_norm(name: str) -> Any:
    """A setting of `batch_norm`, with the meaning, the default and the bounds that it has there."""
    field = fields_of(BatchRenorm.Settings)[name]
    meaning = f"of `batch_norm`: {field.metadata['meaning']}"
    return dataclasses.field(default=field.default, metadata={**field.metadata, "meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class NetworkSettings(BaseSettings):
    """A feedforward network; its input and output fit the problem and the agent."""

    conv: tuple[Convolution, ...] = setting(
        "convolutional layers before the hidden ones, each a block such as {filters: 16, size: 3}, "
        "for observations that are pictures; their activation and initializer are those below, and "
        "normalization and noise are left to the layers behind them", ()
    )  # fmt: skip
    hidden: tuple[int, ...] = setting(
        "units of each hidden layer; an empty list is a linear network", (64, 64)
    )
    activation: str = setting("activation of the hidden layers", "relu", names=ACTIVATIONS)
    initializer: str = setting("of the weights; biases start at 0", "he", names=INITIALIZERS)
    layer_norm: bool = setting(
        "whether to normalize each hidden layer before its activation", False
    )
    batch_norm: bool = setting(
        "whether to renormalize the inputs of each layer over the batch (Ioffe 2017, as in Bhatt "
        "et al. 2024): by the batch when the network learns, by running averages when it acts",
        False,
    )
    batch_norm_momentum: float = _batch_norm("momentum")
    batch_norm_r_max: float = _batch_norm("r_max")
    batch_norm_d_max: float = _batch_norm("d_max")
    batch_norm_warmup: int = _batch_norm("warmup")
    noisy: bool = setting(
        "whether the weights have learned noise (Fortunato et al. 2018), by which the agent "
        "explores; the exploration is then None",
        False,
    )
    noisy_sigma: float = setting(
        "sigma_0 of `noisy`: the noise of each weight has an initial scale of sigma_0 / "
        "sqrt(inputs)",
        SIGMA,
        above=0,
    )
    output_scale: float = setting(
        "factor of the last layer's initial weights; less than 1 makes the initial policy nearly "
        "uniform, more than 1 makes up for averaging over many quantiles",
        1.0,
        above=0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.conv) > MOST_LAYERS:
            raise SettingError("conv", f"must be up to {MOST_LAYERS} layers, not {len(self.conv)}")
        if len(self.hidden) > MOST_LAYERS or min(self.hidden, default=1) < 1:
            complaint = f"must be up to {MOST_LAYERS} layers of at least 1 unit"
            raise SettingError("hidden", f"{complaint}, not {brief(list(self.hidden))}")

        off = [option for option in OPTIONS if not getattr(self, option)]
        for name, field in fields_of(type(self)).items():
            for option in off:
                if name.startswith(f"{option}_") and getattr(self, name) != field.default:
                    raise SettingError(name, f"needs {option} to be true")

    @property
    def renormalization(self) -> BatchRenorm.Settings | None:
        """How `batch_norm` works; None without it."""
        if not self.batch_norm:
            return None
        return BatchRenorm.Settings(
            momentum=self.batch_norm_momentum,
            r_max=self.batch_norm_r_max,
            d_max=self.batch_norm_d_max,
            warmup=self.batch_norm_warmup,
        )
