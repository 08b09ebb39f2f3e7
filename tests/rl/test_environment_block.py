"""The `environment` block: an environment with arguments, wrappers, and limits of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from rl.environments import Environments, environment_of, known_spaces
from rl.environments.arguments import converted, misread
from rl.environments.problems import problem_in
from rl.environments.registered import is_installed
from rl.environments.settings import EnvironmentSettings
from rl.saved.run import Run
from rl.search.space import read_space
from rl.specification.build import build
from rl.specification.environment import environment_in
from rl.specification.notes import notes_of
from rl.specification.repeats import find_out
from rl.specification.specification import Specification, load_specification
from rl.watching.rendering import open_drawing
from tests.rl.conftest import Command
from tests.rl.worlds import Counter

HERE = "tests.rl.test_environment_block"
SMALL = {"steps": 1300, "evaluate_every": 600, "evaluate_episodes": 2}


class Corridor(Counter):
    """As Counter, of a length that must be given."""

    action_space = gymnasium.spaces.Discrete(2)

    metadata: Any = {"render_modes": ["rgb_array"]}  # noqa: RUF012

    def __init__(self, length: int, bonus: float = 0.0, name: str = "") -> None:
        super().__init__(length)
        self.bonus = bonus
        self.told: list[Any] = []
        if bonus < 0:
            raise ValueError("no malus")

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.told.append(options)
        if options and "width" in options:
            raise KeyError("width")
        return super().reset(seed=seed)

    def step(self, action: int) -> Any:
        observation, reward, *rest = super().step(action)
        return observation, reward + self.bonus, *rest


class Loose(Corridor):
    """Passes on what it does not know."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)


class Doubled(gymnasium.RewardWrapper[Any, Any]):
    """Pays twice as much."""

    def reward(self, reward: Any) -> Any:
        return 2.0 * reward


class Spoken(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Says what it sees."""

    observation_space: Any = gymnasium.spaces.Text(9)

    def observation(self, observation: Any) -> Any:
        return "a wall"


class Tired(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Shows how often it has been looked at."""

    looks = 0

    def observation(self, observation: Any) -> Any:
        self.looks += 1
        return observation + np.float32(self.looks)


def short() -> Corridor:
    """A corridor as a function makes it."""
    return Corridor(2)


def triple(reward: float) -> float:
    """Three times as much."""
    return 3.0 * reward


def laid_out(  # type: ignore[no-untyped-def]
    size: Any = (1, 2), grid: tuple[Any, ...] | None = None,
    names: list[str] | tuple[str, ...] = (), count: int = 3, rate: float = 0.5, rows=4, free=None,
    text: str = "", flag=False,
) -> None:  # fmt: skip
    """A constructor with arguments of several kinds, some of which say which by a default alone."""


def half(observation: Any) -> Any:
    """Half of what is seen."""
    return observation / 2


HALF = gymnasium.spaces.Box(-9, 9, (2,), np.float32)

gymnasium.register("BlockCorridor-v0", f"{HERE}:Corridor", 0.5, max_episode_steps=30,
                   kwargs={"length": 4})  # fmt: skip


def total(**block: Any) -> float:
    """The return of an episode."""
    env = environment_of(problem_in(EnvironmentSettings(**block)))
    with_lanes = Environments(lambda: env, 1, iter([5]))
    with_lanes.reset()
    while with_lanes.active[0]:
        with_lanes.step(with_lanes.spaces.actions.array(1))
    with_lanes.close()
    return with_lanes.finished[0].total


@pytest.mark.parametrize(
    ("block", "returned"),
    [
        ({"id": "BlockCorridor-v0"}, 1 + 2 + 3 + 4),
        ({"id": f"{HERE}:BlockCorridor-v0"}, 10),
        ({"id": "BlockCorridor-v0", "kwargs": {"length": 2, "bonus": 0.5}}, 4),
        ({"id": f"{HERE}:Corridor", "kwargs": {"length": 2}}, 3),
        ({"id": f"{HERE}:short"}, 3),
        ({"id": f"{HERE}:Loose", "kwargs": {"length": 2}}, 3),
        ({"id": "BlockCorridor-v0", "max_episode_steps": 2}, 3),
        ({"id": f"{HERE}:Corridor", "kwargs": {"length": 40}, "max_episode_steps": 2}, 3),
        ({"id": "BlockCorridor-v0", "kwargs": {"length": 31}, "max_episode_steps": -1}, 496),
        ({"id": "BlockCorridor-v0", "wrappers": [f"{HERE}:Doubled"]}, 20),
        ({"id": "BlockCorridor-v0", "wrappers": ["gymnasium.wrappers.FlattenObservation"]}, 10),
        ({"id": "BlockCorridor-v0", "wrappers": [{"name": "ClipReward", "max_reward": 2}]}, 7),
        ({"id": "BlockCorridor-v0", "wrappers": [{"ClipReward": {"max_reward": 2}}]}, 7),
        # the innermost first
        ({"id": "BlockCorridor-v0",
          "wrappers": [f"{HERE}:Doubled", {"name": "ClipReward", "max_reward": 2}]}, 8),
        ({"id": "BlockCorridor-v0", "wrappers": [{"FlattenObservation": None}]}, 10),
        ({"id": "BlockCorridor-v0",
          "wrappers": [{"shape": [2, 1], "name": "ReshapeObservation"}]}, 10),
        ({"id": "BlockCorridor-v0", "wrappers": [
            {"StickyAction": {"repeat_action_probability": 0, "repeat_action_duration": [1, 2]}},
        ]}, 10),
        ({"id": "BlockCorridor-v0",
          "wrappers": [{"name": "TransformReward", "func": f"{HERE}:triple"}]}, 30),
        ({"id": "BlockCorridor-v0",
          "wrappers": [{"name": "TransformObservation", "func": f"{HERE}:half",
                        "observation_space": f"{HERE}:HALF"}]}, 10),
    ],
)  # fmt: skip
def test_an_environment_is_made_as_its_block_says(block: dict[str, Any], returned: float) -> None:
    assert total(**block) == returned
    assert known_spaces(problem_in(EnvironmentSettings(**block))).observation_size == 2


def test_an_environment_that_is_registered_again_is_looked_at_again() -> None:
    for made, size in ((f"{HERE}:short", 2), ("tests.rl.worlds:Steady", 1)):
        gymnasium.registry.pop("Again-v0", None)
        gymnasium.register("Again-v0", made)
        assert known_spaces(problem_in(EnvironmentSettings(id="Again-v0"))).observation_size == size


def test_a_list_is_an_array_where_a_wrapper_wants_one() -> None:
    wrapper = {"name": "RescaleAction", "min_action": [-1.0], "max_action": [1.0]}
    spaces = known_spaces(problem_in(EnvironmentSettings(id="Pendulum-v1", wrappers=(wrapper,))))
    assert spaces.actions.ends[1] == 1.0  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"size": [3, 4]}, {"size": (3, 4)}),
        ({"size": 5}, {"size": 5}),
        ({"grid": [[1, 2], [3]]}, {"grid": ((1, 2), (3,))}),
        ({"names": ["a"]}, {"names": ["a"]}),
        ({"free": [1, [2]]}, {"free": [1, [2]]}),
        ({"count": 1e3, "rows": 2.0}, {"count": 1000, "rows": 2}),
        ({"rate": 1e3, "free": 2.0}, {"rate": 1000.0, "free": 2.0}),
        ({"count": 2.5}, {"count": 2.5}),  # which the constructor may refuse
        ({"unknown": [1.0]}, {"unknown": [1.0]}),
    ],
)
def test_an_argument_has_the_type_that_its_constructor_wants(
    given: dict[str, Any], taken: dict[str, Any]
) -> None:
    assert repr(converted(laid_out, given)) == repr(taken)  # 2 and 2.0 are equal


@pytest.mark.parametrize(
    ("given", "key", "said"),
    [
        ({"flag": "no"}, "flag", "must be true or false, not 'no'"),
        ({"rate": "0,5"}, "rate", "must be a number such as 0.5, not '0,5'"),
        ({"rows": ""}, "rows", "must be a number, not ''"),
        ({"size": "[1,2"}, "size", "must be a list or a block with its closing bracket"),
        ({"free": "{a: 1"}, "free", "must be a list or a block with its closing bracket"),
        ({"text": "[1,2", "free": "a", "names": "[x", "rows": "auto"}, None, ""),
        ({"flag": 1, "rate": -3, "size": None}, None, ""),
    ],
)
def test_a_text_that_was_meant_to_be_something_else_is_found(
    given: dict[str, Any], key: str | None, said: str
) -> None:
    found = misread(laid_out, given) or (None, "")
    assert found[0] == key
    assert said in found[1]


def test_reset_options_are_told_beside_those_of_an_evaluation() -> None:
    block = EnvironmentSettings(id="BlockCorridor-v0", reset_options={"maze": 3})
    env = environment_of(problem_in(block))
    told = env.unwrapped.told  # type: ignore[attr-defined]
    env.reset(seed=0)
    env.reset(seed=0, options={"evaluation": True})
    assert told == [{"maze": 3}, {"maze": 3, "evaluation": True}]


REFUSED: list[Any] = [
    ({"id": "BlockCoridor-v0"}, ["environment.id", "did you mean 'BlockCorridor-v0'"]),
    ({"id": f"{HERE}:Coridor"}, ["environment.id", "did you mean 'Corridor'"]),
    ({"id": f"{HERE}:HALF"}, ["environment.id", "a class, or a function"]),
    ({"id": "no.such:Corridor"}, ["environment names 'no.such'", "pip install no"]),
    ({"id": ""}, ["environment.id must not be empty"]),
    ({"id": 3}, ["environment.id must be a name"]),
    pytest.param(
        {"id": "FlappyBird-v0"}, ["environment.id", "; python -m pip install flappy-bird-gymn"],
        marks=pytest.mark.skipif(is_installed("FlappyBird-"), reason="is installed"),
    ),
    ({}, ["environment.id is missing"]),
    ({"id": "BlockCorridor-v0", "lenght": 3}, ["environment.lenght is no setting"]),
    ({"kwargs": {"lenght": 3}}, ["environment.kwargs.lenght is no argument of BlockCorridor-v0",
                                 "did you mean 'length'"]),
    ({"id": f"{HERE}:Loose", "kwargs": {"lenght": 3}},
     ["environment.kwargs.lenght", "did you mean 'length'"]),
    ({"id": f"{HERE}:Corridor"}, ["environment.kwargs must have length"]),
    ({"kwargs": {"bonus": -1}}, ["environment.kwargs are refused by BlockCorridor-v0: "
                                 "ValueError: no malus"]),
    ({"kwargs": {"length": None}}, []),  # which it takes
    ({"kwargs": {"render_mode": "human"}}, ["kwargs.render_mode is chosen by the lab"]),
    ({"kwargs": {"max_episode_steps": 9}}, ["write environment.max_episode_steps"]),
    ({"kwargs": {"disable_env_checker": True}}, ["kwargs.disable_env_checker is chosen by the"]),
    ({"kwargs": {"num_envs": 3}}, ["environment.kwargs.num_envs", "train.lanes"]),
    ({"kwargs": {"bonus": float("nan")}}, ["kwargs.bonus is nan, which JSON cannot hold"]),
    ({"kwargs": [3]}, ["environment.kwargs must be a block"]),
    ({"reset_options": {"width": 1}}, ["environment.reset_options do not fit", "KeyError"]),
    ({"reset_options": 3}, ["environment.reset_options must be a block"]),
    ({"max_episode_steps": 0}, ["environment.max_episode_steps must be at least 1"]),
    ({"max_episode_steps": -2}, ["environment.max_episode_steps must be at least -1"]),
    ({"max_episode_steps": 1.5}, ["environment.max_episode_steps must be an integer"]),
    ({"solved": "high"}, ["environment.solved must be a number"]),
    ({"wrappers": "FlattenObservation"}, ["environment.wrappers must be a list",
                                          "; write [FlattenObservation]"]),
    ({"wrappers": [{"name": "TimeAwareObservation", "flatten": "no"}]},
     ["give TimeAwareObservation flatten, which must be true or false, not 'no'"]),
    ({"kwargs": {"bonus": "0,5"}}, ["environment.kwargs.bonus must be a number such as 0.5"]),
    ({"action_names": "left,right"}, ["; write [left, right]"]),
    ({"wrappers": [3]}, ["environment.wrappers.0 must be a wrapper's name"]),
    ({"wrappers": [{"min_action": 0, "max_action": 1}]}, ["environment.wrappers.0 must be"]),
    ({"wrappers": ["FlattenObs"]}, ["no wrapper 'FlattenObs'", "did you mean 'FlattenObserv"]),
    ({"wrappers": ["Qqqq"]}, ["no wrapper 'Qqqq'", "module:Class"]),
    ({"wrappers": [f"{HERE}:Doubed"]}, ["environment.wrappers", "did you mean 'Doubled'"]),
    ({"wrappers": ["vector.NormalizeReward"]}, ["wraps vector environments", "train.lanes"]),
    ({"wrappers": ["DictInfoToList"]}, ["wraps vector environments"]),
    ({"wrappers": [f"{HERE}:half"]}, ["environment.wrappers cannot be applied", "TypeError"]),
    ({"wrappers": ["builtins:id"]}, ["wrappers name builtins:id", "returns int and no Env"]),
    ({"wrappers": ["RescaleAction"]}, ["must give RescaleAction min_action, max_action"]),
    ({"wrappers": [{"name": "ClipReward", "max_rewad": 1}]}, ["did you mean 'max_reward'"]),
    ({"wrappers": [{"name": "RescaleAction", "min_action": 0, "max_action": 1}]},
     ["RescaleAction raised TypeError: RescaleAction requires a Box"]),
    ({"wrappers": [{"name": "TransformReward", "func": "lambda r: r"}]}, ["written module:name"]),
    ({"wrappers": [{"name": "TransformReward", "func": f"{HERE}:tripel"}]}, ["mean 'triple'"]),
    ({"wrappers": [{"name": "RecordVideo", "video_folder": "x"}]}, ["rl film"]),
    ({"wrappers": ["HumanRendering"]}, ["rl watch"]),
    ({"wrappers": ["FlattenObservation"], "kwargs": {"bonus": -1}}, ["no malus"]),
    ({"wrappers": [f"{HERE}:Spoken"]}, ["environment.wrappers does not fit", "Text"]),
]  # fmt: skip


def specification(block: Any, **more: Any) -> Specification:
    values = {"environment": block, "agent": {"name": "DQN"}, "train": dict(SMALL), **more}
    return Specification("x", "x.yaml", values)


@pytest.mark.parametrize(("block", "parts"), REFUSED)
def test_what_does_not_fit_is_one_line_and_leaves_nothing(
    block: dict[str, Any], parts: list[str], rl_here: Command, tmp_path: Path
) -> None:
    block = {"id": "BlockCorridor-v0", **block} if block else {}
    values = {"x": specification(block).values}
    (tmp_path / "x.json").write_text(json.dumps(values))
    if not parts:
        build(specification(block), seed=0)
        return
    answer = rl_here("run", "x", "--spec", "x.json")
    assert answer.returncode == 2
    assert len(answer.stderr.splitlines()) == 1
    for part in parts:
        assert part in answer.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"problem": "CartPole-v1", "environment": {"id": "CartPole-v1"}}, ["leave one out"]),
        ({"environment": "CartPole-v1"}, ["a block of settings", "environment: {id: ...}"]),
        ({"environment": {"kwargs": {"length": 3}}}, ["environment.id is missing"]),
        ({}, ["problem is missing"]),
    ],
)
def test_it_takes_the_place_of_the_problem(
    given: dict[str, Any], parts: list[str], rl_here: Command, tmp_path: Path
) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"x": {**given, "agent": {"name": "DQN"}}}))
    answer = rl_here("run", "x", "--spec", "x.json")
    assert answer.returncode == 2
    assert all(part in answer.stderr for part in parts), answer.stderr


def test_set_reaches_into_the_short_form() -> None:
    made = load_specification("lunarlander_dqn", None, ["environment.kwargs.enable_wind=true"])
    assert environment_in(made) == EnvironmentSettings(
        id="LunarLander-v3", kwargs={"enable_wind": True}
    )
    assert "problem" not in made.values
    assert [*made.values][1] == "environment"  # where the problem stood
    again = made.override(["problem=CartPole-v1", "environment.kwargs={}"])
    assert environment_in(again).id == "CartPole-v1"


def test_the_short_form_and_its_digest_stay() -> None:
    short = load_specification("cartpole_dqn")
    assert build(short, 0).specification.values["problem"] == "CartPole-v1"
    assert "environment" not in build(short, 0).specification.values


def test_a_threshold_and_a_limit_of_ones_own() -> None:
    block = {"id": "BlockCorridor-v0", "solved": 7, "max_episode_steps": 3}
    problem = build(specification(block), 0).problem
    assert (problem.solved, problem.horizon) == (7.0, 3)
    problem = build(specification({"id": "BlockCorridor-v0", "max_episode_steps": -1}), 0).problem
    assert (problem.solved, problem.horizon, problem.longest) == (0.5, None, 10_000)


@pytest.mark.parametrize(
    ("wrappers", "said"),
    [
        (["FlattenObservation", "TimeAwareObservation"], None),
        ([{"name": "FrameStackObservation", "stack_size": 2}, "FlattenObservation"], None),
        (["RecordEpisodeStatistics"], None),
        ([{"name": "StickyAction", "repeat_action_probability": 0.5}], None),
        (["NormalizeObservation"], "preprocessor: {name: Normalize} instead"),
        (["FlattenObservation", "NormalizeReward"], "the wrapper NormalizeReward carries"),
        ([f"{HERE}:Tired"], f"the wrapper {HERE}:Tired carries"),
    ],
)
def test_a_wrapper_that_carries_something_over_is_said(wrappers: list[Any], said: Any) -> None:
    block = EnvironmentSettings(id="CartPole-v1", wrappers=tuple(wrappers))
    renewed, note = find_out(problem_in(block))
    assert not renewed
    assert said in note if said and note else note is said


def test_an_environment_is_made_anew_within_its_wrappers() -> None:
    block = EnvironmentSettings(id="Worn-v0", wrappers=("FlattenObservation",))
    renewed, note = find_out(problem_in(block))
    assert renewed
    assert note
    assert "made anew for each" in note


def test_a_run_is_rebuilt_from_its_folder_alone(rl_here: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        f"from {HERE} import Corridor, Doubled\ndef small(): return Corridor(3, bonus=1.0)\n"
    )
    (tmp_path / "x.json").write_text(json.dumps({"x": specification(
        {"id": "mine:small", "wrappers": ["mine:Doubled"], "solved": 3, "reset_options": {"a": 1}}
    ).values}))  # fmt: skip
    answer = rl_here("run", "x", "--spec", "x.json", "--output", "run", "--quiet")
    assert answer.returncode == 0, answer.stderr
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    assert manifest["specification"]["environment"]["wrappers"] == ["mine:Doubled"]
    assert manifest["import_folder"] == str(tmp_path)
    run = Run.open(tmp_path / "run")
    assert run.outcome["evaluation"]["mean_return"] == 2 * (1 + 2 + 3 + 3)
    assert run.outcome["evaluation"]["threshold"] == 3.0
    assert run.title == "x on mine:small (a=1, mine:Doubled)"
    for verb in (["verify", "run"], ["evaluate", "run"], ["analyze", "run"]):
        assert rl_here(*verb).returncode == 0


@pytest.mark.slow
def test_a_search_varies_the_environment(rl_here: Command, tmp_path: Path) -> None:
    space = {"environment.kwargs.length": [3], "environment.id": [f"{HERE}:BlockCorridor-v0"]}
    values = {"problem": f"{HERE}:BlockCorridor-v0", "agent": {"name": "DQN"}, "train": SMALL,
              "network": {"hidden": [4]}, "search": {"method": "grid", "space": space}}  # fmt: skip
    (tmp_path / "x.json").write_text(json.dumps({"x": values}))
    answer = rl_here("search", "x", "--spec", "x.json", "--jobs", 1, "--output", "s", "--quiet")
    assert answer.returncode == 0, answer.stderr
    best = json.loads((tmp_path / "s/best_spec.json").read_text())["x"]
    assert best["environment"]["kwargs"] == {"length": 3}
    values["search"]["space"] = {"environment.kwargs.lengt": [2]}  # type: ignore[index]
    (tmp_path / "x.json").write_text(json.dumps({"x": values}))
    answer = rl_here("search", "x", "--spec", "x.json", "--quiet")
    assert answer.returncode == 2
    assert "did you mean 'length'" in answer.stderr


def test_a_label_says_what_differs_from_the_registered_environment() -> None:
    blocks = [{"length": 2}, {"length": 3}]
    labels = {EnvironmentSettings(id="A-v0", kwargs=each).label for each in blocks}
    assert labels == {"A-v0 (length=2)", "A-v0 (length=3)"}
    assert EnvironmentSettings(id="A-v0", solved=3.0).label == "A-v0"


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"wrappers": [{"name": "ClipReward", "max_reward": 1}]}, "without ClipReward"),
        ({"max_episode_steps": 10}, "without max_episode_steps: 10"),
        ({"max_episode_steps": 30}, ""),  # as registered
        ({"wrappers": ["FlattenObservation"], "kwargs": {"bonus": 1}}, ""),
        ({"max_episode_steps": 10, "solved": 3}, ""),
    ],
)
def test_a_threshold_that_is_for_another_environment_is_said(
    block: dict[str, Any], said: str
) -> None:
    values = {**block, "id": "BlockCorridor-v0"}
    notes = [each for each in notes_of(build(specification(values), 0)) if "solved" in each]
    assert len(notes) == bool(said)
    assert said in "".join(notes)


def test_a_range_is_of_whole_numbers_if_the_constructors_default_is() -> None:
    space = {"environment.kwargs.bonus": {"low": 1, "high": 2},
             "environment.kwargs.length": {"low": 1, "high": 2}}  # fmt: skip
    given = specification({"id": "BlockCorridor-v0"}, search={"space": space})
    read = read_space(given)
    assert [each.whole for each in read.values()] == [False, True]  # type: ignore[union-attr]


def test_an_environment_whose_constructor_takes_no_render_mode_is_seen() -> None:
    block = EnvironmentSettings(id=f"{HERE}:Corridor", kwargs={"length": 2})
    assert open_drawing(block.id, problem_in(block)).unwrapped.render_mode == "rgb_array"
