"""A greedy policy as plain operations on a vector, which each format writes in its own way."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nn import ACTIVATIONS, Network
from nn.convolution import Conv2D, Flatten, MaxPool2D
from nn.ensemble import BlockDense
from nn.layers import Activate, Dense, Layer
from nn.names import describe
from nn.normalization import BatchRenorm, LayerNorm
from nn.typing import Array
from rl.agents import Agent
from rl.agents.base import GreedyTable
from rl.environments.spaces import Actions, Combinations, Continuous, Discrete, MultiDiscrete
from rl.preprocessors import Normalize, Pictures, Preprocessor
from rl.preprocessors.pictures import GREY


@dataclass(frozen=True)
class Step:
    """One operation on a vector x."""

    name: str  # such as "dense", or an activation's
    arrays: dict[str, Array] = field(default_factory=dict)  # what it takes besides x, by name


def of_preprocessor(preprocessor: Preprocessor) -> list[Step]:
    """What happens to each observation, or to the latest pictures."""
    if isinstance(preprocessor, Pictures):
        return _of_latest_pictures(preprocessor)
    if not isinstance(preprocessor, Normalize) or not preprocessor.settings.observations:
        return []
    arrays = {"mean": preprocessor.mean, "deviation": preprocessor.std}
    return [Step("normalize", {**arrays, "limit": np.array(preprocessor.settings.clip, float)})]


def _of_latest_pictures(seen: Pictures) -> list[Step]:
    """From the latest pictures of an environment, row by row, to what the agent sees of them."""
    height, width, channels = seen.raw.shape
    shape, order = (height, width, channels), [0, 3, 1, 2]
    if seen.raw.channels_first:
        shape, order = (channels, height, width), [0, 1, 2, 3]
    rows, columns = seen.cut
    steps = [
        Step("frames", {"shape": np.array([seen.frames, *shape]), "order": np.array(order)}),
        Step("cut", {"starts": np.array([rows.start, columns.start]),
                     "ends": np.array([rows.stop, columns.stop])}),
    ]  # fmt: skip
    if seen.is_grey:
        steps.append(Step("grey", {"weights": GREY[:, None, None]}))
    if seen.columns is not None:
        steps.append(Step("columns", {"weights": seen.columns.T}))
    if seen.rows is not None:
        steps.append(Step("rows", {"weights": seen.rows}))
    if seen.raw.is_bytes:
        steps.append(Step("round"))
    return [*steps, Step("flat")]


def _of_network(network: Network, first: int = 0, count: int | None = None) -> list[Step]:
    """A forward pass, and the selection of `count` outputs beginning with the `first`."""
    steps = [_of_layer(layer) for layer in network.layers if not isinstance(layer, Flatten)]
    if network.picture:
        steps.insert(0, _of_picture(network, network.picture))
    used = np.arange(network.sizes[-1])[first:][:count]
    if len(used) < network.sizes[-1]:
        steps.append(Step("select", {"entries": used}))
    return steps


def _of_picture(network: Network, picture: tuple[int, int, int]) -> Step:
    """From a picture, row by row, to its channels one after the other, as between all layers."""
    shape = np.array(picture)[[2, 0, 1]] if network.channels_first else np.array(picture)
    order = np.array([0, 1, 2] if network.channels_first else [2, 0, 1])
    scale = np.array(network.pixel_scale, np.float32)
    return Step("picture", {"shape": shape, "order": order, "scale": scale})


def _of_kernel(layer: Conv2D | MaxPool2D) -> dict[str, Array]:
    """The arrays that say where a kernel lies."""
    numbers = {"shape": layer.shape, "size": layer.size_of_kernel, "stride": layer.stride,
               "padding": layer.padding}  # fmt: skip
    return {name: np.array(value) for name, value in numbers.items()}


def _of_layer(layer: Layer) -> Step:
    if isinstance(layer, Conv2D):
        arrays = {"filters": layer.filters, "biases": layer.biases}
        return Step("conv", {**_of_kernel(layer), **arrays})
    if isinstance(layer, MaxPool2D):
        return Step("max_pool", _of_kernel(layer))
    if isinstance(layer, BlockDense):
        return Step("dense", {"weights": layer.matrix, "biases": layer.biases})
    if isinstance(layer, Dense):
        return Step("dense", {"weights": layer.weights, "biases": layer.biases})
    if isinstance(layer, LayerNorm):
        gain, biases = layer.parameters
        epsilon = np.array(layer.epsilon, np.float32)
        return Step("layer_norm", {"gain": gain, "epsilon": epsilon, "biases": biases})
    if isinstance(layer, BatchRenorm):
        scale, shift = layer.affine()
        return Step("affine", {"scale": scale, "shift": shift})
    assert isinstance(layer, Activate)
    settings = describe(ACTIVATIONS, layer.activation)
    name = settings.pop("name")
    return Step(name, {key: np.array(value, np.float32) for key, value in settings.items()})


def of_agent(agent: Agent) -> list[Step]:
    """From what an agent sees to its greedy action, numbered as the agent does."""
    policy = agent.greedy_policy
    if isinstance(policy, GreedyTable):
        return [Step("bins", {name: getattr(policy, name) for name in ("low", "scale", "most")}),
                Step("row", {"strides": policy.strides, "table": policy.table})]  # fmt: skip
    steps = _of_network(policy.network, policy.first, policy.count)
    if policy.mix is not None:
        biases = np.zeros(policy.mix.shape[1], np.float32)
        steps.append(Step("dense", {"weights": policy.mix, "biases": biases}))
    return [*steps, Step(policy.bound)] if policy.bound else steps


def of_actions(actions: Actions) -> list[Step]:
    """From the agent's action to the environment's."""
    if isinstance(actions, Continuous):
        return _of_continuous(actions)
    return [*_of_masks(actions), *_of_discrete(actions)]


def _of_masks(actions: Discrete | MultiDiscrete) -> list[Step]:
    """Keeps the policy from actions that are not allowed."""
    if not actions.masked:
        return []
    if isinstance(actions, Combinations):
        return [Step("mask_combinations", {"places": actions.places})]
    return [Step("mask")]


def _of_discrete(actions: Discrete | MultiDiscrete) -> list[Step]:
    if isinstance(actions, MultiDiscrete):
        firsts = np.array(actions.firsts[1:])
        return [Step("argmax_each", {"firsts": firsts}), Step("offset", {"start": actions.start})]
    if isinstance(actions, Combinations):
        table = [actions.for_environment(action) for action in range(actions.count)]
        return [Step("argmax_row", {"table": np.array(table)})]
    return [Step("argmax", {"first": np.array(actions.first)})]


def _of_continuous(actions: Continuous) -> list[Step]:
    arrays = {"middle": actions.middle, "reach": actions.reach}
    scaled = [Step("scale", {**arrays, "low": actions.least, "high": actions.most})]
    if actions.kind.kind in "iu":
        scaled.append(Step("round"))
    if actions.kind != actions.least.dtype:
        scaled.append(Step("convert", {"like": np.zeros(1, actions.kind)}))
    if actions.shape is not None:
        scaled.append(Step("reshape", {"shape": np.array(actions.shape, np.int64)}))
    return scaled
