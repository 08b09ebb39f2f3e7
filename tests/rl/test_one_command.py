"""An environment and no specification: on the command line, and from a program."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import gymnasium
import pytest
import yaml

import rl
from rl.agents import AGENTS
from rl.environments.registered import is_installed
from rl.environments.spaces import Continuous, Discrete
from rl.errors import UserError
from rl.saved.problem import problem_from
from rl.specification.build import build
from rl.specification.by_name import specification_of
from rl.specification.commented import commented
from rl.specification.defaults import CUT, STEPS, default_agent
from rl.specification.objects import block_from, specification_from
from rl.specification.settings import settings_of
from rl.specification.specification import Specification, load_specification
from tests.rl.conftest import Command
from tests.rl.test_environment_block import HERE, Corridor, Doubled, short

MODULE = f"""
import gymnasium
from {HERE} import Corridor

class Path(Corridor):
    def __init__(self, length=3):
        super().__init__(length)

gymnasium.register("Path-v0", "ways:Path", max_episode_steps=9)
"""
SMALL = ("train.evaluate_every=600", "train.evaluate_episodes=2", "network.hidden=[4]")
QUICK = {"train.evaluate_every": 600, "train.evaluate_episodes": 2, "network.hidden": [4]}
QUIET: dict[str, Any] = {"steps": 1300, "overrides": QUICK, "draw": False, "display": False}


@pytest.fixture
def ways(tmp_path: Path) -> Path:
    """A module in the working folder."""
    sys.modules.pop("ways", None)
    gymnasium.registry.pop("Path-v0", None)
    (tmp_path / "ways.py").write_text(MODULE)
    return tmp_path


def weights(run: Path) -> str:
    outcome = json.loads((run / "trial_000/session_000/session.json").read_text())
    return str(outcome["weights"])


@pytest.mark.parametrize(
    ("id", "agent"),
    [("CartPole-v1", "DoubleDQN"), ("FrozenLake-v1", "DoubleDQN"), ("Pendulum-v1", "TQC"),
     (f"{HERE}:short", "DoubleDQN")],
)  # fmt: skip
def test_the_agent_is_chosen_by_the_kind_of_actions(id: str, agent: str) -> None:
    made = specification_of(id)
    assert made.block("agent")["name"] == agent
    assert made.block("train")["steps"] == STEPS
    assert build(made, 0).agent.__class__.__name__ == agent


def test_every_kind_of_actions_has_an_agent() -> None:
    class Spaces:
        are_large_pictures = False

        def __init__(self, actions: Any) -> None:
            self.actions = actions

    continuous = object.__new__(Continuous)
    assert default_agent(Spaces(Discrete(2))) == "DoubleDQN"  # type: ignore[arg-type]
    assert default_agent(Spaces(continuous)) == "TQC"  # type: ignore[arg-type]


def test_what_is_given_goes_before_the_defaults() -> None:
    given = ["train.steps=7000", "agent.gamma=0.9", "environment.max_episode_steps=9"]
    made = specification_of("CartPole-v1", None, given, "ppo")
    assert made.values["agent"] == {"name": "ppo", "gamma": 0.9, "entropy_weight": 0.01}
    assert made.values["train"] == {"steps": 7000, "lanes": 8}
    assert build(made, 0).problem.horizon == 9
    assert specification_of("CartPole-v1", None, ["agent.name=A2C"]).block("agent")["name"] == "A2C"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["preprocessor.name=normalize"], {"preprocessor.center_beyond": 3.0}),
        (["preprocessor.name=Stack"], {"preprocessor": {"name": "Stack"}}),
        (["memory.capacity=777"], {"memory.capacity": 777, "memory.batch_size": 64}),
        (["train.steps=20000"], {"exploration.steps": 1_000, "preprocessor.warmup": 2_000}),
        (["train.episodes=40"], {"exploration.steps": 1_000, "train.steps": None}),
        (["train.steps=many"], {"exploration.steps": 5_000, "train.steps": "many"}),
    ],
)
def test_defaults_fill_what_is_given(given: list[str], expected: dict[str, Any]) -> None:
    made = specification_of("CartPole-v1", None, given)
    for path, value in expected.items():
        block, _, name = path.partition(".")
        assert (made.block(block).get(name) if name else made.block(block)) == value


def test_each_role_has_the_defaults_of_a_network() -> None:
    given = specification_of("Pendulum-v1", None, ["network.actor.hidden=[8]"], "ppo")
    networks = build(given, 0).specification.block("network")
    assert [networks[role]["hidden"] for role in ("actor", "critic")] == [(8,), (64, 64)]
    assert [networks[role]["activation"] for role in ("actor", "critic")] == ["tanh"] * 2


@pytest.mark.parametrize("agent", AGENTS)
def test_every_agent_has_defaults_that_fit(agent: str) -> None:
    discrete = Discrete in AGENTS[agent].kinds
    build(specification_of("CartPole-v1" if discrete else "Pendulum-v1", agent=agent), 0)


@pytest.mark.parametrize("agent", ["DoubleDQN", "QRDQN", "Rainbow", "TQC", "DDPG"])
@pytest.mark.parametrize(
    ("shape", "capacity"),
    [
        ((3, 3), None),
        ((4, 84, 84, 3), 1_476),
        ((100, 100, 100, 3), 64),
        ((84, 84, 3), None),
        ((80, 80, 2), 78_125),
        ((500, 300, 5), 28_344),
    ],
)
def test_a_replay_memory_of_the_defaults_has_at_most_a_gigabyte(
    agent: str, shape: tuple[int, ...], capacity: int | None
) -> None:
    """Of whatever is observed; but a batch is to fit in."""
    continuous = Continuous in AGENTS[agent].kinds
    arguments = {"shape": shape, "continuous": continuous}
    made = specification_of("tests.rl.worlds:Bright", agent=agent, kwargs=arguments)
    memory = made.block("memory")
    usual = 100_000 if continuous else 50_000
    assert memory["capacity"] == max(min(capacity or usual, usual), memory["batch_size"])


def test_an_environment_without_a_time_limit_is_cut_and_one_hot_states_stay() -> None:
    experiment = build(specification_of("CliffWalking-v1"), 0)
    assert (experiment.problem.longest, experiment.training.max_episode_steps) == (CUT, CUT)
    assert not experiment.specification.block("preprocessor")["observations"]
    assert specification_of("CartPole-v1").block("preprocessor")["observations"]


def test_an_experiment_goes_before_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = gymnasium.envs.registration.EnvSpec("cartpole_dqn", f"{HERE}:short")
    monkeypatch.setitem(gymnasium.registry, "cartpole_dqn", spec)
    assert specification_of("cartpole_dqn").values == load_specification("cartpole_dqn").values
    assert specification_of("cartpole_dqn", agent="PPO").values["problem"] == "cartpole_dqn"


def test_arguments_reach_an_experiments_environment_too() -> None:
    made = specification_of("lunarlander_dqn", kwargs=["enable_wind=true"])
    assert made.values["environment"] == {"id": "LunarLander-v3", "kwargs": {"enable_wind": True}}


REFUSED = [
    (["CartPol-v1"], ["unknown environment 'CartPol-v1'; did you mean 'CartPole-v1'?"]),
    (["LunarLander-v2"], ["did you mean 'LunarLander-v3'?"]),
    (["cartpol"], ["unknown experiment or environment 'cartpol'; did you mean 'CartPole-v1'?"]),
    (["cartpole_dqm"], ["unknown experiment 'cartpole_dqm'; did you mean 'cartpole_dqn'?"]),
    pytest.param(
        ["FlappyBird-v0"],
        ["python -m pip install flappy-bird-gymnasium"],
        marks=pytest.mark.skipif(is_installed("FlappyBird-"), reason="is installed"),
    ),
    (["Mine-v3"], ["as PACKAGE:Mine-v3"]),
    (["Mine/Corridor-v0"], ["unknown environment 'Mine/Corridor-v0'"]),
    (["nowhere:Corridor"], ["problem names 'nowhere', which is not installed"]),
    (["ways"], ["ways is a module", "ways:CLASS"]),
    (["ways.py:Path"], ["write 'ways'"]),
    (["ways.py"], ["an environment of a module is written ways:CLASS"]),
    (["ways.Path"], ["is written ways:Path"]),
    (["way.Path"], ["unknown experiment 'way.Path'"]),
    (["ways:"], ["rl: problem does not fit: 'ways:': names no environment"]),
    (["ways:Pathh"], ["did you mean 'Path'?"]),
    (["ways:Path-v1"], ["did you mean 'Path-v0'?"]),
    (["ways:MODULE"], ["ways has no 'MODULE'"]),
    (["CartPole-v1", "--agent", "DNQ"], ["agent.name", "did you mean 'DQN'?"]),
    (["CartPole-v1", "--agent", "TD3"], ["agent.name is TD3", "discrete actions"]),
    (["cartpole_dqn", "--agent", "PPO"], ["--agent is for an environment", "agent.name=PPO"]),
    (
        ["FrozenLake-v1", "--env-kwargs", "is_slipery=false"],
        ["rl: FrozenLake-v1: environment.kwargs.is_slipery", "did you mean 'is_slippery'?"],
    ),
    (["FrozenLake-v1", "--env-kwargs", "map_name=9x9"], ["kwargs are refused by FrozenLake-v1"]),
    (["FrozenLake-v1", "--env-kwargs", "is_slippery"], ["--env-kwargs: 'is_slippery' is not KEY"]),
    (["FrozenLake-v1", "--env-kwargs", "render_mode=human"], ["chosen by the lab"]),
    (["FrozenLake-v1", "--env-kwargs", "is_slippery=no"], ["must be true or false, not 'no'"]),
    (
        ["FrozenLake-v1", "--env-kwargs", "map_name=8x8,is_slippery=false"],
        ["--env-kwargs: put a space before 'is_slippery', not ','"],
    ),
    (
        ["FrozenLake-v1", "--set", "environment.kwarg.is_slippery=false"],
        ["--set: environment.kwarg is no setting; did you mean 'kwargs'?"],
    ),
    (["CartPole-v1", "--steps", "90"], ["train.steps is 90", "nothing would be learned"]),
]


@pytest.mark.parametrize(("arguments", "parts"), REFUSED)
def test_what_is_no_environment_is_one_line_and_leaves_nothing(
    arguments: list[str], parts: list[str], rl_here: Command, ways: Path
) -> None:
    answer = rl_here("run", *arguments)
    assert answer.returncode == 2
    assert len(answer.stderr.splitlines()) == 1
    for part in parts:
        assert part in answer.stderr
    assert {each.name for each in ways.iterdir()} - {"__pycache__"} == {"ways.py"}


def test_one_command_trains_and_every_verb_knows_the_run(rl_here: Command, ways: Path) -> None:
    given = ("--steps", 1300, "--set", *SMALL, "--quiet", "--env-kwargs", "length=2")
    assert rl_here("run", "ways:Path-v0", *given).returncode == 0
    (run,) = (ways / "runs/Path-v0").iterdir()
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["specification"]["environment"]["kwargs"] == {"length": 2}
    assert manifest["import_folder"] == str(ways)
    for verb in ("verify", "evaluate", "analyze"):
        answer = rl_here(verb, "ways:Path-v0")
        assert answer.returncode == 0, answer.stderr
    text = rl_here("spec", "ways:Path-v0", "--env-kwargs", "length=2", "--steps", 1300).stdout
    (ways / "mine.yaml").write_text(text)
    same = ("--set", *SMALL, "--quiet", "--output", "again")
    assert rl_here("run", "Path-v0", "--spec", "mine.yaml", *same).returncode == 0
    assert weights(ways / "again") == weights(run)
    answer = rl_here("doctor", "--env", "ways:Path", "--env-kwargs", "length=2")
    assert "ways:Path: all is well" in answer.stdout
    assert rl_here("doctor", "--env", "again").returncode == 0
    assert (
        "did you mean" in rl_here("doctor", "--env", "ways:Path", "--env-kwargs", "lenth=2").stderr
    )


def test_a_specification_to_start_from_explains_every_setting() -> None:
    whole = build(specification_of("CartPole-v1"), 0).specification
    text = commented("CartPole-v1", whole.values)
    read = yaml.safe_load(text)["CartPole-v1"]
    assert Specification("CartPole-v1", "", read).digest == whole.digest
    for field in settings_of(type(build(whole, 0).agent)).values():
        assert field.metadata["meaning"][:30] in " ".join(text.replace("#", "").split())
    assert "# discount per step (in [0, 1])\n    gamma: 0.99" in text
    changed = build(whole.assign({"agent.gamma": 0.5}), 0).specification
    assert "(in [0, 1]; default 0.99)" in commented("x", changed.values)


def test_a_network_for_each_role_is_explained_too() -> None:
    given = {"network.actor.hidden": [8], "network.critic.hidden": [16]}
    whole = build(specification_of("Pendulum-v1", overrides=given), 0).specification
    read = yaml.safe_load(commented("x", whole.values))["x"]
    assert read["network"]["critic"]["hidden"] == [16]
    assert Specification("x", "", read).digest == whole.digest


@pytest.mark.parametrize(
    ("given", "path", "value"),
    [
        (["cartpole_dqn", "--set", "agent.gamma=0.9"], "cartpole_dqn.agent.gamma", 0.9),
        (["cartpole_dqn", "--env-kwargs", "sutton_barto_reward=true"],
         "cartpole_dqn.environment.kwargs.sutton_barto_reward", True),
        (["CartPole-v1", "--steps", "700", "--set", "agent.learn_start=99"],
         "CartPole-v1.train.steps", 700),
        (["CartPole-v1", "--agent", "PPO", "--set", "agent.clip=0.1"],
         "CartPole-v1.agent.clip", 0.1),
        (["mine", "--spec", "mine.yaml", "--set", "network.hidden=[9]"], "mine.network.hidden",
         [9]),
        (["cartpole_dqn", "--set", "agent.gama=0.9"], None, "did you mean 'gamma'?"),
        (["CartPole-v1", "--set", "environment.kwargs.x=1"], None, "kwargs.x is no argument"),
    ],
)  # fmt: skip
def test_a_specification_is_printed_as_it_was_changed(
    given: list[str], path: str | None, value: Any, rl_here: Command, tmp_path: Path
) -> None:
    mine = {"mine": {"problem": "CartPole-v1", "agent": {"name": "DQN"}, "train": {"steps": 2000}}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(mine))
    answer = rl_here("spec", *given)
    if path is None:
        assert answer.returncode == 2
        assert value in answer.stderr
        return
    found = yaml.safe_load(answer.stdout)
    for key in path.split("."):
        found = found[key]
    assert found == value


def test_the_labs_own_is_printed_as_it_is(rl_here: Command) -> None:
    answer = rl_here("spec", "lunarlander_dqn")
    assert yaml.safe_load(answer.stdout)["lunarlander_dqn"] == load_specification(
        "lunarlander_dqn"
    ).values  # fmt: skip


@pytest.mark.slow
def test_a_search_needs_no_specification_either(rl_here: Command, ways: Path) -> None:
    answer = rl_here(
        "search", "ways:Path-v0", "--steps", 1300, "--quiet", "--jobs", 1, "--output", "s",
        "--set", *SMALL, "search.space={agent.gamma: [0.9]}",
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr


class Stubborn(Corridor):
    """Cannot be copied."""

    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("a window cannot be copied")


@pytest.mark.parametrize(
    ("env", "block"),
    [
        ("CartPole-v1", {"id": "CartPole-v1"}),
        ({"id": "CartPole-v1", "solved": 3}, {"id": "CartPole-v1", "solved": 3}),
        (Corridor, {"id": f"{HERE}:Corridor"}),
        (short, {"id": f"{HERE}:short"}),
        (lambda: Corridor(2), {"id": "local/Corridor"}),
        (Corridor(3), {"id": "local/Corridor-2"}),
        (gymnasium.spec("CartPole-v1"), {"id": "CartPole-v1"}),
    ],
)
def test_what_a_program_has_becomes_a_block(env: Any, block: dict[str, Any]) -> None:
    assert block_from(env)[0] == block


def test_an_environment_that_gymnasium_made_is_recorded_with_its_wrappers() -> None:
    env = gymnasium.make("FrozenLake-v1", is_slippery=False, max_episode_steps=9)
    block, _ = block_from(gymnasium.wrappers.TimeAwareObservation(env))
    wrapper = block["wrappers"][0].pop("name")
    assert wrapper.endswith(":TimeAwareObservation")
    assert block["kwargs"] == {"is_slippery": False}
    assert block["max_episode_steps"] == 9


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "name an experiment or an environment, or give env="),
        ({"name": "y", "spec": {"x": {}}}, "spec has no experiment 'y'"),
        ({"env": 3}, "env must be an id, a class or a function, not 3"),
        ({"env": Stubborn(2)}, "env=lambda: ..."),
        ({"name": {"problem": "CartPole-v1"}}, "agent is missing"),
        ({"name": {"problem": "CartPole-v1", "agent": {}}, "agent": "DQN"}, "leave one out"),
        ({"env": Corridor, "env_kwargs": {"lenght": 3}}, "did you mean 'length'?"),
        ({"env": short, "agent": "TD3"}, "discrete actions"),
        ({"env": lambda: 3}, "must inherit from the gymnasium.Env"),
        ({"env": lambda: 1 / 0}, r"division by zero (test_one_command.py:[0-9]+\)$"),
        ({"env": lambda: Corridor(3), "sessions": 2}, "cannot make this environment"),
        ({"name": "cartpole_dqn", "env": {"id": "CartPole-v1", "kwargs": {"f": len}}}, "JSON"),
    ],
)
def test_a_program_is_told_what_does_not_fit(
    given: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said.replace("(", r"\(")):
        rl.train(**{"output": tmp_path / "run", **QUIET, **given})
    assert not (tmp_path / "run").exists()


def test_a_specification_may_be_a_dictionary() -> None:
    values = {"problem": "CartPole-v1", "agent": {"name": "DQN"}, "train": {"steps": 9000}}
    made = specification_from({"mine": values}, overrides={"agent.gamma": 0.5, "train.steps": 8000})
    assert (made.name, made.value("agent.gamma"), made.value("train.steps")) == ("mine", 0.5, 8000)
    assert specification_from(values).name == "specification"
    assert specification_from("mine", {"mine": values}).values == values
    assert specification_from(made).values == made.values
    other = specification_from("cartpole_dqn", env=Corridor, env_kwargs={"length": 2})
    assert other.values["environment"] == {"id": f"{HERE}:Corridor", "kwargs": {"length": 2}}
    assert other.block("agent") == load_specification("cartpole_dqn").block("agent")


def test_what_only_this_program_can_make_is_resumed_and_loaded_with_it(tmp_path: Path) -> None:
    made: list[Corridor] = []

    def corridor() -> Corridor:
        made.append(Corridor(4))
        return made[-1]

    run = rl.train(env=corridor, output=tmp_path / "run", **QUIET)
    assert run.title == "DoubleDQN on local/corridor"
    assert any("is made by this program alone" in note for note in run.notes)
    assert isinstance(rl.make_env(run).unwrapped, Corridor)
    from rl.environments import registered

    registered._made.clear()  # as in another program
    with pytest.raises(UserError, match=r"rl.load and rl.resume take env=\.\.\."):
        rl.load(tmp_path / "run")
    assert rl.load(tmp_path / "run", env=corridor).act([0.0, 0.5]) in (0, 1)
    assert rl.resume(tmp_path / "run", draw=False, display=False).outcome  # it is known by now
    registered._made.clear()
    assert rl.resume(tmp_path / "run", env=corridor, draw=False, display=False).outcome
    registered._made.clear()
    with pytest.raises(UserError, match="made by the program that trained on it"):
        rl.resume(tmp_path / "run")


@pytest.mark.slow
def test_what_cannot_be_made_here_is_reported_and_nothing_else(
    rl_here: Command, tmp_path: Path
) -> None:
    """A report and an analysis need the run's files alone."""
    from rl.environments import registered

    rl.train(env=lambda: Corridor(4), output=tmp_path / "run", seed=1, **QUIET)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.yaml")}
    registered._made.clear()  # as in another program
    assert ", finished: mean return" in repr(rl.Run.open(tmp_path / "run"))
    for verb in (["report", "run"], ["analyze", "run"]):
        answer = rl_here(*verb)
        assert answer.returncode == 0, answer.stderr
    page = (tmp_path / "run/report.html").read_text()
    assert "local/Corridor" in page
    for verb in (["verify", "run"], ["evaluate", "run"], ["resume", "run", "--steps", "9000"]):
        answer = rl_here(*verb)
        assert answer.returncode == 2
        assert "it was made by the program that trained on it" in answer.stderr
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*.yaml")}


def test_an_environment_that_does_not_say_how_it_was_made_is_copied() -> None:
    inner = gymnasium.make(f"{HERE}:BlockCorridor-v0")
    for env in (gymnasium.wrappers.TransformReward(inner, lambda reward: 2.0 * float(reward)),
                Doubled(inner)):  # fmt: skip
        block, _ = block_from(env)
        assert block["id"].startswith("local/")
        copied = rl.make_env(env)
        copied.reset(seed=3)
        assert copied.step(1)[1] == 2.0


def test_an_environment_that_a_run_does_not_need_is_refused(cartpole_run: Path) -> None:
    with pytest.raises(UserError, match="env: the run's environment can be made without it"):
        rl.load(cartpole_run, env=short)


@pytest.mark.parametrize(
    "source",
    ["CartPole-v1", f"{HERE}:short", short, {"id": "CartPole-v1", "kwargs": {}},
     {"problem": "CartPole-v1"}, "cartpole_dqn", load_specification("cartpole_dqn")],
)  # fmt: skip
def test_make_env_takes_whatever_says_how(source: Any) -> None:
    env = rl.make_env(source)
    env.reset(seed=0)
    env.close()


def test_make_env_refuses_what_does_not_fit(cartpole_run: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'is_slippery'"):
        problem_from("FrozenLake-v1", {"is_slipery": False})
    with pytest.raises(UserError, match="did you mean 'is_slippery'"):
        rl.make_env("FrozenLake-v1", is_slipery=False)
    assert rl.make_env(str(cartpole_run)).spec.id == "CartPole-v1"  # type: ignore[union-attr]
