"""What agents see of pictures, by hand; Atari's rules; the games of packages that may be absent."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import TimeLimit

import rl
from nn.typing import Array
from rl.environments import Environments
from rl.environments.atari import Atari
from rl.environments.registered import is_installed
from rl.environments.spaces import Discrete as Among
from rl.preprocessors import PREPROCESSORS, Picture
from rl.preprocessors.pictures import area_weights
from rl.session.evaluation import Evaluator
from rl.specification.build import build
from rl.specification.specification import all_specifications
from tests.contracts.cases import Play, assert_same, experiment
from tests.contracts.cases import values as contract_values
from tests.rl import worlds  # noqa: F401  registers its environments
from tests.rl.conftest import quick

OF_PICTURES = [name for name, part in PREPROCESSORS.items() if part.of_pictures]
COLOURED = Picture((2, 4, 3), False, True)
CONV = [{"filters": 2, "size": 2}]


def seen(name: str, raw: Picture, *frames: Array, **settings: Any) -> Array:
    """What the agent sees of the last of these frames [channels, height, width]."""
    part: Any = PREPROCESSORS[name]
    view = part(frames[0].size, part.Settings(**settings), raw).for_lanes(1, learning=False)
    out = np.zeros(view.size, np.uint8 if raw.is_bytes else np.float32)
    for number, frame in enumerate(frames):
        (view.follow if number else view.start)(0, frame.ravel(), out)
    height, width, channels = view.picture(raw).shape
    return out.reshape(channels, height, width)


def test_grey_by_hand() -> None:
    """0.299 x 10 + 0.587 x 20 + 0.114 x 200 = 37.53; one of one channel is grey already."""
    frame = np.tile([10, 20, 200], (2, 4, 1)).astype(np.uint8)
    assert (seen("Grayscale", COLOURED, frame) == 38).all()
    one = np.arange(8, dtype=np.uint8)
    assert seen("Grayscale", Picture((2, 4, 1), False, True), one).ravel().tolist() == [*range(8)]


def test_a_smaller_picture_has_the_means_of_areas() -> None:
    """Of 3 pixels in 2: 2/3 of the first and 1/3 of the second, then the other way about."""
    weights = area_weights(3, 2)
    assert weights is not None
    np.testing.assert_allclose(weights, [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]], rtol=1e-6)
    raw = Picture((2, 3, 1), False)
    frame = np.array([[0.0, 3, 6], [9, 12, 15]])
    np.testing.assert_allclose(seen("Resize", raw, frame, height=1, width=2), [[[5.5, 9.5]]])
    wide = seen("Resize", raw, frame, height=2, width=6)[0, 0]
    np.testing.assert_allclose(wide, [0, 0, 3, 3, 6, 6], rtol=1e-6)


@pytest.mark.parametrize("first", [False, True])
def test_a_cut_by_hand(first: bool) -> None:
    """One row of the top and one column at the left of three, in either order of the axes."""
    frame = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    given = frame.transpose(2, 0, 1) if first else frame
    cut = seen("Crop", Picture((2, 4, 3), first, True), given, crop=(1, 0, 1, 0))
    assert cut[:, 0].tolist() == [[15, 18, 21], [16, 19, 22], [17, 20, 23]]


def test_a_stack_of_frames_by_hand() -> None:
    frames = [np.full((2, 4, 3), value, np.uint8) for value in (7, 8, 9)]
    stacked = seen("FrameStack", COLOURED, *frames, frames=3, grayscale=True)
    assert stacked[:, 0, 0].tolist() == [7, 8, 9]
    assert (
        seen("FrameStack", COLOURED, *frames[:2], frames=3)[:, 1, 3].tolist() == [7] * 6 + [8] * 3
    )


class Lives(gymnasium.Env[Any, Any]):
    """A game of three lives of 5 screens each, whose even screens are bright at the left."""

    def __init__(self) -> None:
        self.observation_space, self.action_space = Box(0, 255, (6, 8, 1), np.uint8), Discrete(3)
        self.count, self.no_ops = 0, 0

    def get_action_meanings(self) -> list[str]:
        return ["NOOP", "FIRE", "UP"]

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.count = self.no_ops = 0
        return self._screen(), {"lives": 3}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.count += 1
        self.no_ops += action == 0
        lives = 3 - self.count // 5
        return self._screen(), 2.0, lives == 0, False, {"lives": lives}

    def _screen(self) -> Array:
        screen = np.full((6, 8, 1), self.count, np.uint8)
        screen[:, 4 * (self.count % 2) :][:, :4] = 200
        return screen


gymnasium.register("Lives-v0", f"{__name__}:Lives")


def of_lives(**preprocessor: Any) -> dict[str, Any]:
    given = contract_values("DQN", Among, network={"conv": CONV, "hidden": [8]})
    return {**given, "problem": "Lives-v0", "train": {**given["train"], "lanes": 1},
            "preprocessor": {"name": "Atari", "height": 3, "width": 4, **preprocessor}}  # fmt: skip


def test_an_action_is_done_several_times_and_two_screens_are_joined() -> None:
    game = Lives()
    env = Atari(game, skip=3, no_ops=0)
    env.reset(seed=0)
    observation, reward, *_ = env.step(1)
    assert (observation == 200).all()
    assert (reward, game.count) == (6.0, 3)


def test_a_time_limit_in_the_step_that_loses_a_life() -> None:
    """To what is learned it is an end (Mnih et al. 2015), though a limit has cut the episode."""
    made = experiment(of_lives(skip=5, no_ops=0))
    environments = Environments(
        lambda: TimeLimit(Atari(Lives(), skip=5, no_ops=0), 2), 1, 0,
        made.preprocessor.for_lanes(1, learning=True),
    )  # fmt: skip
    environments.reset()
    for number in range(2):
        latest = environments.step(np.ones(1, np.int64))
        made.agent.observe(latest)
        assert latest.terminated.tolist() == [True]
        assert latest.truncated.tolist() == [number == 1]
    (episode,) = environments.finished
    assert (episode.length, episode.terminated, episode.cut) == (2, False, False)
    memory = made.agent.replay
    assert memory is not None
    assert memory.records(0, 2)["discounts"].tolist() == [0.0, 0.0]


def test_no_ops_beyond_the_end_of_a_game_begin_another() -> None:
    """A game has 15 screens; the lives are those of the game that is played."""
    seen = set()
    for seed in range(8):
        game = Lives()
        env = Atari(game, skip=1, no_ops=40)
        _, info = env.reset(seed=seed)
        seen.add(game.count)
        assert 0 <= game.count < 15
        assert info["lives"] == 3 - game.count // 5
        assert "life_lost" not in env.step(1)[4] or game.count % 5 == 0
    assert len(seen) > 3


def test_screens_of_two_lives_are_joined_and_none_beyond_the_end() -> None:
    """The last screen of a life lies over the first of the next; a game's last step is shorter."""
    game = Lives()
    env = Atari(game, skip=6, no_ops=0)
    env.reset(seed=0)
    observation, _, _, _, info = env.step(1)
    assert (game.count, info["lives"], info["life_lost"]) == (6, 2, True)
    assert (observation == 200).all()
    for _ in range(2):
        _, reward, terminated, _, info = env.step(1)
    assert (game.count, reward, terminated, info["lives"]) == (15, 6.0, True, 0)


@pytest.mark.parametrize("fire", [False, True])
def test_fire_begins_each_life(fire: bool) -> None:
    game, pressed = Lives(), []
    game_step = game.step

    def step(action: Any) -> Any:
        pressed.append(action)
        return game_step(action)

    game.step = step  # type: ignore[method-assign]
    env = Atari(game, skip=2, no_ops=0, fire=fire)
    env.reset(seed=0)
    assert pressed == [1, 1] * fire
    rewards = [env.step(2)[1] for _ in range(2)]
    # The fifth screen loses a life; with FIRE that is in the second step, of four screens.
    assert pressed == ([1, 1, 2, 2, 2, 2, 1, 1] if fire else [2] * 4)
    assert rewards == ([4.0, 8.0] if fire else [4.0] * 2)


def test_an_episode_begins_with_no_ops_that_follow_from_its_seed() -> None:
    counts = []
    for seed in (*range(20), 0):
        game = Lives()
        Atari(game, no_ops=4).reset(seed=seed)
        counts.append(game.no_ops)
    assert set(counts) == {1, 2, 3, 4}
    assert counts[0] == counts[-1]


@pytest.mark.parametrize("life_loss", [True, False])
def test_a_lost_life_ends_what_is_learned_but_no_episode(life_loss: bool) -> None:
    """Steps of 5 screens: a life each; evaluations see whole games, and rewards as they are."""
    made = experiment(of_lives(skip=5, no_ops=0, life_loss=life_loss))
    play = Play(made)
    ends, lengths = [], []
    for _ in range(6):
        latest = play.environments.step(np.ones(1, np.int64))
        assert latest.rewards.tolist() == [1.0]
        ends.append(bool(latest.terminated[0]))
        lengths += [episode.length for episode in play.environments.finished]
    assert ends == ([True] * 6 if life_loss else [False, False, True] * 2)
    assert lengths == [3, 3]
    evaluator = Evaluator.of(made.problem, made.preprocessor, made.spaces.actions)
    assert evaluator.play(made.agent, [1, 2]).returns == [30.0, 30.0]


@pytest.mark.parametrize("name", OF_PICTURES)
def test_an_agent_behind_it_is_resumed_to_the_bit(name: str) -> None:
    given = of_lives(name=name) if name == "Atari" else {
        **of_lives(), "preprocessor": {"name": name, "height": 5, "width": 4}}  # fmt: skip
    one, other = (experiment(given) for _ in range(2))
    plays = Play(one), Play(other)
    plays[0].steps(40)
    assert one.agent.updates
    assert one.preprocessor.kind == np.uint8
    memory, theirs = one.agent.replay, other.agent.replay
    assert memory and theirs and memory.frames and theirs.frames  # noqa: PT018
    frames = memory.frames
    theirs.frames.put(frames.added - frames.size, frames.records(frames.added - frames.size,
                                                                 frames.added))  # fmt: skip
    theirs.put(memory.added - memory.size, memory.records(memory.added - memory.size, memory.added))
    other.agent.restore(one.agent.state())
    first, second = (play.environments for play in plays)
    second.seeds.restore(first.seeds.state())  # type: ignore[attr-defined]
    second.restore(first.state())
    for play in plays:
        play.steps(15)
    assert_same(one.agent.policy_state(), other.agent.policy_state())


def picture(shape: list[int], **preprocessor: Any) -> dict[str, Any]:
    given = of_lives()
    given.pop("problem")
    environment = {"id": "Bright-v0", "kwargs": {"shape": shape}}
    return {**given, "environment": environment, "preprocessor": preprocessor}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": "FrameStack", "frames": 0}, "preprocessor.frames must be at least 1, not 0"),
    ({"name": "Crop", "crop": [3, 3, 0, 0]}, r"crop \[3, 3, 0, 0\] leaves nothing .* 6 x 7"),
    ({"name": "Crop", "crop": [1]}, "crop must be four numbers of pixels"),
    ({"name": "Crop", "crop": [-1, 0, 0, 0]}, "crop must be four numbers of pixels"),
    ({"name": "Grayscale"}, "grayscale needs 1 or 3 channels, and these pictures have 2"),
    ({"name": "Resize", "height": 0}, "preprocessor.height must be at least 1"),
    ({"name": "Resize", "width": 100_000}, "preprocessor.width must be at most 1000"),
    ({"name": "Atari"},
     r"preprocessor cannot be applied: Atari needs an action 0 .* \(NOOP\); write no_ops: 0"),
    ({"name": "Atari", "skip": 0}, "preprocessor.skip must be at least 1"),
    ({"name": "Stack"}, "network.conv needs pictures, and the preprocessor Stack makes vectors"),
]  # fmt: skip


@pytest.mark.parametrize(("preprocessor", "said"), REFUSED)
def test_what_does_not_fit_is_refused(preprocessor: dict[str, Any], said: str) -> None:
    with pytest.raises(rl.UserError, match=said):
        experiment(picture([6, 7, 2], **preprocessor))


@pytest.mark.parametrize("name", OF_PICTURES)
def test_a_vector_is_no_picture(name: str) -> None:
    given = contract_values("DQN", Among, preprocessor={"name": name})
    with pytest.raises(
        rl.UserError, match=f"preprocessor.*{name},? .*needs pictures, and observations are none"
    ):
        experiment(given)


def test_floats_in_a_space_of_bytes_are_refused(monkeypatch: Any) -> None:
    play = Play(experiment(of_lives(no_ops=0)))
    monkeypatch.setattr(Lives, "_screen", lambda self: np.full((6, 8, 1), 0.5))
    with pytest.raises(rl.UserError, match="must be made of bytes, as its space"):
        play.environments.step(np.ones(1, np.int64))


OF_PACKAGES = {name: each for name, each in all_specifications().items()
               if each.environment_id.startswith(("ALE/", "MinAtar/"))}  # fmt: skip


@pytest.mark.parametrize("name", quick(1, OF_PACKAGES))
def test_an_experiment_of_a_package_plays_or_names_it(name: str, rl_here: Any) -> None:
    """Where it is installed; else one line says how to install it."""
    specification = OF_PACKAGES[name]
    if not is_installed(specification.environment_id):
        answer = rl_here("run", name)
        assert answer.returncode == 2
        package = "ale-py" if name.startswith("pong") else "minatar"
        assert f"python -m pip install {package}" in answer.stderr
        return
    made = build(specification.assign({"memory.capacity": 1_000}), 0)
    play = Play(made)
    play.steps(30)
    assert play.environments.restore(play.environments.state()) == []


def test_a_real_game_counts_its_lives() -> None:
    """Of five; a ball that nobody fires, or nobody catches, is lost."""
    pytest.importorskip("ale_py", reason="Atari games are an extra: .[atari]")
    given = of_lives(no_ops=0, fire=True)
    play = Play(experiment({**given, "problem": "ALE/Breakout-v5"}))
    for _ in range(200):
        latest = play.environments.step(np.zeros(1, np.int64))
        assert play.environments.finished == []
        if latest.terminated[0]:
            break
    assert latest.terminated.tolist() == [True]
    assert latest.truncated.tolist() == [False]


def test_pictures_of_every_environment() -> None:
    """The pixels of an environment that shows none by itself."""
    given = contract_values("DQN", Among, network={"conv": CONV, "hidden": [8]},
                            preprocessor={"name": "FrameStack", "height": 12, "width": 18,
                                          "grayscale": True, "frames": 2})  # fmt: skip
    given.pop("problem")
    environment = {"id": "Shown-v0", "wrappers": ["AddRenderObservation"]}
    play = Play(experiment({**given, "environment": environment}))
    play.steps(3)
    assert play.environments.observations[0].reshape(2, 12, 18)[:, 0, 0].tolist() == [60, 90]
