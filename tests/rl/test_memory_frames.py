"""Frames that are kept once: the same samples as of a memory that keeps whole observations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn.typing import Array
from rl.memory import REPLAYS, NStep, Replay
from rl.session.transition_log import TransitionLog
from tests.contracts.cases import assert_same
from tests.rl.conftest import take_over

COUNT, FRAME = 3, 5


def memories(name: str, capacity: int = 40, kind: Any = np.uint8) -> list[Replay]:
    """One of whole observations, and two of frames."""
    part, size = REPLAYS[name], COUNT * FRAME
    settings = part.Settings(capacity=capacity, batch_size=8)
    actions = np.zeros(0, np.int64)
    forms: list[dict[str, Any]] = [{}, {"frames": COUNT}, {"frames": COUNT}]
    return [part(size, np.random.default_rng(1), settings, actions, 0, kind, **form)
            for form in forms]  # fmt: skip


class Lane:
    """Stacks of random frames in episodes, some of one step, that often begin alike."""

    def __init__(self, number: int, memories: list[Replay], n: int, kind: Any = np.uint8) -> None:
        self.rng, self.memories, self.number = np.random.default_rng(number), memories, number
        self.kind = kind
        self.steps = [NStep(memory.adder(number), n, 0.9) for memory in memories]
        self.begin()

    def frame(self) -> Array:
        return self.rng.integers(0, 256, FRAME).astype(self.kind)

    def begin(self) -> None:
        first = np.full(FRAME, 7, self.kind) if self.rng.random() < 0.5 else self.frame()
        self.stack = np.tile(first, COUNT)

    def step(self) -> None:
        after = np.concatenate([self.stack[FRAME:], self.frame()])
        ended, reward = self.rng.random() < 0.2, float(self.rng.random())
        for each in self.steps:
            each.add(self.stack, 1, reward, after, ended, False)
        self.stack = after
        if ended:
            for memory in self.memories:
                memory.ended(self.number, reward)
            self.begin()


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("name", REPLAYS)
def test_a_memory_of_frames_samples_what_a_plain_one_does(name: str, n: int, kind: Any) -> None:
    plain, framed, _ = kinds = memories(name, kind=kind)
    lanes = [Lane(number, kinds[:2], n, kind) for number in range(3)]
    for _ in range(120):
        for lane in lanes:
            lane.step()
        if plain.size:
            assert_samples(plain, framed)
    assert framed.frames
    assert framed.frames.capacity == framed.frames.places(framed.capacity)


def assert_samples(one: Replay, other: Replay) -> None:
    first, second = (
        {key: value for key, value in vars(each.sample()).items() if value is not None}
        for each in (one, other)
    )
    assert_same(first, second)
    for memory in (one, other):
        memory.update_priorities(first["rewards"])


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("name", REPLAYS)
def test_it_goes_on_to_the_bit_with_frames_that_were_put_back(name: str, kind: Any) -> None:
    _, framed, other = kinds = memories(name, kind=kind)
    lane, behind = Lane(0, kinds[1:2], 1, kind), Lane(5, [other], 1, kind)
    for _ in range(90):
        lane.step()
    for _ in range(3):
        behind.step()
    take_over(framed, other)
    lane.memories.append(other)
    lane.steps.append(NStep(other.adder(0), 1, 0.9))
    for _ in range(60):
        assert_samples(framed, other)
        lane.step()


def test_a_ring_grows_for_as_long_as_its_frames_are_in_use(monkeypatch: Any) -> None:
    """Episodes of one step have two new frames for each transition."""
    monkeypatch.setattr("rl.memory.frames._KNOWN", 4)
    plain, framed, _ = memories("Replay", capacity=50)
    rng = np.random.default_rng(0)
    for _ in range(200):
        start, end = rng.integers(0, 256, (2, COUNT * FRAME)).astype(np.uint8)
        for memory in (plain, framed):
            memory.add(start, 0, 1.0, 0.0, end)
        assert_samples(plain, framed) if plain.size > 8 else None
    assert framed.frames
    assert framed.frames.capacity >= 2 * COUNT * 50


def test_each_frame_is_written_once(tmp_path: Path) -> None:
    """And read again, though the ring has gone round since."""
    _, framed, other = kinds = memories("Replay")
    assert framed.frames and other.frames  # noqa: PT018
    logs = {
        "frames": TransitionLog(tmp_path, framed.frames, "frames"),
        "transitions": TransitionLog(tmp_path, framed),
    }
    lane = Lane(0, kinds[1:2], 1)
    for _ in range(100):
        lane.step()
        for log in logs.values():
            log.write()
    marks = {name: log.marks() for name, log in logs.items()}
    bytes_of = sum(path.stat().st_size for path in tmp_path.glob("frames*"))
    assert bytes_of <= framed.frames.added * FRAME
    assert framed.frames.added < 150
    TransitionLog(tmp_path, other.frames, "frames").load(marks["frames"])
    TransitionLog(tmp_path, other).load(marks["transitions"])
    other.restore(framed.state())
    for _ in range(20):
        assert_samples(framed, other)
