"""An environment that breaks a rule is answered with one message that names it and the moment."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Discrete, MultiDiscrete

import rl
from rl.console.signals import noticed
from rl.environments import Environments, make_env, rules
from rl.errors import BrokenEnvironment, Diverged, UserError
from rl.preprocessors import Normalize
from rl.session.callback import Callback
from tests.rl.conftest import Command
from tests.rl.worlds import Pushed, Showing, Unruly

ROOT = str(Path(__file__).parents[2])  # where the package `tests` is


def play(make: Callable[[], gymnasium.Env], steps: int = 3) -> Environments:
    environments = Environments(make, 1, itertools.count(7))
    environments.reset()
    for _ in range(steps):
        environments.step(np.zeros(1, np.int64))
    return environments


ONE = np.ones(1, np.float32)


def step(observation: Any = ONE, reward: Any = 1.0) -> Any:
    return observation, reward, False, False, {}


class Ending:
    """As a tensor of a library that ends the program when it cannot give its numbers."""

    dtype = np.dtype(np.float32)

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise self._error

    tolist = __len__ = __float__ = __array__


class Five(NamedTuple):
    """What a step gives, with names."""

    observation: Any
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


BREACHES = [
    (step(np.ones(2, np.float32)), r"must have the shape \[1\], not \[2\]"),
    (step(np.ones((1, 1), np.float32)), r"must have the shape \[1\], not \[1, 1\]"),
    (step(np.float32(1.0)), r"must have the shape \[1\], not \[\]"),
    (step(np.array(["1.0"])), r"must be made of numbers, but is an array \[1\] of <U3"),
    (step(np.array([None])), r"must be made of numbers, but is an array \[1\] of object"),
    (step(np.array([1j])), r"must be made of numbers, but is an array \[1\] of complex128"),
    (step([[1.0], [1.0, 2.0]]), "must be made of numbers"),
    (step({"x": 1.0}), "must be made of numbers, but is {'x': 1.0}"),
    (step(None), "must be made of numbers, but is None"),
    (step(reward=None), "a reward must be a number, but is None"),
    (step(reward="1.0"), "a reward must be a number, but is '1.0'"),
    (step(reward=ONE), r"a reward must be a number, but is an array \[1\] of float32"),
    (step(reward=np.ones(3)), r"a reward must be a number, but is an array \[3\]"),
    ((ONE, 1.0, False, {}), "step must give five values: observation.* it gave 4 values"),
    ([*step()], "step must give five values"),
    (7, "step must give five values: .* it gave 7"),
    ((ONE, 1.0, np.array([False]), False, {}), r"terminated must be true or false"),
    ((ONE, 1.0, None, False, {}), "terminated must be true or false, but is None"),
    ((ONE, 1.0, False, "no", {}), "truncated must be true or false, but is 'no'"),
    ((ONE, 1.0, 0.5, False, {}), "terminated must be true or false, but is 0.5"),
    ((ONE, 1.0, False, False, None), "info, which step gives, must be a dictionary, but is None"),
    (step(np.array([1.0], object)), r"must be made of numbers, but is an array \[1\] of object"),
    (step(np.array(["2020-01-01"], "datetime64[D]")), "must be made of numbers"),
    (step(Ending(SystemExit(0))), "must be made of numbers, but is <"),
    (step(Ending(KeyboardInterrupt())), "must be made of numbers, but is <"),
    (step(Ending(RuntimeError())), "must be made of numbers, but is <"),
    (step(reward=Ending(SystemExit(0))), "a reward must be a number, but is <"),
    (step(reward=Ending(KeyboardInterrupt())), "a reward must be a number, but is <"),
    ((ONE, 1.0, Ending(SystemExit(0)), False, {}), "terminated must be true or false, but is <"),
    (step(reward=10**400), "reward a number of 1329 bits"),
    (ZeroDivisionError("no\nway"), r"step raised ZeroDivisionError: no way \(worlds.py:\d+\)"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "said"), BREACHES, ids=range(len(BREACHES)))
def test_a_step_against_the_rules(given: Any, said: str) -> None:
    play(lambda: Unruly(step=given), 2)  # until then it keeps to them
    with noticed(), pytest.raises((BrokenEnvironment, Diverged), match=said) as caught:
        play(lambda: Unruly(step=given))
    message = str(caught.value)
    assert "environment" in message
    assert "at step 3 of the episode with seed 7" in message
    if isinstance(caught.value, BrokenEnvironment):
        assert "`rl doctor --env environment` checks it" in message
    assert "\n" not in message


RESETS = [
    (ONE, r"reset must give two values: observation, info; it gave an array \[1\]"),
    ((np.ones(3), {}), r"must have the shape \[1\], not \[3\]"),
    ((ONE, {}, {}), "reset must give two values: .* it gave 3 values"),
    ((ONE, None), "info, which reset gives, must be a dictionary, but is None"),
    (KeyError("x"), "reset raised KeyError: 'x'"),
]


@pytest.mark.parametrize(("given", "said"), RESETS, ids=range(len(RESETS)))
def test_a_reset_against_the_rules(given: Any, said: str) -> None:
    with pytest.raises(UserError, match=f"{said}.* at step 0 of the episode with seed 7"):
        play(lambda: Unruly(reset=given), 0)


@pytest.mark.parametrize(
    "given",
    [step([1.0]), step([1]), step(np.ones(1)), step(np.ones(1, np.int8)), step(np.array([True])),
     step(reward=1), step(reward=True), step(reward=np.float32(1)), step(reward=np.array(1.0)),
     (ONE, 1.0, np.False_, 0, {}), (ONE, 1.0, np.array(False), np.int64(0), {}),
     Five(ONE, 1.0, False, False, {})],
)  # fmt: skip
def test_what_can_be_taken_for_a_number_is(given: Any) -> None:
    environments = play(lambda: Unruly(step=given))
    np.testing.assert_array_equal(environments.observations, [[1.0]])
    assert environments._totals == [3.0]


def test_what_the_environment_raised_is_the_cause() -> None:
    error = ZeroDivisionError()
    with pytest.raises(UserError) as caught:
        play(lambda: Unruly(step=error))
    assert caught.value.__cause__ is error
    with pytest.raises(UserError) as caught:
        play(lambda: Unruly(step=step(reward=None)))
    assert caught.value.__cause__ is None


def test_too_few_values_are_named_behind_gymnasiums_wrappers_too() -> None:
    limited = gymnasium.wrappers.TimeLimit
    with pytest.raises(UserError, match=r"step must give five values: .* got 4"):
        play(lambda: limited(Unruly(step=(ONE, 1.0, False, {})), 10))
    with pytest.raises(UserError, match="step raised ValueError: cannot unpack mine"):
        play(lambda: limited(Unruly(step=ValueError("cannot unpack mine")), 10))


@pytest.mark.parametrize(
    ("space", "within", "beyond"),
    [(Discrete(3), 2, 3), (Discrete(3), 0, -1), (Discrete(3, start=5), 7, 2),
     (Discrete(3), np.int64(1), 1.5), (MultiDiscrete([2, 3]), np.array([1, 2]), np.array([2, 0]))],
)  # fmt: skip
def test_a_discrete_observation_lies_within_its_space(space: Any, within: Any, beyond: Any) -> None:
    play(lambda: Showing(space, within, within))
    with pytest.raises(UserError, match=r"must lie in (Multi)?Discrete\(.*, but is"):
        play(lambda: Showing(space, within, beyond))


def test_an_episode_without_a_limit_must_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "ENDLESS", 20)
    play(lambda: make_env("Endless-v0"), 20)
    with pytest.raises(UserError, match=r"Endless-v0: an episode must end.*max_episode_steps.*at"):
        play(lambda: make_env("Endless-v0"), 21)
    play(lambda: make_env("Endless-v0", max_episode_steps=30), 60)
    play(lambda: make_env("Steady-v0"), 60)


NOT_FINITE = [
    (step(np.array([math.nan])), r"observation \[nan\]"),
    (step(np.array([1e39])), r"observation \[1.e\+39\]"),  # infinite where the agent sees it
    (step(reward=math.inf), "reward inf"),
    (step(reward=-1e39), r"reward -1e\+39"),
    (step(reward=np.float32(math.nan)), "reward nan"),
]


@pytest.mark.parametrize(("given", "said"), NOT_FINITE, ids=range(len(NOT_FINITE)))
def test_what_is_not_finite_is_told_from_what_is_no_number(given: Any, said: str) -> None:
    with pytest.raises(Diverged, match=f"{said}, at step 3 of the episode with seed 7"):
        play(lambda: Unruly(step=given))


def test_a_preprocessor_does_not_hide_an_infinite_observation() -> None:
    """Normalize would cut it to its limit."""
    given = step(np.array([math.inf]))
    environments = Environments(
        lambda: Unruly(step=given), 1, itertools.count(), Normalize(1, Normalize.Settings())
    )
    environments.reset()
    environments.step(np.array([0]))
    environments.step(np.array([0]))
    with pytest.raises(Diverged, match="observation"):
        environments.step(np.array([0]))


def test_of_a_long_observation_only_some_is_shown() -> None:
    values = np.zeros(1000)
    values[500] = math.nan
    with pytest.raises(rules.NotFinite) as caught:
        rules.vector(values, 1000)
    assert "entry 500 of which is nan" in str(caught.value)
    assert len(str(caught.value)) < 120


def test_an_action_that_is_not_finite_never_reaches_an_environment() -> None:
    env = Pushed()
    lanes = iter([Pushed(), env])
    environments = Environments(lambda: next(lanes), 2, itertools.count(7))
    environments.reset()
    environments.step(np.array([[0.5], [1.0]], np.float32))
    with pytest.raises(Diverged, match=r"action: \[nan\].*step 1 of the episode with seed 8"):
        environments.step(np.array([[0.5], [math.nan]], np.float32))
    assert len(env.actions) == 1


@pytest.mark.slow
def test_the_command_line_says_it_in_one_line_and_keeps_the_traceback(
    rl: Command, tmp_path: Path
) -> None:
    answer = rl("run", "cartpole_dqn", "--steps", 1500, "--output", "r", "--set",
                "problem=Raising-v0", "import=tests.rl.worlds", PYTHONPATH=ROOT)  # fmt: skip
    assert answer.returncode == 2
    assert answer.stderr.startswith("rl: environment Raising-v0: step raised ZeroDivisionError: ")
    assert answer.stderr.count("\n") == 1
    kept = (tmp_path / "r/trial_000/session_000/traceback.txt").read_text()
    assert "ZeroDivisionError: nothing left" in kept
    assert "worlds.py" in kept


@pytest.mark.parametrize(
    ("id", "said"),
    [("Odd-made-v0", r"its constructor raised RuntimeError: no licence \(worlds.py:\d+\)"),
     ("Odd-no-space-v0", "must have an observation_space of gymnasium.spaces, but that is None"),
     ("Odd-no-actions-v0", "must have an action_space of gymnasium.spaces, but that is None")],
)  # fmt: skip
def test_what_can_be_seen_before_training_is(id: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        train(id, tmp_path)
    assert not list(tmp_path.rglob("manifest.json"))


def train(id: str, folder: Path, *overrides: str, **settings: Any) -> Any:
    overrides = (f"problem={id}", "train.steps=1100", "network.hidden=[4]", *overrides)
    return rl.train("cartpole_dqn", overrides=overrides, output=folder / "run", **settings)


def test_spaces_must_stay_as_they_are() -> None:
    said = r"its observation_space must stay Box.*\(1,\).*, but is Box.*\(2,\).* at step 0"
    with pytest.raises(UserError, match=said):
        play(lambda: make_env("Odd-grows-v0"), 0)


def test_a_reset_without_the_keywords_is_told_so() -> None:
    with pytest.raises(UserError, match="reset must take the keywords seed and options; it raised"):
        play(lambda: make_env("Bare-v0"), 0)


def test_an_array_that_the_environment_writes_into_again_is_copied() -> None:
    buffer = np.ones(1)
    environments = play(lambda: Unruly(step=step(buffer)))
    state = environments.state()
    buffer[:] = 7.0
    assert state["lanes"]["0"]["observation"].tolist() == [1.0]
    assert environments.state()["lanes"]["0"]["observation"].tolist() == [1.0]


class Notes(Callback):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def noted(self, text: str) -> None:
        self.texts.append(text)


def test_an_environment_that_cannot_be_closed_costs_nothing_but_a_line(tmp_path: Path) -> None:
    notes = Notes()
    run = train("Odd-close-v0", tmp_path, callbacks=notes)
    assert run.outcome["status"] == "finished"
    assert sum("close raised OSError: port in use" in text for text in notes.texts) == 1
