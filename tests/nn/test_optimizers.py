"""Optimizers against the textbook, their state, and their small numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

import nn
from nn import checkpoint, optimizers
from nn.typing import Array

SIZE = 50


def textbook_sgd(
    p: Array,
    gradients: Sequence[Array],
    learning_rate: float = 0.01,
    momentum: float = 0.0,
    nesterov: bool = False,
) -> Array:
    v = np.zeros_like(p)
    for g in gradients:
        v = momentum * v + g
        p = p - learning_rate * (g + momentum * v if nesterov else v)
    return p


def textbook_adagrad(
    p: Array, gradients: Sequence[Array], learning_rate: float = 0.01, epsilon: float = 1e-10
) -> Array:
    squares = np.zeros_like(p)
    for g in gradients:
        squares = squares + g**2
        p = p - learning_rate * g / (np.sqrt(squares) + epsilon)
    return p


def textbook_rmsprop(
    p: Array,
    gradients: Sequence[Array],
    learning_rate: float = 0.001,
    decay: float = 0.99,
    epsilon: float = 1e-8,
    centered: bool = False,
    momentum: float = 0.0,
) -> Array:
    mean_square, mean, velocity = np.zeros_like(p), np.zeros_like(p), np.zeros_like(p)
    for g in gradients:
        mean_square = decay * mean_square + (1 - decay) * g**2
        mean = decay * mean + (1 - decay) * g
        spread = np.sqrt(mean_square - centered * mean**2)
        velocity = momentum * velocity + g / (spread + epsilon)
        p = p - learning_rate * velocity
    return p


def textbook_adam(
    p: Array,
    gradients: Sequence[Array],
    learning_rate: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> Array:
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        p = p - learning_rate * m_hat / (np.sqrt(v_hat) + epsilon)
    return p


def textbook_adamw(
    p: Array, gradients: Sequence[Array], weight_decay: float = 0.01, **settings: float
) -> Array:
    rate = settings.get("learning_rate", 0.001)
    for t in range(1, len(gradients) + 1):
        moved = textbook_adam(np.zeros_like(p), gradients[:t], **settings)
        before = textbook_adam(np.zeros_like(p), gradients[: t - 1], **settings)
        p = p * (1 - rate * weight_decay) + moved - before
    return p


TEXTBOOK: dict[str, Callable[..., Array]] = {
    "SGD": textbook_sgd,
    "AdaGrad": textbook_adagrad,
    "RMSProp": textbook_rmsprop,
    "Adam": textbook_adam,
    "AdamW": textbook_adamw,
}
# A large epsilon shows where it is added; unequal decays show which is which.
CASES: list[tuple[str, dict[str, float]]] = [
    ("SGD", {}),
    ("SGD", {"learning_rate": 0.05}),
    ("SGD", {"learning_rate": 0.05, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    ("AdaGrad", {}),
    ("AdaGrad", {"learning_rate": 0.1, "epsilon": 0.3}),
    ("AdamW", {}),
    ("AdamW", {"learning_rate": 0.02, "beta1": 0.7, "epsilon": 0.3, "weight_decay": 0.5}),
    ("RMSProp", {}),
    ("RMSProp", {"learning_rate": 0.02, "decay": 0.8, "epsilon": 0.3}),
    ("RMSProp", {"decay": 0.0}),
    ("RMSProp", {"decay": 0.9, "epsilon": 0.3, "centered": True}),
    ("RMSProp", {"decay": 0.9, "momentum": 0.8}),
    ("RMSProp", {"decay": 0.9, "epsilon": 0.3, "centered": True, "momentum": 0.8}),
    ("Adam", {}),
    ("Adam", {"learning_rate": 0.02, "beta1": 0.7, "beta2": 0.95, "epsilon": 0.3}),
    ("Adam", {"beta1": 0.0, "beta2": 0.0}),
]
WITH_MEMORY: list[tuple[str, dict[str, float]]] = [
    ("SGD", {"momentum": 0.9}),
    ("RMSProp", {"decay": 0.9}),
    ("RMSProp", {"decay": 0.9, "centered": True, "momentum": 0.8}),
    ("Adam", {"beta2": 0.99}),
    ("AdamW", {"beta2": 0.99}),
]


def random_gradients(steps: int, seed: int = 0) -> list[Array]:
    """Of all sizes from 1e-3 to 1e3, and another scale at each parameter."""
    rng = np.random.default_rng(seed)
    scales = 10.0 ** rng.uniform(-3, 3, SIZE)
    return [scales * rng.normal(0.3, 1.0, SIZE) for _ in range(steps)]


def make(
    name: str, settings: dict[str, float], parameters: ArrayLike, dtype: type = np.float32
) -> nn.Optimizer:
    """An optimizer over copies."""
    vector: Array = np.array(parameters, dtype)
    return nn.make_optimizer(name, vector, np.zeros_like(vector), **settings)


def run(optimizer: nn.Optimizer, gradients: Sequence[Array]) -> Array:
    """The parameters after a step along each gradient."""
    for gradient in gradients:
        optimizer.gradients[:] = gradient
        optimizer.step()
    return optimizer.parameters


def moments(optimizer: nn.Optimizer) -> dict[str, Array]:
    result: dict[str, Array] = optimizer.state()["moments"]
    return result


def test_every_optimizer_stands_in_the_textbook() -> None:
    assert set(TEXTBOOK) == {name for name, _ in CASES} == set(nn.OPTIMIZERS)


@pytest.mark.parametrize(("name", "settings"), CASES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-6), (np.float32, 1e-3)])
def test_a_hundred_steps_agree_with_the_textbook(
    name: str, settings: dict[str, float], dtype: type, tolerance: float
) -> None:
    start, gradients = np.random.default_rng(1).normal(0, 1, SIZE), random_gradients(100)
    moved = run(make(name, settings, start, dtype), gradients) - np.array(start, dtype)
    expected = TEXTBOOK[name](start, gradients, **settings) - start
    np.testing.assert_allclose(moved, expected, rtol=tolerance, atol=1e-4 * (dtype == np.float32))
    assert np.abs(expected).min() > 1e-7


@pytest.mark.parametrize(("name", "settings"), WITH_MEMORY)
def test_the_flush_of_denormal_numbers_changes_no_bit_of_others(
    name: str, settings: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right after it, where the decay has not yet wiped out what it may have done."""
    gradients = random_gradients(256)
    with_flush = make(name, settings, np.zeros(SIZE))
    run(with_flush, gradients)
    monkeypatch.setattr(optimizers, "_FLUSH_EVERY", 10**9)
    without = make(name, settings, np.zeros(SIZE))
    run(without, gradients)
    assert same_to_the_bit(with_flush, without)


def test_sgd_by_hand() -> None:
    optimizer = make("SGD", {"learning_rate": 0.5, "momentum": 0.25}, [1.0, 2.0])
    assert run(optimizer, [np.array([4.0, -2.0])]).tolist() == [-1.0, 3.0]
    # v = 0.25 * (4, -2) + (1, 2.5) = (2, 2)
    assert run(optimizer, [np.array([1.0, 2.5])]).tolist() == [-2.0, 2.0]


def test_the_first_step_of_rmsprop_by_hand() -> None:
    """The mean of g^2 starts at zero: lr g / sqrt(0.19 g^2)."""
    optimizer = make("RMSProp", {"learning_rate": 0.1, "decay": 0.81}, [0.0, 0.0], np.float64)
    expected = np.array([-0.1, 0.1]) / math.sqrt(0.19)
    np.testing.assert_allclose(run(optimizer, [np.array([5.0, -0.2])]), expected, rtol=1e-6)


def test_centred_rmsprop_with_momentum_by_hand() -> None:
    """With decay 1/2, of g = 2: mean of squares 2, mean 1, so the deviation is 1 and v = 2.

    Then of g = 4: mean of squares 9, mean 2.5, deviation sqrt(2.75) and v = 1 + 4 / sqrt(2.75).
    """
    settings = {"learning_rate": 0.1, "decay": 0.5, "centered": True, "momentum": 0.5}
    optimizer = make("RMSProp", settings, [0.0], np.float64)
    np.testing.assert_allclose(run(optimizer, [np.array([2.0])]), -0.2, rtol=1e-6)
    expected = -0.2 - 0.1 * (1 + 4 / math.sqrt(2.75))
    np.testing.assert_allclose(run(optimizer, [np.array([4.0])]), expected, rtol=1e-6)


def test_a_gradient_that_stays_the_same_has_no_spread() -> None:
    """Rounding would make the variance of some of them negative."""
    optimizer = make("RMSProp", {"centered": True, "decay": 0.5, "epsilon": 1.0}, [0.0] * 100)
    reached = run(optimizer, [np.linspace(0.1, 3.0, 100)] * 200)
    assert np.isfinite(reached).all()


def test_the_first_step_of_adam_is_the_learning_rate_whatever_the_gradient() -> None:
    optimizer = make("Adam", {"learning_rate": 0.01}, [1.0, 1.0, 1.0, 1.0], np.float64)
    moved = run(optimizer, [np.array([300.0, -0.02, 1e-6, 0.0])]) - 1.0
    # Epsilon is 1 % of the third gradient.
    np.testing.assert_allclose(moved, [-0.01, 0.01, -0.01 / 1.01, 0.0], rtol=1e-5)


@pytest.mark.parametrize(("name", "settings"), [case for case in CASES if case[0] != "AdamW"])
def test_a_parameter_without_gradient_stays(name: str, settings: dict[str, float]) -> None:
    optimizer = make(name, settings, [1.0, 2.0])
    assert run(optimizer, [np.array([3.0, 0.0])] * 5)[1] == 2.0


def test_adamw_decays_a_parameter_without_gradient() -> None:
    optimizer = make("AdamW", {"learning_rate": 0.1, "weight_decay": 0.5}, [1.0, 2.0])
    assert run(optimizer, [np.array([3.0, 0.0])] * 2)[1] == pytest.approx(2.0 * 0.95**2)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_a_learning_rate_of_zero_moves_nothing(name: str, settings: dict[str, float]) -> None:
    optimizer = make(name, {**settings, "learning_rate": 0.0}, [1.0, 2.0])
    assert run(optimizer, [np.array([3.0, -4.0])] * 3).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_the_learning_rate_may_change_between_steps(name: str, settings: dict[str, float]) -> None:
    slow, fast = make(name, settings, [0.0, 0.0]), make(name, settings, [0.0, 0.0])
    gradients = [np.array([3.0, -4.0])] * 3
    run(slow, gradients)
    run(fast, gradients)
    before = slow.parameters.copy()
    fast.learning_rate *= 3
    run(slow, gradients[:1])
    run(fast, gradients[:1])
    np.testing.assert_allclose(fast.parameters - before, 3 * (slow.parameters - before), rtol=1e-5)


@pytest.mark.parametrize("name", nn.OPTIMIZERS)
def test_a_schedule_sets_the_rate_of_each_step(name: str) -> None:
    """Against one whose rate is set by hand; from a saved state the schedule goes on."""
    schedule = nn.Warmup(steps=2, then=nn.Step(start=0.4, factor=0.5, every=3))
    vector = np.zeros(SIZE)
    scheduled = nn.make_optimizer(name, vector, np.zeros(SIZE), learning_rate=schedule)
    by_hand = make(name, {"learning_rate": 0.0}, np.zeros(SIZE), np.float64)
    gradients = random_gradients(6)
    for rate, gradient in zip([0.2, 0.4, 0.4, 0.2, 0.2, 0.2], gradients, strict=True):
        by_hand.learning_rate = rate
        run(by_hand, [gradient])
        run(scheduled, [gradient])
        assert scheduled.learning_rate == rate
        np.testing.assert_array_equal(scheduled.parameters, by_hand.parameters)
    scheduled.restore({**scheduled.state(), "steps": 6})
    run(scheduled, [gradients[0]])
    assert scheduled.learning_rate == 0.1


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_a_step_leaves_the_gradients_alone(name: str, settings: dict[str, float]) -> None:
    optimizer = make(name, settings, [1.0, 2.0])
    run(optimizer, [np.array([3.0, -4.0])])
    assert optimizer.gradients.tolist() == [3.0, -4.0]


def fading_gradients(steps: int) -> list[Array]:
    """They fall to 1e-30, where the flush rounds the moments, which tells its phase."""
    faded = 10.0 ** -np.linspace(0, 30, SIZE)
    return [gradient * faded for gradient in random_gradients(steps)]


def same_to_the_bit(one: nn.Optimizer, other: nn.Optimizer) -> bool:
    return one.parameters.tobytes() == other.parameters.tobytes() and all(
        moment.tobytes() == moments(other)[key].tobytes() for key, moment in moments(one).items()
    )


@pytest.mark.parametrize("through_a_file", [False, True])
@pytest.mark.parametrize(("name", "settings"), [*WITH_MEMORY, ("SGD", {})])
def test_a_restored_optimizer_goes_on_to_the_bit(
    name: str, settings: dict[str, float], through_a_file: bool, tmp_path: Path
) -> None:
    """From step 200 over the flushes at 256 and 512, and equal right after each of them."""
    gradients = fading_gradients(600)
    optimizer = make(name, settings, np.zeros(SIZE))
    run(optimizer, gradients[:200])
    state, parameters = optimizer.state(), optimizer.parameters.copy()
    run(optimizer, gradients[:1])  # must not reach into the state
    if through_a_file:
        checkpoint.save(tmp_path / "state", state)
        state = checkpoint.load(tmp_path / "state")
    restored = make(name, settings, parameters)
    run(restored, gradients[:3])  # it has a past of its own
    restored.parameters[:] = parameters
    restored.restore(state)
    uninterrupted = make(name, settings, np.zeros(SIZE))
    run(uninterrupted, gradients[:200])
    for start, end in ((200, 256), (256, 512), (512, 600)):
        run(restored, gradients[start:end])
        run(uninterrupted, gradients[start:end])
        assert restored.steps == uninterrupted.steps == end
        assert same_to_the_bit(restored, uninterrupted)


@pytest.mark.parametrize(("name", "settings"), WITH_MEMORY)
def test_an_optimizer_with_other_steps_does_not(name: str, settings: dict[str, float]) -> None:
    """The negative control of the test above: it can tell the phase of the flush."""
    gradients = fading_gradients(256)
    optimizer, other = make(name, settings, np.zeros(SIZE)), make(name, settings, np.zeros(SIZE))
    run(optimizer, gradients[:200])
    other.parameters[:] = optimizer.parameters
    other.restore({**optimizer.state(), "steps": 199})
    run(optimizer, gradients[200:])
    run(other, gradients[200:])
    assert not same_to_the_bit(other, optimizer)
    assert any(np.any(moments(other)[key] != moments(optimizer)[key]) for key in moments(other))


def denormal(values: Array) -> int:
    """How many are smaller than the smallest normal number and not zero."""
    return int(np.sum((values != 0) & (np.abs(values) < np.finfo(values.dtype).tiny)))


@pytest.mark.parametrize(
    ("name", "settings"), [*WITH_MEMORY, ("RMSProp", {}), ("Adam", {}), ("Adam", {"beta2": 0.9})]
)
def test_moments_whose_gradient_has_died_do_not_become_denormal(
    name: str, settings: dict[str, float]
) -> None:
    optimizer = make(name, settings, np.zeros(SIZE))
    run(optimizer, [10.0 ** -np.linspace(-2, 18, SIZE)] * 20)
    assert all(moment.all() for moment in moments(optimizer).values())
    run(optimizer, [np.zeros(SIZE)] * 5000)
    assert [denormal(moment) for moment in moments(optimizer).values() if denormal(moment)] == []


def test_without_a_flush_a_moment_becomes_denormal_and_stays_so() -> None:
    """The negative control of the test above: 0.9 times a few smallest numbers rounds back."""
    moment = np.full(SIZE, 1.0, np.float32)
    for _ in range(5000):
        np.multiply(moment, 0.9, out=moment)
    assert denormal(moment) == SIZE


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        *[(name, "learning_rate", value) for name in nn.OPTIMIZERS for value in (-0.1, math.nan)],
        *[("SGD", "momentum", value) for value in (-0.1, 1.0, 1.5, math.nan)],
        *[("RMSProp", "decay", value) for value in (-0.1, 1.0, 1.5, math.nan)],
        *[("Adam", "beta1", value) for value in (-0.1, 1.0, math.nan)],
        *[("Adam", "beta2", value) for value in (-0.1, 1.0, math.nan)],
        *[(name, "epsilon", 0.0) for name in ("AdaGrad", "RMSProp", "Adam", "AdamW")],
    ],
)
def test_bad_settings_are_refused_by_name(name: str, setting: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{setting} must .*{value}"):
        make(name, {setting: value}, [1.0])


def test_a_schedule_that_ends_below_zero_is_refused() -> None:
    schedule = nn.Linear(start=0.1, end=-0.1, steps=9)
    with pytest.raises(ValueError, match="learning_rate must not be negative"):
        nn.SGD(np.zeros(1), np.zeros(1), learning_rate=schedule)


def test_a_setting_that_an_optimizer_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="momentum"):
        make("Adam", {"momentum": 0.9}, [1.0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clip_norm_by_hand(dtype: type) -> None:
    gradients: Array = np.array([3.0, -4.0], dtype)
    assert nn.clip_norm(gradients, 2.5) == 5.0
    np.testing.assert_allclose(gradients, [1.5, -2.0], rtol=1e-6)


@pytest.mark.parametrize("limit", [5.0, 5.1, 100.0, math.inf])
def test_clip_norm_leaves_a_norm_within_the_limit(limit: float) -> None:
    gradients = np.array([3.0, -4.0], np.float32)
    assert nn.clip_norm(gradients, limit) == 5.0
    assert gradients.tolist() == [3.0, -4.0]


def test_clip_norm_of_nothing_is_nothing() -> None:
    gradients = np.zeros(3, np.float32)
    assert nn.clip_norm(gradients, 1.0) == 0.0
    assert not gradients.any()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30])
def test_clip_norm_leaves_gradients_alone_whose_norm_is_not_finite(value: float) -> None:
    """1e30 is finite in float32, and its square is not."""
    gradients = np.array([value, 2.0], np.float32)
    kept = gradients.copy()
    with np.errstate(over="ignore"):
        assert not math.isfinite(nn.clip_norm(gradients, 1.0))
    np.testing.assert_array_equal(gradients, kept)
