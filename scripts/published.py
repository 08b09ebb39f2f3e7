"""The best published figures of the fitness matrix, and where they are from.

RL Zoo: https://github.com/DLR-RM/rl-baselines3-zoo/blob/master/benchmark.md (April 2026), single
runs of stable-baselines3, evaluated over 150,000 steps; LunarLander-v2 and Hopper-v3 there. SLM
Lab: https://github.com/kengz/SLM-Lab/blob/master/docs/BENCHMARKS.md (2026), the moving average at
the end of training, of four sessions. MinAtar: Young and Tian (2019), the mean of DQN's last 100
training episodes at a million of its five million frames, of 30 runs, read from the curves at
https://github.com/kenjyoung/MinAtar#results to about a hundredth of each axis.
"""

from __future__ import annotations

from typing import NamedTuple

ZOO, SLM, MINATAR = "zoo", "slm", "minatar"  # the links of docs/RESULTS.md


class Published(NamedTuple):
    """The best published single figure for a problem and an agent.

    Args:
        mean_return: the figure.
        steps: environment steps that it took.
        agent: whose it is there.
        source: `ZOO`, `SLM` or `MINATAR`.
    """

    mean_return: float
    steps: int
    agent: str
    source: str = ZOO

    @property
    def is_of_training(self) -> bool:
        """Whether it is of training, which explores, and not of greedy episodes."""
        return self.source == MINATAR

    def __str__(self) -> str:
        thousands = self.steps // 1000
        steps = f"{thousands // 1000}M" if thousands % 1000 == 0 else f"{thousands}k"
        return f"[{self.mean_return:g} in {steps}][{self.source}] ({self.agent})"


def _of(agent: str, **figures: tuple[float, int]) -> dict[str, Published | None]:
    """The RL Zoo's figures of one agent, steps in thousands."""
    return {name: Published(each, 1000 * steps, agent) for name, (each, steps) in figures.items()}


# MinAtar's, and what DQN has there in training.
GAMES = {"breakout": 9.2, "asterix": 7.3, "freeway": 47.8, "seaquest": 1.0, "space_invaders": 32.6}

PUBLISHED: dict[str, Published | None] = {
    **_of(
        "DQN",
        cartpole_dqn=(500, 50),
        cartpole_double_dqn=(500, 50),
        acrobot_dqn=(-76.6, 100),
        mountaincar_dqn=(-100.8, 120),
        mountaincar_double_dqn=(-100.8, 120),
        lunarlander_qrdqn=(154.4, 100),  # QRDQN's is 70.2
    ),
    **_of(
        "QRDQN",
        cartpole_qrdqn=(500, 50),
        acrobot_qrdqn=(-69.1, 100),
        mountaincar_qrdqn=(-106.0, 120),
    ),
    **_of(
        "A2C",
        cartpole_actor_critic=(500, 500),
        acrobot_actor_critic=(-83.4, 500),
        mountaincar_actor_critic=(-111.3, 1000),
        lunarlander_actor_critic=(155.8, 200),
        mountaincar_continuous_actor_critic=(91.2, 100),
        pendulum_actor_critic=(-163.0, 1000),
        lunarlander_continuous_actor_critic=(84.2, 5000),
        bipedalwalker_actor_critic=(299.8, 5000),
    ),
    **_of(
        "PPO",
        cartpole_ppo=(500, 100),
        acrobot_ppo=(-73.5, 1000),
        mountaincar_ppo=(-110.4, 1000),
        lunarlander_ppo=(242.1, 1000),
        mountaincar_continuous_ppo=(88.3, 20),
        pendulum_ppo=(-172.2, 100),
        lunarlander_continuous_ppo=(270.9, 1000),
        hopper_ppo=(2410, 1000),
    ),
    **_of(
        "DDPG",
        mountaincar_continuous_ddpg=(93.5, 300),
        pendulum_ddpg=(-152.1, 20),
        lunarlander_continuous_ddpg=(230.2, 300),
    ),
    **_of(
        "SAC",
        mountaincar_continuous_sac=(94.7, 50),
        pendulum_sac=(-157.0, 20),
        lunarlander_continuous_sac=(260.4, 500),
        bipedalwalker_sac=(297.7, 500),
        hopper_sac=(2326, 1000),
    ),
    **_of(
        "TD3",
        mountaincar_continuous_td3=(93.5, 300),
        pendulum_td3=(-151.9, 20),
        lunarlander_continuous_td3=(207.5, 300),
        bipedalwalker_ddpg=(306.0, 1000),
        hopper_td3=(3606, 1000),
    ),
    **_of(
        "TQC",
        lunarlander_continuous_tqc=(278.0, 500),
        bipedalwalker_tqc=(329.8, 500),
    ),
    "lunarlander_dqn": Published(195.2, 300_000, "DQN", SLM),
    "lunarlander_double_dqn": Published(265.9, 300_000, "Double DQN", SLM),
    "acrobot_double_dqn": Published(-83.9, 300_000, "Double DQN", SLM),
    "cartpole_reinforce": Published(483.3, 200_000, "REINFORCE", SLM),
    "cartpole_deep_sarsa": Published(431.0, 200_000, "Sarsa", SLM),
    "pendulum_crossq": Published(-145.7, 300_000, "CrossQ", SLM),
    "lunarlander_continuous_crossq": Published(268.9, 300_000, "CrossQ", SLM),
    **{
        f"{game}_{agent}": Published(each, 1_000_000, "DQN", MINATAR)
        for game, each in GAMES.items()
        for agent in ("dqn", "qrdqn")
    },
    # Nobody's figure of these is known here.
    **dict.fromkeys(
        (
            "cartpole_rainbow",
            "lunarlander_rainbow",
            "cartpole_bootstrapped_dqn",
            "cartpole_deep_expected_sarsa",
            "cartpole_cem",
            "pendulum_tqc",
            "pong_dqn",
            "carracing_qrdqn",
            "cartpole_random",
            "frozenlake_q_table",
            "cliffwalking_sarsa",
            "cliffwalking_expected_sarsa",
        ),
    ),
}

# Where docs/TUNING.md says what was tried for an experiment, by how its name begins.
TRIED = {
    "lunarlander_dqn": "lunarlander-v3-dqn",
    "lunarlander_double_dqn": "decaying-learning-rates-dqn-and-double-dqn",
    "cartpole_dqn": "decaying-learning-rates-dqn-and-double-dqn",
    "cartpole_double_dqn": "decaying-learning-rates-dqn-and-double-dqn",
    "acrobot_dqn": "decaying-learning-rates-dqn-and-double-dqn",
    "acrobot_double_dqn": "acrobot-v1-dqn",
    "mountaincar_d": "where-a-seed-in-ten-fails",
    "mountaincar_qrdqn": "where-a-seed-in-ten-fails",
    "cartpole_actor_critic": "actor-critic",
    "acrobot_actor_critic": "actor-critic",
    "mountaincar_actor_critic": "actor-critic",
    "lunarlander_actor_critic": "actor-critic",
    "mountaincar_continuous_actor_critic": "actor-critic",
    "pendulum_actor_critic": "actor-critic",
    "lunarlander_continuous_actor_critic": "actor-critic",
    "bipedalwalker_": "ddpg",
    "mountaincar_continuous_ddpg": "where-a-seed-in-ten-fails",
    "mountaincar_continuous_td3": "where-a-seed-in-ten-fails",
    "pendulum_ddpg": "ddpg",
    "lunarlander_continuous_ddpg": "ddpg",
    "cartpole_rainbow": "rainbow-and-bootstrapped-dqn",
    "cartpole_bootstrapped_dqn": "rainbow-and-bootstrapped-dqn",
    "cartpole_reinforce": "the-agents-that-a-course-begins-with",
    "cartpole_deep_sarsa": "the-agents-that-a-course-begins-with",
    **dict.fromkeys((f"{game}_" for game in GAMES), "from-pixels"),
    "": "the-matrix-of-ppo-sac-td3-and-qrdqn",
}


def tried(name: str) -> str:
    """The heading in docs/TUNING.md about an experiment."""
    return TRIED[max((start for start in TRIED if name.startswith(start)), key=len)]
