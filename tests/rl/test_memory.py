"""The replay memory's ring and the n-step transitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rl.memory import NStep, Replay


def replay(capacity: int = 4, batch_size: int = 2, seed: int = 0) -> Replay:
    return Replay(1, np.random.default_rng(seed), capacity=capacity, batch_size=batch_size)


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
    other.restore(memory.state())
    fill(memory, 1, start=20)
    fill(other, 1, start=20)
    for _ in range(5):
        np.testing.assert_array_equal(memory.sample().rewards, other.sample().rewards)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [({"batch_size": 0}, "batch_size"), ({"capacity": 3, "batch_size": 4}, "capacity")],
)
def test_impossible_sizes_are_refused(settings: dict[str, int], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Replay(1, np.random.default_rng(0), **settings)


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
