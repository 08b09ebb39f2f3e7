"""What the agent sees and is rewarded with, by hand; and that a saved agent sees the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rl
from nn.typing import Array
from rl.environments import Environments
from rl.preprocessors import Difference, Normalize, Preprocessor, Stack
from rl.saved.run import Run
from tests.contracts.cases import OF_VECTORS
from tests.rl.worlds import Counter

EPISODE = [[1.0, 10.0], [2.0, 30.0], [4.0, 60.0]]


def seen(
    preprocessor: Preprocessor, episode: list[list[float]], lane: int = 0
) -> list[list[float]]:
    """What the agent sees of an episode."""
    out = np.zeros(preprocessor.size, np.float32)
    result = []
    for number, raw in enumerate(episode):
        look = preprocessor.follow if number else preprocessor.start
        look(lane, np.array(raw), out)
        result.append(out.tolist())
    return result


def test_identity() -> None:
    assert seen(Preprocessor(2, Preprocessor.Settings()), EPISODE) == EPISODE
    assert Preprocessor(2, Preprocessor.Settings(reward_scale=0.5)).reward(0, 3.0, False) == 1.5


@pytest.mark.parametrize("kind", OF_VECTORS.values())
def test_rewards_are_clipped_after_they_are_scaled(kind: type[Preprocessor]) -> None:
    """Halved and cut at 10: 30 would be 5 the other way about."""
    view = kind(2, kind.Settings(reward_scale=0.5, reward_clip=10.0))
    rewards = [view.reward(0, reward, False) for reward in (30.0, 18.0, -19.0, -100.0)]
    assert rewards == [10.0, 9.0, -9.5, -10.0]
    assert kind(2, kind.Settings()).reward(0, -1e9, False) == -1e9
    assert np.isnan(view.reward(0, float("nan"), False))


def test_a_stack_by_hand() -> None:
    view = Stack(2, Stack.Settings(length=3)).for_lanes(2, learning=True)
    expected = [[1, 10, 1, 10, 1, 10], [1, 10, 1, 10, 2, 30], [1, 10, 2, 30, 4, 60]]
    assert seen(view, EPISODE, lane=1) == expected
    assert seen(view, EPISODE, lane=1) == expected  # nothing is left of the episode before
    assert seen(view, [[7, 7]], lane=0) == [[7] * 6]


@pytest.mark.parametrize("keep", [True, False])
def test_a_difference_by_hand(keep: bool) -> None:
    differences = [[0.0, 0.0], [1.0, 20.0], [2.0, 30.0]]
    expected = [raw * keep + d for raw, d in zip(EPISODE, differences, strict=True)]
    view = Difference(2, Difference.Settings(keep=keep)).for_lanes(1, learning=False)
    assert seen(view, EPISODE) == expected
    assert seen(view, EPISODE) == expected


def test_normalized_observations_by_hand() -> None:
    """Of 1, 2, 4: means 1, 1.5, 7/3; variances 1 (of a single one), 1/4, 14/9."""
    view = Normalize(1, Normalize.Settings()).for_lanes(1, learning=True)
    values = [row[0] for row in seen(view, [[1], [2], [4]])]
    np.testing.assert_allclose(values, [0, 0.5 / 0.5, (5 / 3) / np.sqrt(14 / 9)], rtol=1e-5)


def test_lanes_are_normalized_together_by_hand() -> None:
    """Of 1 and 3, then 2 and 6: means 2 and 3, variances 1 and 14 / 4; then only lane 1 plays."""
    view = Normalize(1, Normalize.Settings(epsilon=0.0)).for_lanes(2, learning=True)
    out = np.full((2, 1), 9.0, np.float32)
    view.follow_lanes([0, 1], [np.array([1.0]), np.array([3.0])], out)
    np.testing.assert_allclose(out, [[-1.0], [1.0]])
    view.follow_lanes([0, 1], [np.array([2.0]), np.array([6.0])], out)
    np.testing.assert_allclose(out, np.array([[-1.0], [3.0]]) / np.sqrt(14 / 4), rtol=1e-6)
    view.follow_lanes([1], [np.array([7.0]), np.array([3.0])], out)  # of 1, 3, 2, 6, 3: mean 3
    np.testing.assert_allclose(out, [[-1.0 / np.sqrt(14 / 4)], [0.0]], rtol=1e-6, atol=1e-7)


def test_what_is_normalized_is_kept_within_bounds() -> None:
    view = Normalize(1, Normalize.Settings(clip=2.0)).for_lanes(1, learning=True)
    seen(view, [[0.0], [1.0]] * 50)
    frozen = view.for_lanes(1, learning=False)
    assert seen(frozen, [[100.0], [-100.0]]) == [[2.0], [-2.0]]


def test_only_learning_changes_the_statistics_and_all_lanes_share_them() -> None:
    base = Normalize(1, Normalize.Settings())
    learner, reader = base.for_lanes(2, learning=True), base.for_lanes(1, learning=False)
    seen(learner, [[1.0], [5.0]], lane=1)
    assert seen(reader, [[3.0]]) == [[0.0]]
    assert seen(reader, [[3.0], [99.0]])[0] == [0.0]
    assert base.state()["observations"]["count"] == 2


def test_normalized_rewards_by_hand() -> None:
    """gamma 1/2, rewards 2, 4: returns 2 and 5 of variance 9/4; then a new episode begins."""
    view = Normalize(1, Normalize.Settings(observations=False, rewards=True, gamma=0.5)).for_lanes(
        1, learning=True
    )
    assert view.reward(0, 2.0, False) == pytest.approx(2.0)
    assert view.reward(0, 4.0, True) == pytest.approx(4.0 / 1.5)
    # returns 2, 5, 6: of a new episode, not 6 + 5 / 2.
    assert view.reward(0, 6.0, False) == pytest.approx(6.0 / np.std([2, 5, 6]))
    assert seen(view, [[5.0], [6.0]]) == [[5.0], [6.0]]


def test_a_mean_near_the_origin_may_be_kept() -> None:
    """Means 2, 2 and -9 of deviation 1, 0 and 1: 3 deviations are kept."""
    settings = Normalize.Settings(center_beyond=3.0, epsilon=0.0)
    view = Normalize(3, settings).for_lanes(1, learning=True)
    values = seen(view, [[1.0, 2.0, -10.0], [3.0, 2.0, -8.0]])
    np.testing.assert_allclose(values[1], [3.0, 0.0, -8.0 + 6.0])


def test_after_the_warmup_the_statistics_of_observations_stay() -> None:
    """Of 1 and 3: mean 2, deviation 1."""
    view = Normalize(1, Normalize.Settings(warmup=2, epsilon=0.0)).for_lanes(1, learning=True)
    assert seen(view, [[1.0], [3.0], [7.0], [2.5]]) == [[0.0], [1.0], [5.0], [0.5]]


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_without_an_epsilon_the_scale_does_not_matter(scale: float) -> None:
    """gamma 1/2; a constant stays what it is."""
    settings = Normalize.Settings(rewards=True, gamma=0.5, epsilon=0.0)
    one, other = (Normalize(2, settings).for_lanes(1, learning=True) for _ in range(2))
    raw = [[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]]
    scaled = [[scale * first, second] for first, second in raw]
    np.testing.assert_allclose(np.array(seen(other, scaled)), np.array(seen(one, raw)))
    assert [row[1] for row in seen(one, raw)] == [0.0, 0.0, 0.0]
    assert one.reward(0, 0.0, False) == 0.0
    assert one.reward(0, 4.0, True) == pytest.approx(4.0 / np.std([0.0, 4.0]))
    assert [other.reward(0, scale * each, each > 0) for each in (0.0, 4.0)] == [
        0.0, pytest.approx(2.0)
    ]  # fmt: skip


def test_rewards_are_clipped_before_they_are_normalized() -> None:
    """As above, of 100 cut to 4; its deviation is that of what was cut."""
    view = Normalize(1, Normalize.Settings(rewards=True, gamma=0.5, reward_clip=4.0)).for_lanes(
        1, learning=True
    )
    rewards = [view.reward(0, 2.0, False), view.reward(0, 100.0, True)]
    assert rewards == pytest.approx([2.0, 4.0 / 1.5])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: Preprocessor(1, Preprocessor.Settings(reward_scale=0.0)),
            "reward_scale must be greater than 0",
        ),
        (
            lambda: Preprocessor(1, Preprocessor.Settings(reward_clip=0.0)),
            "reward_clip must be greater than 0",
        ),
        (lambda: Stack(1, Stack.Settings(length=0)), "length must be at least 1"),
        (lambda: Normalize(1, Normalize.Settings(gamma=2.0)), "gamma must lie"),
        (lambda: Normalize(1, Normalize.Settings(clip=0.0)), "clip must be greater"),
    ],
)
def test_impossible_settings_are_refused(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def counters(lengths: tuple[int, ...], preprocessor: Preprocessor) -> Environments:
    remaining = iter(lengths)
    environments = Environments(
        lambda: Counter(next(remaining)), len(lengths), iter(range(100)), preprocessor
    )
    environments.reset()
    return environments


def step(environments: Environments, times: int) -> Any:
    for _ in range(times):
        latest = environments.step(np.zeros(len(environments.observations), np.int64))
    return latest


def test_an_episode_that_ends_shows_its_last_step_and_the_next_begins_afresh() -> None:
    environments = counters((2,), Stack(2, Stack.Settings(length=2)).for_lanes(1, learning=True))
    latest = step(environments, 2)
    assert latest.next_observations[0, [0, 2]].tolist() == [1.0, 2.0]
    assert environments.observations[0, [0, 2]].tolist() == [0.0, 0.0]


def test_reported_returns_are_raw() -> None:
    view = Preprocessor(2, Preprocessor.Settings(reward_scale=0.1, reward_clip=0.15)).for_lanes(
        1, learning=True
    )
    environments = counters((2,), view)
    latest = step(environments, 2)
    assert latest.rewards.tolist() == pytest.approx([0.15])
    assert (latest.returns.tolist(), environments.finished[0].total) == ([3.0], 3.0)


@pytest.mark.parametrize("kind", OF_VECTORS.values())
def test_a_rebuilt_episode_goes_on_to_the_bit(kind: type[Preprocessor]) -> None:
    base, other_base = kind(2, kind.Settings()), kind(2, kind.Settings())
    environments = counters((50, 50), base.for_lanes(2, learning=True))
    step(environments, 5)
    other = counters((50, 50), other_base.for_lanes(2, learning=True))
    other_base.restore(base.state())
    other.restore(environments.state())
    np.testing.assert_array_equal(other.observations, environments.observations)
    one, two = step(environments, 3), step(other, 3)
    np.testing.assert_array_equal(one.next_observations, two.next_observations)
    np.testing.assert_array_equal(one.rewards, two.rewards)


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_VECTORS)
def test_a_loaded_agent_scores_what_it_scored(name: str, tmp_path: Path) -> None:
    """Through the evaluation, and through a loop of one's own."""
    run = rl.train(
        "cartpole_dqn",
        overrides=["train.steps=1200", "train.evaluate_every=1200", f"preprocessor.name={name}"],
        output=tmp_path / "run",
    )
    scored = run.outcome["evaluation"]["mean_return"]
    assert Run.open(tmp_path / "run").evaluate().mean == scored
    player, env = rl.load(tmp_path / "run"), rl.make_env("CartPole-v1")
    for number, seed in enumerate(rl_seeds(5)):
        assert play(player, env, seed) == run.evaluate(5).returns[number]


def rl_seeds(episodes: int) -> Any:
    from rl.environments import evaluation_seeds

    return evaluation_seeds("report", 0, episodes)


def play(player: Any, env: Any, seed: int) -> float:
    player.reset()
    observation, _ = env.reset(seed=seed)
    total, ended = 0.0, False
    while not ended:
        observation, reward, terminated, truncated, _ = env.step(player.act(observation))
        total, ended = total + reward, terminated or truncated
    return total


@pytest.mark.slow
def test_a_player_refuses_an_observation_of_another_size(tmp_path: Path) -> None:
    run = rl.train("cartpole_dqn", overrides=["train.steps=1500"], output=tmp_path / "run")
    observation: Array = np.zeros(3)
    with pytest.raises(ValueError, match=r"must have 4 entries, not the shape \[3\]"):
        rl.load(run.path).act(observation)
