"""A network's convolutional layers, as settings describe them."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nn.activations import Activation, Identity
from nn.convolution import Conv2D, Flatten, Join, MaxPool2D, Shape
from nn.initializers import Initializer, he, zero_biases
from nn.layers import Activate, Layer
from nn.names import suggestion
from nn.settings import BaseSettings, SettingError, fields_of, setting

Picture = tuple[int, int, int]  # height, width, channels
_GATHERED = 1 << 22  # numbers of the patches that a pass over any number of examples gathers


@dataclass(frozen=True, kw_only=True)
class Convolution(BaseSettings):
    """A convolutional layer, its activation, and the pooling of its output."""

    filters: int = setting("channels of the output", least=1)
    size: int = setting("pixels of a side of the kernel", 3, least=1)
    stride: int = setting("pixels between two places of the kernel", 1, least=1)
    padding: int = setting("rows and columns of zeros on each side", 0, least=0)
    pool: int = setting(
        "pixels of a side of the squares whose maximum is kept, after the activation; 1 keeps all",
        1, least=1,
    )  # fmt: skip
    pool_stride: int | None = setting(
        "pixels between two of these squares; null for `pool`, so that they do not overlap", None,
        least=1,
    )  # fmt: skip


def convolutions(given: Sequence[Convolution | Mapping[str, Any]]) -> tuple[Convolution, ...]:
    """Convolutional layers as objects; a mapping holds the settings of one.

    Raises:
        SettingError: one is something else, or a setting is unknown, missing or out of its bounds.
    """
    if isinstance(given, (str, Mapping)) or not isinstance(given, Sequence):
        raise SettingError("conv", f"must be a list of layers, not {given!r}")
    return tuple(_convolution(each, f"conv[{number}]") for number, each in enumerate(given))


def _convolution(given: Any, name: str) -> Convolution:
    if isinstance(given, Convolution):
        return given
    if not isinstance(given, Mapping):
        raise SettingError(name, f"must be settings such as {{'filters': 16}}, not {given!r}")
    known = fields_of(Convolution)
    for key in given:
        if key not in known:
            raise SettingError(f"{name}.{key}", f"is no setting{suggestion(str(key), known)}")
    if "filters" not in given:
        raise SettingError(f"{name}.filters", "is missing")
    for key, value in given.items():
        if not (hasattr(value, "__index__") or (value is None and key == "pool_stride")):
            raise SettingError(f"{name}.{key}", f"must be a whole number, not {value!r}")
    try:
        return Convolution(**given)
    except SettingError as error:
        raise SettingError(f"{name}.{error.setting}", error.complaint) from None


def picture_of(size: Any) -> Picture | None:
    """Height, width and channels of an input that is a picture; None if it is a number of units.

    A picture without the third has one channel.

    Raises:
        ValueError: it is neither.
    """
    if not isinstance(size, (tuple, list)):
        return None
    try:
        height, width, channels = map(operator.index, size if len(size) != 2 else (*size, 1))
    except (TypeError, ValueError):
        height = width = channels = 0
    if min(height, width, channels) < 1:
        raise ValueError(f"a picture must be height, width and channels, not {size!r}")
    return height, width, channels


def conv_layers(
    picture: Picture,
    conv: Sequence[Convolution],
    activation: Activation = Identity(),  # noqa: B008  it has no state
    initializer: Initializer = he,
    bias_initializer: Initializer = zero_biases,
    joined: int = 0,
) -> list[Layer]:
    """The layers from a picture to the vector that the dense layers see.

    Its last `joined` numbers are inputs that no filter sees.

    Raises:
        SettingError: a kernel is larger than its picture.
    """
    height, width, channels = picture
    shape: Shape = (channels, height, width)
    layers: list[Layer] = []
    for number, each in enumerate(conv):
        try:
            layer = Conv2D(
                shape, each.filters, each.size, each.stride, each.padding,
                initializer, bias_initializer,
            )  # fmt: skip
            layers.append(layer)
            shape = layer.output_shape
            if type(activation) is not Identity:
                layers.append(Activate(layer.outputs, activation))
            if each.pool > 1:
                pool = MaxPool2D(shape, each.pool, each.pool_stride or each.pool)
                layers.append(pool)
                shape = pool.output_shape
        except ValueError as error:
            raise SettingError(f"conv[{number}]", f"does not fit: {error}") from None
    return [*layers, Join(shape, joined) if joined else Flatten(shape)]


def examples_at_once(layers: Sequence[Layer], most: int) -> int:
    """How many examples a pass takes, so that the patches of its layers stay small."""
    gathered = (layer.gathered for layer in layers if isinstance(layer, Conv2D))
    return max(1, min(most, _GATHERED // max(gathered, default=1)))
