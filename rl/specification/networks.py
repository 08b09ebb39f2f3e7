"""A network, from the `network` block."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from nn import Ensemble, Network, SettingError
from nn.limits import require_memory
from nn.pictures import conv_layers
from rl.errors import brief
from rl.preprocessors import Picture
from rl.specification.blocks import NetworkSettings

# float32s for each parameter of a network: itself and its gradient, whether it is a weight, two
# moments and room for the step, and a target network.
PARAMETER_BYTES = 9 * 4


def make_network(
    inputs: int,
    outputs: int,
    output: str,
    rng: np.random.Generator,
    settings: NetworkSettings,
    members: int | None = None,
    joined: int = 0,
    picture: Picture | None = None,
    pixel_scale: float = 1.0,
) -> Network:
    """A network as the `network` block describes it.

    Args:
        inputs: units of the first layer.
        outputs: units of the last.
        output: the activation of the last layer, which the agent chooses.
        rng: draws the weights.
        settings: of what is between.
        members: how many of these side by side, as an `Ensemble`; None for a single one.
        joined: further inputs, which no filter sees.
        picture: the form of the inputs, for convolutional layers.
        pixel_scale: their factor.

    Raises:
        SettingError: it does not fit into the machine, a kernel into the picture, or a
            normalization an ensemble.
    """
    first, seen, many = inputs + joined, dict[str, Any](), members or 1
    form: Any = first
    if picture:
        form = picture.shape
        layers = conv_layers(picture.shape, settings.conv, joined=joined)
        first = layers[-1].outputs
        size = PARAMETER_BYTES * sum(layer.size for layer in layers)
        require_memory("conv", f"{len(settings.conv)} layers", size)
        seen = {"conv": settings.conv, "channels_first": picture.channels_first,
                "pixel_scale": pixel_scale, "joined": joined}  # fmt: skip
    sizes = (first, *settings.hidden, outputs)
    parameters = many * sum((before + 1) * after for before, after in pairwise(sizes))
    require_memory("hidden", brief(list(settings.hidden)), parameters * PARAMETER_BYTES)
    if members and settings.layer_norm:
        raise SettingError("layer_norm", "would mix the members of an ensemble; leave it out")
    make = partial(Ensemble, members=members) if members else Network
    network: Network = make(
        (form, *(many * size for size in sizes[1:])), settings.activation, output, **seen,
        initializer=settings.initializer, layer_norm=settings.layer_norm,
        batch_norm=settings.renormalization or False,
        noisy=settings.noisy and settings.noisy_sigma, seed=rng,
    )  # fmt: skip
    network.weights[-1][:] *= settings.output_scale
    return network
