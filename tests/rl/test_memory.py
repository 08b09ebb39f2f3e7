"""The memories: the ring, priorities, n-step transitions, the rollout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rl.memory import HighLow, LeftTail, NStep, Prioritized, Replay, Rollout
from rl.memory.prioritized import SumTree
from tests.rl.conftest import take_over


def replay(capacity: int = 4, batch_size: int = 2, seed: int = 0) -> Replay:
    return Replay(
        1, np.random.default_rng(seed), Replay.Settings(capacity=capacity, batch_size=batch_size)
    )


def fill(memory: Replay, count: int, start: int = 0) -> None:
    for i in range(start, start + count):
        memory.add(np.array([i]), i % 3, float(i), 0.5 + i, np.array([i + 1]))


def test_the_oldest_transition_is_overwritten() -> None:
    memory = replay(capacity=4, batch_size=4)
    fill(memory, 6)
    assert memory.size == 4
    drawn = {float(memory.sample().rewards[0]) for _ in range(200)}
    assert drawn == {2.0, 3.0, 4.0, 5.0}


def test_a_memory_that_is_not_full_gives_only_what_was_added() -> None:
    memory = replay(capacity=100, batch_size=50)
    fill(memory, 3, start=7)
    assert set(memory.sample().rewards) == {7.0, 8.0, 9.0}


def test_the_fields_of_a_transition_stay_together() -> None:
    memory = replay(capacity=8, batch_size=8)
    fill(memory, 11)
    batch = memory.sample()
    numbers = batch.rewards
    np.testing.assert_array_equal(batch.observations[:, 0], numbers)
    np.testing.assert_array_equal(batch.actions, numbers.astype(int) % 3)
    np.testing.assert_array_equal(batch.discounts, numbers + 0.5)
    np.testing.assert_array_equal(batch.next_observations[:, 0], numbers + 1)


def test_every_transition_is_drawn_equally_often() -> None:
    memory = replay(capacity=5, batch_size=5)
    fill(memory, 5)
    counts = np.zeros(5)
    for _ in range(10_000):
        counts += np.bincount(memory.sample().rewards.astype(int), minlength=5)
    expected = counts.sum() / 5
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert chi_squared < 18.5  # the 0.1% point of 4 degrees of freedom


def test_a_restored_memory_goes_on_to_the_bit() -> None:
    memory, other = replay(capacity=4, batch_size=3), replay(capacity=4, batch_size=3, seed=9)
    fill(memory, 6)
    take_over(memory, other)
    fill(memory, 1, start=20)
    fill(other, 1, start=20)
    for _ in range(5):
        np.testing.assert_array_equal(memory.sample().rewards, other.sample().rewards)


def test_only_transitions_that_are_there_can_be_given_out() -> None:
    memory = replay(capacity=4, batch_size=3)
    fill(memory, 6)
    assert memory.records(2, 6)["rewards"].tolist() == [2.0, 3.0, 4.0, 5.0]
    assert memory.records(3, 5)["rewards"].tolist() == [3.0, 4.0]
    for first, last in ((1, 6), (2, 7), (5, 4)):
        with pytest.raises(ValueError, match="not all are in the memory"):
            memory.records(first, last)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [({"batch_size": 0}, "batch_size"), ({"capacity": 3, "batch_size": 4}, "capacity")],
)
def test_impossible_sizes_are_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Replay(1, np.random.default_rng(0), Replay.Settings(**settings))


def test_an_empty_memory_cannot_be_sampled() -> None:
    with pytest.raises(ValueError, match="empty"):
        replay().sample()


class Collected:
    """Takes transitions as a replay memory does."""

    def __init__(self) -> None:
        # observation, action, total, discount, next observation
        self.all: list[tuple[float, int, float, float, float]] = []

    def add(self, observation: Any, action: int, total: float, discount: float, after: Any) -> None:
        self.all.append((float(observation[0]), action, total, discount, float(after[0])))


def steps(n: int, rewards: list[float], terminated: bool, truncated: bool) -> Collected:
    """What an n-step writer makes of one episode at gamma = 0.5; state i is followed by i + 1."""
    collected = Collected()
    writer = NStep(collected.add, n, gamma=0.5)
    for i, reward in enumerate(rewards):
        last = i == len(rewards) - 1
        writer.add(
            np.array([i]), i, reward, np.array([i + 1]), terminated and last, truncated and last
        )
    return collected


def test_one_step_transitions_are_the_steps_themselves() -> None:
    assert steps(1, [8.0, 4.0], terminated=True, truncated=False).all == [
        (0, 0, 8.0, 0.5, 1),
        (1, 1, 4.0, 0.0, 2),
    ]


def test_three_steps_sum_their_discounted_rewards() -> None:
    made = steps(3, [8.0, 4.0, 16.0, 2.0], terminated=False, truncated=False).all
    assert made == [
        (0, 0, 8.0 + 2.0 + 4.0, 0.125, 3),
        (1, 1, 4.0 + 8.0 + 0.5, 0.125, 4),
    ]


def test_a_terminal_state_ends_shorter_transitions_without_a_next_value() -> None:
    assert steps(3, [8.0, 4.0], terminated=True, truncated=False).all == [
        (0, 0, 10.0, 0.0, 2),
        (1, 1, 4.0, 0.0, 2),
    ]


def test_a_time_limit_ends_shorter_transitions_that_bootstrap_with_their_own_discount() -> None:
    assert steps(3, [8.0, 4.0], terminated=False, truncated=True).all == [
        (0, 0, 10.0, 0.25, 2),
        (1, 1, 4.0, 0.5, 2),
    ]


def test_no_transition_reaches_into_the_next_episode() -> None:
    collected = Collected()
    writer = NStep(collected.add, 3, gamma=0.5)
    writer.add(np.array([0]), 0, 8.0, np.array([1]), True, False)
    writer.add(np.array([10]), 1, 4.0, np.array([11]), False, False)
    assert collected.all == [(0, 0, 8.0, 0.0, 1)]


def test_a_restored_writer_goes_on_where_the_other_was() -> None:
    first, second = Collected(), Collected()
    writer, other = NStep(first.add, 3, gamma=0.5), NStep(second.add, 3, gamma=0.5)
    for i in (0, 1):
        writer.add(np.array([i]), i, 8.0, np.array([i + 1]), False, False)
    other.restore(writer.state())
    for each in (writer, other):
        each.add(np.array([2]), 2, 4.0, np.array([3]), True, False)
    assert first.all == second.all
    assert len(second.all) == 3


def test_the_observation_is_copied_when_it_is_added() -> None:
    collected = Collected()
    writer = NStep(collected.add, 2, gamma=0.5)
    observation = np.array([7.0])
    writer.add(observation, 0, 1.0, np.array([8.0]), False, False)
    observation[0] = 99.0
    writer.add(np.array([8.0]), 0, 1.0, np.array([9.0]), True, False)
    assert collected.all[0][0] == 7.0


def test_continuous_actions_are_stored() -> None:
    settings, actions = Replay.Settings(capacity=4, batch_size=3), np.zeros((0, 2), np.float32)
    memory = Replay(1, np.random.default_rng(0), settings, actions)
    for i in range(4):
        memory.add(np.array([i]), np.array([i, -i]), 0.0, 0.5, np.array([i]))
    batch = memory.sample()
    np.testing.assert_array_equal(batch.actions[:, 0], batch.observations[:, 0])
    np.testing.assert_array_equal(batch.actions[:, 1], -batch.observations[:, 0])


def test_n_step_keeps_an_action_that_its_owner_overwrites() -> None:
    memory = Replay(
        1, np.random.default_rng(0), Replay.Settings(batch_size=1), np.zeros((0, 1), np.float32)
    )
    n_step, action = NStep(memory.add, 2, 0.5), np.array([1.0])
    n_step.add(np.zeros(1), action, 0.0, np.zeros(1), False, False)
    action[:] = 7.0
    n_step.add(np.zeros(1), action, 0.0, np.zeros(1), False, False)
    assert memory.sample().actions.tolist() == [[1.0]]


def test_a_sum_tree_by_hand() -> None:
    """Priorities 3, 0, 5, 2, 4: their running sums are 3, 3, 8, 10, 14."""
    tree = SumTree(5)
    tree.set(np.arange(5), np.array([3.0, 9.0, 5.0, 2.0, 4.0]))
    tree.set(np.array([1]), np.array([0.0]))
    assert tree.total == 14.0
    found = tree.find(np.array([0.0, 2.9, 3.0, 7.9, 8.0, 9.9, 10.0, 13.9]))
    assert found.tolist() == [0, 0, 2, 2, 3, 3, 4, 4]
    assert tree.get(np.array([2, 1])).tolist() == [5.0, 0.0]


@pytest.mark.parametrize("capacity", [1, 2, 3, 64, 100])
def test_a_sum_tree_sums_whatever_was_set_in_whatever_order(capacity: int) -> None:
    rng, tree, priorities = np.random.default_rng(0), SumTree(capacity), np.zeros(capacity)
    for _ in range(50):
        leaves = rng.integers(capacity, size=7)
        values = rng.random(7)
        priorities[leaves] = values
        tree.set(leaves, priorities[leaves])
    assert tree.total == pytest.approx(priorities.sum())
    places = rng.random(1000) * tree.total
    expected = np.searchsorted(np.cumsum(priorities), places, side="right")
    np.testing.assert_array_equal(tree.find(places), expected)


def test_a_sum_beyond_the_end_by_rounding_finds_a_leaf_that_has_a_priority() -> None:
    tree = SumTree(4)
    tree.set(np.array([0, 1]), np.array([1.0, 2.0]))
    assert tree.find(np.array([3.0, 3.0000001])).tolist() == [1, 1]


def prioritized(capacity: int = 8, batch_size: int = 4, seed: int = 0, **settings: Any) -> Any:
    return Prioritized(
        1,
        np.random.default_rng(seed),
        Prioritized.Settings(capacity=capacity, batch_size=batch_size, **settings),
    )


def set_errors(memory: Any, errors: dict[int, float]) -> None:
    """Gives each transition, told by its reward, its error."""
    seen: set[int] = set()
    while len(seen) < len(errors):
        rewards = memory.sample().rewards
        memory.update_priorities(np.array([errors[int(reward)] for reward in rewards]))
        seen |= set(rewards.astype(int))


def test_transitions_are_drawn_in_proportion_to_the_power_of_their_errors() -> None:
    """Errors 1, 4, 9, 16 with alpha 1/2: shares 1, 2, 3, 4 of ten."""
    memory = prioritized(capacity=4, batch_size=4, alpha=0.5, epsilon=1e-12)
    fill(memory, 4)
    set_errors(memory, {0: 1.0, 1: -4.0, 2: 9.0, 3: -16.0})
    counts = np.zeros(4)
    for _ in range(20_000):
        counts += np.bincount(memory.sample().rewards.astype(int), minlength=4)
    expected = counts.sum() * np.array([1, 2, 3, 4]) / 10
    # Strata make the counts vary less than independent draws would: the test is on the safe side
    # for a right memory, and a wrong power or an error's sign is off by thousands.
    assert ((counts - expected) ** 2 / expected).sum() < 16.3  # 0.1% point, 3 degrees of freedom


def test_weights_undo_the_preference_by_hand() -> None:
    """P = 0.2 and 0.8 of N = 2, beta 1: 1 / 0.4 and 1 / 1.6, over the greatest, 1 and 1/4."""
    memory = prioritized(capacity=10, batch_size=10, alpha=1.0, beta=1.0, epsilon=1e-12)
    fill(memory, 2)
    set_errors(memory, {0: 1.0, 1: 4.0})
    batch = memory.sample()
    np.testing.assert_allclose(batch.weights, np.where(batch.rewards == 0, 1.0, 0.25), rtol=1e-6)
    assert sorted(set(batch.rewards)) == [0.0, 1.0]


def test_beta_rises_to_one() -> None:
    memory = prioritized(capacity=10, batch_size=10, alpha=1.0, beta=0.0, beta_steps=100)
    fill(memory, 2)
    memory.sample()
    memory.update_priorities(np.where(memory._batch.rewards == 0, 1.0, 4.0))
    assert memory.sample().weights.min() > 0.97  # (1/4)^0.01
    for _ in range(100):
        memory.sample()
    assert memory.sample().weights.min() == pytest.approx(0.25, rel=1e-4)


def test_a_new_transition_has_the_greatest_priority() -> None:
    memory = prioritized(capacity=100, batch_size=1, alpha=1.0)
    fill(memory, 50)
    for _ in range(500):
        memory.sample()
        memory.update_priorities(np.array([1e-3]))
    memory.sample()
    memory.update_priorities(np.array([5.0]))
    fill(memory, 1, start=77)
    drawn = [float(memory.sample().rewards[0]) for _ in range(200)]
    assert drawn.count(77.0) > 40


def test_a_restored_prioritized_memory_goes_on_to_the_bit() -> None:
    memory, other = prioritized(seed=1), prioritized(seed=2)
    fill(memory, 11)
    set_errors(memory, {i: float(i) for i in range(3, 11)})
    memory.sample()  # whose errors are still to come
    fill(memory, 1, start=30)
    take_over(memory, other)
    for each in (memory, other):
        each.update_priorities(np.array([1.0, 2.0, 3.0, 4.0]))
    for start in (40, 50):
        fill(memory, 1, start=start)
        fill(other, 1, start=start)
        one, two = memory.sample(), other.sample()
        np.testing.assert_array_equal(one.rewards, two.rewards)
        np.testing.assert_array_equal(one.weights, two.weights)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("alpha", -0.1), ("alpha", 1.1), ("beta", 2.0), ("beta_steps", 0), ("epsilon", 0.0)],
)
def test_impossible_priorities_are_refused(setting: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{setting} must"):
        prioritized(**{setting: value})


def test_newer_transitions_are_drawn_more_often_by_hand() -> None:
    """Of three, with p = 2: 1/9, 3/9 and 5/9; the ring has gone round, so place 0 is not oldest."""
    settings = LeftTail.Settings(capacity=3, batch_size=3, recency=2.0)
    memory = LeftTail(1, np.random.default_rng(0), settings)
    fill(memory, 5)
    drawn = [memory.sample().rewards.astype(int).copy() for _ in range(10_000)]
    counts = np.bincount(np.concatenate(drawn), minlength=5)
    assert counts[:2].tolist() == [0, 0]
    expected = np.array([1, 3, 5]) / 9 * counts.sum()
    assert ((counts[2:] - expected) ** 2 / expected).sum() < 13.9  # 0.1% point, 2 degrees


def high_low(capacity: int = 20, batch_size: int = 8, **settings: Any) -> HighLow:
    given = HighLow.Settings(capacity=capacity, batch_size=batch_size, **settings)
    return HighLow(1, np.random.default_rng(0), given)


def episode(memory: HighLow, numbers: range, total: float | None, lane: int = 0) -> None:
    add = memory.adder(lane)
    for number in numbers:
        add(np.array([number]), 0, float(number), 0.5, np.array([number]))
    memory.ended(lane, total)


def shares(memory: HighLow) -> dict[int, float]:
    drawn = np.concatenate([memory.sample().rewards.copy() for _ in range(2_000)])
    numbers, counts = np.unique(drawn.astype(int), return_counts=True)
    return dict(zip(numbers.tolist(), (counts / len(drawn)).tolist(), strict=True))


def test_a_share_of_a_sample_is_of_good_episodes() -> None:
    """Returns 1, 5 and 2: only 5 is above the median of those before it and itself, 3."""
    memory = high_low(high_share=0.75)
    episode(memory, range(3), 1.0)
    episode(memory, range(3, 5), 5.0)
    episode(memory, range(5, 9), 2.0)
    found = shares(memory)
    for number in range(9):
        expected = 0.75 / 2 if number in (3, 4) else 0.25 / 7
        assert found[number] == pytest.approx(expected, abs=0.015)


def test_episodes_of_several_lanes_are_told_apart_and_abandoned_ones_are_low() -> None:
    memory = high_low(high_share=1.0)
    episode(memory, range(2), 0.0)
    good, other = memory.adder(1), memory.adder(2)
    for number in (2, 3, 4, 5):
        (good if number % 2 else other)(np.zeros(1), 0, float(number), 0.5, np.zeros(1))
    memory.ended(1, 9.0)
    memory.ended(2, None)
    assert set(shares(memory)) == {3, 5}


def test_what_is_overwritten_is_not_high_any_more() -> None:
    memory = high_low(capacity=6, batch_size=6, high_share=1.0)
    episode(memory, range(2), 0.0)
    episode(memory, range(2, 5), 7.0)
    episode(memory, range(5, 10), 1.0)  # overwrites all but number 4
    assert set(shares(memory)) == {4}
    episode(memory, range(10, 13), 1.0)
    assert set(shares(memory)) == set(range(7, 13))  # none is left, so all are drawn


def test_a_restored_memory_of_good_episodes_goes_on_to_the_bit() -> None:
    one, other = (high_low(capacity=8, batch_size=4) for _ in range(2))
    for number in range(7):
        episode(one, range(3 * number, 3 * number + 3), float(number % 4), number % 2)
    one.adder(1)(np.zeros(1), 0, 90.0, 0.5, np.zeros(1))
    episode(other, range(5), 3.0)
    take_over(one, other)
    for memory in (one, other):
        episode(memory, range(91, 93), 9.0, 1)
    for _ in range(3):
        np.testing.assert_array_equal(one.sample().rewards, other.sample().rewards)
    assert one.state()["high"] == other.state()["high"] == 6  # 18 to 23


def test_a_rollout_by_hand() -> None:
    rollout = Rollout(1, 2, np.zeros(0, np.int64), Rollout.Settings(horizon=2))
    flags = np.array([False, True]), np.array([True, False])
    for step, (terminated, truncated) in enumerate((flags, flags[::-1])):
        assert not rollout.full
        column = np.array([[step], [10 + step]])
        rollout.add(column, column[:, 0], column[:, 0] * 2, column + 1, terminated, truncated)
    assert rollout.full
    assert rollout.observations[:, :, 0].tolist() == [[0, 10], [1, 11]]
    assert rollout.actions.tolist() == [[0, 10], [1, 11]]
    assert rollout.rewards.tolist() == [[0, 20], [2, 22]]
    assert rollout.next_observations[:, :, 0].tolist() == [[1, 11], [2, 12]]
    assert rollout.terminated.tolist() == [[0, 1], [1, 0]]
    assert rollout.cuts.tolist() == [[1, 1], [1, 1]]
    rollout.clear()
    assert rollout.size == 0


@pytest.mark.parametrize(
    ("ends", "flags", "full"),
    [
        (True, [(0, 0), (1, 0), (1, 1)], [False, False, True]),  # of three lanes' steps: all ended
        (True, [(0, 0), (0, 1), (1, 0)], [False, False, False]),
        (False, [(1, 1), (1, 1), (1, 1), (0, 0)], [False, False, False, True]),
    ],
)
def test_a_rollout_may_end_where_all_episodes_do(
    ends: bool, flags: list[tuple[int, int]], full: list[bool]
) -> None:
    settings = Rollout.Settings(horizon=4, ends_with_episodes=ends)
    rollout = Rollout(1, 2, np.zeros(0, np.int64), settings)
    assert not rollout.full
    found = []
    for number, ended in enumerate(flags):
        column = np.full((2, 1), float(number))
        terminated, truncated = np.array([ended[0], 0]), np.array([0, ended[1]])
        rollout.add(column, column[:, 0], column[:, 0], column, terminated, truncated)
        found.append(rollout.full)
    assert found == full
    assert rollout.steps.rewards.tolist() == [[float(k)] * 2 for k in range(len(flags))]


def test_a_restored_rollout_goes_on() -> None:
    rollout, other = (
        Rollout(1, 1, np.zeros(0, np.int64), Rollout.Settings(horizon=3)) for _ in range(2)
    )
    step = np.array([[4.0]]), np.array([1]), np.array([2.0]), np.array([[5.0]])
    rollout.add(*step, np.array([False]), np.array([True]))
    other.restore(rollout.state())
    assert (other.size, other.rewards[0, 0], other.cuts[0, 0]) == (1, 2.0, 1.0)
