"""OpenAI Lab's specifications: what they become, what is said of it, and what is refused."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from rl.environments import Transitions
from rl.errors import UserError
from rl.openai_lab import tables
from rl.specification import packages
from rl.specification.build import Experiment, build
from rl.specification.specification import Specification, read_specifications
from rl.storage.files import read_json
from tests.contracts.cases import Play
from tests.programs import program
from tests.rl.conftest import Command

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("OPENAI_LAB", ROOT.parent / "shared/data/openai_lab"))
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="OpenAI Lab's files are not there; OPENAI_LAB names their folder"
)

PROBLEMS = {
    "Pole-v0": {"GYM_ENV_NAME": "CartPole-v0", "SOLVED_MEAN_REWARD": 30.0, "MAX_EPISODES": 7},
    "Acrobot-v1": {"GYM_ENV_NAME": "Acrobot-v1", "SOLVED_MEAN_REWARD": None, "MAX_EPISODES": 9},
    "Long-v0": {"GYM_ENV_NAME": "CartPole-v0", "SOLVED_MEAN_REWARD": 30.0, "MAX_EPISODES": 9000,
                "REWARD_MEAN_LEN": 20},
    "Odd-v0": {"GYM_ENV_NAME": ["Pong-v0"], "MAX_EPISODES": 9},
    "Game-v0": {"GYM_ENV_NAME": "SpaceInvader-v0", "SOLVED_MEAN_REWARD": None, "MAX_EPISODES": 9},
    "Screen-v0": {"GYM_ENV_NAME": "Screen-v0", "SOLVED_MEAN_REWARD": 5.0, "MAX_EPISODES": 9},
}  # fmt: skip
POLE: dict[str, Any] = {
    "problem": "Pole-v0", "Agent": "DQN", "HyperOptimizer": "GridSearch",
    "Memory": "LinearMemoryWithForgetting", "Optimizer": "AdamOptimizer",
    "Policy": "BoltzmannPolicy", "PreProcessor": "NoPreProcessor",
    "param": {"lr": 0.02, "gamma": 0.99, "hidden_layers": [8], "exploration_anneal_episodes": 3},
}  # fmt: skip
KERNELS = [[4, 8, 8, [4, 4]], [6, 4, 4, [2, 2]]]
SCREEN = {**POLE, "problem": "Screen-v0", "Agent": "ConvDQN", "PreProcessor": "Atari",
          "Policy": "EpsilonGreedyPolicy",
          "param": {"hidden_layers": KERNELS, "hidden_layers_activation": "relu",
                    "batch_size": 4, "lr": 0.001, "train_per_n_new_exp": 4}}  # fmt: skip
BOTH = {**SCREEN, "Agent": "DoubleConvDQN", "Policy": "DoubleDQNEpsilonGreedyPolicy"}
SWING = {**POLE, "problem": "Pendulum-v0", "Agent": "DDPG", "Policy": "LinearNoisePolicy",
         "param": {"output_layer_activation": "tanh", "hidden_layers": [8]}}  # fmt: skip


@pytest.fixture(autouse=True)
def tables_restored() -> Iterator[None]:
    """The parts that a specification imports are out of the tables again afterwards."""
    before = {kind: dict(table) for kind, (table, _) in packages.KINDS.items()}
    yield
    for kind, (table, _) in packages.KINDS.items():
        table.clear()
        table.update(before[kind])
    sys.modules.pop("rl.openai_lab.parts", None)


def written(folder: Path, **experiments: Any) -> Path:
    (folder / "problems.json").write_text(json.dumps(PROBLEMS))
    file = folder / "small_experiment_specs.json"
    file.write_text(json.dumps(experiments))
    return file


def read(folder: Path, experiment: Any) -> Specification:
    return read_specifications(written(folder, it=experiment))["it"]


def with_param(base: dict[str, Any] = POLE, **param: Any) -> dict[str, Any]:
    return {**base, "param": {**base["param"], **param}}


def test_an_experiment_is_translated_key_by_key(tmp_path: Path) -> None:
    found = read(tmp_path, {**POLE, "param_range": {"lr": [0.1, 0.2], "gamma": [0.9, 1]}})
    assert found.note == ""
    assert found.values == {
        "description": "OpenAI Lab: DQN on Pole-v0",
        "import": "rl.openai_lab.parts",
        "environment": {"id": "CartPole-v0", "solved": 30.0},
        "agent": {"name": "DQN_2017", "gamma": 0.99},
        "network": {"hidden": [8], "activation": "sigmoid", "initializer": "lecun_uniform"},
        "optimizer": {"name": "Adam_2017", "learning_rate": 0.02},
        "memory": {"name": "Replay", "capacity": 50_000, "batch_size": 16},
        "exploration": {"name": "Boltzmann_2017", "episodes": 3},
        "train": {"episodes": 7, "evaluate_every": None, "stop_when_solved": False,
                  "give_up_after": 2, "stop_at_training_mean": True},
        "search": {"method": "grid", "statistic": "fitness_2017",
                   "space": {"agent.gamma": [0.9, 1],
                             "optimizer.learning_rate": [0.1, 0.2]}},
    }  # fmt: skip


PARAMS: list[tuple[dict[str, Any], str, Any]] = [
    (with_param(epi_change_lr=100), "agent.epi_change_lr", 100),
    (with_param(n_epoch=3, train_per_n_new_exp=4), "agent.n_epoch", 3),
    (with_param(train_per_n_new_exp=4), "agent.train_per_n_new_exp", 4),
    (with_param(output_layer_activation="linear"), "agent.output", "identity"),
    (with_param(hidden_layers_activation="relu"), "network.activation", "relu"),
    (with_param(auto_architecture=True, first_hidden_layer_size=9), "network.hidden", [9, 4, 2]),
    (with_param(auto_architecture=False, first_hidden_layer_size=9), "network.hidden", [8]),
    (with_param(decay=0.0), "optimizer.learning_rate", 0.02),
    (with_param(decay=0.5), "optimizer.learning_rate",
     {"name": "inverse_time", "start": 0.02, "decay": 0.5}),
    (with_param(beta_1=0.5), "optimizer.beta1", 0.5),
    ({**POLE, "Optimizer": "RMSpropOptimizer", "param": {"rho": 0.8}}, "optimizer",
     {"name": "RMSProp", "learning_rate": 0.001, "decay": 0.8}),
    ({**POLE, "Optimizer": "SGDOptimizer", "param": {"momentum": 0.5}}, "optimizer",
     {"name": "SGD_2017", "learning_rate": 0.01, "momentum": 0.5}),
    ({**POLE, "Memory": "LinearMemory"}, "memory.capacity", 7 * 200),
    ({**with_param(e=0.5, alpha=0.1, max_mem_len=99), "Memory": "PrioritizedExperienceReplay"},
     "memory", {"name": "Prioritized_2017", "capacity": 99, "epsilon": 0.5, "alpha": 0.1,
                "batch_size": 16}),
    ({**with_param(train_per_n_new_exp=3), "Memory": "LeftTailMemory"}, "memory",
     {"name": "LeftTail_2017", "capacity": 1400, "batch_size": 16, "newest": 3}),
    ({**POLE, "PreProcessor": "StackStates"}, "preprocessor.name", "Stack_2017"),
    ({**POLE, "PreProcessor": "StackStates"}, "agent.joins_first", True),
    ({**POLE, "PreProcessor": "DiffStates"}, "preprocessor.name", "Difference_2017"),
    ({**POLE, "Agent": "FreezeDQN", "Policy": "DoubleDQNBoltzmannPolicy"}, "agent.name",
     "FreezeDQNOfBoth_2017"),
    ({**SWING, "param": {}}, "agent.output", "identity"),
    ({**SWING, "Agent": "ActorCritic", "param": {}}, "agent.unit", 2.0),
    ({**POLE, "problem": "Acrobot-v1"}, "train.stop_at_training_mean", None),
    ({**POLE, "Policy": "TargetedEpsilonGreedyPolicy"}, "exploration.target", 30.0),
    ({**POLE, "Agent": "DeepSarsa"}, "memory",
     {"name": "Replay", "capacity": 1, "batch_size": 1}),
    ({**POLE, "Agent": "DoubleDQN"}, "agent.acts_on_both", False),
    ({**POLE, "Agent": "DoubleDQN", "Policy": "DoubleDQNBoltzmannPolicy"}, "agent.acts_on_both",
     None),
    ({**POLE, "Agent": "Dummy"}, "agent", {"name": "Random"}),
    (SWING, "environment.id", "Pendulum-v1"),
    (SWING, "exploration", {"name": "LinearNoise_2017", "unit": 2.0}),
    (SWING, "agent.unit", 2.0),
    (with_param(hidden_layers=[]), "network.hidden", [4]),
    (with_param(auto_architecture=True, num_hidden_layers=0), "network.hidden", [256]),
    (with_param(SWING, lr=0.1, critic_lr=0.2), "optimizer.critic.learning_rate", 0.2),
    ({**POLE, "HyperOptimizer": "RandomSearch", "param": {"max_evals": 5},
      "param_range": {"lr": [0.1]}}, "search.trials", 5),
    ({**POLE, "param_range": {"lr": [0.3, 0.1]}}, "search.space",
     {"optimizer.learning_rate": [0.1, 0.3]}),
    ({**POLE, "param": {"decay": 0.1}, "param_range": {"lr": [0.1]}}, "search.space",
     {"optimizer.learning_rate.start": [0.1]}),
]  # fmt: skip


@pytest.mark.parametrize(("experiment", "path", "value"), PARAMS)
def test_a_key_is_put_at_its_path(tmp_path: Path, experiment: Any, path: str, value: Any) -> None:
    found = read(tmp_path, experiment)
    assert found.value(path) == value
    build(found, seed=0)


NOTED = [
    ({**POLE, "problem": "LunarLander-v2"}, "LunarLander-v3 for LunarLander-v2"),
    (SWING, "no problems.json"),
    (SWING, "which bounded the speed after moving by it"),
    ({**POLE, "Memory": "HighLowMemory"}, "median"),
    (
        {**POLE, "problem": "Long-v0", "Memory": "LinearMemory"},
        "the latest 1,000,000 transitions, not all",
    ),
    (
        {**POLE, "problem": "Long-v0"},
        "train.stop_at_training_mean: the mean of 100 episodes, not 20",
    ),
    ({**POLE, "Agent": "DeepSarsa", "Memory": "PrioritizedExperienceReplay"}, "the original fails"),
    ({**POLE, "Agent": "DeepSarsa", "Memory": "HighLowMemory"}, "of the episode before"),
    ({**POLE, "Agent": "QTable", "problem": "Acrobot-v1"}, "they were 3.4e38"),
    (with_param(SWING, auto_architecture=True), "of the critic too"),
    ({**POLE, "param": {"epi_change_lr": 3}}, "it was to 0.01"),
    ({**POLE, "param_range": {"lr": {"min": 0.1, "max": 0.2}}}, "it took lists alone"),
    (
        {
            **with_param(train_per_n_new_exp=2),
            "Memory": "LeftTailMemory",
            "param_range": {"train_per_n_new_exp": [1, 2]},
        },
        "memory.newest: stays as it is",
    ),
]


@pytest.mark.parametrize(("experiment", "said"), NOTED)
def test_what_is_approximated_is_said(tmp_path: Path, experiment: Any, said: str) -> None:
    note = read(tmp_path, experiment).note
    assert note.startswith("approximates OpenAI Lab: ")
    assert said in note


REFUSALS = [
    ({**SCREEN, "problem": "Game-v0"}, "Gym had no such game"),
    ({**POLE, "problem": "Odd-v0"}, "GYM_ENV_NAME must be a name"),
    ({**POLE, "problem": "Snake-v0"}, "the package gym_ple (PyGame Learning Environment)"),
    ({**POLE, "problem": "CarRacing-v0"}, "its actions are continuous"),
    ({**POLE, "problem": "Nothing-v0"}, "problems.json"),
    (with_param(SCREEN, hidden_layers=[8]), "hidden_layers must be convolutions, [[FILTERS, "),
    ({**SCREEN, "param": {}}, "hidden_layers must be convolutions"),
    (with_param(SCREEN, hidden_layers=[[4, 8, 4, [4, 4]]]), "kernels are square"),
    (with_param(SCREEN, hidden_layers=[[4, 8, 8, [4, 2]]]), "with one stride"),
    (with_param(SCREEN, auto_architecture=True, num_initial_channels=2.5), "whole numbers"),
    (
        {**with_param(SCREEN, auto_architecture=True), "PreProcessor": "NoPreProcessor"},
        "the size of the problem's pictures is unknown",
    ),
    ({**POLE, "Agent": "DQM"}, "did you mean 'DQN'"),
    ({**POLE, "Memory": None}, "must be a name"),
    ({**POLE, "Policy": ["EpsilonGreedyPolicy"]}, "must be a name"),
    ({**POLE, "Policy": "SoftmaxPolicy"}, "does not go with DQN; these do: BoltzmannPolicy"),
    ({**POLE, "Agent": "DeepExpectedSarsa"}, "does not go with DeepExpectedSarsa"),
    ({**POLE, "params": {}}, "did you mean 'param'"),
    ({**POLE, "param": 3}, "block of settings"),
    ({**POLE, "param_range": {"lr": 3}}, "list or a range"),
    ({**POLE, "param_range": {"lr": {"min": 3}}}, "min and max"),
    (with_param(hidden_layers_activation="wavy"), "wavy"),
    (with_param(auto_architecture=True, num_hidden_layers="3"), "whole numbers"),
    ({**POLE, "problem": "Acrobot-v1", "Policy": "TargetedEpsilonGreedyPolicy"}, "SOLVED"),
]


@pytest.mark.parametrize("experiment", [SCREEN, BOTH])
def test_an_agent_of_pictures_is_built_and_learns(tmp_path: Path, experiment: Any) -> None:
    found = read(tmp_path, {**experiment, "param_range": {"hidden_layers": [KERNELS]}})
    conv = [{"filters": 4, "size": 8, "stride": 4}, {"filters": 6, "size": 4, "stride": 2}]
    assert found.values["network"]["conv"] == conv
    assert found.values["network"]["hidden"] == [256]
    assert found.values["search"]["space"]["network.conv"] == [conv]
    assert "preprocessor: an episode's first frames" in found.note
    play = Play(build(found, 0))
    play.steps(6)
    agent: Any = play.agent
    assert agent.updates > 0
    assert agent.memory.added == 3  # of the first four steps one
    assert agent.q.network.pixel_scale == 1.0
    assert agent.q.network.picture == (84, 84, 4)


@pytest.mark.parametrize(
    ("param", "filters"),
    [({"num_initial_channels": 8}, [8, 16, 32]), ({"num_hidden_layers": 9}, [16, 32, 64, 128])],
)
def test_an_automatic_architecture_doubles_the_channels(
    tmp_path: Path, param: Any, filters: list[int]
) -> None:
    """Of 84 pixels the original counted 41, 19, 8 and 3 behind the layers: five are too many."""
    found = read(tmp_path, with_param(SCREEN, auto_architecture=True, **param))
    assert found.values["network"]["conv"] == [
        {"filters": each, "size": 4, "stride": 2} for each in filters
    ]
    build(found, 0)


@pytest.mark.parametrize(
    ("problem", "preprocessor", "package"),
    [("Pong-v0", "Atari", "ale-py"), ("FlappyBird-v0", "NoPreProcessor", "flappy-bird-gymnasium")],
)
def test_a_game_of_a_package_is_built_or_names_it(
    tmp_path: Path, problem: str, preprocessor: str, package: str
) -> None:
    found = read(tmp_path, {**SCREEN, "problem": problem, "PreProcessor": preprocessor})
    assert f" for {problem}, of " in found.note
    assert found.values["environment"]["max_episode_steps"] == 10_000
    if importlib.util.find_spec(package.replace("-", "_")):
        assert build(found, 0).agent is not None
        return
    with pytest.raises(UserError, match=f"pip install {package.replace('-', '.')}"):
        build(found, 0)


@pytest.mark.parametrize(("experiment", "reason"), REFUSALS)
def test_what_cannot_be_built_is_refused_and_hinders_no_other(
    tmp_path: Path, rl_here: Command, experiment: Any, reason: str
) -> None:
    written(tmp_path, other=POLE, it=experiment)
    answer = rl_here("run", "it", "--spec", "small_experiment_specs.json")
    assert answer.returncode == 2
    assert answer.stderr.startswith("rl: ")
    assert answer.stderr.count("\n") == 1
    assert "it: cannot be built: " in answer.stderr
    assert reason in answer.stderr
    assert not (tmp_path / "runs").exists()
    assert not read_specifications(tmp_path / "small_experiment_specs.json")["other"].refusal


def test_a_run_says_what_is_approximated_and_ends_with_its_episodes(
    tmp_path: Path, rl_here: Command
) -> None:
    written(tmp_path, it=with_param(gama=1))
    answer = rl_here("run", "it", "--spec", "small_experiment_specs.json", "--episodes", "1",
                     "--steps", "20", "--output", "out")  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("param gama: not used, as in OpenAI Lab") == 1


def test_a_run_stops_at_the_mean_of_its_training_episodes(tmp_path: Path, rl_here: Command) -> None:
    written(tmp_path, it=POLE)
    answer = rl_here("run", "it", "--spec", "small_experiment_specs.json", "--output", "out",
                     "--quiet", "--set", "environment.solved=1.0")  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    outcome = json.loads((tmp_path / "out/trial_000/session_000/session.json").read_text())
    assert (outcome["status"], outcome["episodes"]) == ("stopped", 1)
    assert outcome["reason"].startswith("mean return of the latest training episodes: ")


def test_an_imported_file_has_the_same_experiments_with_comments(
    tmp_path: Path, rl_here: Command
) -> None:
    lander, game = ({**POLE, "problem": name} for name in ("LunarLander-v2", "Snake-v0"))
    file = written(tmp_path, pole=with_param(gama=1), swing=lander, game=game)
    answer = rl_here("import", file.name)
    assert answer.returncode == 0, answer.stderr
    found = read_specifications(file)
    assert yaml.safe_load(answer.stdout) == {name: found[name].values for name in ("pole", "swing")}
    assert "# param gama: not used, as in OpenAI Lab\npole:\n" in answer.stdout
    assert "# game cannot be built: problem Snake-v0" in answer.stdout
    assert (
        "    # approximated: LunarLander-v3 for LunarLander-v2, which it differs from\n"
        "    id: LunarLander-v3\n"
    ) in answer.stdout
    (tmp_path / "mine.yaml").write_text(answer.stdout)
    assert rl_here("import", "mine.yaml").stderr.startswith(
        "rl: mine.yaml: is no file of OpenAI Lab"
    )
    build(read_specifications(tmp_path / "mine.yaml")["swing"], seed=0)


LOCKS = {
    "pair": {"type": "mutex", "head": "Agent", "Agent": ["DoubleDQN"], "Policy": ["P"]},
    "some": {"type": "subset", "head": "problem", "problem": ["Pole-v0"], "Agent": ["DQN"]},
    "damaged": {"type": "mutex", "head": "Agent", "Agent": 3},
}


@pytest.mark.parametrize(
    ("change", "violated"),
    [({}, ""), ({"Agent": "DoubleDQN"}, "pair"), ({"problem": "Acrobot-v1"}, "some"),
     ({"problem": "Acrobot-v1", "Agent": "FreezeDQN"}, "")],
)  # fmt: skip
def test_component_locks_are_warnings(
    tmp_path: Path, change: dict[str, str], violated: str
) -> None:
    (tmp_path / "component_locks.json").write_text(json.dumps(LOCKS))
    note = read(tmp_path, {**POLE, **change}).note
    assert note == (violated and f"violates OpenAI Lab's component locks {violated}")


@pytest.mark.parametrize("agent", tables.AGENTS)
def test_each_agent_builds_with_each_policy_that_goes_with_it(tmp_path: Path, agent: str) -> None:
    for policy in tables.AGENTS[agent].policies:
        noisy = ("GaussianPolicy", "BoundedPolicy", *tables.NOISES)
        base = SWING if agent == "DDPG" or policy in noisy else POLE
        base = SCREEN if "Conv" in agent else {**base, "param": {}}
        built = build(read(tmp_path, {**base, "Agent": agent, "Policy": policy}), 0)
        name = type(built.agent).__name__.removesuffix("2017").removesuffix("OfBoth")
        assert name in (agent.replace("Conv", ""), "Random")


def lived(experiment: Experiment, steps: int, first: int = 0) -> None:
    """Steps of episodes of seven, in a world whose observations follow from the step alone."""
    agent, size = experiment.agent, experiment.preprocessor.size
    for t in range(first, first + steps):
        seen, following = (np.cos(np.arange(size)[None] + k).astype(np.float32) for k in (t, t + 1))
        chosen = agent.explore(seen)
        over, no = np.array([t % 7 == 6]), np.array([False])
        agent.observe(Transitions(seen, chosen, following[0, :1], following, over, no, seen[0, :1]))
        agent.learn()


@pytest.mark.parametrize("agent", [name for name in tables.AGENTS if name not in tables.BARE])
@pytest.mark.parametrize("memory", ["LinearMemory", "PrioritizedExperienceReplay"])
def test_an_agent_goes_on_as_if_it_had_not_been_saved(
    tmp_path: Path, agent: str, memory: str
) -> None:
    base = SWING if agent == "DDPG" else POLE
    policy = {"DDPG": "OUNoisePolicy", "ActorCritic": "SoftmaxPolicy"}.get(agent)
    more = {"lr": 0.01} if agent == "DDPG" else {"epi_change_lr": 2, "lr": 0.01}
    specification = read(tmp_path, {**with_param(base, **more), "Agent": agent, "Memory": memory,
                                    "Policy": policy or "EpsilonGreedyPolicy"})  # fmt: skip
    whole, other = build(specification, seed=0), build(specification, seed=1)
    lived(whole, 25)
    state, replay = copy.deepcopy(whole.agent.state()), whole.agent.replay
    other.agent.restore(state)
    assert replay
    assert other.agent.replay
    first = replay.added - replay.size
    other.agent.replay.put(first, replay.records(first, replay.added))
    for each in (whole, other):
        lived(each, 20, first=25)
    parameters = [leaves(each.agent.policy_state()) for each in (whole, other)]
    assert whole.agent.updates > 20
    assert parameters[0] == parameters[1]


def leaves(state: Any) -> list[Any]:
    """All numbers of a state."""
    if isinstance(state, dict):
        return [leaf for each in state.values() for leaf in leaves(each)]
    return np.asarray(state).tolist() if isinstance(state, np.ndarray) else [state]


@needs_data
def test_the_table_of_the_page_is_that_of_the_files() -> None:
    shown = (ROOT / "docs/openai_lab.md").read_text().splitlines()
    rows = [line[:-1] for line in program("openai_lab").table(DATA) if line.startswith("|")]
    assert len(rows) > 40
    assert [row for row in rows if not any(line.startswith(row) for line in shown)] == []


@pytest.mark.slow
def test_the_table_says_what_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = program("openai_lab")
    written(tmp_path, pole=POLE, odd={**POLE, "problem": "Odd-v0"})
    head, _, pole, odd, *_ = script.table(tmp_path, steps=50)
    assert head.endswith("| runs 50 steps |")
    assert pole.endswith("|  | yes |")
    assert odd.endswith(" |  |")
    monkeypatch.setattr(script.sys, "executable", "false")
    assert script.trained("pole", tmp_path / "small_experiment_specs.json", 50) != "yes"


@needs_data
def test_the_problems_of_the_file_are_those_that_are_known_without_it() -> None:
    problems = read_json(DATA / "problems.json")
    for name, known in tables.ENVIRONMENTS.items():
        assert problems[name]["MAX_EPISODES"] == known.episodes
